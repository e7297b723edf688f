"""Lowered trees against CPython's own, over the standard library, and syntax newer than the running Python."""

from __future__ import annotations

import ast
import re
import sys
import sysconfig
import textwrap
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import libcst
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backendlint.lower import lower
from backendlint.parse import ParseProblem, parse

CASES = Path(__file__).parent / "data" / "lower"
LIBRARY = Path(sysconfig.get_paths()["stdlib"])
EXACT_INSIDE_STRINGS = sys.version_info >= (3, 12)
CHUNKS = 8


@cache
def library_files(step: int, start: int = 0) -> list[Path]:
    """Every `step`th file of the running Python's standard library, its tests included."""
    files = [path for path in sorted(LIBRARY.rglob("*.py")) if "site-packages" not in path.parts]
    return files[start::step]


def dump(tree: ast.AST) -> str:
    """All of a tree, except for what CPython gets wrong: places in f-strings before 3.12, empty constants in 3.12's."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            node.values = [value for value in node.values if not (isinstance(value, ast.Constant) and not value.value)]
            if not EXACT_INSIDE_STRINGS:
                for inner in ast.walk(node):
                    if inner is not node and hasattr(inner, "lineno"):
                        vars(inner).update(lineno=0, col_offset=0, end_lineno=0, end_col_offset=0)
    return ast.dump(tree, include_attributes=True)


def cpython(text: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)


def lowered(text: str) -> ast.Module:
    return lower(libcst.parse_module(text), text)


def assert_same(text: str, expected: str, place: str = "") -> None:
    got = dump(lowered(text))
    if got != expected:
        at = next((i for i, (a, b) in enumerate(zip(got, expected, strict=False)) if a != b), 0)
        window = slice(max(0, at - 150), at + 150)
        pytest.fail(f"{place}\nlowered {got[window]}\nCPython {expected[window]}")


def compare_files(files: list[Path]) -> tuple[int, list[str]]:
    """How many files both parsers read, with the same result, and which libcst refused."""
    compared, refused = 0, []
    for path in files:
        try:
            text = path.read_text("utf-8").removeprefix("\ufeff")
            expected = dump(cpython(text))
        except (SyntaxError, ValueError):
            continue
        try:
            libcst.parse_module(text)
        except libcst.ParserSyntaxError:
            refused.append(path.name)
            continue
        compared += 1
        assert_same(text, expected, str(path))
    return compared, refused


def test_sample_of_the_standard_library_is_lowered_as_cpython_parses_it() -> None:
    files = [path for path in library_files(1) if path.stat().st_size < 60_000]
    sample = files[:: len(files) // 40]
    compared, refused = compare_files(sample)
    assert compared >= 38
    assert len(refused) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("start", range(CHUNKS))
def test_whole_standard_library_is_lowered_as_cpython_parses_it(start: int) -> None:
    files = library_files(CHUNKS, start)
    compared, refused = compare_files(files)
    assert compared > 0.98 * len(files)
    assert set(refused) <= {"ann_module.py", "test_grammar.py"}, "libcst takes no `(name): annotation`"


def cases(name: str) -> list[str]:
    return (CASES / f"{name}.txt").read_text("utf-8").rstrip("\n").split("\n===\n")


LINE_ENDS_AND_SPACE = [
    "x = 1\ny = '''a\nb'''\nif x:\n  z\n",
    "\x0cx = 1\n\x0c\ndef f():\n\x0c    pass\n",
    "x\x0c= 1",
    "  \n\t\n# c\nx",
    "",
    "\n",
    "#",
    "x = 1 # c",
    "\\\nx",
    "if x:\n  a\n\n\n  # c\n  b\n # d\nc",
    "class A:\n\tdef f(self): pass\n\n        # c\n",
    '"""a\\\nb"""',
    'f"""a\\\nb{x}"""',
    'é;"é";f"é{é}é"',
    'f"{x}" \\\n "é" f"é{y}"',
]


@pytest.mark.parametrize("text", cases("any") + LINE_ENDS_AND_SPACE)
def test_each_syntax_is_lowered_as_cpython_parses_it(text: str) -> None:
    expected = dump(cpython(text))
    assert_same(text, expected)
    for end in ("\r\n", "\r"):
        assert dump(lowered(text.replace("\n", end))) == expected, repr(end)


@pytest.mark.parametrize(
    "text",
    ["x"] + [case for version in (12, 13) if sys.version_info >= (3, version) for case in cases(f"py3{version}")],
)
def test_newer_syntax_is_lowered_as_a_python_that_knows_it_parses_it(text: str) -> None:
    assert_same(text, dump(cpython(text)))


@pytest.mark.parametrize("text", cases("any") + cases("py312") + cases("py313"))
def test_names_are_where_the_tree_says_whatever_the_running_python(text: str) -> None:
    lines = text.encode().split(b"\n")
    for node in ast.walk(lowered(text)):
        if isinstance(node, ast.Name) and node.id.isascii():
            segment = lines[node.lineno - 1][node.col_offset : node.end_col_offset].decode()
            assert segment in (node.id, "ﬁ")


@pytest.mark.parametrize(
    ("before", "parameters", "after"),
    [
        ("def f", "[T]", "(a: T) -> T: return a"),
        ("async def f", "[T: (int, str) = int, *Ts, **P]", "(a): pass"),
        ("class C", "[T = list[int]]", "(B[T]):\n    x = 1"),
        ("class C ", "[*Ts = *a]", ": pass"),
    ],
)
def test_type_parameters_leave_the_rest_as_it_was(before: str, parameters: str, after: str) -> None:
    tree = lowered(before + parameters + after)
    old = before + " " * len(parameters) + after
    for node in ast.walk(tree):
        if hasattr(node, "type_params"):
            node.type_params = []
    assert dump(tree) == dump(cpython(old))


def test_type_statement_binds_its_name() -> None:
    statement = lowered("type X[T] = list[T]\n").body[0]
    assert (statement.lineno, statement.col_offset, statement.end_col_offset) == (1, 0, 19)
    if sys.version_info >= (3, 12):
        assert type(statement).__name__ == "TypeAlias"
    else:
        assert ast.unparse(statement) == "X = list[T]"


def test_unparenthesised_exceptions_become_a_tuple() -> None:
    new, old = "try: pass\nexcept A, B : pass\n", "try: pass\nexcept(A, B): pass\n"
    handler = lowered(new).body[0].handlers[0]  # type: ignore[attr-defined]
    assert ast.dump(handler) == ast.dump(cpython(old).body[0].handlers[0])  # type: ignore[attr-defined]
    assert (handler.type.col_offset, handler.type.end_col_offset) == (7, 11)


def test_template_strings_keep_their_fields() -> None:
    (statement,) = lowered('x = t"a{b!r:>{c}}d"\n').body
    names = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
    assert names == {"x", "b", "c"}
    assert isinstance(statement, ast.Assign)
    assert type(statement.value).__name__ == ("TemplateStr" if hasattr(ast, "TemplateStr") else "JoinedStr")


def test_format_strings_of_any_nesting_are_read() -> None:
    parsed = parse(b'x = f"{a["k"]} {f"{b}"}"\n', "x.py")
    assert parsed.problem is None
    assert parsed.tree is not None
    assert ast.unparse(parsed.tree.body[0]).count("{") == 3


@pytest.mark.parametrize("literal", ["0777", "b'é'", "'\\x'", "9" * 10_000])
def test_literals_that_no_python_accepts_stay_syntax_errors(literal: str) -> None:
    parsed = parse(f"x = {literal}\ntype X = int\n".encode(), "x.py")
    assert parsed.tree is None
    assert isinstance(parsed.problem, ParseProblem)
    assert parsed.problem.kind == "syntax-error"


def test_long_chains_are_walked_without_recursion() -> None:
    for text in ("x = " + " + ".join("a" * 500), "a" + ".b[0]()" * 150, "if a: b\n" + "elif c: d\n" * 600):
        spans = [
            [(type(node), getattr(node, "lineno", 0), getattr(node, "col_offset", 0)) for node in ast.walk(tree)]
            for tree in (lowered(text), cpython(text))
        ]
        assert spans[0] == spans[1]


PIECES = [
    *r"""( ) [ ] { } " ' ''' : f" f"{ }" , \ async * lambda ** = := case [T] # 0 1_ 0x 1e not yield t"{ \N{""".split(),
    *"!r -> @ ; ... elif except* é".split(),
    *("\n", " ", "\t", "\x0c", "\r", "\u2028", "\ufeff", "\x00", "match x:\n", "type X = "),
]


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A stretch of a real file with pieces put in, cut out, or doubled."""
    files = library_files(29)
    text = draw(st.sampled_from(files)).read_text("utf-8", errors="replace")
    lines = text.splitlines(keepends=True) or [""]
    first = draw(st.integers(0, len(lines) - 1))
    text = textwrap.dedent("".join(lines[first : first + draw(st.sampled_from([1, 5, 30]))]))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        cut = draw(st.integers(0, 12))
        text = text[:at] + draw(st.sampled_from(["", *PIECES, text[at : at + 20] * 2])) + text[at + cut :]
    return text


def segments_of(text: str, tree: ast.Module) -> Iterator[tuple[str, str]]:
    lines = re.split(rb"\r\n|\r|\n", text.encode())
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id.isascii() and node.lineno == node.end_lineno:
            yield node.id, lines[node.lineno - 1][node.col_offset : node.end_col_offset].decode()


@settings(deadline=None, max_examples=150, derandomize=True)
@given(mutated(), st.sampled_from(["", "\ntype X = int\ntry: pass\nexcept A, B: pass\n"]))
def test_mutated_files_end_with_a_tree_or_a_problem(text: str, suffix: str) -> None:
    parsed = parse((text + suffix).encode(), "x.py")
    assert (parsed.tree is None) == (parsed.problem is not None)


@pytest.mark.slow
@settings(deadline=None, max_examples=4_000)
@given(mutated())
def test_mutated_files_that_both_read_are_lowered_alike(text: str) -> None:
    text = text.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff")
    try:
        expected = cpython(text)
        found = lowered(text)
    except (SyntaxError, ValueError, libcst.ParserSyntaxError):
        return
    for name, segment in segments_of(text, found):
        assert name == segment or not segment.isascii()
    assert dump(found) == dump(expected)
