"""The facts of one file: what they say of small programs, and of every file of a part of the standard library."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from backendlint.facts.extract import extract
from backendlint.facts.model import FileFacts, FunctionFacts


def facts(source: str, module: str = "app.main", *, is_package: bool = False) -> FileFacts:
    return extract(ast.parse(source), source, path="app/main.py", module=module, is_package=is_package)


def function(source: str, name: str = "f") -> FunctionFacts:
    return next(item for item in facts(source).functions if item.qualname == name)


def returned(source: str) -> tuple[object, ...]:
    """The value that `f` returns."""
    fn = function(source)
    return fn.values[fn.returns[-1].value]


def shape(fn: FunctionFacts, vid: int) -> object:
    """A value as a nested tuple without vids, cut where it refers to itself."""
    return _shape(fn, vid, ())


def _shape(fn: FunctionFacts, vid: int, above: tuple[int, ...]) -> object:
    if vid in above:
        return "again"
    value, above = fn.values[vid], (*above, vid)
    if value[0] in ("const", "name", "def"):
        return value[1]
    if value[0] == "param":
        return fn.params[value[1]].name
    if value[0] == "call":
        call = fn.calls[value[1]]
        return ("call", _shape(fn, call.func, above), *(_shape(fn, arg, above) for arg in call.args))
    if value[0] in ("phi", "list", "tuple"):
        return (value[0], *(_shape(fn, item, above) for item in value[1]))
    if value[0] == "fmt":
        return ("fmt", *(_shape(fn, item, above) for item in value[2]))
    return (value[0], *(_shape(fn, item, above) if isinstance(item, int) else item for item in value[1:2]), *value[2:3])


def result(source: str) -> object:
    fn = function(source)
    return shape(fn, fn.returns[-1].value)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("x = a\n    return x", "a"),
        ("x = a\n    x = 'const'\n    return x", "const"),
        ("if a:\n        x = 1\n    else:\n        x = 2\n    return x", ("phi", 1, 2)),
        ("x = 1\n    if a:\n        return x\n    return x", 1),
        ("x = 'safe' if 7 * 6 == 42 else a\n    return x", "safe"),
        ("if False:\n        x = a\n    else:\n        x = 'never tainted'\n    return x", "never tainted"),
        (
            (
                "x = 'ABC'[1]\n    match x:\n        case 'B':\n"
                "            y = 'safe'\n        case _:\n            y = a\n    return y"
            ),
            "safe",
        ),
        ("x = a\n    for i in a:\n        x = x + '!'\n    return x", ("phi", "a", ("fmt", "again", "!"))),
        ("while True:\n        x = a\n        break\n    return x", "a"),
        ("try:\n        x = a()\n    except ValueError:\n        x = None\n    return x", ("phi", ("call", "a"), None)),
        ("(x, y) = (1, a)\n    return y", "a"),
        ("x = y = a\n    return y", "a"),
        ("if (n := a()) is None:\n        return 0\n    return n", ("call", "a")),
        ("return 'a' + a + 'b'", ("fmt", "a", "a", "b")),
        ("return f'{a}-{1}'", ("fmt", "a", "-", 1)),
        ("return '{0}/{x}'.format(a, x=2)", ("fmt", "a", "/", 2)),
        ("return ','.join([a, 'b'])", ("fmt", "a", ",", "b")),
        ("x = []\n    x.append(a)\n    return x", ("mut", ("list",), "append")),
    ],
)
def test_what_a_name_holds(body: str, expected: object) -> None:
    assert result(f"def f(a):\n    {body}\n") == expected


@pytest.mark.parametrize(
    "number", ["10000000000000000000000", "1e999", "-1e999", "1e308 * 10", "2e18 * 10", "9223372036854775808"]
)
def test_numbers_beyond_counting_are_not_known(number: str) -> None:
    assert returned(f"def f():\n    return {number}\n")[0] != "const"


def test_percent_format_keeps_its_parts_in_order() -> None:
    fn = function("def f(a):\n    return 'x %s y %(k)s' % {'k': a}\n")
    kind, _, parts, template = fn.values[fn.returns[0].value]
    assert kind == "fmt"
    assert fn.values[template] == ("const", "x %s y %(k)s")
    assert [fn.values[part][0] for part in parts] == ["const", "conv", "const", "conv"]


def test_an_early_exit_guards_what_follows() -> None:
    fn = function("def f(a):\n    if a not in ('x', 'y'):\n        raise ValueError(a)\n    return a\n")
    op, guarded, test, truth = fn.values[fn.returns[0].value]
    assert (op, fn.values[guarded], truth) == ("guard", ("param", 0), False)
    assert fn.values[test][:2] == ("compare", ("not in",))


def test_blocks_tell_how_control_leaves() -> None:
    fn = function(
        "def f(a):\n    for x in a:\n        try:\n            g(x)\n"
        "        except (OSError, KeyError) as e:\n            continue\n"
    )
    kinds = {block.kind: block for block in fn.blocks}
    assert kinds["except"].exits == "continue"
    assert kinds["except"].name == "e"
    assert fn.blocks[kinds["except"].group].kind == "try"
    call = fn.calls[0]
    assert fn.blocks[call.block].kind == "try"


def test_control_ends_at_a_call_that_never_returns() -> None:
    source = "from shelf import halt\ndef f(a):\n    if a not in ('x', 'y'):\n        halt(404)\n    return a\n"
    known = extract(
        ast.parse(source), source, path="a.py", module="a", is_package=False, leaving=frozenset({"shelf.halt"})
    )
    for file, kind, exits in ((known, "guard", "raise"), (facts(source), "param", "")):
        fn = file.functions[1]
        assert fn.values[fn.returns[0].value][0] == kind
        assert next(block for block in fn.blocks if block.kind == "if").exits == exits


def test_a_finally_meets_what_any_failure_leaves() -> None:
    source = (
        "def f():\n    fd = None\n    try:\n        fd = make()\n        close(fd)\n        fd = None\n    finally:\n"
        "        if fd is not None:\n            close(fd)\n    return fd"
    )
    fn = function(source)
    last = fn.calls[-1]
    assert fn.blocks[fn.blocks[last.block].parent].kind == "finally"
    assert "make" in str(shape(fn, last.args[0]))
    assert fn.values[fn.returns[-1].value] == ("const", None)


def test_code_after_a_return_is_not_there() -> None:
    fn = function("def f():\n    return 1\n    g()\n")
    assert fn.calls == []


def test_relative_imports_are_absolute() -> None:
    module = facts("from .db import run\nfrom . import x\nfrom ..core.y import z as w\n", "app.api.routes")
    assert [item.target for item in module.imports] == ["app.api.db.run", "app.api.x", "app.core.y.z"]
    package = facts("from .db import run\n", "app.api", is_package=True)
    assert package.imports[0].target == "app.api.db.run"


def test_closures_refer_to_the_enclosing_table() -> None:
    module = facts("def outer(a):\n    def inner():\n        return a\n    return inner\n")
    inner = next(fn for fn in module.functions if fn.qualname == "outer.inner")
    assert inner.values[inner.returns[0].value] == ("outer", 0)


def test_columns_count_characters() -> None:
    fn = function("def f(a):\n    é = 'ß'; g(a)\n")
    assert fn.calls[0].span[:2] == (2, 13)


def test_classes_list_fields_and_methods() -> None:
    cls = facts("class A(B, metaclass=M):\n    x: int = 1\n    y, z = 2, 3\n    def m(self): pass\n").classes["A"]
    assert set(cls.attributes) == {"x", "y", "z"}
    assert set(cls.annotations) == {"x"}
    assert set(cls.methods) == {"m"}
    assert [name for name, _ in cls.keywords] == ["metaclass"]


def test_too_deep_code_is_named_not_lost() -> None:
    source = "x = " + "+".join("a" for _ in range(20_000)) + "\n"
    try:
        tree = ast.parse(source)
    except (RecursionError, MemoryError):
        return
    assert [problem[0] for problem in extract(tree, source, path="x.py", module="x", is_package=False).problems] == [
        "too-deep"
    ]


STANDARD = sorted(Path(json.__file__).parent.parent.glob("[a-d]*.py"))


@pytest.mark.parametrize("path", STANDARD, ids=lambda path: path.name)
def test_every_call_of_the_standard_library_is_seen(path: Path) -> None:
    """Each call that CPython's parser sees is a Call, but for `str.format`/`join` on constants and unreachable code."""
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    found = {
        (call.span.line, call.span.end_line, call.span.end_column)
        for fn in extract(tree, source, path=path.name, module=path.stem, is_package=False).functions
        for call in fn.calls
    }
    expected, left_out = set(), 0
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            text = isinstance(node.func, ast.Attribute) and node.func.attr in ("format", "join")
            left_out += text
            if not text:
                line = source.splitlines()[node.end_lineno - 1] if node.end_lineno else ""
                end = len(line.encode()[: node.end_col_offset].decode())
                expected.add((node.lineno, node.end_lineno, end))
    assert len(expected - found) <= max(2, len(expected) // 50)
