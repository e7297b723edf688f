"""A parsed file to its facts."""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Mapping, Sequence

from backendlint.facts.define import docstring
from backendlint.facts.flow import Flow, import_targets
from backendlint.facts.model import Block, Comment, FileFacts, FunctionFacts, Span
from backendlint.facts.scope import bound_names, own_nodes, traits
from backendlint.facts.table import Env, FileContext, Source, Table

RECURSION_LIMIT = 6000
"""Deep enough for any expression that CPython's own parser accepts in practice."""
_MARKER = re.compile(r"#\s*backendlint\s*:\s*(?P<text>.*)")


def extract(
    tree: ast.Module, text: str, *, path: str, module: str, is_package: bool, leaving: frozenset[str] = frozenset()
) -> FileFacts:
    """Read one file's facts.

    `path` is relative to the root, `module` its dotted name there; calls of `leaving` never return. Code nested too
    deeply to be read is given up and named in `problems`.
    """
    facts = FileFacts(path, module, is_package, text.count("\n") + (not text.endswith("\n")))
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, RECURSION_LIMIT))
    try:
        _read(tree, text, facts, leaving)
    except RecursionError:
        facts.problems.append(("too-deep", "the code is nested too deeply to be analysed", 1, 1))
        facts.functions = facts.functions[:1] or [_module_function(tree, text)]
    finally:
        sys.setrecursionlimit(limit)
    if "backendlint" in text:
        facts.comments = comments(text)
        facts.statement_lines = statement_lines(tree)
    return facts


def _read(tree: ast.Module, text: str, facts: FileFacts, leaving: frozenset[str]) -> None:
    context = FileContext(facts, Source(text), leaving)
    facts.docstring = docstring(tree.body)
    for node in own_nodes(tree.body):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for name, target in import_targets(node, facts.module, facts.is_package):
                if name != "*":
                    context.imports.setdefault(name, target)
    context.globals = frozenset(bound_names(tree.body)) - context.imports.keys()
    function = _module_function(tree, text)
    facts.functions.append(function)
    flow = _flow(context, function, 0, None)
    flow.body(tree.body)
    facts.names = dict(flow.env)
    _read_pending(flow)
    facts.exports = _exports(facts)


def _module_function(tree: ast.Module, text: str) -> FunctionFacts:
    lines = text.count("\n") + 1
    span = Span(1, 0, lines, 0)
    function = FunctionFacts("", "", -1, "", False, False, span, Span(1, 0, 1, 0))
    function.blocks.append(Block("func", -1, -1, 0, "", False, "", span))
    return function


def _flow(context: FileContext, function: FunctionFacts, index: int, outer: Table | None) -> Flow:
    flow = Flow(context, function, index, outer)
    flow.loops = []
    flow.pending = []
    return flow


def _read_pending(owner: Flow) -> None:
    """Read the functions that a body defined, then those that they define."""
    final = owner.env
    for function, index, node, env in owner.pending:
        owner.env = {**final, **env} if owner.index else final
        flow = _flow(owner.file, function, index, owner)
        _read_function(flow, function, node)
        _read_pending(flow)
    owner.pending = []
    owner.env = final


def _read_function(
    flow: Flow, function: FunctionFacts, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
) -> None:
    function.blocks.append(Block("func", -1, -1, 0, "", function.is_async, "", function.span))
    args = node.args
    every = [*args.posonlyargs, *args.args, *([args.vararg] if args.vararg else []), *args.kwonlyargs]
    every += [args.kwarg] if args.kwarg else []
    env: Env = {arg.arg: flow.add(("param", position), arg) for position, arg in enumerate(every)}
    flow.env = env
    if isinstance(node, ast.Lambda):
        flow.body([ast.copy_location(ast.Return(value=node.body), node.body)])
        return
    if flow.file.source.may_declare(function.span):
        flow.globals_declared = traits(node.body).globals
    flow.body(node.body)
    function.blocks[0] = function.blocks[0]._replace(exits=flow.last_exit if flow.dead else "")


def _exports(facts: FileFacts) -> tuple[str, ...] | None:
    vid = facts.names.get("__all__", -1)
    values = facts.functions[0].values
    if vid < 0 or values[vid][0] not in ("list", "tuple"):
        return None
    items = [values[item] for item in values[vid][1]]
    return tuple([item[1] for item in items if item[0] == "const" and isinstance(item[1], str)])


_PARTS: Mapping[type[ast.AST], Sequence[str]] = {
    kind: parts
    for kind in vars(ast).values()
    if isinstance(kind, type)
    and issubclass(kind, (ast.mod, ast.stmt, ast.excepthandler, ast.match_case))
    and (parts := [name for name in ("body", "orelse", "finalbody", "handlers", "cases") if name in kind._fields])
}
"""The fields of statements that hold statements."""


def statement_lines(tree: ast.Module) -> dict[int, int]:
    """First to last line of the simple statements and of the compound statements' headers that span lines."""
    spans: dict[int, int] = {}
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        for name in _PARTS.get(type(node), ()):
            todo.extend(getattr(node, name))
        if isinstance(node, ast.stmt):
            first, last = node.lineno, _last_line(node)
            if last > first:
                spans[first] = max(last, spans.get(first, 0))
    return spans


def _last_line(node: ast.stmt) -> int:
    body: Sequence[ast.stmt] | None = getattr(node, "body", None)
    if isinstance(body, list) and body:
        first = body[0]
        decorated = getattr(first, "decorator_list", None)
        line = decorated[0].lineno if decorated else first.lineno
        return max(node.lineno, line - 1) if line > node.lineno else node.lineno
    return node.end_lineno or node.lineno


def comments(text: str) -> list[Comment]:
    """Comments that address backendlint. Where the text cannot be tokenized, those before the problem."""
    found = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                match = _MARKER.search(token.string)
                if match:
                    line, column = token.start
                    own = not token.line[:column].strip()
                    found.append(Comment(line, column, match["text"].strip(), own))
    except (tokenize.TokenError, SyntaxError):
        return found
    return found
