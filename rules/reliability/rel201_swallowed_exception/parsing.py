"""Tried code that only reads a value, or computes one."""

from __future__ import annotations

from backendlint.api import Call, Fn, asks_nobody, below, block_at, called_name

from .outcomes import is_default
from .places import Place

_QUIET_EFFECTS = frozenset({"log", "blocking", "cpu"})
_OF_TEXTS = frozenset(
    "strip lstrip rstrip split rsplit splitlines lower upper replace startswith endswith title zfill".split()
)


def only_parses(site: Place) -> bool:
    """Whether a function tries nothing but to read a value, by a call that can fail for the value alone."""
    reads = [_parses(site, site.fn, call) for call in site.calls]
    return (
        bool(site.function.name)
        and any(reads)
        and all(read or asks_nobody(site.project, site.fn, call) for read, call in zip(reads, site.calls, strict=True))
    )


def _parses(site: Place, fn: Fn, call: Call, depth: int = 1) -> bool:
    """A call that reads a value, also in a function of the project that does nothing else, and `answer.json()`."""
    name = called_name(fn.file, fn.facts, call)
    if name in site.parsing or (name.endswith(".json") and not call.passed and not call.awaited):
        return True
    targets = site.project.targets(fn, call) if depth else []
    return bool(targets) and all(
        any(_parses(site, target, inner, 0) for inner in target.calls)
        and all(_parses(site, target, inner, 0) or asks_nobody(site.project, target, inner) for inner in target.calls)
        for target in targets
    )


def computes(site: Place) -> bool:
    """Whether nothing is called, or the function does nothing but make values of others and calls what is known to ask nobody."""
    project, fn = site.project, site.fn
    if not site.calls:
        return not _waits_or_loops(site)
    if any(_of_mapping(site, call) for call in site.calls) and all(
        _of_mapping(site, call) or (fn.value(call.func)[0] == "name" and asks_nobody(project, fn, call))
        for call in site.calls
    ):
        return True
    if not all(asks_nobody(project, fn, call) for call in site.calls):
        return False
    if fn.is_module:
        texts = all(fn.unguarded(call.func)[0] == "attr" and _of_text(fn, call) for call in site.calls)
        return texts and not _waits_or_loops(site)
    own = set(project.effects.of(fn)) - _QUIET_EFFECTS
    return not own or (all(_of_text(fn, call) for call in site.calls) and not _waits_or_loops(site))


def _of_text(fn: Fn, call: Call) -> bool:
    """`names.split(",")`, `os.path.splitext(name)`: of nothing but a text, whatever else the function does."""
    func = fn.unguarded(call.func)
    return func[0] == "name" or (func[0] == "attr" and func[2] in _OF_TEXTS)


def _of_mapping(site: Place, call: Call) -> bool:
    """`tool.get("shop", {})`, and `.get("name")` of what that gives: no client is asked with a default; `fields.get("name")` of the
    function's own `**fields`."""
    func = site.fn.unguarded(call.func)
    if func[0] != "attr" or func[2] != "get" or call.kwargs or call.awaited:
        return False
    base = site.fn.unguarded(func[1])
    inner = base[0] == "call" and _of_mapping(site, site.fn.calls[base[1]])
    inner |= base[0] == "param" and site.function.params[base[1]].kind == "kwargs"
    return inner or (len(call.args) == 2 and is_default(site.function, call.args[1]))


def _waits_or_loops(site: Place) -> bool:
    """What may ask somebody without a call: `async for`, a loop over what is read on the way, a context."""
    body = below(site.function, site.tried)
    return any(site.function.blocks[number].kind in ("for", "with") for number in body if number != site.block) or any(
        block_at(site.fn, site.function.span_of(vid)) in body for vid in site.fn.made_by("await")
    )
