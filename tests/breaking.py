"""Code that nobody would write, made of code that somebody wrote: broken bytes, and programs that mean something else."""

from __future__ import annotations

import ast
import random
from collections.abc import Callable

SHARE = 40
"""One change for so many nodes."""


def broken(data: bytes, rng: random.Random) -> bytes:
    """The content cut off, with lines lost, doubled, moved to the right, or with other bytes."""
    return rng.choice(_BYTES)(data, rng)


def _cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _lines(data: bytes, rng: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    return b"".join(line for line in lines if rng.random() > 0.02)


def _block(data: bytes, rng: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    start, at = rng.randrange(len(lines) + 1), rng.randrange(len(lines) + 1)
    return b"".join([*lines[:at], *lines[start : start + 40], *lines[at:]])


def _bytes(data: bytes, rng: random.Random) -> bytes:
    return bytes(rng.randrange(256) if rng.random() < 0.002 else byte for byte in data)


def _signs(data: bytes, rng: random.Random) -> bytes:
    return bytes(rng.choice(b"()[]{}:,.=*'\"#\n\t @\\") if rng.random() < 0.001 else byte for byte in data)


def _indented(data: bytes, rng: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    return b"".join(rng.choice((b" ", b"\t", b"\x0c")) + line if rng.random() < 0.01 else line for line in lines)


_BYTES = (_cut, _lines, _block, _bytes, _signs, _indented)


def twisted(text: str, rng: random.Random) -> str:
    """Another program of the same statements: names, bases, decorators and arguments exchanged, statements lost."""
    tree = ast.parse(text)
    nodes = list(ast.walk(tree))
    for _ in range(max(3, len(nodes) // SHARE)):
        rng.choice(_TWISTS)(nodes, rng)
    try:
        return ast.unparse(ast.fix_missing_locations(tree))
    except ValueError:  # Python 3.11 cannot write every f-string
        return text


def _some(nodes: list[ast.AST], kind: type | tuple[type, ...], rng: random.Random) -> list[ast.AST]:
    """All nodes of a kind, in an order of their own."""
    found = [node for node in nodes if isinstance(node, kind)]
    rng.shuffle(found)
    return found


def _rename(nodes: list[ast.AST], rng: random.Random) -> None:
    for one, other in zip(_some(nodes, ast.Name, rng)[:1], _some(nodes, ast.Name, rng), strict=False):
        one.id = other.id  # type: ignore[attr-defined]


def _define_again(nodes: list[ast.AST], rng: random.Random) -> None:
    found = _some(nodes, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef), rng)
    if found:
        found[0].name = found[-1].name  # type: ignore[attr-defined]


def _inherit(nodes: list[ast.AST], rng: random.Random) -> None:
    found = _some(nodes, ast.ClassDef, rng)
    if found:
        names = [ast.Name(item.name, ast.Load()) for item in found[-2:]]  # type: ignore[attr-defined]
        found[0].bases = names  # type: ignore[attr-defined]


def _decorate(nodes: list[ast.AST], rng: random.Random) -> None:
    found = _some(nodes, (ast.FunctionDef, ast.AsyncFunctionDef), rng)
    if found:
        found[0].decorator_list = [ast.Name(found[-1].name, ast.Load())] * rng.randrange(3)  # type: ignore[attr-defined]
        found[0].returns = ast.Name(found[0].name, ast.Load())  # type: ignore[attr-defined]


def _call_itself(nodes: list[ast.AST], rng: random.Random) -> None:
    """A function calls itself where it called another: generators, handlers and factories in circles of one."""
    for function in _some(nodes, (ast.FunctionDef, ast.AsyncFunctionDef), rng)[:1]:
        for call in _some([*ast.walk(function)], ast.Call, rng)[:1]:
            itself = ast.Name(function.name, ast.Load())  # type: ignore[attr-defined]
            method = isinstance(call.func, ast.Attribute) and bool(function.args.args)  # type: ignore[attr-defined]
            owner = ast.Name(function.args.args[0].arg, ast.Load()) if method else None  # type: ignore[attr-defined]
            call.func = ast.Attribute(owner, itself.id, ast.Load()) if owner else itself  # type: ignore[attr-defined]


def _lose_arguments(nodes: list[ast.AST], rng: random.Random) -> None:
    for call in _some(nodes, ast.Call, rng)[:1]:
        rng.shuffle(call.args)  # type: ignore[attr-defined]
        del call.args[rng.randrange(3) :]  # type: ignore[attr-defined]
        del call.keywords[rng.randrange(3) :]  # type: ignore[attr-defined]


def _change_constant(nodes: list[ast.AST], rng: random.Random) -> None:
    for node in _some(nodes, ast.Constant, rng)[:1]:
        text = isinstance(node.value, str)  # type: ignore[attr-defined]
        others = (
            ("", "SELECT * FROM", "%s%(a)s", "{", "{0!r:{1}}", "[(*+") if text else (0, -1, 10**30, True, None, b"\xff")
        )
        node.value = rng.choice(others)  # type: ignore[attr-defined]


def _bodies(nodes: list[ast.AST], rng: random.Random) -> list[list[ast.stmt]]:
    fields = ("body", "orelse", "finalbody")
    found = [getattr(node, name) for node in nodes for name in fields if isinstance(getattr(node, name, None), list)]
    rng.shuffle(found)
    return [body for body in found if body and isinstance(body[0], ast.stmt)]


def _lose_statement(nodes: list[ast.AST], rng: random.Random) -> None:
    for body in _bodies(nodes, rng)[:1]:
        if len(body) > 1:
            del body[rng.randrange(len(body))]


def _repeat_statement(nodes: list[ast.AST], rng: random.Random) -> None:
    for body in _bodies(nodes, rng)[:1]:
        if len(body) < 100:
            body.insert(rng.randrange(len(body) + 1), rng.choice(body))


_TWISTS: tuple[Callable[[list[ast.AST], random.Random], None], ...] = (
    _rename, _rename, _define_again, _inherit, _decorate, _call_itself, _lose_arguments, _change_constant, _lose_statement,
    _repeat_statement,
)  # fmt: skip
