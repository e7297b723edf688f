"""Whatever lies beside it, `good.py` is reviewed: no traceback, no hang, no lost finding, and every loss is named."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from scanning import add_rule, write

GOOD = "def bad():\n    pass\n"
SECONDS = 100
DEEP = 5_000
WIDE = 50_000


class Result(NamedTuple):
    """What the command answered."""

    code: int
    report: dict[str, Any]

    def findings(self) -> list[str]:
        """Places of the findings of the test's own rule."""
        found = [item["location"] for item in self.report["findings"] if item["rule_id"] == "XX901"]
        return [f"{place['path']}:{place['line']}" for place in found]

    def notes(self) -> set[tuple[str, str]]:
        """(kind, path) of what is said of the scan."""
        return {(item["kind"], (item["location"] or {}).get("path", "")) for item in self.report["notifications"]}


def command(tmp_path: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run backendlint as a user does; hangs and crashes of the process show."""
    words = [sys.executable, "-m", "backendlint", *map(str, arguments)]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 1, 2, 3), done.stderr
    return done


def scan(tmp_path: Path, *arguments: object) -> Result:
    """Scan with all rules and the test's own."""
    rules = tmp_path / "rules"
    if not rules.exists():
        add_rule(rules)
    done = command(tmp_path, "scan", "--rules", rules, "--profile", "audit", "--format", "json", *arguments)
    assert done.stdout, done.stderr
    return Result(done.returncode, json.loads(done.stdout))


CONTENTS: list[tuple[bytes, set[str]]] = [
    (b"x = 1\0\n", {"null-bytes"}),
    (b"\0" * 100_000, {"null-bytes"}),
    (b"x = '" + b"a" * 10_000_000 + b"'\n", {"huge-file"}),
    (b"x = '" + b"a" * 1_900_000 + b"'\n", set()),
    (b"x = 1\n" * WIDE, set()),
    (b"# -*- coding: utf-16 -*-\nx = 1\n", {"encoding-error"}),
    (b"# -*- coding: no-such-thing -*-\nx = 1\n", {"encoding-error"}),
    (b"# -*- coding: rot13 -*-\nk = 1\n", {"encoding-error"}),
    (b"# -*- coding: ascii -*-\nx = '\xc3\xa9'\n", {"encoding-error"}),
    (b"x = '\xe9'\n", {"encoding-error"}),
    (b"\xff\xfex\0=\x001\0\n\0", {"null-bytes", "encoding-error"}),
    (b"\xef\xbb\xbf# -*- coding: latin-1 -*-\nx = 1\n", {"encoding-error"}),
    (b"\xef\xbb\xbfx = 1\r\ny = 2\r", set()),
    (b"# -*- coding: latin-1 -*-\nx = '\xe9'\n", set()),
    (random.Random(1).randbytes(50_000), {"null-bytes", "encoding-error", "syntax-error"}),
    (b"", set()),
    (b"\x0c\n\x1a", {"syntax-error"}),
    (b"def f(:\n    pass\n", {"syntax-error"}),
    (b"print 'two'\n", {"syntax-error"}),
    (b"if x:\n\ty = 1\n        z = 2\n", {"syntax-error"}),
    (b"x = 1" + b"\xe2\x80\xa8" * 3 + b"\n", {"syntax-error"}),
    (b"x = " + b"9" * 10_000 + b"\n", {"syntax-error"}),
    (b"x = '''never closed\n" + b"a\n" * 100_000, {"syntax-error"}),
]
"""What a file may hold, and the kinds of notifications of which one must name it."""

DEEP_CODE = [
    "(" * DEEP + ")" * DEEP,
    "x = " + "[" * DEEP + "]" * DEEP,
    "x = " + "{1: " * DEEP + "1" + "}" * DEEP,
    "x = " + "-" * DEEP + "1",
    "x = " + "not " * DEEP + "1",
    "x = " + "lambda: " * DEEP + "1",
    "x = " + "a if b else " * DEEP + "c",
    "x = " + "f(" * DEEP + ")" * DEEP,
    "x = " + "f" * 10 + "'{" * 200 + "1" + "}'" * 200,
    "".join(" " * depth + "if x:\n" for depth in range(1000)) + " " * 1000 + "pass",
    "".join(" " * depth + "def f():\n" for depth in range(99)) + " " * 99 + "pass",
    "match x:\n  case " + "[" * DEEP + "]" * DEEP + ": pass",
]
"""Code that no parser need take: named, or analysed."""

LONG_CODE = [
    "x = a" + ".b" * DEEP,
    "x = a" + "()" * DEEP,
    "x = a" + "[0]" * DEEP,
    "x = 1" + " + 1" * WIDE,
    "x = a" + " and a" * WIDE,
    "x = a" + " < a" * WIDE,
    "x = ''" + " 'a'" * WIDE,
    "x = [" + "1, " * WIDE + "]",
    "x = {" + "'k': 1, " * WIDE + "}",
    "if a: pass\n" + "elif b: pass\n" * DEEP,
    "try: pass\n" + "except E: pass\n" * DEEP,
    "def f(" + ", ".join(f"a{number}" for number in range(DEEP)) + "): pass",
    "x = 1\n" + "x = x + 1\n" * DEEP,
    "while a:\n" + "    x = y; y = x\n" * DEEP,
    "\n".join(f"def f{number}(): return f{number + 1}()" for number in range(DEEP)),
    "def f():\n" + "    if a: x = f(x)\n" * DEEP,
    "\n".join(f"class C{number + 1}(C{number}): pass" for number in range(DEEP)),
    "class A(B): pass\nclass B(A): pass\n",
    "from odd import *\nfrom .odd import x\nimport odd.odd\nx = x\n",
    "@" + "\n@".join("d" for _ in range(DEEP)) + "\ndef f(): pass",
]
"""Code that is unusual only in its length: analysed, or named as too deep."""


def test_contents(tmp_path: Path) -> None:
    files = {f"odd{number}.py": content for number, (content, _) in enumerate(CONTENTS)}
    result = scan(tmp_path, write(tmp_path / "p", {"good.py": GOOD, **files}))
    assert result.findings() == ["good.py:1"]
    assert result.code == 1
    for number, (content, kinds) in enumerate(CONTENTS):
        named = {kind for kind, path in result.notes() if path == f"odd{number}.py"}
        assert named <= kinds, content[:30]
        assert bool(named) is bool(kinds), content[:30]


@pytest.mark.parametrize(("codes", "kinds"), [(DEEP_CODE, {"too-deep", "syntax-error"}), (LONG_CODE, {"too-deep"})])
def test_deep_and_long_code(tmp_path: Path, codes: list[str], kinds: set[str]) -> None:
    files: dict[str, str | bytes] = {f"odd{number}.py": code + "\n" for number, code in enumerate(codes)}
    result = scan(tmp_path, write(tmp_path / "p", {"good.py": GOOD, **files}))
    assert "good.py:1" in result.findings()
    assert {kind for kind, _ in result.notes()} <= kinds
    assert result.code == 1


def test_all_at_once_in_processes(tmp_path: Path) -> None:
    odd = {f"odd{number}.py": b"x = " + b"(" * number * 100 for number in range(30)}
    root = write(
        tmp_path / "p",
        {"good.py": GOOD, "nul.py": b"\0", "enc.py": b"\xe9", "rnd.py": random.Random(2).randbytes(9999), **odd},
    )
    result = scan(tmp_path, root, "--jobs", 2)
    assert result.findings() == ["good.py:1"]
    assert len({path for _, path in result.notes()}) == 33


def test_sql_files(tmp_path: Path) -> None:
    contents = [
        b"", b"\0", b"\xff\xfe", b"select 'never closed", b"select " + b"(" * DEEP, b";" * WIDE, b"a" * 1_000_000,
        b"select 1 in (" + b"1," * WIDE + b"1);", b"a" * 10_000_000, b"/*" * DEEP, b"select $tag$ " * DEEP,
        b"\n".join(b"insert into t values (%d);" % number for number in range(DEEP)),
    ]  # fmt: skip
    files = {f"odd{number}.sql": content for number, content in enumerate(contents)}
    result = scan(tmp_path, write(tmp_path / "p", {"good.py": GOOD, **files}))
    assert (result.code, result.findings()) == (1, ["good.py:1"])
    assert {kind for kind, _ in result.notes()} <= {"huge-file", "sql-not-read"}


def test_links_in_circles_and_special_files(tmp_path: Path) -> None:
    root = write(tmp_path / "p", {"good.py": GOOD, "a/b.py": "x = 1\n"})
    (root / "a" / "up").symlink_to(root)
    (root / "self.py").symlink_to("self.py")
    (root / "gone.py").symlink_to("nowhere.py")
    (root / "devices").symlink_to("/dev")
    os.mkfifo(root / "pipe.py")
    result = scan(tmp_path, root, root / "pipe.py")
    assert (result.code, result.findings()) == (1, ["good.py:1"])
    assert result.notes() == {("special-file", "pipe.py")}


def test_files_that_come_and_go_during_the_scan(tmp_path: Path) -> None:
    root = write(tmp_path / "p", {"good.py": GOOD, **{f"m{number}.py": "x = 1\n" for number in range(60)}})
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            for number in range(60):
                path = root / f"m{number}.py"
                path.unlink(missing_ok=True)
                path.write_text("y = (\n" * (number % 3))

    other = threading.Thread(target=churn)
    other.start()
    try:
        for _ in range(3):
            result = scan(tmp_path, root)
            assert (result.code, result.findings()) == (1, ["good.py:1"])
            assert {kind for kind, _ in result.notes()} <= {"unreadable-file", "syntax-error"}
    finally:
        stop.set()
        other.join()


@pytest.mark.parametrize("name", ["yaml", "http", "sqlite3", "msgspec", "click", "libcst"])
def test_modules_of_the_scanned_project_are_not_imported(tmp_path: Path, name: str) -> None:
    trap = f"open({str(tmp_path / 'ran')!r}, 'w')\nraise SystemExit('trap')\n"
    root = write(tmp_path / "p", {"good.py": GOOD, f"{name}/__init__.py": trap, f"{name}.py": trap})
    add_rule(tmp_path / "rules")
    done = command(root, "scan", "--rules", tmp_path / "rules", "--select", "XX", "--no-cache", "--format", "json")
    assert (done.returncode, (tmp_path / "ran").exists()) == (1, False)


def test_empty_project(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    result = scan(tmp_path, tmp_path / "p")
    assert (result.code, result.findings(), result.report["summary"]["files"]) == (0, [], 0)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("backendlint.toml", "jobs = [\n", "backendlint.toml:"),
        ("backendlint.toml", "\njbs = 1\n", "backendlint.toml:2: unknown option 'jbs'; did you mean 'jobs'?"),
        ("backendlint.toml", "profile = 'x'\n", "allowed are audit, default, strict"),
        ("backendlint.toml", b"\xff\xfe", "cannot be read"),
        (".backendlint/libraries/own.yaml", "library: [", "own.yaml:"),
        (".backendlint/libraries/own.yaml", "library: own\nkind: nonsense\n", "own.yaml:2"),
        (".backendlint/rules/own/rule.yaml", "id: [", "rule.yaml:"),
        (".backendlint/rules/own/rule.yaml", "id: XX1\nnmae: own\n", "rule.yaml:2"),
    ],
)
def test_files_of_ours_that_are_wrong(tmp_path: Path, name: str, content: str | bytes, said: str) -> None:
    root = write(tmp_path / "p", {"good.py": GOOD, name: content})
    done = command(tmp_path, "scan", root)
    assert done.returncode == 2
    assert said in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["scan", "p", "--select", "XX9O1", "--rules", "rules"], "XX901"),
        (["scan", "p", "--rules", "nowhere"], "nowhere"),
        (["scan", "nowhere"], "nowhere: no such file or folder"),
        (["scan", "p", "--since", "nowhere"], "no such revision"),
        (["scan", "p", "--baseline", "nowhere.json"], "nowhere.json"),
        (["scan", "p", "--config", "nowhere.toml"], "nowhere.toml"),
        (["scan", "circle.py"], "circle.py: cannot be reached"),
        (["scan", "p", "circle.py/below"], "circle.py/below: cannot be reached"),
        (["scan", "a" * 5000], ": cannot be reached: File name too long"),
        (["scan", "--stdin-filename", "circle.py/a.py"], "circle.py/a.py: cannot be reached"),
        (["scan", "p", "--format", "nonsense"], "nonsense"),
        (["explain", "XX9O1"], "XX9O1"),
    ],
)
def test_mistakes_on_the_command_line(tmp_path: Path, arguments: list[str], said: str) -> None:
    write(tmp_path / "p", {"good.py": GOOD})
    (tmp_path / "circle.py").symlink_to("circle.py")
    add_rule(tmp_path / "rules")
    done = command(tmp_path, *arguments)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_baseline_that_is_missing_is_missed_in_later_runs_too(tmp_path: Path) -> None:
    root = write(tmp_path / "p", {"good.py": GOOD})
    assert scan(tmp_path, root).code == 1
    done = command(tmp_path, "scan", root, "--rules", tmp_path / "rules", "--profile", "audit", "--baseline", "no.json")
    assert (done.returncode, "no.json" in done.stderr) == (2, True)


def test_a_working_directory_that_is_gone(tmp_path: Path) -> None:
    root = write(tmp_path / "p", {"good.py": GOOD})
    for path, code, said in ((root, 0, ""), (".", 2, "the working directory does not exist any more")):
        (tmp_path / "gone").mkdir()
        words = [sys.executable, "-m", "backendlint", "scan", "--no-cache", str(path)]
        script = f"import os, sys; os.rmdir(os.getcwd()); os.execv(sys.executable, {words!r})"
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=tmp_path / "gone", capture_output=True, text=True, check=False
        )
        assert (done.returncode, said in done.stderr, "Traceback" in done.stderr) == (code, True, False), done.stderr


@pytest.mark.parametrize(
    ("closing", "arguments", "code", "said"),
    [
        ("0<&-", "p", 0, ""),
        ("1>&-", "p", 0, ""),
        ("2>&-", "p", 0, ""),
        ("0<&- 1>&- 2>&-", "p", 0, ""),
        ("0<&-", "--stdin-filename p/new.py", 2, "on standard input, which is closed"),
    ],
)
def test_closed_streams(tmp_path: Path, closing: str, arguments: str, code: int, said: str) -> None:
    write(tmp_path / "p", {"good.py": GOOD})
    line = f'"{sys.executable}" -m backendlint scan --no-cache {arguments} {closing}'
    done = subprocess.run(["sh", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, said in done.stderr, "Traceback" in done.stderr) == (code, True, False), done.stderr


IN_FRONT = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("backendlint", run_name="__main__", alter_sys=True)
"""
"""Runs backendlint as in the foreground: a shell makes what it starts in the background ignore interruptions."""


def test_an_interruption_ends_the_scan_at_once(tmp_path: Path) -> None:
    root = write(tmp_path / "p", {"good.py": GOOD})
    waits = "import os\ndef check(project):\n    os.write(2, b'begun\\n')\n    while True: yield from ()\n"
    add_rule(tmp_path / "rules", check=waits)
    words = [sys.executable, "-c", IN_FRONT, "scan", str(root), "--no-cache", "--rules", str(tmp_path / "rules")]
    with subprocess.Popen([*words, "--select", "XX"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stderr is not None
        assert run.stderr.readline() == "begun\n"
        run.send_signal(signal.SIGINT)
        output, errors = run.communicate(timeout=SECONDS)
    assert (run.returncode, output, errors.strip()) == (130, "", "backendlint: interrupted")
