"""The schema as `backendlint schema` prints it."""

from __future__ import annotations

import json

import sqlalchemy
from live import SCHEMAS, comparable, introspect, links_of, read_facts
from test_oracles import database, server

from backendlint.project.schema.sqlalchemy_models import read_sqlalchemy
from backendlint.report.parts.schema_text import render

__all__ = ["database", "server"]


def test_sql_makes_the_same_schema_again(database: sqlalchemy.Engine) -> None:
    files = read_facts(SCHEMAS / "modern")
    schema = read_sqlalchemy(files, links_of(files))
    with database.begin() as connection:
        connection.exec_driver_sql(render(schema, "sql"))
    static, live = comparable(schema), introspect(database)
    for table, parts in static.items():
        wanted = {name: ("text" if kind == "enum" else kind, null) for name, (kind, null) in parts["columns"].items()}
        assert live[table] == {**parts, "columns": wanted}


def test_json_lists_columns_in_order() -> None:
    files = read_facts(SCHEMAS / "heroes")
    rows = json.loads(render(read_sqlalchemy(files, links_of(files)), "json"))["tables"]
    team = next(row for row in rows if row["name"] == "team")
    assert [column["name"] for column in team["columns"]] == ["id", "name", "headquarters", "nickname"]
    assert team["uniques"][0]["columns"] == ["headquarters", "name"]


def test_mermaid_draws_relations() -> None:
    files = read_facts(SCHEMAS / "heroes")
    lines = render(read_sqlalchemy(files, links_of(files)), "mermaid").splitlines()
    assert lines[0] == "erDiagram"
    assert "    heroteamlink }o--|| hero : hero_id" in lines
    assert "        uuid code UK" in lines


def test_text_says_what_is_known() -> None:
    files = read_facts(SCHEMAS / "heroes")
    text = render(read_sqlalchemy(files, links_of(files)), "text")
    assert "team  (sqlalchemy, tables.py:" in text
    assert "  unique (headquarters, name)" in text
    assert text.endswith("3 tables")
