from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backendlint.findings.fingerprint import line_hashes

CODE = "import requests\n\n\ndef pay(url):\n    return requests.get(url)\n\n\ndef refund(url):\n    requests.get(url)\n"
MARK = "requests.get("


def prints(kit: SimpleNamespace, text: str, path: str = "a.py", rule_id: str = "REL101") -> list[str]:
    """Fingerprints of a hit on every line that has the mark, in the file's order."""
    lines = [number for number, line in enumerate(text.split("\n"), 1) if MARK in line]
    found = kit.run([(rule_id, kit.hit(path, line, 5)) for line in reversed(lines)], {path: text}).findings
    return [finding.fingerprint for finding in sorted(found, key=lambda finding: finding.location.line)]


@given(st.lists(st.sampled_from(["", "# a remark", "x = 1", "'''text'''"]), max_size=20), st.integers(0, 2))
def test_lines_above_do_not_change_it(kit: SimpleNamespace, above: list[str], between: int) -> None:
    moved = "\n".join([*above, CODE]).replace("\n\n\ndef refund", "\n\n\n" + "y = 2\n" * between + "def refund")
    assert prints(kit, moved) == prints(kit, CODE)


def test_moving_a_function_does_not_change_it(kit: SimpleNamespace) -> None:
    first, second = CODE.split("\n\n\n")[1:]
    swapped = "\n\n\n".join(["import requests", second.strip("\n"), first]) + "\n"
    assert set(prints(kit, swapped)) == set(prints(kit, CODE))


def test_spacing_and_suppressions_do_not_change_it(kit: SimpleNamespace) -> None:
    changed = CODE.replace("    return requests.get(url)", "\treturn  requests.get(url)  # backendlint: ignore[SEC101]")
    assert prints(kit, changed) == prints(kit, CODE)


@given(st.integers(2, 6))
def test_equal_lines_are_told_apart(kit: SimpleNamespace, count: int) -> None:
    found = prints(kit, "def pay(url):\n" + "    requests.get(url)\n" * count)
    assert len(set(found)) == count
    assert found[:1] == prints(kit, "def pay(url):\n    requests.get(url)\n")


def test_two_places_of_one_line_are_told_apart(kit: SimpleNamespace) -> None:
    hits = [("REL101", kit.hit("a.py", 1, column)) for column in (1, 20)]
    found = kit.run(hits, {"a.py": "requests.get(a) or requests.get(b)\n"}).findings
    assert len({finding.fingerprint for finding in found}) == 2


def test_rule_file_function_and_text_count(kit: SimpleNamespace) -> None:
    base = prints(kit, CODE)
    assert base[0] != base[1]
    assert not set(base) & set(prints(kit, CODE, path="b.py"))
    assert not set(base) & set(prints(kit, CODE, rule_id="SEC101"))
    assert not set(base) & set(prints(kit, CODE.replace("(url)\n", "(url, headers)\n")))


def test_a_key_stands_for_the_line(kit: SimpleNamespace) -> None:
    def of(text: str, key: str) -> str:
        found = kit.run([("REL101", kit.hit("a.py", 1, fingerprint_key=key))], {"a.py": text}).findings
        return str(found[0].fingerprint)

    assert of("a = 1\n", "orders.id") == of("b = 2\n", "orders.id")
    assert of("a = 1\n", "orders.id") != of("a = 1\n", "orders.name")


def test_sql_files_have_fingerprints_too(kit: SimpleNamespace) -> None:
    first, second = (
        kit.run([("PERF102", kit.hit("q.sql", line))], {"q.sql": text}).findings[0].fingerprint
        for line, text in ((1, "SELECT * FROM a;\n"), (3, "-- one\n\n  SELECT *  FROM a;\n"))
    )
    assert first == second
    assert len(first) == 32


# Values that GitHub's upload action gives for these texts.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["c129715d7a2bc9a3:1"]),
        (
            "def pay(order):\r\n\treturn order.total  # €\r\n\r\n\r",
            [
                "36a9682eb446f748:1",
                "2d32bce094fe6402:1",
                "5b5d4caf73a13177:1",
                "3c5bef55b72b93c9:1",
                "c129715d7a2bc9a3:1",
            ],
        ),
        (
            'import os\n\n\nprint("💳 paid")\nprint("💳 paid")\n',
            [
                "cacd00f0c4032b66:1",
                "66d5865499a56ddb:1",
                "e4bc443435c84e3d:1",
                "1715b585c6d2bc67:1",
                "36ab30133ae558c5:1",
                "c129715d7a2bc9a3:1",
            ],
        ),
    ],
)
def test_github_line_hash(text: str, expected: list[str]) -> None:
    assert line_hashes(text) == expected


def by_definition(text: str) -> list[str]:
    """The polynomial written out for each line."""
    kept = text.replace("\r\n", "\n").replace("\r", "\n").replace(" ", "").replace("\t", "")
    data = kept.encode("utf-16-be", "surrogatepass")
    units = [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)] + [0xFFFF]
    starts = [0, *(at + 1 for at, unit in enumerate(units) if unit == 10)]
    hashes: list[str] = []
    for start in starts:
        window = (units[start : start + 100] + [0] * 100)[:100]
        value = f"{sum(unit * 37 ** (99 - at) for at, unit in enumerate(window)) % 2**64:x}"
        hashes.append(f"{value}:{sum(old.startswith(value + ':') for old in hashes) + 1}")
    return hashes


@given(st.text(alphabet=st.one_of(st.sampled_from("ab \t\n\r€💳"), st.characters()), max_size=400))
def test_github_line_hash_follows_its_definition(text: str) -> None:
    assert line_hashes(text) == by_definition(text)


@given(st.text(alphabet="ab\n", max_size=300), st.integers(1, 40))
def test_github_line_hash_may_stop_early(text: str, last: int) -> None:
    assert line_hashes(text, last) == line_hashes(text)[:last]
