"""REL113: synchronous waiting on the event loop, at any depth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from backendlint.api import (
    BLOCKING,
    FEW,
    SLIPS,
    Call,
    CallModel,
    Fn,
    Hit,
    Profile,
    Project,
    Span,
    Step,
    Vid,
    aliases,
    by_style,
    called,
    first_time_only,
    for_tests,
    given,
    object_root,
    once_a_process,
    only_by_hand,
    receiver,
    ruled_out,
    runs_alone,
    told_once,
    waits,
)

CONSUMERS = frozenset(f"builtins.{name}" for name in "list tuple set dict sorted sum min max any all next".split())

HASHES = 2
"""So many places that hash passwords are told one by one: most often there is one helper to mend."""
SHARED = 2
"""So many places that come to one call that waits, or to one class that wraps a client."""
BRIEF = 0.01
"""Seconds."""
DATABASE = ("db", "commit", "flush", "rollback", "search")
"""First words of the effects of a database or a search engine."""
WRITING = frozenset("wax+")
"""Modes in which a file is opened to be written to."""


class Waiting(NamedTuple):
    """A hit, and the library's call that waits."""

    hit: Hit
    model: CallModel
    call: Call | None = None
    """That of the function itself; None where it reads a property."""
    place: str = ""
    """Of the waiting call, if that is another function's: where it stands, or the class that wraps the client."""

    def rated(self, profile: Profile | None) -> Waiting:
        return self._replace(hit=replace(self.hit, profile=profile or self.hit.profile))


class Style(NamedTuple):
    """What hits have in common that may be told once."""

    library: str
    """Which asks a database or a search engine, or hashes passwords; else ""."""
    served: bool
    """Whether a client waits for that."""
    few: int
    """So many of the style are told one by one."""
    place: str
    """Of the waiting call, as far as it is another function's; of a method's own the class, and what it waits for."""


def check(project: Project) -> Iterator[Hit]:
    """One hit a call of an async function that waits synchronously, or calls what does; and a property that does.

    What many places reach is told once, and so is a database's library that is used everywhere like this: the remedy is one too.
    """
    styles = by_style(project, list(project.all_functions()), partial(_hits, project))
    yield from styles.pop(None, ())
    libraries: dict[str, list[Style]] = {}
    for style in filter(None, styles):
        libraries.setdefault(style.library, []).append(style)
    for library, alike in libraries.items():
        served = [hit for style in alike if style.served for hit in styles[style]]
        others = [hit for style in alike if not style.served for hit in styles[style]]
        if library and len(served) > alike[0].few:
            yield from _told(served, f" with {library}")
            yield from (replace(hit, profile="strict") for hit in others)
        elif library and len(others) > alike[0].few:
            yield from served
            yield from _told(others, f" with {library}")
        else:
            for style in alike:
                yield from (
                    _told(styles[style], few=SHARED if style.library else style.few) if style.place else styles[style]
                )


def _told(hits: list[Hit], by: str = "", few: int = 1) -> Iterator[Hit]:
    """Beyond `few` the first alone; advice passes."""
    yield from (hit for hit in hits if hit.profile is not None)
    first_ones = [hit for hit in hits if hit.profile is None]
    yield from told_once(first_ones, partial(_throughout, by=by), few, None)


def _throughout(hit: Hit, others: str, by: str = "") -> str:
    return f"{hit.message[:-1]} (here and in {others}{by})."


def _hits(project: Project, functions: Iterable[Fn]) -> Iterator[tuple[Hit, Style | None]]:
    """Each hit, with its style; None for advice, and for calls that fail where they stand. What a function asks the same object or database
    next is advice."""
    for fn in functions:
        known: set[str] = set()
        waited: set[Vid] = set()
        for hit, model, call, place in _hits_in(project, fn) if fn.facts.is_async else ():
            style = _style(project, fn, place, model)
            same = style.library or place
            if hit.profile is not None:
                yield hit, None
            elif _refused(project, model):
                yield hit, Style("", False, SHARED, place) if place else None
            elif same in known or _on(fn, call) in waited:
                yield replace(hit, profile="strict"), style
            else:
                known.update([same] if same else [])
                waited.update([call.value] if call is not None else [])
                yield hit, style


def _on(fn: Fn, call: Call | None) -> Vid:
    """The object on which a call is made, by the call that has made it; -1 for none."""
    vid = object_root(fn, receiver(fn, call)) if call is not None and receiver(fn, call) >= 0 else -1
    return object_root(fn, fn.value(vid)[1]) if vid >= 0 and fn.value(vid)[0] == "enter" else vid


def _style(project: Project, fn: Fn, place: str, model: CallModel) -> Style:
    """The library's, where it is one of the whole project; else that of the one place, or of the class."""
    library = _throughout_library(model)
    if library:
        return Style(library, fn in project.in_request, SLIPS if model.password is None else HASHES, place)
    if model.opens == "file" or model.name.endswith(".write_bytes"):
        return Style("", False, SHARED, "files that are written")
    own = f"{fn.cls.fqn} {_kin(model)}" if fn.cls is not None else ""
    return Style("", False, SHARED if place else FEW, place or own)


def _kin(model: CallModel) -> str:
    """What calls have in common that one other library would replace."""
    return f"{model.library} {_package(model)}"


def _package(model: CallModel) -> str:
    return model.name.partition(".")[0]


def _throughout_library(model: CallModel) -> str:
    """The library of a call that is one of many alike: whoever has chosen it waits for it everywhere."""
    if any(effect.partition("-")[0] in DATABASE for effect in model.effect):
        return model.library
    return _package(model) if model.password is not None else ""


def _hits_in(project: Project, fn: Fn) -> Iterator[Waiting]:
    for call in fn.calls:
        if project.effects.beside(fn, call):
            continue
        found = _direct(project, fn, call) or _stores(project, fn, call) or _through(project, fn, call)
        found = found or _hands_out(project, fn, call)
        if found is not None:
            yield found.rated("strict" if _seldom(project, fn, call) else _profile(project, fn, call.span))._replace(
                call=call
            )
    seen: set[str] = set()
    for edge in project.graph.callees(fn):
        if edge.kind != "property" or edge.callee.fqn in seen:
            continue
        seen.add(edge.callee.fqn)  # the first of several reads stands for all
        found = _way(project, fn, edge.span, edge.callee)
        if found is not None:
            yield found.rated(_profile(project, fn, edge.span))


def _seldom(project: Project, fn: Fn, call: Call) -> bool:
    """What comes with the first request alone, such as a connection string that is fetched, or in development."""
    return first_time_only(fn, call) or project.literals.for_trial(fn, call.value)


def _profile(project: Project, fn: Fn, span: Span) -> Profile | None:
    alone = project.layer(fn) in ("command", "migration") or _starts_up(project, fn, span) or only_by_hand(project, fn)
    return "strict" if alone or runs_alone(project, fn) or for_tests(project, fn) else None


def _starts_up(project: Project, fn: Fn, span: Span) -> bool:
    """In a start-up hook, before a lifespan's `yield` or after it, or in what they alone call: nobody is served then."""
    if not project.lifecycle.starts(fn):
        edges = project.graph.callers(fn)
        return project.lifecycle.alone_leads_to(fn) and not any(
            _goes_on(project, edge.caller, edge.call) for edge in edges
        )
    yields = [item.span for item in fn.facts.returns if item.is_yield]
    return not yields or span < min(yields) or span > max(yields)


def _goes_on(project: Project, fn: Fn, call: Call | None) -> bool:
    """`create_task(beat())`: goes on while the application serves."""
    starts = [other for other in fn.calls if call is not None and call.value in other.args]
    models = [model.concurrency for other in starts for model in project.models(fn, other)]
    return any(item is not None and item.kind == "task" for item in models)


def _direct(project: Project, fn: Fn, call: Call) -> Waiting | None:
    models = [model for model in project.models(fn, call) if waits(model)] if not call.awaited else []
    if models and any(block.value == call.value and block.is_async for block in fn.facts.blocks):
        return None
    for model in models:
        if not _brief(fn, call, model):
            refused = _refused(project, model)
            does = "asks the database on the event loop" if refused else "blocks the event loop"
            start = f"`{model.name}` {does} in `{fn.name}()`"
            return Waiting(_hit(fn, call.span, start, refused or _waiting(project, fn, model), ()), model)
    return None


def _brief(fn: Fn, call: Call, model: CallModel) -> bool:
    """A nap of so little that nobody notices: `time.sleep(0.001)`."""
    seconds = fn.const(call.args[0]) if "sleep" in model.effect and call.args else ...
    return isinstance(seconds, (int, float)) and seconds < BRIEF


def _stores(project: Project, fn: Fn, call: Call) -> Waiting | None:
    """Bytes that go into a file while a client waits, such as what one uploads: as long as the disk takes for them."""
    if call.awaited or fn not in project.in_request:
        return None
    for model in project.models(fn, call):
        mode = call.args[1] if len(call.args) > 1 else call.kwarg("mode")
        opened = str(fn.const(mode)) if model.opens == "file" and mode >= 0 else ""
        written = ("b" in opened and not WRITING.isdisjoint(opened)) or model.name.endswith(".write_bytes")
        if written and model.blocking:
            start = f"`{model.name}` blocks the event loop in `{fn.name}()`"
            follows = "while the file is written, no other request of this process is served"
            return Waiting(_hit(fn, call.span, start, follows, ()), model)
    return None


def _hands_out(project: Project, fn: Fn, call: Call) -> Waiting | None:
    """A file that is given back whole while a client waits, here or by the function that is called: `return handle.read()`."""
    if call.awaited or fn not in project.in_request:
        return None
    model, name = _read_whole(project, fn, call), "reads a file"
    for target in project.targets(fn, call) if model is None else ():
        reads = (_read_whole(project, target, inner) for inner in target.calls if not target.facts.is_async)
        model = next((found for found in reads if found is not None), None)
        name = f"reads a file in `{target.name}()`"
    if model is None:
        return None
    start = f"`{fn.name}()` {name} on the event loop"
    follows = "while the disk gives it, no other request of this process is served"
    return Waiting(_hit(fn, call.span, start, follows, ()), model, place=str(fn.location(call.span)))


def _read_whole(project: Project, fn: Fn, call: Call) -> CallModel | None:
    """The model of a call that opens a file of bytes, named by whoever asks, all of which the function returns."""
    given = {fn.unguarded(item.value) for item in fn.facts.returns if item.value >= 0}
    modes = [fn.const(vid) for vid in (*call.args[:2], call.kwarg("mode")) if vid >= 0]
    for model in project.models(fn, call):
        if model.name.endswith(".read_bytes") and fn.value(call.value) in given:
            return model
        if model.opens == "file" and model.blocking and ("rb" in modes[-1:] and (len(modes) == 1 or modes[0] is ...)):
            held = aliases(fn.facts, call.value)
            reads = (other for other in fn.calls if fn.callee_name(other) == "read" and not other.passed)
            if any(receiver(fn, other) in held and fn.value(other.value) in given for other in reads):
                return model
    return None


def _waiting(project: Project, fn: Fn, model: CallModel) -> str:
    """What becomes of the other requests, or of what else runs where none are served."""
    what = model.effect[0] if model.effect else ""
    waiting = {"sleep": "sleeps", "cpu": "computes"}.get(what) or (f"waits for {what}" if what else "waits")
    served = not project.routes or fn in project.in_request
    stops = "no other request of this process is served" if served else "nothing else on that event loop goes on"
    return f"while it {waiting}, {stops}"


def _refused(project: Project, model: CallModel) -> str:
    """What becomes of the call, where the library does not wait on an event loop but raises; else ""."""
    head = project.libraries.library(model.library)
    if head is None or not head.refused_on_loop or not any(effect.startswith("db") for effect in model.effect):
        return ""
    if head.allowed_by in project.literals.spelled:
        return ""
    name, error = head.library.capitalize(), head.refused_on_loop.rpartition(".")[2]
    return (
        f"{name} refuses that with `{error}`, so the call fails; await its `a...` method, or wrap it in `sync_to_async`"
    )


def _through(project: Project, fn: Fn, call: Call) -> Waiting | None:
    for target in project.graph.run_by(fn, call):
        if target.facts.is_generator and not _runs(project, fn, call):
            continue
        found = _way(project, fn, call.span, target) if _reached(project, fn, call, target) else None
        if found is not None and not _can_better(project, fn, call, target):
            # of a client that comes in two kinds the other one may be meant
            return None if _awaits(fn, call) else found
    return None


def _can_better(project: Project, fn: Fn, call: Call, target: Fn) -> bool:
    """`if hasattr(client, "aload"): await client.aload()`, `else: client.load()`, and the class has an `aload`."""
    base = receiver(fn, call)
    if target.cls is None or base < 0:
        return False
    for test, outcome in fn.tests_of(call.block):
        value = fn.unguarded(test)
        asked = fn.calls[value[1]] if value[0] == "call" and not outcome else None
        if asked is None or len(asked.args) != 2 or fn.unguarded(asked.args[0]) != fn.unguarded(base):
            continue
        name = fn.const(asked.args[1])
        if isinstance(name, str) and any(ref.name == "builtins.hasattr" for ref in project.callees(fn, asked)):
            better = project.method(target.cls, name)
            return better is not None and better.facts.is_async
    return False


def _awaits(fn: Fn, call: Call) -> bool:
    """Whether the answer is a coroutine, awaited at once, or later: `found = load()`, `if isawaitable(found): found = await found`."""
    return call.awaited or any(fn.unguarded(fn.value(vid)[1]) == fn.value(call.value) for vid in fn.made_by("await"))


def _reached(project: Project, fn: Fn, call: Call, target: Fn) -> bool:
    """Whether what waits in the function can run at all, as it is called here (an argument left out may rule it out)."""
    edge = next((item for item in project.graph.callees(fn) if item.call is call and item.callee is target), None)
    known = given(edge) if edge is not None else {}
    if not known:
        return True
    blocks = [site.call.block for site in project.effects.direct(target) if waits(site.model)]
    blocks += [
        item.call.block
        for item in project.graph.callees(target)
        if item.call is not None and project.effects.has(item.callee, BLOCKING)
    ]
    return not blocks or any(not ruled_out(target, block, known) for block in blocks)


def _runs(project: Project, fn: Fn, call: Call) -> bool:
    """Whether a generator is gone through here: by a loop, a `with` (as a context manager), or `list(...)`."""
    if any(block.value == call.value and block.kind in ("for", "comp", "with") for block in fn.facts.blocks):
        return True
    users = [other for other in fn.calls if call.value in other.args]
    return any(ref.name in CONSUMERS for other in users for ref in project.callees(fn, other))


def _way(project: Project, fn: Fn, span: Span, target: Fn) -> Waiting | None:
    """The function that is called here, down to what waits."""
    if target.facts.is_async or not project.effects.has(target, BLOCKING) or project.effects.in_thread(target):
        return None
    edges, site = project.effects.chain(target, BLOCKING)
    if site is None or any(edge.caller.facts.is_async for edge in edges) or _brief(site.fn, site.call, site.model):
        return None
    names = [target, *(edge.callee for edge in edges)]
    chain = " → ".join(item.name if item.kind == "property" else f"{item.name}()" for item in names)
    begins, refused = chain.partition(" ")[0], _refused(project, site.model)
    does = "asks the database on the event loop" if refused else "blocks the event loop"
    start = f"`{begins}` {does} in `{fn.name}()`: {chain} → `{called(project, site)}`"
    steps = (fn.step(span, f"calls {begins} on the event loop"), *project.effects.witness(target, BLOCKING))
    hit = _hit(fn, span, start, refused or _waiting(project, fn, site.model), steps)
    links = [(edge.caller, edge.call) for edge in edges] + [(site.fn, site.call)]
    once = any(link is not None and _seldom(project, caller, link) for caller, link in links) or any(
        once_a_process(project, item) for item in names
    )
    owner = site.fn.cls
    place = str(site.fn.location(site.call.span)) if owner is None else f"{owner.fqn} {_kin(site.model)}"
    return Waiting(hit, site.model, place=place).rated("strict" if once else None)


def _hit(fn: Fn, span: Span, start: str, follows: str, steps: tuple[Step, ...]) -> Hit:
    return Hit(
        message=f"{start}; {follows}.",
        location=fn.location(span),
        related=steps[-1:],
        flow=steps,
        function=fn.fqn,
    )
