from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import libcst
import pytest

from backendlint.engines import cst as engine
from backendlint.engines.site import SyntaxSite
from backendlint.engines.snippet import parse
from backendlint.facts.model import Span
from backendlint.findings.model import Hit, Location, Notification
from backendlint.parse import split_lines


def located(site: SyntaxSite) -> Iterator[Hit]:
    yield Hit(type(site.node).__name__, site.location())


def run(tree, check=located, needs=None, cache=None, **settings):
    rule = replace(tree.rule, needs=dict.fromkeys(needs or (), ()), folder=tree.root)
    context = tree.context(cache=cache, load_check=lambda _: check, **settings)
    return list(engine.run([rule], tree.files, context))


def spans(results):
    return [(hit.message, *[getattr(hit.location, name) for name in Location.__slots__[1:]]) for _, hit in results]


SHAPES = {
    "tabs": "def f():\n\tif x:\n\t\ttry:\n\t\t\tg()\n\t\texcept E:\n\t\t\tpass\n",
    "string content at column 0": (
        'class A:\n    def f(self):\n        try:\n            g("""\nraw\n""")\n        except E:\n            h()\n'
    ),
    "handlers after blank and comment lines": (
        "try:\n    a()\n\n# why\nexcept (A,\n  B) as e:  # here\n    raise\nelse:\n    b()\n"
    ),
    "else of if": "if a:\n    b()\nelse:\n    try: c()\n    except D: pass\n",
    "windows line ends": "def f():\r\n    try:\r\n        g()\r\n    except E:\r\n        pass\r\n",
    "form feed": "a = 1\n\x0c\ndef f():\n    try:\n        g()\n    except E:\n        pass\n",
    "no final newline": "def f():\n  try:\n    g()\n  except E:\n    pass",
    "wide characters": 'if "äöü":\n    try:\n        x("😀"); y()\n    except E: z("é")\n',
    "continuation": "try:\n    a = 1 + \\\n  2\nexcept E:\n    b(\n1)\n",
    "nested": (
        "try:\n    try:\n        a()\n    except A:\n        pass\n"
        "except B:\n    try:\n        b()\n    except C:\n        pass\n"
    ),
}


@pytest.mark.parametrize("text", SHAPES.values(), ids=SHAPES.keys())
def test_every_try_is_found_where_it_stands(tree, text: str) -> None:
    tree.add("a.py", text)
    found = spans(run(tree, needs=["handlers"]))
    blocks = [block for function in tree.files["a.py"].functions for block in function.blocks]
    expected = sorted(block.span for block in blocks if block.kind == "try")
    assert [Span(line, column - 1, end, end_column - 1) for _, line, column, end, end_column in found] == expected


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("def f():\n    if x: raise E(\n      1)\n", "Raise"),
        ("x = 1; raise E\n", "Raise"),
        ("if x: \\\n  raise E\n", "Raise"),
        ("if x: pass\nelif y:\n\traise E('é') from None  # why\n", "Raise"),
        ("class A: assert x, 'é'\n", "Assert"),
        ("for x in y: assert (x\nand y)\n", "Assert"),
    ],
)
def test_simple_statements_are_cut_out_exactly(tree, text: str, kind: str) -> None:
    tree.add("a.py", text)
    ((name, *_),) = spans(run(tree, needs=[f"{kind.lower()}s"]))
    assert name == kind


def test_calls_anywhere_are_expressions(tree) -> None:
    tree.add("a.py", "x = [\n    f(\n  1),\n    a.b(c)(\n d),\n]\nf(g(\n))\nwith h(): k()\n")
    results = run(tree, needs=["calls"])
    assert {name for name, *_ in spans(results)} == {"Call"}
    assert len(results) == 7


def test_what_the_slice_cannot_hold_is_parsed_with_the_whole_file() -> None:
    lines = split_lines("if a:\n    b()\nelif c:\n    d()\n")
    snippet = parse(lines, Span(3, 0, 4, 7))
    node = snippet.find((libcst.If,), Span(3, 0, 4, 7))
    assert isinstance(node, libcst.If)
    assert snippet.module.code_for_node(node.test) == "c"


def test_each_statement_is_parsed_once_for_all_rules(tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.add("a.py", SHAPES["nested"])
    calls = []
    original = libcst.parse_module
    monkeypatch.setattr(libcst, "parse_module", lambda text: calls.append(text) or original(text))
    rules = [replace(tree.rule, id=f"SEC99{n}", needs={"handlers": ()}, folder=tree.root) for n in range(3)]
    results = list(engine.run(rules, tree.files, tree.context(load_check=lambda _: located)))
    assert len(results) == 9
    assert len(calls) == 1


def test_names_resolve_through_the_files_imports(tree) -> None:
    tree.add("pkg/a.py", "import logging as log\nfrom .b import Oops\ndef g(): pass\nlog.x(); Oops.y(); g(); len()\n")

    def check(site: SyntaxSite) -> Iterator[Hit]:
        assert isinstance(site.node, libcst.Call)
        yield Hit(str(site.resolve(site.node.func)), site.location())

    assert [hit.message for _, hit in run(tree, check, needs=["calls"])] == [
        "logging.x", "pkg.b.Oops.y", "pkg.a.g", "builtins.len",
    ]  # fmt: skip


def test_an_edit_replaces_just_the_nodes_region(tree) -> None:
    text = "def f():\n    try:\n        g()\n    except E as e:\n        raise  X( 1 )  # keep\n"
    tree.add("a.py", text)

    def check(site: SyntaxSite) -> Iterator[Hit]:
        node = site.node
        assert isinstance(node, libcst.Raise)
        new = node.with_changes(
            cause=libcst.From(libcst.Name("e"), whitespace_before_from=libcst.SimpleWhitespace(" "))
        )
        edit = site.edit(node, new)
        yield Hit(edit.replacement, edit.location)

    ((_, hit),) = run(tree, check, needs=["raises"])
    lines = text.splitlines()
    place = hit.location
    assert lines[place.line - 1][place.column - 1 : place.end_column - 1] == "raise  X( 1 )"
    assert hit.message == "raise  X( 1 ) from e"


def test_a_replaced_statement_keeps_the_place_it_stands_in(tree) -> None:
    text = "class A:\n\tdef f(self):\n\t\tif a: b()\n\t\telse:\n\t\t\traise X(\n\t\t\t\t1,\n\t\t\t)\n"
    tree.add("a.py", text)

    def check(site: SyntaxSite) -> Iterator[Hit]:
        node = site.node
        assert isinstance(node, libcst.Raise)
        edit = site.edit(node, node.with_changes(exc=libcst.Name("Y")))
        same = site.edit(node, node.deep_clone())
        yield Hit(edit.replacement, edit.location)
        yield Hit(same.replacement, same.location)

    (_, changed), (_, same) = run(tree, check, needs=["raises"])
    assert changed.message == "raise Y"
    assert same.message == "raise X(\n\t\t\t\t1,\n\t\t\t)"


def test_a_nominated_handler_is_given(tree) -> None:
    tree.add("a.py", "try:\n    a()\nexcept A:\n    b()\nexcept B as e:\n    c()\n")

    def check(site: SyntaxSite) -> Iterator[Hit]:
        yield Hit(site.code(site.handler.type), site.location(site.handler.type))

    check.__globals__["suspects"] = lambda _file, function: (
        index for index, block in enumerate(function.blocks) if block.kind == "except" and block.name
    )
    try:
        ((_, hit),) = run(tree, check)
    finally:
        del check.__globals__["suspects"]
    assert (hit.message, hit.location) == ("B", Location("a.py", 5, 8, 5, 9))


def test_a_failing_check_is_reported_and_the_rest_goes_on(tree, cache) -> None:
    tree.add("a.py", "raise A\n")
    tree.add("b.py", "raise B\n")

    def check(site: SyntaxSite) -> Iterator[Hit]:
        if site.file.path == "a.py":
            raise ValueError("odd")
        yield Hit("found", site.location())

    failed, found = run(tree, check, needs=["raises"], cache=cache)
    assert isinstance(failed, Notification)
    assert (failed.kind, failed.level) == ("rule-failed", "error")
    assert "SEC999 (sample-rule) failed on a.py: ValueError: odd" in failed.message
    assert found[1].message == "found"
    assert len(cache.values) == 1


def test_a_statement_on_which_libcst_itself_fails_is_named(tree, monkeypatch: pytest.MonkeyPatch) -> None:
    class PanicException(BaseException):
        """As the native parser's."""

    def panics(*_: object) -> None:
        raise PanicException("index out of bounds")

    monkeypatch.setattr("backendlint.engines.snippet.parse", panics)
    tree.add("a.py", "raise A\n")
    (note,) = run(tree, needs=["raises"])
    assert isinstance(note, Notification)
    assert (note.kind, note.location.path, note.location.line) == ("cst-unread", "a.py", 1)


def test_results_are_cached_by_content(tree, cache) -> None:
    tree.add("a.py", "raise A\n")
    first = run(tree, needs=["raises"], cache=cache)
    assert first
    assert run(tree, check=None, needs=["raises"], cache=cache) == first
    tree.add("a.py", "\nraise A\n")
    ((_, hit),) = run(tree, needs=["raises"], cache=cache)
    assert hit.location.line == 2


def test_a_file_that_no_rule_is_for_is_asked_about_once(tree, cache, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.add("a.py", "x = 1\n")
    rule = replace(tree.rule, needs={"handlers": ()})
    assert list(engine.run([rule], tree.files, tree.context(cache=cache))) == []
    monkeypatch.setattr("backendlint.engines.needs.meets", None)
    assert list(engine.run([rule], tree.files, tree.context(cache=cache))) == []


def test_options_are_part_of_the_caches_key(tree, cache) -> None:
    tree.add("a.py", "raise A\n")

    def check(site: SyntaxSite) -> Iterator[Hit]:
        yield Hit(str(site.options.get("word", "none")), site.location())

    for options, word in (({}, "none"), ({"SEC999": {"word": "one"}}, "one")):
        ((_, hit),) = run(tree, check, needs=["raises"], cache=cache, options=options)
        assert hit.message == word


def test_libcst_is_not_imported_without_a_site() -> None:
    code = (
        "import sys; from pathlib import Path; from backendlint.engines import cst, semgrep, project, site\n"
        "from backendlint.engines.base import EngineContext; from backendlint.facts.model import FileFacts\n"
        "from backendlint.ruleset.manifest import Rule\n"
        "rule = Rule('SEC999', 'n', 'security', 'cst', 'note', 'low', 'audit', 's', 'h', (), needs={'raises': ()})\n"
        "list(cst.run([rule], {'a.py': FileFacts('a.py', 'a', False, 1)}, EngineContext(Path(), open)))\n"
        "sys.exit('libcst' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
