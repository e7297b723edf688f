"""Statements with words left out, doubled, moved or replaced: whatever sqlglot makes of them, reading it raises nothing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backendlint.project.schema.model import Schema
from backendlint.project.sqltext.scopes import scopes
from backendlint.project.sqltext.statements import Parser

WHOLE = (
    "SELECT o.id , c.name FROM orders AS o JOIN customers AS c USING ( id ) WHERE o.total > ? ORDER BY c.name LIMIT 5",
    "UPDATE orders SET total = total + 1 , paid = TRUE FROM customers AS c WHERE c.id = orders.customer_id",
    "DELETE FROM orders USING customers WHERE customers.id = orders.customer_id",
    "INSERT INTO orders ( id , total ) SELECT id , 0 FROM customers ON CONFLICT ( id ) DO UPDATE SET total = EXCLUDED.total",
    "WITH RECURSIVE t AS ( SELECT id FROM parts UNION ALL SELECT p.id FROM parts AS p , t ) SELECT * FROM t , LATERAL f ( t.id )",
    "MERGE INTO a USING b ON a.id = b.id WHEN MATCHED THEN UPDATE SET x = b.x",
)
EXTRA = (
    "TRUE",
    "(",
    ")",
    ",",
    "*",
    "AS",
    "FROM",
    "JOIN",
    "LATERAL",
    "VALUES",
    "SET",
    "WHERE",
    "NULL",
    ".",
    "'x'",
    "::",
)


@st.composite
def broken(draw: st.DrawFn) -> str:
    words = draw(st.sampled_from(WHOLE)).split()
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(words) - 1))
        change = draw(st.integers(0, 3))
        if change == 0 and len(words) > 1:
            words.pop(at)
        elif change == 1:
            words.insert(at, draw(st.sampled_from(words)))
        elif change == 2:
            words[at] = draw(st.sampled_from(EXTRA))
        else:
            words.insert(at, draw(st.sampled_from(EXTRA)))
    return " ".join(words)


@settings(max_examples=400, deadline=None)
@given(broken(), st.sampled_from(["postgres", "mysql", "sqlite", ""]))
def test_a_broken_statement_is_read_or_said_to_be_broken(text: str, dialect: str) -> None:
    parsed = Parser().parse(text, dialect)
    assert parsed.tree is not None or parsed.error
    for scope in scopes(parsed.tree, Schema()) if parsed.tree is not None else ():
        assert all(alias == alias.lower() for alias in scope.sources)


@pytest.mark.parametrize("text", ["delete orders", "UPDATE SET x = 1", "SELECT * FROM", "INSERT INTO"])
def test_what_a_statement_lacks_is_no_source(text: str) -> None:
    tree = Parser().parse(text, "").tree
    assert all(source.node for scope in (scopes(tree, Schema()) if tree else ()) for source in scope.sources.values())
