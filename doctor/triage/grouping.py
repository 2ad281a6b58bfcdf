"""Takes records one by one: takes secrets out, finds the group, counts, and looks for what is known.

Nothing of a record is kept, and nothing of it is hashed, before its secrets are out of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from doctor.known_signature import KnownSignature, SignatureKind
from doctor.redaction import Redactor
from doctor.redaction_screen import may_hold_secret
from doctor.source.log_calls import LogCallSite
from doctor.triage.call_sites import CallSites, Template
from doctor.triage.catalogue import Catalogue, Known
from doctor.triage.exceptions import Origin, failed_message, is_logging_error, origin_of
from doctor.triage.groups import ROOM, Group, GroupKey, Groups
from doctor.triage.masking import LONGEST, Masker
from doctor.triage.records import Record
from doctor.triage.tally import Counts, Tally

REMEMBERED = 50_000
"""Masked messages of which is remembered what may be looked for in them."""

RESOURCES = 50

_KEY = "PRIVATE KEY"
_KEY_LINE = re.compile(r"[A-Za-z0-9+/=]{1,128}|[A-Z][\w-]*: .*")
"""A line inside of a private key: its text, or one of the headers of an encrypted one."""

CLASSES = {"critical": "error"}
"""Levels that count as one in the identity of a group."""


@dataclass(slots=True)
class IssueTally:
    """Everything that has one known signature."""

    signature: KnownSignature
    tally: Tally = field(default_factory=Tally)
    resources: Counts[str] = field(default_factory=lambda: Counts(RESOURCES))
    groups: set[str] = field(default_factory=set)

    def add(self, record: Record, text: str, resources: Sequence[str], group: Group | None) -> None:
        """Count a record."""
        self.tally.add(record, text)
        for one in resources:
            self.resources.add(one)
        if group is not None:
            group.signatures.add(self.signature.name)
            self.groups.add(group.id)


@dataclass(frozen=True, slots=True)
class _Possible:
    """What may be found in messages that are masked alike."""

    templates: tuple[Template, ...]
    known: tuple[Known, ...]


class Grouper:
    """Groups records."""

    def __init__(self, catalogue: Catalogue, sites: CallSites, *, room: int = ROOM) -> None:
        self.redactor = Redactor(tells_apart=False)
        self.groups = Groups(room)
        self.issues: dict[str, IssueTally] = {}
        self.records = 0
        self.first: float | None = None
        self.last: float | None = None
        self._catalogue = catalogue
        self._sites = sites
        self._masker = Masker()
        self._possible: dict[str, _Possible] = {}
        self._names: dict[str, str] = {}
        self._raised: dict[str, Group] = {}
        self._in_key: set[str] = set()
        """Services of which the last lines were those of a private key."""

    def add(self, record: Record) -> None:
        """Count a record."""
        self.records += 1
        self._span(record.time)
        if _KEY in record.message or self._in_key:
            self._hide_key(record)
        message, masked = self._masked(record.message)
        possible = self._possible.get(masked) or self._look_up(masked)
        record.logger = self._name(record.logger)
        if record.context:
            record.context = self._clean(record.context)
        origin, told = None, message
        if record.extra:
            record.extra = self._clean("\n".join(record.extra)).split("\n")
            origin, told = self._origin(record, message)
        template = self._sites.template_of(message, possible.templates) if self._sites else None
        group = self.groups.of(self._key(record, masked, origin, template))
        if group is not None:
            group.add(record, message)
            self._locate(group, record, template, origin)
            if record.logger == "uvicorn" or record.message.startswith("Exception in ASGI"):
                self._join_access(group, record, message)
        if possible.known or told is not message:
            self._recognise(record, message, told, possible, group)

    def _hide_key(self, record: Record) -> None:
        """Take a private key out whose lines arrive one by one: alone, none of them shows what it is."""
        if record.service in self._in_key:
            if _KEY_LINE.fullmatch(record.message):
                record.message = "<redacted:private-key>"
                return
            self._in_key.discard(record.service)
        if _KEY in record.message and "-----BEGIN " in record.message:
            text = "\n".join((record.message, *record.extra))
            record.message, *record.extra = self.redactor.redact(text).split("\n")
            if "-----END " not in text:
                self._in_key.add(record.service)

    def _span(self, time: float | None) -> None:
        if time is not None:
            self.first = time if self.first is None else min(self.first, time)
            self.last = time if self.last is None else max(self.last, time)

    def _masked(self, message: str) -> tuple[str, str]:
        """Return the message without secrets, and its mask."""
        if len(message) > LONGEST:
            message = self.redactor.redact(message)[:LONGEST]
        masked = self._masker.mask(message)
        if self._masker.is_suspect:
            clean = self._clean(message)
            if clean is not message:
                return clean, self._masker.mask(clean)
        return message, masked

    def _clean(self, text: str) -> str:
        return self.redactor.redact(text) if may_hold_secret(text) else text

    def _name(self, name: str) -> str:
        """Return the name of a logger without secrets; there are few, and each comes often."""
        if name not in self._names:
            if len(self._names) > REMEMBERED:
                self._names.clear()
            self._names[name] = self._clean(name)[:200]
        return self._names[name]

    def _look_up(self, masked: str) -> _Possible:
        if len(self._possible) >= REMEMBERED:
            self._possible.clear()
        found = _Possible(self._sites.candidates(masked), self._catalogue.candidates(masked))
        self._possible[masked] = found
        return found

    def _origin(self, record: Record, message: str) -> tuple[Origin | None, str]:
        """Return the exception that a record tells of, and all that it says for the catalogue to look at."""
        if is_logging_error(message):
            return None, message
        origin = origin_of(record.extra, self._masker)
        if origin is None:
            return None, "\n".join((message, *record.extra[:5]))
        record.level = record.level or "error"
        return origin, "\n".join((message, *origin.chain))

    def _key(self, record: Record, masked: str, origin: Origin | None, template: Template | None) -> GroupKey:
        level = CLASSES.get(record.level, record.level)
        if origin is not None:
            return GroupKey("exception", level, "", origin.template)
        if is_logging_error(masked):
            return GroupKey("mask", level or "error", "", f"{masked} {failed_message(record.extra)}".strip())
        if template is not None:
            return GroupKey("source", level, "", template.text)
        return GroupKey("mask", level, record.logger, masked)

    def _locate(self, group: Group, record: Record, template: Template | None, origin: Origin | None) -> None:
        if origin is not None and (not group.exceptions or origin.chain < group.exceptions):
            group.exceptions, group.frames = origin.chain, origin.frames
        if self._sites:
            site = self._site(record, template)
            if site is not None:
                group.at(site)

    def _site(self, record: Record, template: Template | None) -> LogCallSite | None:
        return self._sites.site_of(template, record.logger, record.function, record.line)

    def _join_access(self, group: Group, record: Record, message: str) -> None:
        """Give an exception of a web application the request that failed: its line in the access log comes later."""
        if record.extra:
            self._raised[record.service] = group
        elif '" 5' in message and (raised := self._raised.pop(record.service, None)) is not None:
            request = message.partition('"')[2].split(" ")
            if len(request) > 1:
                raised.endpoints.add(f"{request[0]} {request[1].partition('?')[0]}")

    def _recognise(self, record: Record, message: str, told: str, possible: _Possible, group: Group | None) -> None:
        known = possible.known if told is message else self._catalogue.candidates(told)
        for found in self._catalogue.recognised(told, known):
            name = found.signature.name
            if name not in self.issues:
                self.issues[name] = IssueTally(found.signature)
            self.issues[name].add(record, _line_of(found.signature, message, told), found.resources, group)

    def tallies(self, kind: SignatureKind) -> list[IssueTally]:
        """Return what was recognised of one kind, by name."""
        return [self.issues[name] for name in sorted(self.issues) if self.issues[name].signature.kind is kind]


def _line_of(signature: KnownSignature, message: str, told: str) -> str:
    """Return the line that shows a signature: the message, or the exception below it."""
    if told is message or signature.hint in message:
        return message
    return next((line for line in told.split("\n") if signature.hint in line), message)
