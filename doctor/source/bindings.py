"""How a name is bound by an assignment."""

from __future__ import annotations

import ast

from doctor.source.expressions import callee_of_chain, dotted, unwrapped
from doctor.source.module_facts import Binding, BindingKind


def bindings_of(value: ast.expr | None, annotation: ast.expr | None = None) -> list[Binding]:
    """Return what is known of a name that is assigned ``value``; both branches of a condition count."""
    found: list[Binding] = []
    if value is not None:
        value = unwrapped(value)
        if isinstance(value, ast.IfExp):
            found += bindings_of(value.body) + bindings_of(value.orelse)
        elif isinstance(value, ast.BoolOp):
            found += [binding for operand in value.values for binding in bindings_of(operand)]
        elif isinstance(value, ast.Call):
            found.append(Binding(BindingKind.PRODUCED, callee_of_chain(value)))
        elif isinstance(value, (ast.Name, ast.Attribute)):
            found.append(Binding(BindingKind.ALIAS, dotted(value)))
    if isinstance(annotation, (ast.Name, ast.Attribute)):
        found.append(Binding(BindingKind.PRODUCED, dotted(annotation)))
    return found or [Binding(BindingKind.OTHER)]
