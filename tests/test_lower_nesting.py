"""Nothing reaches libcst's recursive parser that could overflow its stack, and nothing ordinary is kept from it."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from backendlint.lower.nesting import MAX_BRACKETS, MAX_CHAIN, too_deep

Source = Callable[[int], str]
DEEPER: dict[str, Source] = {
    "parentheses": lambda n: "(" * n + "a" + ")" * n,
    "lists": lambda n: "[" * n + "]" * n,
    "open brackets": lambda n: "f(" * n,
    "dictionaries": lambda n: "{1:" * n + "1" + "}" * n,
    "calls in calls": lambda n: "f(a=" * n + "1" + ")" * n,
    "generators": lambda n: "(x for x in " * n + "y" + ")" * n,
    "calls in a row": lambda n: "f" + "()" * n,
    "subscripts": lambda n: "a" + "[0]" * n,
    "attributes": lambda n: "a" + ".b" * n,
    "sums": lambda n: "+".join(["a"] * n),
    "powers": lambda n: "a**" * n + "a",
    "signs": lambda n: "-" * n + "1",
    "negations": lambda n: "not " * n + "1",
    "lambdas": lambda n: "lambda:" * n + "1",
    "lambdas with parameters": lambda n: "lambda a, b:" * n + "1",
    "lambdas as defaults": lambda n: "lambda a=(" * n + "1" + "):1" * n,
    "conditions": lambda n: "a if b else " * n + "c",
    "elif": lambda n: "if x: pass\n" + "elif x:\n    if y: pass\n" * n,
    "strings": lambda n: '"a" ' * n,
    "f-strings": lambda n: 'f"{' * n + "1" + '}"' * n,
    "f-strings in quotes of their own": lambda n: "".join("f'{" if i % 2 else 'f"{' for i in range(n)),
    "format specifications": lambda n: 'f"' + "{a:" * n + "}" * n + '"',
    "quotes that hide brackets": lambda n: "f'{'''x'''}'" + "(" * n + "f'{'''x'''}'" + ")" * n,
    "mixture": lambda n: "(not -a.b + lambda: " * n + "1" + ")" * n,
}
# These take time, not stack: twice and four times as much for every level.
SLOWER: dict[str, Source] = {
    "sequence patterns": lambda n: "match x:\n case " + "[" * n + "]" * n + ": pass",
    "mapping patterns": lambda n: "match x:\n case " + "{1:" * n + "a" + "}" * n + ": pass",
}
HARD = 5_000
SHALLOW = {
    "many elements": "x = [" + "(a, b.c),\n" * 5_000 + "]",
    "many lambdas": "x = [" + "lambda a, b: a,\n" * 2_000 + "]",
    "many targets": " = ".join(f"a{i}" for i in range(2_000)) + " = 1",
    "many statements": "if a: b(c)\nelif d: e\n\n" * 3_000,
    "many f-strings": 'f"{a:>{w}}{b!r}{{" f"""{x\n}""" rf"\\{c}" f"{a["b"]}"\n' * 1_000,
    "brackets in text": '"((((" # ((((\n' * 200 + "'''" + "[" * 500 + "'''",
    "escaped quotes": "'\\'((((' + f'\\'{a}((((\\\\'\n" * 200,
}
CHILD = """
import json, sys, libcst
for name, source in json.load(sys.stdin).items():
    print(name, flush=True)
    try:
        libcst.parse_module(source)
    except libcst.ParserSyntaxError:
        pass
print("all read")
"""
LIMIT_STACK = "import resource; resource.setrlimit(resource.RLIMIT_STACK, (6 << 20, 6 << 20)); import os, sys; "


def deepest_accepted(source: Source) -> str:
    low, high = 1, HARD
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if too_deep(source(middle)) is None else (low, middle)
    return source(low)


@pytest.mark.parametrize("source", [*DEEPER.values(), *SLOWER.values()], ids=[*DEEPER, *SLOWER])
def test_depth_is_found(source: Source) -> None:
    offset = too_deep(source(HARD))
    assert offset is not None
    assert offset < 60 * MAX_CHAIN


def test_whatever_is_let_through_is_read_with_a_small_stack() -> None:
    sources = {name: deepest_accepted(source) for name, source in DEEPER.items()}
    start = LIMIT_STACK + "os.execv(sys.executable, [sys.executable, '-c', sys.argv[1]])"
    done = subprocess.run(
        [sys.executable, "-c", start, CHILD], input=json.dumps(sources), capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1:] == ["all read"], done.stderr[-500:]


def test_patterns_are_taken_to_a_lesser_depth() -> None:
    for name, deepest in (("sequence patterns", 25), ("mapping patterns", 12)):
        assert too_deep(SLOWER[name](5)) is None
        assert too_deep(SLOWER[name](deepest)) is not None
        assert too_deep(SLOWER[name](deepest).replace("case", "x = ")) is None


@pytest.mark.parametrize("name", SHALLOW)
def test_length_is_not_depth(name: str) -> None:
    assert too_deep(SHALLOW[name]) is None


def test_bound_on_brackets_is_exact() -> None:
    assert too_deep("(" * MAX_BRACKETS + ")" * MAX_BRACKETS) is None
    assert too_deep("x\n" + "(" * (MAX_BRACKETS + 1)) == MAX_BRACKETS + 2


def test_real_code_is_never_too_deep() -> None:
    library = Path(sysconfig.get_paths()["stdlib"])
    deep = [path.name for path in sorted(library.glob("*.py")) if too_deep(path.read_text("utf-8", "replace"))]
    assert deep == []
