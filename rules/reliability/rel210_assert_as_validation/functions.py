"""Which functions outsiders call, and how their asserts are answered."""

from __future__ import annotations

import re

from backendlint.api import FunctionFacts, Statement, SyntaxSite, around, caught, listed, name_of

VALIDATOR = re.compile(r"(^|\.)(field_|model_|root_)?validator$")
"""Decorators of pydantic, which turns an AssertionError into a validation error."""
_VERBS = frozenset(["get", "post", "put", "patch", "delete", "dispatch"])
_VIEW = re.compile(r"(View|ViewSet|Resource|Handler|Controller|Endpoint|Api|API)$")
_ALL = ("builtins.Exception", "builtins.BaseException")


def is_program(site: SyntaxSite) -> bool:
    """A file that somebody starts with arguments, or that trains and runs models, and serves nobody."""
    imported = site.file.packages
    if imported & listed(site.options, "serves"):
        return False
    if imported & listed(site.options, "models"):
        return True
    return bool(imported & listed(site.options, "starts")) and _starts(site.file.functions[0])


def _starts(module: FunctionFacts) -> bool:
    """`if __name__ == "__main__":`, or the command line is read as soon as the module is loaded."""
    if any(module.values[call.func][::2] == ("attr", "parse_args") for call in module.calls):
        return True
    tests = (module.values[block.value] for block in module.blocks if block.kind == "if" and block.value >= 0)
    return any(
        test[0] == "compare" and any(module.values[item] == ("const", "__main__") for item in test[2]) for test in tests
    )


def is_answered(site: SyntaxSite, statement: Statement) -> str:
    """Inside a `try` that catches AssertionError ("named": the assert is how the code goes another way) or everything
    ("all"), and does not raise it again."""
    blocks, function = site.function.blocks, site.function
    tries = {number for number in around(function, statement.block) if blocks[number].kind == "try"}
    raising = {number for item in function.raises for number in around(function, item.block)}
    names = {
        name
        for number, item in enumerate(blocks)
        if item.kind == "except" and item.group in tries and number not in raising
        for name in caught(function, number) or _ALL
    }
    return "named" if "builtins.AssertionError" in names else "all" if names.intersection(_ALL) else ""


def is_inner(site: SyntaxSite) -> bool:
    """A function inside another one, which calls it with what it likes."""
    parent = site.function.parent
    return parent >= 0 and bool(site.file.functions[parent].name) and not site.function.cls


def is_decorator(site: SyntaxSite) -> bool:
    """A function within another one that is given a function and gives it back: modules that use it are loaded, or are not."""
    function = site.function
    return (
        is_inner(site)
        and len(function.params) == 1
        and any(item.value >= 0 and function.values[item.value] == ("param", 0) for item in function.returns)
    )


def is_decorated(site: SyntaxSite, names: re.Pattern[str]) -> bool:
    """Whether a decorator's dotted name (without its arguments) matches."""
    function = site.function
    if function.parent < 0:
        return False
    owner = site.file.functions[function.parent]
    for vid in function.decorators:
        value = owner.values[vid]
        if value[0] == "call":
            value = owner.values[owner.calls[value[1]].func]
        name = value[1] if value[0] == "name" else f".{value[2]}" if value[0] == "attr" else ""
        if names.search(str(name)):
            return True
    return False


def is_view(site: SyntaxSite) -> bool:
    """Methods of views that are called like HTTP's."""
    function = site.function
    if not function.cls or function.name not in _VERBS:
        return False
    cls = site.file.classes[function.cls]
    bases = [name_of(site.file, site.file.functions[cls.owner], vid) for vid in cls.bases]
    return any(_VIEW.search(name) for name in (cls.name, *bases))


def is_public(function: FunctionFacts) -> bool:
    """Functions and methods that others call with what they like."""
    return not any(part.startswith("_") for part in function.qualname.split(".") if not part.endswith("__"))
