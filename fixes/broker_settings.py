"""Gives a TaskIQ broker a setting that it lacks: a queue group, a time-out of pulling, or a longer ack_wait.

One keyword is added to one call; everything else in the file stays as it is. A stream or consumer that exists on the
server keeps its old settings until it is changed or deleted there.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from doctor.api import (
    AGAIN,
    WIDTH,
    Fix,
    FixContext,
    NothingToDoError,
    Phase,
    Plan,
    RefusedError,
    Source,
    Writers,
    difference,
    parse_source,
    read_source,
    spread,
    transformed,
    with_keyword,
)

if TYPE_CHECKING:
    import libcst

SETTINGS = ("ack_wait", "pull_consume_timeout", "queue")
BROKERS = {f"taskiq_nats.{name}" for name in ("NatsBroker", "PullBasedJetStreamBroker", "PushBasedJetStreamBroker")}
CONSUMER = "ConsumerConfig"
CONSUMER_MODULE = "nats.js.api"
CONSUMER_IMPORT = f"from {CONSUMER_MODULE} import {CONSUMER}".encode()
DURABLE = "taskiq_durable"
"""The name under which taskiq-nats 0.7 makes its consumer unless told otherwise; a consumer's configuration must carry
the same."""


async def plan(context: FixContext) -> Plan:
    """Read the file again and add the keyword."""
    source: Source = context.resources["source"]
    arguments = {key: str(value) for key, value in context.arguments.items()}
    path = arguments["path"]
    file = source.locate(path)
    before = read_source(file, path)
    after = with_setting(
        before, int(arguments["line"]), arguments["setting"], arguments["value"], arguments.get("name", "")
    )
    return Plan(
        summary=f"set {arguments['setting']} = {arguments['value']} on the broker in {path}",
        preview=difference(before, after, path),
        touches=(path,),
        payload=(file, before, after),
    )


async def apply(context: FixContext, plan: Plan, writers: Writers) -> str:
    """Write the file."""
    writers.source.replace(*plan.payload)
    return plan.summary


def with_setting(content: bytes, line: int, setting: str, value: str, name: str = "") -> bytes:
    """Return the file with ``setting`` given to the broker that is assigned to ``name``, or else made on ``line``.

    The name comes first, for another repair may have moved the lines since.

    Raises:
        NothingToDoError: the broker has the setting.
        RefusedError: the file does not parse, the broker is not to be found in it, or the setting is none that this
            fix knows.
    """
    if setting not in SETTINGS:
        raise RefusedError(f"{setting} is to be set by hand")
    keyword = "consumer_config" if setting == "ack_wait" else setting
    chosen = _chosen(content, line, name)
    changed = transformed(content, lambda: _adding(chosen, keyword, lambda call: _value(setting, value, call)))
    return _with_import(changed) if setting == "ack_wait" else changed


@dataclass(frozen=True, slots=True)
class _Made:
    """A construction of a broker: where it starts, and to which names it is assigned."""

    line: int
    column: int
    names: frozenset[str]


def _chosen(content: bytes, line: int, name: str) -> _Made:
    """Return the one broker of that name; of several, or of those without a name, the one on that line."""
    made = _brokers(content)
    named = [one for one in made if name in one.names] if name else [one for one in made if not one.names]
    found = named if len(named) == 1 else [one for one in named or made if one.line == line]
    if len(found) != 1:
        raise RefusedError(f"the broker {name or 'without a name'} is not to be found on line {line}; {AGAIN}")
    return found[0]


def _brokers(content: bytes) -> list[_Made]:
    """Return the brokers that a file makes, in its order."""
    import libcst
    from libcst.metadata import PositionProvider, QualifiedNameProvider

    made: list[_Made] = []

    class _Find(libcst.CSTVisitor):
        METADATA_DEPENDENCIES = (PositionProvider, QualifiedNameProvider)

        def __init__(self) -> None:
            super().__init__()
            self.targets: frozenset[str] = frozenset()

        def visit_Assign(self, node: libcst.Assign) -> None:  # noqa: N802
            self.targets = frozenset(libcst.Module([]).code_for_node(target.target) for target in node.targets)

        def leave_Assign(self, original_node: libcst.Assign) -> None:  # noqa: N802
            self.targets = frozenset()

        def visit_Call(self, node: libcst.Call) -> None:  # noqa: N802
            if {found.name for found in self.get_metadata(QualifiedNameProvider, node.func, ())} & BROKERS:
                start = self.get_metadata(PositionProvider, node).start
                made.append(_Made(start.line, start.column, self.targets))

    parse_source(content.removeprefix(BOM_UTF8)).visit(_Find())
    return made


def _adding(
    broker: _Made, keyword: str, value: Callable[[libcst.Call], libcst.BaseExpression]
) -> libcst.CSTTransformer:
    import libcst
    from libcst.metadata import PositionProvider, QualifiedNameProvider

    class _Add(libcst.CSTTransformer):
        METADATA_DEPENDENCIES = (PositionProvider, QualifiedNameProvider)
        indent = "    "

        def visit_Module(self, node: libcst.Module) -> None:  # noqa: N802
            self.indent = node.default_indent

        def leave_Call(self, original_node: libcst.Call, updated_node: libcst.Call) -> libcst.Call:  # noqa: N802
            start = self.get_metadata(PositionProvider, original_node).start
            names = {found.name for found in self.get_metadata(QualifiedNameProvider, original_node.func, ())}
            if not names & BROKERS or (start.line, start.column) != (broker.line, broker.column):
                return updated_node  # `Broker().with_backend()` starts where `Broker()` does
            changed = _with_argument(updated_node, keyword, value(updated_node))
            return _fitting(changed, start.column, self.indent)

    return _Add()


def _with_import(content: bytes) -> bytes:
    """Import the consumer's configuration beside the brokers, where a sorter of imports would, unless it is already."""
    import libcst

    class _Import(libcst.CSTTransformer):
        is_done = CONSUMER_IMPORT in content

        def leave_Module(self, original_node: libcst.Module, updated_node: libcst.Module) -> libcst.Module:  # noqa: N802
            return updated_node.with_changes(body=self.imported(updated_node.body))

        def leave_IndentedBlock(  # noqa: N802
            self, original_node: libcst.IndentedBlock, updated_node: libcst.IndentedBlock
        ) -> libcst.IndentedBlock:
            return updated_node.with_changes(body=self.imported(updated_node.body))

        def imported(self, body: Sequence[libcst.BaseStatement]) -> Sequence[libcst.BaseStatement]:
            """Return the statements with the import, where one of them imports the brokers."""
            brokers = next((place for place, one in enumerate(body) if "taskiq_nats" in _imported(one)), None)
            if self.is_done or brokers is None:
                return body
            self.is_done = True
            return _inserted(body, brokers)

    try:
        return transformed(content, _Import)
    except NothingToDoError:
        return content


def _inserted(body: Sequence[libcst.BaseStatement], place: int) -> list[libcst.BaseStatement]:
    """Put the import above the statement at ``place`` and those right above it that sort behind the import."""
    import libcst

    while (
        place and not _lines_above(body[place]) and any(name > CONSUMER_MODULE for name in _imported(body[place - 1]))
    ):
        place -= 1
    line = libcst.parse_statement(CONSUMER_IMPORT.decode()).with_changes(leading_lines=_lines_above(body[place]))
    return [*body[:place], line, body[place].with_changes(leading_lines=[]), *body[place + 1 :]]


def _lines_above(statement: libcst.BaseStatement) -> Sequence[libcst.EmptyLine]:
    import libcst

    return statement.leading_lines if isinstance(statement, libcst.SimpleStatementLine) else ()


def _imported(statement: libcst.BaseStatement) -> set[str]:
    """Return the modules that a line imports, or imports from."""
    import libcst

    found: set[str] = set()
    for part in statement.body if isinstance(statement, libcst.SimpleStatementLine) else ():
        if isinstance(part, libcst.Import):
            found.update(alias.evaluated_name for alias in part.names)
        elif isinstance(part, libcst.ImportFrom) and part.module is not None and not part.relative:
            found.add(libcst.Module([]).code_for_node(part.module))
    return found


def _value(setting: str, value: str, call: libcst.Call) -> libcst.BaseExpression:
    import libcst

    if setting != "ack_wait":
        return libcst.parse_expression(value)
    durable = next((a.value for a in call.args if a.keyword is not None and a.keyword.value == "durable"), None)
    name = f'"{DURABLE}"' if durable is None else libcst.Module([]).code_for_node(durable)
    return libcst.parse_expression(f"{CONSUMER}(durable_name={name}, ack_wait={value})")


def _with_argument(call: libcst.Call, keyword: str, value: libcst.BaseExpression) -> libcst.Call:
    """Add a keyword behind the last argument, or fill in its None: only that counts as absent."""
    import libcst

    given = next((one for one in call.args if one.keyword is not None and one.keyword.value == keyword), None)
    if given is None:
        return with_keyword(call, keyword, value)
    absent = isinstance(given.value, libcst.Name) and given.value.value == "None"
    return call.with_deep_changes(given, value=value) if absent else call


def _fitting(call: libcst.Call, column: int, indent: str) -> libcst.Call:
    """Return a call that starts in this column (from 0) with one argument a line, if it is too long for one line."""
    import libcst

    code = libcst.Module([]).code_for_node(call)
    return spread(call, indent) if "\n" not in code and column + len(code) > WIDTH else call


BROKER_SETTINGS = Fix(
    name="set-broker-setting",
    title="give a broker the setting that it lacks",
    phase=Phase.SOURCE,
    needs=("source",),
    reverts=True,
    plan=plan,
    apply=apply,
    page=__doc__ or "",
)
