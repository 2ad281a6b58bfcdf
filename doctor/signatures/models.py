"""Models and the servers that have them."""

from doctor.api import Hypothesis, KnownSignature, Severity

_BASE_URL = Hypothesis("the base URL leads to a path that does not exist: then every model is not found", "MOD005")
_MODEL = Hypothesis("the model does not exist there, or not under this name", "MOD001")
_ACCESS = Hypothesis("the key is refused, or has no right to the model", "MOD006")
_SERVED = Hypothesis("the model exists, and no inference provider runs it", "MOD007")

SIGNATURES = (
    KnownSignature(
        "hf-model-not-found",
        "Hugging Face does not find the model of a structured call",
        hint="HF structured model not found",
        pattern=r"HF structured model not found(?: \(no response_format path\))?: (?:%s|(?P<model>[\w./:-]+))?",
        examples=(
            "HF structured model not found: %s. Trying fallback model.",
            "HF structured model not found (no response_format path): %s",
        ),
        area="models",
        hypotheses=(
            _BASE_URL,
            _MODEL,
            _SERVED,
            _ACCESS,
            Hypothesis("the log has lost the model's name, which would tell which of them it is", "LOG001"),
        ),
        leads_to=("hf-call-failed", "hf-structured-failed", "provider-failed"),
        kinds={"model": "model"},
        resources=("service:huggingface",),
    ),
    KnownSignature(
        "hf-call-failed",
        "a call of Hugging Face failed",
        hint="Hugging Face API call failed",
        pattern=r"Hugging Face API call failed: ",
        examples=("Hugging Face API call failed: Not Found",),
        area="models",
        hypotheses=(_BASE_URL, _MODEL, _SERVED, _ACCESS),
        leads_to=("hf-structured-failed", "provider-failed"),
        resources=("service:huggingface",),
    ),
    KnownSignature(
        "hf-structured-failed",
        "structured generation with Hugging Face failed for the primary model and every fallback",
        hint="Hugging Face structured JSON generation failed",
        pattern=r"Hugging Face structured JSON generation failed: ",
        examples=("Hugging Face structured JSON generation failed: NotFoundError: Not Found",),
        area="models",
        hypotheses=(_BASE_URL, _MODEL, _SERVED, _ACCESS),
        leads_to=("provider-failed",),
        resources=("service:huggingface",),
    ),
    KnownSignature(
        "provider-failed",
        "a model provider failed after all its attempts; another one that succeeds hides it",
        hint="[llm_text_gen] Provider",
        pattern=r"\[llm_text_gen\] Provider (?P<provider>\w+) failed: ",
        examples=("[llm_text_gen] Provider huggingface failed: RetryError[...]",),
        area="models",
        hypotheses=(
            _BASE_URL,
            _MODEL,
            _SERVED,
            _ACCESS,
            Hypothesis("another model answers in its place, and nobody sees that this one cannot", "MOD009"),
        ),
        kinds={"provider": "service"},
    ),
    KnownSignature(
        "model-not-pulled",
        "a model server does not have the model",
        hint="not found",
        pattern=r"model [\"']?(?P<model>[\w./-]+(?::[\w.-]+)?)[\"']? not found(?:,? try pulling it first)?",
        examples=("ollama._types.ResponseError: model 'llama3.2:3b' not found (status code: 404)",),
        area="models",
        hypotheses=(_MODEL, Hypothesis("defaults in several modules name different models", "MOD003")),
        kinds={"model": "model"},
    ),
    KnownSignature(
        "model-fallback",
        "a model failed and another one took its place",
        hint="using fallback model",
        pattern=r"Model '(?P<model>[^']*)' failed, using fallback model '",
        examples=("Model 'llama3.2:3b' failed, using fallback model 'qwen2:7b': not found",),
        severity=Severity.WARNING,
        area="models",
        hypotheses=(_MODEL, Hypothesis("the fallback answers, and nobody sees that the model cannot", "MOD009")),
        kinds={"model": "model"},
    ),
)
