from __future__ import annotations

import re
from collections.abc import Iterator

import libcst as cst

from backendlint.api import FileFacts, FunctionFacts, Hit, SyntaxSite, around, below, caught, ingredients

EVERY = frozenset({"builtins.Exception", "builtins.BaseException"})
ACCEPTED = re.compile(
    r"#.*(noqa:?[^#]*\b(B012|PLE0116|W0150)\b|pylint: *disable=[^#]*\b(lost-exception|W0150|return-in-finally|W0134)\b)"
)
JUMPS = {cst.Return: "return", cst.Break: "break", cst.Continue: "continue", cst.Raise: "raise"}


def suspects(_file: FileFacts, function: FunctionFacts) -> Iterator[int]:
    """`finally` blocks below which control leaves otherwise than by falling through."""
    for index, block in enumerate(function.blocks):
        if block.kind == "finally" and any(function.blocks[inner].exits for inner in below(function, index)):
            yield index


def check(site: SyntaxSite) -> Iterator[Hit]:
    node = site.node
    if not isinstance(node, cst.Try | cst.TryStar) or node.finalbody is None:
        return
    for jump in jumps(node.finalbody.body, in_loop=False, caught=False, names=frozenset()):
        if isinstance(jump, cst.Raise) and kept(site, jump):
            continue
        word = JUMPS[type(jump)]
        handled = word == "raise" and (ends_all(site) or in_handler(site) or is_of_cleanup(site, jump))
        where = f" of `{site.function.name}()`" if site.function.name else ""
        yield Hit(
            f"{message(word, where)} Move the `{word}` behind the try statement.",
            site.location(jump),
            profile="strict" if handled or is_accepted(site, jump) else None,
            confidence="medium" if word == "raise" else None,
            function=site.function.qualname or None,
        )


def is_accepted(site: SyntaxSite, jump: cst.CSTNode) -> bool:
    """A marker by which others' checks for this very flaw are silenced: `# pylint: disable=lost-exception`."""
    return ACCEPTED.search(site.lines[site.span_of(jump).end_line - 1]) is not None


def ends_all(site: SyntaxSite) -> bool:
    """Whether a handler of the same `try` has caught every Exception and raises none: only a stop is still under way."""
    function = site.function
    for number, block in enumerate(function.blocks):
        if (
            block.kind == "except"
            and block.group == site.facts.group
            and EVERY.intersection(caught(function, number) or EVERY)
        ):
            inside = below(function, number)
            return not any(item.block in inside for item in function.raises)
    return False


def in_handler(site: SyntaxSite) -> bool:
    """`except ClientError as error: try: abort() finally: raise UploadFailed() from error`: what was under way has been caught,
    and comes out whether or not the cleanup fails."""
    function = site.function
    return any(function.blocks[number].kind == "except" for number in around(function, site.facts.parent))


def is_of_cleanup(site: SyntaxSite, jump: cst.CSTNode) -> bool:
    """`if released != 1: raise LockLost()` of what the block itself has done before, or `except OSError as err: raise LockLost()
    from err` there: so would a cleanup that fails by itself."""
    function, span = site.function, site.span_of(jump)
    block = next((item.block for item in function.raises if item.span == span), -1)
    if any(function.blocks[number].kind == "except" for number in around(function, block) if number > site.block):
        return True
    tests = [
        function.blocks[number].value for number in around(function, block) if function.blocks[number].kind == "if"
    ]
    made = {function.values[vid][1] for vid in ingredients(function, tests) if function.values[vid][0] == "call"}
    return any(site.facts.span.holds(function.calls[number].span) for number in made)


def kept(site: SyntaxSite, jump: cst.Raise) -> bool:
    """`except Cancelled as caught: ended = caught` ... `raise ended`: what a handler has put by is raised after all."""
    if not isinstance(jump.exc, cst.Name):
        return False
    values = site.function.values
    raised = (item.exc for item in site.function.raises if item.span == site.span_of(jump))
    return any(values[vid][0] == "exc" for exc in raised for vid in ingredients(site.function, (exc,)))


def message(word: str, where: str) -> str:
    if word == "raise":
        return (
            f"`raise` in the `finally`{where} replaces an exception that is under way, which then no handler sees as "
            "what it is, and turns a `return` of the try block into an error."
        )
    return (
        f"`{word}` in the `finally`{where} throws away an exception that is under way (also KeyboardInterrupt and task "
        "cancellation) and the value that the try block returns."
    )


def jumps(node: cst.CSTNode, *, in_loop: bool, caught: bool, names: frozenset[str]) -> Iterator[cst.CSTNode]:
    """Jumps that leave the finally block: not those of a loop or function inside it, nor a raise caught there, nor one of
    what a handler there has caught (`names`), or of an exception kept before, with what was caught as its cause."""
    if isinstance(node, cst.FunctionDef | cst.Lambda | cst.ClassDef):
        return
    if isinstance(node, cst.Return):
        yield node
    elif isinstance(node, cst.Raise):
        again = isinstance(node.exc, cst.Name) and (node.exc.value in names or (names and node.cause is not None))
        if not caught and node.exc is not None and not again:
            yield node
    elif isinstance(node, cst.Break | cst.Continue):
        if not in_loop:
            yield node
    elif isinstance(node, cst.For | cst.While):
        yield from jumps(node.body, in_loop=True, caught=caught, names=names)
        if node.orelse is not None:
            yield from jumps(node.orelse, in_loop=in_loop, caught=caught, names=names)
    elif isinstance(node, cst.Try | cst.TryStar):
        yield from jumps(node.body, in_loop=in_loop, caught=caught or bool(node.handlers), names=names)
        for handler in node.handlers:
            bound = handler.name.name if handler.name is not None else None
            own = frozenset([bound.value]) if isinstance(bound, cst.Name) else frozenset()
            yield from jumps(handler.body, in_loop=in_loop, caught=caught, names=names | own)
        for part in (node.orelse, node.finalbody):
            if part is not None:
                yield from jumps(part, in_loop=in_loop, caught=caught, names=names)
    else:
        for child in node.children:
            yield from jumps(child, in_loop=in_loop, caught=caught, names=names)
