from __future__ import annotations

from types import SimpleNamespace

import pytest

from backendlint.findings.model import Notification


def suppressed(kit: SimpleNamespace, text: str, *lines: int, path: str = "a.py", rule_id: str = "REL101") -> list[int]:
    """Those of the lines on which a hit is suppressed."""
    found = kit.run([(rule_id, kit.hit(path, line)) for line in lines], {path: text}, report_unused=False)
    assert len(found.findings) + found.suppressed == len(lines)
    return sorted(set(lines) - {finding.location.line for finding in found.findings})


def notified(kit: SimpleNamespace, text: str, path: str = "a.py", **options: object) -> list[Notification]:
    return list(kit.run([], {path: text}, **options).notifications)


@pytest.mark.parametrize(
    "comment",
    [
        "ignore[REL101]",
        "ignore[rel101] -- the other side answers at once",
        "ignore[ SEC101 , REL101 ]",
        "ignore[call-without-timeout]",
        "ignore[REL1]",
        "ignore[REL]",
        "ignore[reliability]",
        "ignore",
        "ignore -- all is fine",
        "ignore[REL101]  # noqa: S113",
    ],
)
def test_ways_to_name_a_rule(kit: SimpleNamespace, comment: str) -> None:
    assert suppressed(kit, f"a = get()  # backendlint: {comment}\nb = get()\n", 1, 2) == [1]


@pytest.mark.parametrize("comment", ["ignore[REL102]", "ignore[security]", "ignore[PERF]", "ignore[select-star]"])
def test_other_rules_stay(kit: SimpleNamespace, comment: str) -> None:
    assert suppressed(kit, f"a = get()  # backendlint: {comment}\n", 1) == []


STATEMENT = "a = get(\n    'x',{0}\n    'y',\n){1}\nb = get()\n"


def test_a_statement_of_several_lines(kit: SimpleNamespace) -> None:
    last = STATEMENT.format("", "  # backendlint: ignore[REL101]")
    first = "a = get(  # backendlint: ignore[REL101]\n    'x',\n    'y',\n)\nb = get()\n"
    middle = STATEMENT.format("  # backendlint: ignore[REL101]", "")
    above = "# backendlint: ignore[REL101]\n" + STATEMENT.format("", "")
    assert suppressed(kit, last, 1, 2, 3, 4, 5) == [1, 2, 3, 4]
    assert suppressed(kit, first, 1, 2, 3, 4, 5) == [1, 2, 3, 4]
    assert suppressed(kit, middle, 1, 2, 3, 4, 5) == [2]
    assert suppressed(kit, above, 2, 3, 5, 6) == [2, 3, 5]


def test_text_in_a_triple_quoted_statement(kit: SimpleNamespace) -> None:
    text = "run('''\n  SELECT *\n  FROM a\n''')  # backendlint: ignore[PERF102]\n"
    assert suppressed(kit, text, 2, rule_id="PERF102") == [2]


MARK = "# backendlint: ignore[REL101]"


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        (f"def pay():  {MARK}\n    get()\n\n    get()\n\n\nget()\n", [1, 2, 4]),
        (f"@app.get('/')  {MARK}\ndef pay():\n    get()\n    get()\n\n\nget()\n", [1, 2, 3, 4]),
        (f"{MARK}\n@app.get('/')\nasync def pay():\n    get()\n    get()\n\nget()\n", [2, 3, 4, 5]),
        (f"def pay(\n    a,\n) -> int:  {MARK}\n    get()\n\n\nget()\n", [1, 2, 3, 4]),
        (f"class Pay:  {MARK}\n    a = get()\n    def b(self):\n        get()\n\n\nget()\n", [1, 2, 4]),
    ],
)
def test_a_whole_definition(kit: SimpleNamespace, text: str, inside: list[int]) -> None:
    assert suppressed(kit, text, *inside, 7) == inside


def test_an_own_line_may_be_followed_by_other_comments_but_not_by_a_gap(kit: SimpleNamespace) -> None:
    assert suppressed(kit, "# backendlint: ignore[REL101]\n# more\na = get()\nb = get()\n", 3, 4) == [3]
    assert suppressed(kit, "# backendlint: ignore[REL101]\n\na = get()\n", 3) == []


def test_the_header_of_a_block_is_not_its_body(kit: SimpleNamespace) -> None:
    text = "with get() as x:  # backendlint: ignore[REL101]\n    get()\n"
    assert suppressed(kit, text, 1, 2) == [1]


def test_a_whole_file(kit: SimpleNamespace) -> None:
    text = "a = get()\nb = get()\n# backendlint: ignore-file[REL101] -- generated\n"
    assert suppressed(kit, text, 1, 2) == [1, 2]
    assert suppressed(kit, text, 1, rule_id="SEC101") == []


def test_a_comment_in_a_string_is_none(kit: SimpleNamespace) -> None:
    assert suppressed(kit, "a = get('# backendlint: ignore[REL101]')\n", 1) == []


SQL = (
    "-- backendlint: ignore[PERF102] -- a report\nSELECT *\nFROM a;\n\n"
    "SELECT * FROM b; -- backendlint: ignore[performance]\nSELECT *\nFROM c;\n"
)


def test_sql_files(kit: SimpleNamespace) -> None:
    assert suppressed(kit, SQL, 2, 3, 5, 6, path="q.sql", rule_id="PERF102") == [2, 3, 5]
    whole = "SELECT 1;\n-- backendlint: ignore-file\nSELECT * FROM a;\n"
    assert suppressed(kit, whole, 3, path="q.sql", rule_id="PERF102") == [3]


def test_the_reason_is_kept_where_suppressed_findings_are_shown(kit: SimpleNamespace) -> None:
    text = "a = get()  # backendlint: ignore[REL101] -- see issue #12: fine\nb = get()\n"
    hits = [("REL101", kit.hit("a.py", line)) for line in (1, 2)]
    found = kit.run(hits, {"a.py": text}, show_suppressed=True)
    assert [finding.suppressed for finding in found.findings] == ["see issue #12: fine", None]
    assert found.suppressed == 1


def test_unused_ones_are_reported_where_they_stand(kit: SimpleNamespace) -> None:
    text = "a = get()\nb = get()  # backendlint: ignore[REL101, SEC101]\n"
    found = kit.run([("REL101", kit.hit("a.py", 2))], {"a.py": text}).notifications
    assert [(item.kind, item.location.line, item.location.column) for item in found] == [("unused-suppression", 2, 12)]
    assert "`SEC101`" in found[0].message
    assert "REL101" not in found[0].message


def test_unused_ones_are_not_reported_of_rules_that_did_not_run(kit: SimpleNamespace) -> None:
    text = "a = get()  # backendlint: ignore[REL101]\nb = 1  # backendlint: ignore\nc = 1  # backendlint: ignore[REL]\n"
    kinds = [item.kind for item in notified(kit, text)]
    assert kinds == ["unused-suppression"] * 3
    assert not notified(kit, text, ran=frozenset({"REL103", "SEC101"}))
    partly = notified(kit, text, ran=frozenset({"REL101"}))
    assert [item.location.line for item in partly if item.location] == [1]


def test_a_suppression_of_what_the_profile_hides_is_used(kit: SimpleNamespace) -> None:
    text = "print(1)  # backendlint: ignore[REL101]\n"
    found = kit.run([("REL101", kit.hit("a.py", 1, profile="audit"))], {"a.py": text})
    assert not found.notifications
    assert (found.suppressed, found.below_profile) == (0, 1)


def test_unused_ones_of_context_files_are_not_reported(kit: SimpleNamespace) -> None:
    assert not notified(kit, "a = 1  # backendlint: ignore[REL101]\n", only=frozenset({"b.py"}))


def test_reasons_can_be_required(kit: SimpleNamespace) -> None:
    text = "a = get()  # backendlint: ignore[REL101]\nb = get()  # backendlint: ignore[REL101] -- is local\n"
    hits = [("REL101", kit.hit("a.py", line)) for line in (1, 2)]
    assert not kit.run(hits, {"a.py": text}).notifications
    found = kit.run(hits, {"a.py": text}, require_reasons=True).notifications
    assert [(item.kind, item.level, item.location.line) for item in found] == [
        ("suppression-without-reason", "warning", 1)
    ]


@pytest.mark.parametrize(
    ("comment", "told"),
    [
        ("ignore REL101", "ignore[RULE, ...]"),
        ("ignore[REL101", "ignore[RULE, ...]"),
        ("ignore[]", "names no rule"),
        ("skip[REL101]", "ignore-file[RULE, ...]"),
        ("ignore[REL101] because", "-- reason"),
        ("ignore[call-without-timeot]", "did you mean `call-without-timeout`"),
        ("ignore[ZZZ999]", "`ZZZ999`"),
    ],
)
def test_malformed_ones_suppress_nothing_and_say_what_is_allowed(kit: SimpleNamespace, comment: str, told: str) -> None:
    text = f"a = get()  # backendlint: {comment}\n"
    found = kit.run([("REL101", kit.hit("a.py", 1))], {"a.py": text})
    assert len(found.findings) == 1
    assert [(item.kind, item.level) for item in found.notifications] == [("malformed-suppression", "warning")]
    assert told in found.notifications[0].message


def test_malformed_ones_in_sql(kit: SimpleNamespace) -> None:
    found = notified(kit, "SELECT 1; -- backendlint: ignore[\n", path="q.sql")
    assert [(item.kind, item.location.line) for item in found if item.location] == [("malformed-suppression", 1)]
