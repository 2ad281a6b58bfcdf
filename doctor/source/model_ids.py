"""Names of language models as they stand in code: which family and line they are of, and what they are for."""

from __future__ import annotations

import re
from dataclasses import dataclass

_FAMILIES = (
    "qwen|qwq|tinyllama|codellama|meta-llama|llama|mistral|mixtral|ministral|gemma|gemini|gpt|claude|deepseek|falcon"
    "|smollm|vicuna|zephyr|olmo|granite|command-r|internlm|chatglm|starcoder|stablelm|phi"
)
_MODEL = re.compile(
    rf"(?:[\w.-]+/){{0,2}}(?P<name>(?P<family>{_FAMILIES})(?=[\d:.\-_])[\w.\-]*(?::[\w.\-]+)?)", re.IGNORECASE
)
IN_BYTES = re.compile(
    rf"[\"'](?:[\w.-]+/){{0,2}}(?:{_FAMILIES})[\d:.\-_][\w.\-]*(?::[\w.\-]+)?[\"']".encode(), re.IGNORECASE
)
"""Such a name as the whole of a text in a file of Python."""
_SIZE = re.compile(r"(?<![a-z0-9])\d+(?:\.\d+)?[bm](?![a-z0-9])")
_FORM = re.compile(
    r"(?<![a-z0-9])(?:q\d(?:_[a-z0-9]+)*|gguf|awq|gptq|fp16|bf16|fp8|int[48]|[48]bit|latest|bnb)(?![a-z0-9])"
)
_OTHER_PURPOSES = re.compile(
    r"embed|rerank|whisper|tts|speech|audio|vision|(?<![a-z])vl(?![a-z])|image|guard|moderation|math|coder?(?![a-z])"
    r"|transcribe|realtime|oss-safeguard"
)


@dataclass(frozen=True, slots=True)
class ModelName:
    """A model: ``line`` is its name without size and form, so that models of one line differ only in these."""

    family: str
    line: str
    size: str
    purpose: str


def model_name(text: str) -> ModelName | None:
    """Return what a text says if it is the name of a language model with a version or size, else None."""
    match = _MODEL.fullmatch(text)
    if match is None or not any(character.isdigit() for character in match["name"]):
        return None
    name = match["name"].lower().replace(":", "-")
    purpose = _OTHER_PURPOSES.search(name)
    size = _SIZE.search(name)
    line = re.sub(r"[-_.]{2,}", "-", _FORM.sub("", _SIZE.sub("", name))).strip("-_.")
    return ModelName(match["family"].lower(), line, size[0] if size else "", purpose[0] if purpose else "chat")
