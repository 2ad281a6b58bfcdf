"""A quick look before redaction: which texts can hold a secret at all. Of a log nearly every line cannot.

Both tests are supersets of the rules (:mod:`doctor.redaction_rules`): whatever a rule would change, they let through to
it; that is what the tests prove. ``is_suspect`` is asked of single words, whose answers can be remembered;
``may_hold_secret`` of the whole text around a suspect one.
"""

from __future__ import annotations

import re

_VENDOR = (
    r"sk-|[sprk]k_(?:live|test)_|whsec_|hf_|gh[opusr]_|github_pat_|glpat-|AKIA|ASIA|AIza|gsk_|r8_|npm_|pypi-|xox|SG\."
    r"|(?:nvapi|xai|tvly|pplx)-|lsv2_|S[ACNOUX][A-Z2-7]{56}|gAAAA"
)
_PARAMETERS = (
    r"[?&;](?i:(?:x-amz-)?(?:signature|credential|security-token)|sig|auth|sid|session(?:_?id)?|jwt|otp|key|code|state"
    r"|sas)="
)
_ALWAYS = rf"{_VENDOR}|eyJ|[0-9]:[\w-]{{30}}|@|{_PARAMETERS}|code\("
_NAMES = r"passw(?:or)?d|passphrase|pwd|secret|token|credentials?|key(?:[_-]?id)?"
_ENDINGS = r"(?:[_-](?:hash|value|encrypted|b64|base64|raw))?[0-9]{0,2}"

_WORD = re.compile(
    rf"{_ALWAYS}|PRIVATE|(?i:(?:{_NAMES}){_ENDINGS}(?![a-z0-9])"
    r"|--[a-z-]*(?:password|passwd|secret|token|key)|authorization|bearer|basic|cookie)"
)
_TEXT = re.compile(
    rf"{_ALWAYS}|PRIVATE KEY|(?i:(?:{_NAMES}){_ENDINGS}\\?[\"']?\]?[ \t]{{0,3}}(?:[:=%{{]|[\"'],)"
    r"|--[a-z-]{0,32}(?:password|passwd|secret|token|key)[ \t]|authorization|(?:bearer|basic)[ \t]|cookie)"
)


def is_suspect(word: str) -> bool:
    """Tell whether a text in which this word stands may hold a secret; a word has no blanks."""
    return _WORD.search(word) is not None


def may_hold_secret(text: str) -> bool:
    """Tell whether redaction might change this text, which is printable."""
    return _TEXT.search(text) is not None
