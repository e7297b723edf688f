"""Values of the function: what they are made of, and which are constants or passed in."""

from __future__ import annotations

from backendlint.api import Call, FunctionFacts, SyntaxSite, Value, called_name, ingredients

_COPIES = frozenset({"dict", "list", "tuple", "set", "frozenset", "sorted", "str", "int", "float", "len"})
_COMPUTES = frozenset({"max", "min", "abs", "sum", "round", "divmod", "pow"})
_MAX_DEPTH = 8


def parameters(function: FunctionFacts, vids: set[int]) -> set[int]:
    return {function.values[vid][1] for vid in ingredients(function, vids) if function.values[vid][0] == "param"}


def origins(site: SyntaxSite, vid: int) -> tuple[list[str], list[str]]:
    """Parameters that the value is made of (not `self`, `cls`), and calls before the assert that gave parts of it."""
    function = site.function
    direct: list[str] = []
    looked_up: list[str] = []
    seen: set[int] = set()
    todo = [vid]
    while todo:
        item = todo.pop()
        if item in seen or item < 0:
            continue
        seen.add(item)
        value = function.values[item]
        operation = value[0]
        if operation == "param":
            name = function.params[value[1]].name
            if name not in ("self", "cls", "mcs") and function.params[value[1]].kind not in ("args", "kwargs"):
                direct.append(name)
        elif function.name == "__post_init__" and operation == "attr" and unguarded(function, value[1]) == ("param", 0):
            direct.append(f"self.{value[2]}")  # what whoever makes it has passed
        elif operation in ("attr", "item", "not", "await", "conv", "guard", "elem"):
            todo.append(value[1])
        elif operation == "unary":
            todo.append(value[2])
        elif operation in ("compare", "bool"):
            todo.extend(reversed(value[2]))
        elif operation == "binop":
            todo.extend((value[3], value[2]))
        elif operation == "call":
            call = function.calls[value[1]]
            name = called_name(site.file, function, call).removeprefix("builtins.")
            if site.span.holds(call.span) or (call.args and name in _COPIES):
                todo.extend((*reversed(call.args), call.func))
            elif name in _COMPUTES or _of_own_making(function, call):
                continue  # what the code itself has computed
            elif name.rpartition(".")[2][:1].isupper():
                todo.extend(call.passed)  # what it has made
            else:
                looked_up.append(name.rpartition(".")[2] + "()")
    return direct, looked_up


def _of_own_making(function: FunctionFacts, call: Call) -> bool:
    """`matched(graph, tops)` of a `Graph(...)` and a set that the function has built: computed, not looked up."""
    made = [_makes(function, vid) for vid in call.passed]
    return function.values[call.func][0] == "name" and any(made) and None not in made


def _makes(function: FunctionFacts, vid: int) -> bool | None:
    """Whether an object is made of a class here; False for constants and containers, None for what comes from elsewhere."""
    value = unguarded(function, vid)
    for _ in range(_MAX_DEPTH):  # filled since, in a loop perhaps
        if value[0] in ("mut", "phi"):
            value = unguarded(function, value[1] if value[0] == "mut" else min(value[1]))
    if value[0] in ("const", "list", "tuple", "set", "dict"):
        return False
    name = str(function.values[function.calls[value[1]].func][-1]) if value[0] == "call" else ""
    if name in ("builtins.set", "builtins.dict", "builtins.list"):
        return False
    return True if name.rpartition(".")[2][:1].isupper() else None


def conditions(site: SyntaxSite, vid: int) -> list[int]:
    """The parts of an `and` or `or`."""
    value = site.function.values[vid]
    return [part for item in value[2] for part in conditions(site, item)] if value[0] == "bool" else [vid]


def is_constant(function: FunctionFacts, vid: int) -> bool:
    """A literal, a container of them, or a member of an enumeration."""
    value = function.values[vid]
    if value[0] in ("list", "tuple", "set"):
        return all(is_constant(function, item) for item in value[1])
    return value[0] == "const" or (value[0] == "name" and any(part[:1].isupper() for part in value[1].split(".")))


def unguarded(function: FunctionFacts, vid: int) -> Value:
    return function.values[untested(function, vid)] if vid >= 0 else ("",)


def untested(function: FunctionFacts, vid: int) -> int:
    """The value as it was before any test of it."""
    while function.values[vid][0] == "guard":
        vid = function.values[vid][1]
    return vid
