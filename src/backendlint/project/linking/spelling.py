"""How the code writes what is called, for messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.project.loops.loops import plain

if TYPE_CHECKING:
    from backendlint.facts.model import Call, Vid
    from backendlint.project.entities import Fn


def chain_name(fn: Fn, vid: Vid) -> str:
    """The chain that builds a query object, as the code writes it; "the query" where it has no such name."""
    value = fn.value(plain(fn, vid))
    return shown(fn, fn.facts.calls[value[1]]) if value[0] == "call" else "the query"


def shown(fn: Fn, call: Call) -> str:
    """A call's function as the code writes it, arguments left out: `self.session.get`, `Order.objects.filter`."""
    func = fn.unguarded(call.func)
    wrapped = fn.facts.calls[func[1]].args if func[0] == "call" else ()  # `sync_to_async(Order.objects.get)(pk=1)`
    text = _text(fn, wrapped[0] if wrapped else call.func, 6)
    return text.removeprefix(f"{fn.file.module}.") if text else ""


def _text(fn: Fn, vid: Vid, depth: int) -> str:
    value = fn.facts.values[vid]
    if value[0] == "name":
        parts = str(value[1]).split(".")
        keep = max((i for i, part in enumerate(parts) if part[:1].isupper()), default=max(0, len(parts) - 2))
        return ".".join(parts[keep:])
    if value[0] == "param":
        return fn.facts.params[value[1]].name
    if value[0] in ("guard", "await", "setattr", "enter", "mut"):
        return _text(fn, value[1], depth - 1) if depth else ""
    if value[0] == "attr" and depth:
        base = _text(fn, value[1], depth - 1)
        return f"{base}.{value[2]}" if base else str(value[2])
    if value[0] == "call" and depth:
        func = fn.facts.calls[value[1]].func
        imported = fn.facts.values[func][0] == "name" and str(fn.facts.values[func][1]).count(".") == 1
        return (_bound(fn, vid) if imported else "") or _text(fn, func, depth - 1)
    if value[0] == "outer" and fn.parent is not None and depth and len(value) < 3:
        return _text(fn.parent, value[1], depth - 1)
    return _bound(fn, vid)


def _bound(fn: Fn, vid: Vid) -> str:
    """The name that the value has: `order` for `order = cast(Order, found)`."""
    return next((binding.name for binding in reversed(fn.facts.bindings) if binding.value == vid), "")
