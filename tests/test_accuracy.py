"""The accuracy bench counts what it says it counts."""

from __future__ import annotations

from pathlib import Path

from backendlint.cli.understanding import understand
from bench.accuracy.causes import KINDS, UNREAD, Cause, counted, load
from bench.accuracy.causes import lines as lines_of_causes
from bench.accuracy.model import Case, Found, score
from bench.accuracy.peers import ASYNC_WITHOUT, ruff_async
from bench.accuracy.sqltexts import count, lines
from bench.accuracy.statements import around, spans
from bench.accuracy.suites import SUITES
from bench.pack import rules_of_pack

CODE = '''"""A file."""
import time


async def wait(
    seconds,
):
    time.sleep(
        seconds
    )
'''
SNAPSHOT = """---
source: mod.rs
---
ASYNC251 Async functions should not call `time.sleep`
 --> ASYNC251.py:8:5
  |
"""
FLAW = frozenset({"REL113"})


def test_statements_know_their_lines() -> None:
    assert around(CODE) == {2: (2, 2), **dict.fromkeys(range(5, 8), (5, 7)), **dict.fromkeys(range(8, 11), (8, 10))}
    assert spans(CODE) == [(2, 2), (5, 7), (8, 10)]


def test_other_statements_of_a_fixture_are_clean(tmp_path: Path) -> None:
    fixtures = tmp_path / "fixtures" / "flake8_async"
    snapshots = tmp_path / "flake8_async" / "snapshots"
    fixtures.mkdir(parents=True)
    snapshots.mkdir(parents=True)
    (fixtures / "ASYNC251.py").write_text(CODE, encoding="utf-8")
    (snapshots / "tests__ASYNC251.py.snap").write_text(SNAPSHOT, encoding="utf-8")
    cases = [(case.first, case.last, case.bad) for case in ruff_async(tmp_path)]
    assert cases == [(8, 10, True), (2, 2, False), (5, 7, False)]
    assert "ASYNC251" not in ASYNC_WITHOUT


def test_score_counts_by_group() -> None:
    cases = [
        Case("a.py", 8, 10, FLAW, bad=True, group="ASYNC251"),
        Case("a.py", 2, 2, FLAW, bad=False, group="ASYNC251"),
        Case("a.py", 1, 1, frozenset({"CWE-22", "CWE-9"}), bad=True),
    ]
    result = score(cases, [Found("a.py", 9, 9, FLAW)], frozenset({"REL113", "CWE-22"}))
    assert result.counts["ASYNC251"] == {"hit": 1, "quiet": 1}
    assert result.counts["CWE-9"] == {"missed": 1}
    assert [case.first for case in result.missed] == [1]


def test_misses_are_counted_by_cause() -> None:
    known = [
        Cause("label", "constant", frozenset({"R1:3,4", "R2@a.py"})),
        Cause("advice", "no source", frozenset({"R1"})),
    ]
    here, there = (Case("x/a.py", line, line, FLAW, bad=True, name="R1") for line in (3, 9))
    other, unread = (Case(path, 1, 1, FLAW, bad=True, name="R2") for path in ("x/a.py", "x/b.py"))
    found = counted(known, [here, there, other, unread], {here, other, unread})
    assert found == {("label", "constant"): 2, ("advice", "no source"): 1, ("", UNREAD): 1}
    assert lines_of_causes(found)[0].split()[:2] == ["2", "label"]


def test_causes_are_well_formed() -> None:
    for suite in SUITES:
        assert all(cause.kind in KINDS and cause.text and cause.cases for cause in load(suite))


def test_lines_of_a_statement_are_one_place() -> None:
    text = "@route(\n    flag=False,\n)\ndef view():\n    call(\n        1,\n    )\n"
    places = around(text)
    assert places[2] == places[4] == (1, 4)
    assert places[6] == (5, 7)


def test_sql_texts_that_do_not_parse_are_counted_and_listed(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "import psycopg2\n"
        "def run():\n"
        "    cursor = psycopg2.connect('dbname=x').cursor()\n"
        "    cursor.execute('SELECT a FROM t WHERE b = 1')\n"
        "    cursor.execute('SELECT a FROM t WHERE (b = = 1')\n"
    )
    project = understand(tmp_path).project
    found = count("app", list(project.data.statements), project.data.dialect)
    assert (found.dialect, len(found.texts), found.statements, found.broken, found.share) == ("postgres", 2, 2, 1, 0.5)
    assert [item.location().line for item in found.failed] == [5]
    assert any("fails: app.py:5" in line for line in lines(found, listed=True))


def test_rules_of_the_data_pack_are_those_that_ask_for_sql_or_schema() -> None:
    ids = rules_of_pack()
    assert {"REL312", "REL402", "PERF102", "PERF107"} <= set(ids)
    assert not {"REL101", "SEC104", "OPS101"} & set(ids)
