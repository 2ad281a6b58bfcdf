"""One role has different default models in different modules, so which model works depends on who asks.

## What it finds
Default models of one role that differ between modules, one finding for each role:

    snapshot_download("Qwen/Qwen2.5-3B-Instruct")                    # start-up
    def __init__(self, model_name="Qwen/Qwen2.5-1.5B-Instruct"): …   # an agent

A default is that of a parameter, a constant, `x or "…"`, a variable of the environment, or what is downloaded. Defaults
have one role if they are for the same variable of the environment; if the same telling name (`AGENT_MODEL`) gets models
of one family; if classes of one family of classes give the same parameter models of one family; or if they are one
line of models in different sizes.

## Why it hurts
A model is downloaded that nobody uses, while another one is fetched when the first request comes. Answers differ in
quality and in shape from one part of the program to another, and no log says so.

## How it is told from its look-alikes
Models for other purposes (embedding, speech, vision, reranking …) are other roles. A parameter that is merely called
`model` in two clients of two vendors is no role, and neither are the sizes that modules named after two providers
(`anyscale.py`, `deepinfra.py`) begin with. A list of models is a fallback chain, which is wanted. Several models
in one module are silent, and so are tests, examples, scripts, and classes that are named after their model.

## How to fix
Keep the default in one place, let a variable of the environment override it, and let everything else refer to it. Keep
a fallback chain that fits the memory there, with one shape of answer for all its models.

## False positives
Two services in one tree that are deployed apart; a small model that was chosen for one part on purpose.
"""

from collections import defaultdict
from collections.abc import Iterator

from doctor.api import Evidence, EvidenceKind, Example, Finding, FixOption, Resource, Role, Severity, Source, check
from doctor.source.collectors.model_defaults import COLLECTOR, ModelDefault

SITES_SHOWN = 8

GENERIC = frozenset(
    "default model models name id path repo base hf the a my use selected current llm engine deployment chat".split()  # noqa: SIM905
)
"""Words that do not tell one role from another."""

PROVIDERS = frozenset(
    "anyscale azure baseten bedrock cerebras cohere deepinfra everlyai fireworks friendli groq huggingface".split()  # noqa: SIM905
    + "konko llamacpp nvidia octoai ollama openrouter perplexity predibase replicate sagemaker sambanova".split()  # noqa: SIM905
    + "together vertexai vllm watsonx xinference".split()  # noqa: SIM905
)
"""Those who serve the models of others, by the words that modules are named with."""

_START = """\
from huggingface_hub import snapshot_download


def prepare() -> None:
    snapshot_download("Qwen/Qwen2.5-3B-Instruct")
"""
_AGENT = """\
FALLBACKS = ["Qwen/Qwen2.5-0.5B-Instruct", "TinyLlama/TinyLlama-1.1B-Chat-v1.0"]


class Agent:
    def __init__(self, model_name: str = "Qwen/Qwen2.5-1.5B-Instruct") -> None:
        self.model_name = model_name
"""
_SAME_VARIABLE = 'import os\n\nMODEL = os.getenv("SUMMARY_MODEL", "{model}")\n'
_SAME_NAME = 'SUMMARY_MODEL = "{model}"\n'
_BASE = """\
class Writer:
    def __init__(self, model: str = "gpt-4o") -> None:
        self.model = model
"""
_DERIVED = """\
from .base import Writer


class Editor(Writer):
    def __init__(self, model: str = "gpt-4-turbo") -> None:
        super().__init__(model)
"""
_EMBEDDINGS = 'def embed(texts: list[str], model: str = "gemini-embedding-001") -> None: ...\n'
_CLIENT = 'class {vendor}:\n    def ask(self, text: str, model: str = "{model}") -> str: ...\n'
_CHAIN = """\
AGENT_MODEL = "Qwen/Qwen2.5-1.5B-Instruct"
SMALL_MODEL = "Qwen/Qwen2.5-0.5B-Instruct"
CHAIN = [AGENT_MODEL, SMALL_MODEL, "TinyLlama/TinyLlama-1.1B-Chat-v1.0"]
"""
_REFERS = """\
from .models import AGENT_MODEL


def ask(text: str, model: str = AGENT_MODEL) -> str:
    \"\"\"Try model="Qwen/Qwen2.5-7B-Instruct" where there is memory.\"\"\"
    return text
"""


def _files(**texts: str) -> dict[str, str]:
    return {"app/__init__.py": ""} | {f"app/{name}.py": text for name, text in texts.items()}


def _two(text: str, first: str, second: str) -> dict[str, str]:
    return _files(one=text.replace("{model}", first), two=text.replace("{model}", second))


@check(
    "MOD003",
    "model-default-drift",
    severity=Severity.WARNING,
    tags=["static"],
    timeout=20.0,
    bad=[
        Example("start-up downloads another size than the agents use", _files(start=_START, agent=_AGENT)),
        Example("one variable, two defaults", _two(_SAME_VARIABLE, "gpt-4o", "claude-3-5-haiku-latest")),
        Example("one name, two models of a family", _two(_SAME_NAME, "gpt-4o-mini", "gpt-4.1")),
        Example("a class and the one derived from it", _files(base=_BASE, editor=_DERIVED)),
    ],
    good=[
        Example(
            "the model that embeds is another role",
            _files(base=_BASE.replace("gpt-4o", "gemini-2.0-flash"), search=_EMBEDDINGS),
        ),
        Example(
            "clients of two vendors",
            _files(
                one=_CLIENT.format(vendor="First", model="gpt-4o"),
                two=_CLIENT.format(vendor="Second", model="claude-3-5-haiku-latest"),
            ),
        ),
        Example(
            "two providers, each with a size of its own",
            _files(
                anyscale='DEFAULT_MODEL = "meta-llama/Meta-Llama-3-8B-Instruct"\n',
                deepinfra='DEFAULT_MODEL_ID = "meta-llama/Meta-Llama-3-70B-Instruct"\n',
            ),
        ),
        Example("one place, a fallback chain, and those who refer to it", _files(models=_CHAIN, agent=_REFERS)),
        Example("the same default twice", _two(_SAME_NAME, "gpt-4o", "gpt-4o")),
        Example("a script of its own", {"app/agent.py": _AGENT, "scripts/start.py": _START}),
    ],
)
def model_default_drift(source: Source) -> Iterator[Finding]:
    """Join the defaults that share a role, and report each role with more than one model."""
    sites = source.collected(COLLECTOR)
    for members in _roles(sites):
        models = {site.model.rpartition("/")[2].lower() for site in members}
        if len(models) > 1 and len({site.module for site in members}) > 1:
            yield _finding(members)


def _roles(sites: tuple[ModelDefault, ...]) -> list[list[ModelDefault]]:
    """Return the sites in groups: those with a key in common are one role, and so is what these have in common."""
    parents: dict[object, object] = {}

    def root(key: object) -> object:
        while parents.setdefault(key, key) != key:
            key = parents[key]
        return key

    families = _families(sites)
    for number, site in enumerate(sites):
        for key in _keys(site, families):
            parents[root(key)] = root(number)
    groups: dict[object, list[ModelDefault]] = defaultdict(list)
    for number, site in enumerate(sites):
        groups[root(number)].append(site)
    return list(groups.values())


def _keys(site: ModelDefault, families: dict[str, str]) -> Iterator[tuple[str, ...]]:
    """Yield what makes a role; the purpose of the model is part of each."""
    purpose, family = site.parsed.purpose, site.parsed.family
    if purpose != "chat":
        return
    if site.how == "environment":
        yield "variable", site.name
    telling = "_".join(word for word in site.name.lower().split("_") if word not in GENERIC)
    if telling and site.how != "environment":
        yield "name", telling, family
    if site.parsed.size:
        yield "line", site.parsed.line, *sorted(PROVIDERS & set(site.module.rpartition(".")[2].lower().split("_")))
    owner = families.get(site.owner)
    if owner is not None and family not in site.owner.rpartition(".")[2].lower():
        yield "class", owner, site.name, family


def _families(sites: tuple[ModelDefault, ...]) -> dict[str, str]:
    """Return, for each class with a default, the class of the same package at the head of its family."""
    bases = {
        site.owner: [base for base in site.bases if _top(base) == _top(site.owner)] for site in sites if site.owner
    }

    def head(name: str, seen: frozenset[str]) -> str:
        known = [base for base in bases.get(name, ()) if base not in seen]
        return head(known[0], seen | {name}) if known else name

    return {name: head(name, frozenset()) for name in bases}


def _top(name: str) -> str:
    return name.partition(".")[0]


def _finding(members: list[ModelDefault]) -> Finding:
    members = sorted(members, key=lambda site: (site.path, site.line))
    names = dict.fromkeys(site.model for site in members)
    modules = {site.module for site in members}
    first = members[0]
    words = ", ".join(f"`{name}`" for name in list(names)[:SITES_SHOWN])
    role = next((site.name for site in members if site.how == "environment"), first.name)
    return Finding(
        code="MOD003",
        resource=Resource("code", f"model of {role}", first.path, first.line),
        symptom=f"one role has {len(names)} default models in {len(modules)} modules: {words}",
        cause="each module holds a default of its own",
        severity=Severity.WARNING,
        role=Role.AMPLIFIER,
        subject=" ".join(sorted(names)),
        impacts=("which model answers depends on the module that asks", "a model may be downloaded that nobody uses"),
        evidence=tuple(
            Evidence(EvidenceKind.CODE, f"{site.path}:{site.line}", site.text) for site in members[:SITES_SHOWN]
        ),
        fixes=(
            FixOption.by_hand(
                "keep one default that a variable of the environment overrides, with the fallback chain beside it",
                "which model is meant is known to you alone",
            ),
        ),
        validation="doctor check --select MOD003",
    )
