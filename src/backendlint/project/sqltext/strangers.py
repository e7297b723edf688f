"""Columns that SQL names and the schema lacks."""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from backendlint.project.schema.model import Schema
from backendlint.project.sqltext.scopes import own_nodes, scopes
from backendlint.project.sqltext.statements import Statement


def strangers(statements: Iterable[Statement], schema: Schema) -> dict[tuple[str, str], set[str]]:
    """(table, column in small letters) to the functions that name it, for tables that only DDL or SQL migrations define."""
    found: dict[tuple[str, str], set[str]] = {}
    for statement in statements:
        if statement.in_migration or not statement.executed or statement.tree is None:
            continue
        for scope in scopes(statement.tree, schema):
            for node in own_nodes(scope.node):
                if not isinstance(node, exp.Column) or isinstance(node.this, exp.Star):
                    continue
                meaning = scope.resolve(node)
                table = meaning.source.table if meaning.source is not None else None
                if meaning.status == "no-column" and table is not None and table.source == "ddl":
                    where = statement.function.fqn if statement.function is not None else statement.path
                    found.setdefault((table.name, node.name.lower()), set()).add(where)
    return found
