"""Gives a TaskIQ broker a setting that it lacks: a queue group, a time-out of pulling, or a longer ack_wait.

One keyword is added to one call; everything else in the file stays as it is. A stream or consumer that exists on the
server keeps its old settings until it is changed or deleted there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor.api import (
    Fix,
    FixContext,
    NothingToDoError,
    Phase,
    Plan,
    RefusedError,
    Source,
    Writers,
    difference,
    read_source,
    transformed,
)

if TYPE_CHECKING:
    import libcst

SETTINGS = ("ack_wait", "pull_consume_timeout", "queue")
BROKERS = {f"taskiq_nats.{name}" for name in ("NatsBroker", "PullBasedJetStreamBroker", "PushBasedJetStreamBroker")}
CONSUMER = "ConsumerConfig"
CONSUMER_IMPORT = b"from nats.js.api import ConsumerConfig"
DURABLE = "taskiq_durable"
"""The name under which taskiq-nats 0.7 makes its consumer unless told otherwise; a consumer's configuration must carry
the same."""


async def plan(context: FixContext) -> Plan:
    """Read the file again and add the keyword."""
    source: Source = context.resources["source"]
    arguments = {key: str(value) for key, value in context.arguments.items()}
    path = arguments["path"]
    file = source.root / path
    before = read_source(file, path)
    after = with_setting(before, int(arguments["line"]), arguments["setting"], arguments["value"])
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


def with_setting(content: bytes, line: int, setting: str, value: str) -> bytes:
    """Return the file with ``setting`` given to the broker that is made on ``line``.

    Raises:
        NothingToDoError: no broker without it is made there.
        RefusedError: the file does not parse, or the setting is none that this fix knows.
    """
    if setting not in SETTINGS:
        raise RefusedError(f"{setting} is to be set by hand")
    import libcst
    from libcst.metadata import PositionProvider, QualifiedNameProvider

    keyword = "consumer_config" if setting == "ack_wait" else setting

    class _Add(libcst.CSTTransformer):
        METADATA_DEPENDENCIES = (PositionProvider, QualifiedNameProvider)

        def leave_Call(self, original_node: libcst.Call, updated_node: libcst.Call) -> libcst.Call:  # noqa: N802
            position = self.get_metadata(PositionProvider, original_node).start
            names = {found.name for found in self.get_metadata(QualifiedNameProvider, original_node.func, ())}
            given = {argument.keyword.value for argument in original_node.args if argument.keyword is not None}
            if position.line != line or not names & BROKERS or keyword in given:
                return updated_node
            return _with_argument(updated_node, keyword, _value(setting, value, updated_node))

    changed = transformed(content, _Add)
    return _with_import(changed) if setting == "ack_wait" else changed


def _with_import(content: bytes) -> bytes:
    """Import the consumer's configuration right above the brokers, unless some line does already."""
    import libcst

    class _Import(libcst.CSTTransformer):
        is_done = CONSUMER_IMPORT in content

        def leave_SimpleStatementLine(  # noqa: N802
            self, original_node: libcst.SimpleStatementLine, updated_node: libcst.SimpleStatementLine
        ) -> libcst.SimpleStatementLine | libcst.FlattenSentinel[libcst.SimpleStatementLine]:
            if self.is_done or not any(_imports_brokers(statement) for statement in original_node.body):
                return updated_node
            self.is_done = True
            line = libcst.parse_statement(CONSUMER_IMPORT.decode())
            assert isinstance(line, libcst.SimpleStatementLine)
            above = line.with_changes(leading_lines=updated_node.leading_lines)
            return libcst.FlattenSentinel([above, updated_node.with_changes(leading_lines=[])])

    try:
        return transformed(content, _Import)
    except NothingToDoError:
        return content


def _imports_brokers(statement: libcst.BaseSmallStatement) -> bool:
    import libcst

    if isinstance(statement, libcst.ImportFrom):
        module = statement.module
        return isinstance(module, libcst.Name) and module.value == "taskiq_nats"
    names = statement.names if isinstance(statement, libcst.Import) else ()
    return any(isinstance(alias.name, libcst.Name) and alias.name.value == "taskiq_nats" for alias in names)


def _value(setting: str, value: str, call: libcst.Call) -> libcst.BaseExpression:
    import libcst

    if setting != "ack_wait":
        return libcst.parse_expression(value)
    durable = next((a.value for a in call.args if a.keyword is not None and a.keyword.value == "durable"), None)
    name = f'"{DURABLE}"' if durable is None else libcst.Module([]).code_for_node(durable)
    return libcst.parse_expression(f"{CONSUMER}(durable_name={name}, ack_wait={value})")


def _with_argument(call: libcst.Call, keyword: str, value: libcst.BaseExpression) -> libcst.Call:
    """Add a keyword behind the last argument, in its style: on a line of its own where the others are."""
    import libcst

    tight = libcst.AssignEqual(
        whitespace_before=libcst.SimpleWhitespace(""), whitespace_after=libcst.SimpleWhitespace("")
    )
    added = libcst.Arg(keyword=libcst.Name(keyword), value=value, equal=tight)
    if not call.args:
        return call.with_changes(args=[added])
    *before, last = call.args
    if not isinstance(last.comma, libcst.MaybeSentinel):  # a comma behind the last: one argument a line
        space = before[-1].comma.whitespace_after if before and isinstance(before[-1].comma, libcst.Comma) else None
        comma = libcst.Comma(whitespace_after=space or call.whitespace_before_args)
        return call.with_changes(args=[*before, last.with_changes(comma=comma), added.with_changes(comma=last.comma)])
    comma = libcst.Comma(whitespace_after=libcst.SimpleWhitespace(" "))
    return call.with_changes(args=[*before, last.with_changes(comma=comma), added])


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
