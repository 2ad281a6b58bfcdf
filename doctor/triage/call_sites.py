"""Finds the log call that wrote a message: its template fits, and no template that fits says more.

A template is found by its rarest word, so that a message is compared with few of many thousands. Where a log names
the function and the line that wrote it, these decide.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from doctor.source.log_calls import LogCallSite, Parts
from doctor.triage.masking import VALUE, masked_word

PREFIX = 3
"""Characters by which templates are found that have no word of their own."""

LEAST = 3
"""Letters that a template must have: one without says nothing."""

CANDIDATES = 64
"""Templates with which a message is compared at most."""


@dataclass(slots=True)
class Template:
    """A text that one or more calls write. ``weight`` is the number of its literal characters."""

    parts: Parts
    weight: int
    sites: list[LogCallSite] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The text with ``{}`` for what is filled in."""
        return "{}".join(self.parts)

    def fits(self, message: str) -> bool:
        """Tell whether a message can come from this template."""
        parts = self.parts
        if len(parts) == 1:
            return message == parts[0]
        if not message.startswith(parts[0]) or not message.endswith(parts[-1]):
            return False
        position, end = len(parts[0]), len(message) - len(parts[-1])
        for part in parts[1:-1]:
            position = message.find(part, position, end)
            if position < 0:
                return False
            position += len(part)
        return position <= end


class CallSites:
    """The log calls of a source, ready to be asked."""

    def __init__(self, sites: Iterable[LogCallSite] = ()) -> None:
        templates: dict[Parts, Template] = {}
        self._by_place: dict[tuple[str, str, int], LogCallSite] = {}
        for site in sites:
            parts = _first_line(site.parts)
            weight = sum(character.isalpha() for part in parts for character in part)
            for line in range(site.line, site.end_line + 1):
                self._by_place[_last(site.module), _last(site.function), line] = site
            if weight >= LEAST:
                templates.setdefault(parts, Template(parts, sum(map(len, parts)))).sites.append(site)
        self._by_word: dict[str, list[Template]] = defaultdict(list)
        self._by_prefix: dict[str, list[Template]] = defaultdict(list)
        self._anywhere: list[Template] = []
        self._index(list(templates.values()))

    def __bool__(self) -> bool:
        return bool(self._by_place)

    def _index(self, templates: Sequence[Template]) -> None:
        words = {id(one): _whole_words(one.parts) for one in templates}
        often = Counter(word for some in words.values() for word in some)
        for one in sorted(templates, key=_rank):
            some = words[id(one)]
            if some:
                self._by_word[min(some, key=lambda word: (often[word], word))].append(one)
            elif len(one.parts[0]) >= PREFIX:
                self._by_prefix[one.parts[0][:PREFIX]].append(one)
            else:
                self._anywhere.append(one)

    def candidates(self, masked: str) -> tuple[Template, ...]:
        """Return the templates that share a word with a masked message, those that say most first."""
        found = {id(one): one for word in _plain(masked.split(" ")) for one in self._by_word.get(word, ())}
        return tuple(sorted(found.values(), key=_rank)[:CANDIDATES])

    def template_of(self, message: str, candidates: Sequence[Template]) -> Template | None:
        """Return the template that fits and says most."""
        best = next((one for one in candidates if one.fits(message)), None)
        for some in (self._by_prefix.get(message[:PREFIX], ()), self._anywhere):
            for one in some:
                if best is not None and _rank(best) <= _rank(one):
                    break
                if one.fits(message):
                    best = one
                    break
        return best

    def site_of(self, template: Template | None, logger: str, function: str, line: int) -> LogCallSite | None:
        """Return the call: the one that the log names by its function and line, else of those with the template the one
        in the module that the logger is named after."""
        if line:
            named = self._by_place.get((_last(logger), _last(function), line))
            if named is not None and (template is None or named in template.sites):
                return named
        if template is None:
            return None
        if len(template.sites) == 1:
            return template.sites[0]
        return min(template.sites, key=lambda site: (not _is_of(site, logger, function), site.path, site.line))


def _is_of(site: LogCallSite, logger: str, function: str) -> bool:
    module = site.module
    if not logger or not (module == logger or module.endswith(f".{logger}") or logger.endswith(f".{module}")):
        return False
    return not function or _last(site.function) == function


def _rank(template: Template) -> tuple[int, int, Parts]:
    return -template.weight, len(template.parts), template.parts


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _first_line(parts: Parts) -> Parts:
    """Return the part of a template that stands on the first line of what it writes, as logs have it: stripped."""
    kept: list[str] = []
    for part in parts:
        line, newline, _ = part.partition("\n")
        if newline and not line.strip() and not kept:
            line, newline = part.lstrip("\n").partition("\n")[0], ""
        kept.append(line)
        if newline:
            break
    kept[0] = kept[0].lstrip()
    kept[-1] = kept[-1].rstrip()
    return tuple(kept)


def _whole_words(parts: Parts) -> set[str]:
    """Return the words that stand in every message of a template, whatever is filled in, and that masking leaves."""
    words: set[str] = set()
    for number, part in enumerate(parts):
        some = part.split(" ")
        if number > 0:
            some = some[1:]
        if number < len(parts) - 1:
            some = some[:-1]
        words.update(word for word in some if masked_word(word) == word and VALUE not in word)
    return {word for word in _plain(words) if len(word) > 1 and word.strip() == word and not set("()") & set(word)}


def _plain(words: Iterable[str]) -> set[str]:
    """Return words without the punctuation behind them: masking may have moved it."""
    return {word.rstrip(".,:;") for word in words}
