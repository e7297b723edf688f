from __future__ import annotations

from pathlib import Path

from backendlint.findings.model import Edit, Finding, Fix, Location
from backendlint.fix import diff, plan, write


def edit(line: int, column: int, end_line: int, end_column: int, text: str, path: str = "a.py") -> Edit:
    return Edit(Location(path, line, column, end_line, end_column), text)


def finding(*edits: Edit, safe: bool = True, suppressed: str | None = None) -> Finding:
    return Finding(
        "REL101", "x", "reliability", "error", "high", "default", "m", "h", edits[0].location,
        fix=Fix("do it", edits, safe), suppressed=suppressed,
    )  # fmt: skip


def fixed(tmp_path: Path, text: str, *findings: Finding, unsafe: bool = False) -> str:
    (tmp_path / "a.py").write_bytes(text.encode())
    for fix in plan(findings, tmp_path, unsafe=unsafe).files:
        write(fix, tmp_path)
    return (tmp_path / "a.py").read_bytes().decode()


def test_fixes_of_one_file_are_applied_together(tmp_path: Path) -> None:
    one, two = finding(edit(1, 5, 1, 6, "10")), finding(edit(2, 5, 2, 6, "20"))
    assert fixed(tmp_path, "a = 1\nb = 2\n", one, two) == "a = 10\nb = 20\n"


def test_of_two_that_overlap_the_first_wins(tmp_path: Path) -> None:
    one, two = finding(edit(1, 1, 1, 6, "x = 3")), finding(edit(1, 5, 1, 6, "9"))
    assert fixed(tmp_path, "a = 1\n", one, two) == "x = 3\n"
    assert fixed(tmp_path, "a = 1\n", two, one) == "a = 9\n"


def test_the_same_edit_is_made_once(tmp_path: Path) -> None:
    add = edit(1, 1, 1, 1, "import os\n")
    one, two = finding(add, edit(1, 5, 1, 6, "os")), finding(add, edit(2, 5, 2, 6, "os"))
    assert fixed(tmp_path, "a = 1\nb = 2\n", one, two) == "import os\na = os\nb = os\n"


def test_a_fix_that_does_not_parse_is_refused_and_the_others_made(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("a = 1\nb = 2\n", encoding="utf-8")
    made = plan([finding(edit(1, 5, 1, 6, "(")), finding(edit(2, 5, 2, 6, "3"))], tmp_path, unsafe=False)
    assert [fix.after for fix in made.files] == ["a = 1\nb = 3\n"]
    assert [reason for _, reason in made.refused] == ["the result would not parse"]


def test_unsafe_and_suppressed_fixes_stay_out(tmp_path: Path) -> None:
    risky = finding(edit(1, 5, 1, 6, "2"), safe=False)
    assert fixed(tmp_path, "a = 1\n", risky) == "a = 1\n"
    assert fixed(tmp_path, "a = 1\n", risky, unsafe=True) == "a = 2\n"
    assert fixed(tmp_path, "a = 1\n", finding(edit(1, 5, 1, 6, "2"), suppressed="")) == "a = 1\n"


def test_line_ends_marks_and_mode_survive(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(b"\xef\xbb\xbfa = 1\r\nb = '\xc3\xa4' + c\r\n")
    path.chmod(0o755)
    for fix in plan([finding(edit(2, 11, 2, 12, "d"))], tmp_path, unsafe=False).files:
        write(fix, tmp_path)
    assert path.read_bytes() == b"\xef\xbb\xbfa = 1\r\nb = '\xc3\xa4' + d\r\n"
    assert path.stat().st_mode & 0o777 == 0o755
    assert [item.name for item in tmp_path.iterdir()] == ["a.py"]


def test_edits_outside_the_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("a = 1\n", encoding="utf-8")
    made = plan([finding(edit(9, 1, 9, 2, "x"))], tmp_path, unsafe=False)
    assert not made.files
    assert made.refused[0][1] == "the fix points outside the file"


def test_links_and_missing_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "real.py").write_text("a = 1\n", encoding="utf-8")
    (tmp_path / "a.py").symlink_to(tmp_path / "real.py")
    made = plan([finding(edit(1, 5, 1, 6, "2")), finding(edit(1, 1, 1, 2, "x", "gone.py"))], tmp_path, unsafe=False)
    assert not made.files
    assert len(made.refused) == 2


def test_the_diff_is_one_that_patch_takes(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("a = 1", encoding="utf-8")
    [fix] = plan([finding(edit(1, 5, 1, 6, "2"))], tmp_path, unsafe=False).files
    assert diff(fix).splitlines() == [
        "--- a/a.py", "+++ b/a.py", "@@ -1 +1 @@",
        "-a = 1", "\\ No newline at end of file", "+a = 2", "\\ No newline at end of file",
    ]  # fmt: skip
