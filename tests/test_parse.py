"""Reading bytes: encodings, line ends, and input that is meant to hurt."""

from __future__ import annotations

import ast

import pytest

from backendlint.parse import MAX_BYTES, MAX_NEWER_BYTES, ParseProblem, parse, split_lines


def problem_of(data: bytes) -> ParseProblem:
    problem = parse(data, "x.py").problem
    assert problem is not None
    return problem


def test_plain_file_has_a_tree_and_no_problem() -> None:
    parsed = parse(b"x = 1\n", "x.py")
    assert isinstance(parsed.tree, ast.Module)
    assert (parsed.text, parsed.problem) == ("x = 1\n", None)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"# coding: latin-1\nx = '\xe9'\n", "# coding: latin-1\nx = 'é'\n"),
        (b"#!/bin/sh\r# vim: fileencoding=cp1252\rx = '\x80'\r", "#!/bin/sh\r# vim: fileencoding=cp1252\rx = '€'\r"),
        (b"\xef\xbb\xbfx = '\xc3\xa9'\n", "x = 'é'\n"),
        ("x = 'é'\n".encode(), "x = 'é'\n"),
    ],
)
def test_bytes_are_decoded_by_cookie_or_mark(data: bytes, text: str) -> None:
    parsed = parse(data, "x.py")
    assert parsed.text == text
    assert parsed.problem is None
    assert parsed.tree is not None


def test_undecodable_byte_is_placed_and_the_rest_is_still_read() -> None:
    parsed = parse(b"a = 1\nb = '\xe9'\n", "x.py")
    assert parsed.text == "a = 1\nb = '\ufffd'\n"
    assert parsed.problem == ParseProblem("encoding-error", "byte 0xe9 is not valid utf-8", 2, 6)
    assert parsed.tree is not None


@pytest.mark.parametrize("codec", ["nonsense", "hex", "utf-7", "utf-16", "punycode", "undefined"])
def test_cookie_that_lies_is_an_encoding_error(codec: str) -> None:
    problem = problem_of(f"# coding: {codec}\nx = 1\n".encode())
    assert problem.kind == "encoding-error"
    assert problem.message


def test_mark_and_cookie_that_disagree_are_an_encoding_error() -> None:
    assert problem_of(b"\xef\xbb\xbf# coding: latin-1\nx = 1\n").kind == "encoding-error"


def test_null_byte_is_placed() -> None:
    assert problem_of(b"x = 1\ny = \0\n") == ParseProblem("null-bytes", "source code cannot contain null bytes", 2, 5)


def test_syntax_error_says_where() -> None:
    parsed = parse(b"x = 1\ny = = 2\n", "x.py")
    assert parsed.tree is None
    assert parsed.problem == ParseProblem("syntax-error", "invalid syntax", 2, 5)


def test_ten_megabyte_line_is_refused_quickly() -> None:
    parsed = parse(b"x" * 10_000_000, "x.py")
    assert parsed.tree is None
    assert parsed.problem is not None
    assert parsed.problem.kind == "too-large"
    assert len(parsed.text) == 10_000_000


def test_large_line_below_the_bound_is_read() -> None:
    parsed = parse(b"x = '" + b"a" * (MAX_BYTES - 10) + b"'\n", "x.py")
    assert parsed.tree is not None


def test_large_file_in_newer_syntax_keeps_the_refusal_and_says_why() -> None:
    parsed = parse(b"try: pass\nexcept A, B: pass\nf(=)\n" + b"x = 1\n" * (MAX_NEWER_BYTES // 6), "x.py")
    assert parsed.tree is None
    assert parsed.problem is not None
    assert parsed.problem.kind == "syntax-error"
    assert "this large" in parsed.problem.message


DEPTH = 5_000
DEEP = {
    "brackets": "(" * DEPTH + ")" * DEPTH,
    "open brackets": "[" * DEPTH,
    "minus": "-" * DEPTH + "1",
    "not": "not " * DEPTH + "x",
    "plus": "+".join(["a"] * DEPTH),
    "attributes": "a" + ".b" * DEPTH,
    "calls": "f" + "()" * DEPTH,
    "lambdas": "lambda: " * DEPTH + "1",
    "conditions": "a if b else " * DEPTH + "c",
    "powers": "a ** " * DEPTH + "a",
    "elif": "if x: pass\n" + "elif x: pass\n" * DEPTH,
    "indents": "".join(" " * i + "if x:\n" for i in range(1_500)),
    "f-strings": 'f"{' * DEPTH,
}


@pytest.mark.parametrize("name", DEEP)
def test_deep_nesting_ends_with_a_tree_or_a_problem(name: str) -> None:
    """How deep CPython reads depends on its version."""
    parsed = parse(DEEP[name].encode(), "x.py")
    assert (parsed.tree is None) == (parsed.problem is not None)


@pytest.mark.parametrize("name", DEEP)
def test_deep_nesting_that_cpython_refuses_ends_with_a_problem(name: str) -> None:
    parsed = parse((DEEP[name] + "\ntype X = ) int\n").encode(), "x.py")
    assert parsed.tree is None
    assert parsed.problem is not None
    assert parsed.problem.kind in ("too-deep", "syntax-error")


def test_lines_split_where_the_tokenizer_splits_them() -> None:
    text = "a\x0cb\r\nc\x0bd\re\u2028f\x85g\n\nh"
    lines = list(split_lines(text))
    assert lines == ["a\x0cb\r\n", "c\x0bd\r", "e\u2028f\x85g\n", "\n", "h"]
    assert "".join(lines) == text
    assert split_lines("") == ()


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_numbers_fit_the_split_text(end: str) -> None:
    text = end.join(["'''a", "\x0cb'''", "\x0cx = 1", "y = 2\u2028".rstrip("\u2028"), ""])
    parsed = parse(text.encode(), "x.py")
    assert parsed.tree is not None
    last = parsed.tree.body[-1]
    assert split_lines(parsed.text)[last.lineno - 1].rstrip() == "y = 2"
