"""Columns and tables that SQL names and the schema lacks."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from sqlglot import exp

from backendlint.findings.model import Location
from backendlint.project.schema.model import Schema
from backendlint.project.sqltext.judge import is_system
from backendlint.project.sqltext.scopes import own_nodes, scopes
from backendlint.project.sqltext.statements import Statement

if TYPE_CHECKING:
    from backendlint.project.data import Data

FEW = 3
_MADE = re.compile(
    r"\b(?:CREATE\s+(?:\w+\s+){0,4}(?:TABLE|VIEW)(?:\s+IF\s+NOT\s+EXISTS)?|INTO)\s+([\w.\"`]+)", re.IGNORECASE
)


def tables_named(statements: Iterable[Statement], schema: Schema) -> tuple[set[str], dict[str, set[Location]]]:
    """Tables in executed SQL: known ones, and unknown ones (small letters) with the statements that name them.

    What some text itself makes, be it temporary, is neither.
    """
    known: set[str] = set()
    unknown: dict[str, set[Location]] = {}
    made: set[str] = set()
    for statement in statements:
        if statement.verb() in {"CREATE", "SELECT", "WITH"}:
            made.update(name.strip('"`').rpartition(".")[2].lower() for name in _MADE.findall(statement.text))
        if statement.in_migration or not statement.executed or statement.tree is None or statement.parsed.foreign:
            continue
        for scope in scopes(statement.tree, schema):
            for source in scope.sources.values():
                if source.kind == "table" and source.table is not None:
                    known.add(source.table.name.lower())
                elif source.kind == "table" and not is_system(source):
                    unknown.setdefault(source.name.lower(), set()).add(statement.location())
    return known, {name: users for name, users in unknown.items() if name not in made}


def is_foreign(name: str, data: Data) -> bool:
    """True for a table that may belong to an app from elsewhere: in a Django project, one that no app of the project prefixes."""
    apps = {model.app.lower() for model in data.django_state.models.values()}
    return bool(apps) and not any(name.lower().startswith(f"{app}_") for app in apps)


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
