"""Takes secrets, and what could harm a terminal, out of text before anybody sees it.

Every text from outside passes through :func:`redact` in the resource that read it. A secret becomes
``<redacted:kind#hash4>``. The four hex digits come from a keyed hash whose key lives only in this process: in one run,
equal secrets can be told from different ones, and nothing can be looked up. ``redact(redact(x)) == redact(x)``, because
the rules are applied until nothing changes, and each change leaves fewer characters outside of placeholders.

The rules (``redaction_rules``) aim at the secrets of this domain: DSNs, model providers, bots, JWTs. They are a floor,
not a proof. A private key whose lines arrive one by one cannot be recognised: hand over whole records.
"""

from __future__ import annotations

import hashlib
import re
import secrets

from doctor.redaction_rules import PLACEHOLDER, RULES, Rule

_TERMINAL = re.compile(
    r"\x1b\][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)?"  # OSC: window titles, links, clipboard
    r"|\x1b[PX^_][^\x1b]{0,4096}(?:\x1b\\)?"  # DCS, SOS, PM, APC
    r"|(?:\x1b\[|\x9b)[0-?]{0,64}[ -/]{0,16}[@-~]?"  # CSI: colours, cursor
    r"|\x1b[ -/]{0,4}[0-~]?"  # two-character sequences
    r"|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"  # control characters, text direction
)
_LINE_ENDS = re.compile(r"\r\n?|[\u2028\u2029]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")


class Redactor:
    """Applies the rules under one key; ``counts`` says how many secrets of which kind were taken out.

    ``tells_apart``: with the four digits. Without them the same text gives the same result in every process.
    """

    def __init__(self, key: bytes | None = None, *, tells_apart: bool = True) -> None:
        self._key = (key or secrets.token_bytes(32))[:64]
        self._tells_apart = tells_apart
        self.counts: dict[str, int] = {}

    def placeholder(self, kind: str, secret: str) -> str:
        """Return what stands for this secret, or the text itself when it already is a placeholder."""
        if PLACEHOLDER.fullmatch(secret):
            return secret
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if not self._tells_apart:
            return f"<redacted:{kind}>"
        digest = hashlib.blake2b(secret.encode("utf-8", "surrogatepass"), key=self._key, digest_size=2).hexdigest()
        return f"<redacted:{kind}#{digest}>"

    def redact(self, text: str) -> str:
        """Return the text without secrets, terminal sequences and control characters other than newline and tab."""
        if not (text.isascii() and text.isprintable()):
            text = printable(text)
        lowered = text.lower()
        rules = [rule for rule in RULES if any(hint in lowered for hint in rule.hints)]
        before = None
        while rules and text != before:
            before = text
            for rule in rules:
                text = self._apply(rule, text)
        return text

    def _apply(self, rule: Rule, text: str) -> str:
        def replace(match: re.Match[str]) -> str:
            verdict = rule.judge(match)
            if verdict is None:
                return match[0]
            group, kind = verdict
            start, end = match.start(group) - match.start(), match.end(group) - match.start()
            return match[0][:start] + self.placeholder(kind, match[group]) + match[0][end:]

        return rule.pattern.sub(replace, text)


def printable(text: str) -> str:
    """Return the text without terminal sequences, control and direction characters; line ends become newlines."""
    return _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", _TERMINAL.sub("", _LINE_ENDS.sub("\n", text)))


def bounded(text: str, limit: int = 500) -> str:
    """Return the text cut after ``limit`` characters, with the number of those left out; a placeholder is never cut."""
    if len(text) <= limit:
        return text
    cut = limit
    for match in PLACEHOLDER.finditer(text, max(0, limit - 48), limit + 48):
        if match.start() < limit < match.end():
            cut = match.start()
    return f"{text[:cut]}… (+{len(text) - cut} characters)"


_DEFAULT = Redactor()


def redact(text: str) -> str:
    """Return the text without secrets and control characters, under the key of this process."""
    return _DEFAULT.redact(text)


def redact_value(name: str, value: str) -> str:
    """Return a value as it is left when it stands behind its name, as ``password="…"`` does."""
    before, after = f'{name}="', '"'
    return redact(f"{before}{value}{after}").removeprefix(before).removesuffix(after)
