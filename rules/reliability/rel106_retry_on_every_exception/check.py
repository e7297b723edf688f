"""REL106: bugs and refusals that are tried again."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from backendlint.api import (
    FEW,
    SLIPS,
    Block,
    Call,
    Fn,
    Hit,
    Policy,
    Profile,
    Project,
    aliases,
    below,
    here_and_in,
    ingredients,
    of_caught,
    receiver,
    runs_by_hand,
    told_once,
)

BROAD = frozenset(["all", "builtins.Exception", "builtins.BaseException"])
ENDS = frozenset(
    ["asyncio.CancelledError", "builtins.KeyboardInterrupt", "builtins.SystemExit", "builtins.GeneratorExit"]
)
"""Whoever lets them pass has not looked at what went wrong."""
CONNECTS = frozenset(["http", "db-connect", "socket"])
RETRIED = "is retried after every exception: a bug, a refusal or bad input is tried again as if it were an outage."


def check(project: Project) -> Iterator[Hit]:
    """One hit a policy that retries whatever is raised; decorators that are put everywhere are told once, and so are
    those of one file."""
    written: dict[str, list[Hit]] = {}
    for policy in (*project.retries.all, *project.retries.told):
        if BROAD.intersection(policy.on) and policy.attempts not in (0.0, 1.0) and not _chooses(policy):
            handler = _handler(project, policy) if policy.kind == "loop" else None
            if policy.kind != "decorator" or not _keeps_all(project, policy.fn):
                hit = _hit(project, policy, handler)
                written.setdefault("" if hit.profile else policy.kind, []).append(hit)
    for hit in _tasks(project):
        written.setdefault("" if hit.profile else "task", []).append(hit)
    yield from written.pop("", ())
    for kind, hits in written.items():
        told, few = partial(here_and_in, before=": a bug"), FEW if kind == "decorator" else SLIPS
        yield from told_once(hits, told, few, severity=None, slip=lambda hit: hit.location.path)


def _tasks(project: Project) -> Iterator[Hit]:
    """`except Exception as error: raise self.retry(exc=error)` in a background task."""
    for fn, call in project.graph.calls_written("retry"):
        if not any(model.retry is not None and model.exits for model in project.models(fn, call)):
            continue
        around = fn.blocks_of(call.block)
        number, handler = next(((n, item) for n, item in around if item.kind == "except"), (-1, None))
        if handler is None or not BROAD.intersection(project.exceptions.surely_caught(fn, handler)):
            continue
        tests = [item.value for _, item in around if item.kind in ("if", "else") and item.value >= 0]
        if of_caught(fn.facts, number, tests) or _tells(fn, number):
            continue
        yield Hit(
            message=f"`{fn.name}()` {RETRIED}",
            location=fn.location(handler.keyword),
            related=(fn.step(call.span, "retried here"),),
            function=fn.fqn,
            # one above ends the task for what it catches, or asks for the next attempt by itself
            profile="strict" if _above(fn, handler) else None,
        )


def _above(fn: Fn, broad: Block) -> list[Block]:
    """The handlers of the same `try` before this one."""
    return [
        block
        for block in fn.facts.blocks
        if block.kind == "except" and block.group == broad.group and block.span < broad.span
    ]


def _tells(fn: Fn, handler: int) -> bool:
    """Whether the handler leaves before for some of what it caught: `if is_refusal(error): return`."""
    inside = map(fn.facts.blocks.__getitem__, below(fn.facts, handler))
    return any(
        block.kind in ("if", "else")
        and block.exits in ("raise", "return")
        and of_caught(fn.facts, handler, (block.value,))
        for block in inside
    )


def _chooses(policy: Policy) -> bool:
    """`if not transient(error): raise`: the loop itself tells what is worth another attempt."""
    facts = policy.fn.facts
    if policy.kind != "loop":
        return False
    for number, block in enumerate(facts.blocks):
        if block.kind in ("if", "else", "case") and block.value >= 0 and block.exits in ("raise", "return", "break"):
            above = policy.fn.blocks_of(number)
            if any(index == policy.block for index, _ in above) and any(item.kind == "except" for _, item in above):
                tested = ingredients(facts, [block.value])
                if any(facts.values[vid][0] == "exc" for vid in tested):
                    return True
    return False


def _handler(project: Project, policy: Policy) -> Block | None:
    """The `except` of the loop that catches too much: the outermost, after which there is another round."""
    found: list[tuple[int, Block]] = []
    for block in policy.fn.facts.blocks:
        if block.kind != "except" or policy.fn.facts.blocks[block.group].kind != "try":
            continue
        around = [number for number, _ in policy.fn.blocks_of(block.parent)]
        if policy.block in around and BROAD.intersection(project.exceptions.surely_caught(policy.fn, block)):
            found.append((around.index(policy.block), block))
    return min(found, key=lambda item: item[0])[1] if found else None


def _keeps_all(project: Project, fn: Fn) -> bool:
    """Whether nothing that a function calls can raise through it: all stands in a `try` that answers for everything."""
    raising = {number for item in fn.facts.raises for number, _ in fn.blocks_of(item.block)}
    keeping = {
        block.group
        for number, block in enumerate(fn.facts.blocks)
        if block.kind == "except" and number not in raising
        if BROAD.intersection(project.exceptions.surely_caught(fn, block))
    }
    tried = [item.block for item in fn.facts.raises]
    tried += [call.block for call in fn.calls if fn.inside(call.block, "except") is None]
    return bool(keeping) and all(any(number in keeping for number, _ in fn.blocks_of(block)) for block in tried)


def _hit(project: Project, policy: Policy, handler: Block | None) -> Hit:
    return Hit(
        message=f"{policy.retried} {RETRIED}",
        location=policy.home.location(policy.span if handler is None else handler.keyword),
        function=policy.fn.fqn,
        profile=_profile(project, policy, handler),
    )


def _profile(project: Project, policy: Policy, handler: Block | None) -> Profile | None:
    """Advice for a script, a migration or a start that waits for its database, for one more attempt, for what keeps a task alive,
    and where some failures do end the loop, or there is nothing else to catch than the network's."""
    some = handler is not None and (
        _ends_after_some(project, policy.fn, handler) or _only_connects(project, policy.fn, handler)
    )
    by_hand = runs_by_hand(project, policy.fn) or project.layer(policy.fn) == "migration"
    once = policy.once_more or by_hand or project.lifecycle.alone_leads_to(policy.fn)
    return "strict" if once or some or policy.tends else None


def _only_connects(project: Project, fn: Fn, broad: Block) -> bool:
    """Whether nothing stands in the `try` but calls that connect or send: what comes back is not looked at before all is over."""
    inside = below(fn.facts, broad.group)
    tried = [call for call in fn.calls if call.block in inside]
    connects = [
        call for call in tried if CONNECTS & project.effects.call_effects(fn, call) and _is_library(project, fn, call)
    ]
    made = set().union(*(aliases(fn.facts, call.value) for call in connects))
    others = [call for call in tried if call not in connects]
    own = all(receiver(fn, call) in made and not project.models(fn, call) for call in others)
    return bool(connects) and own and not any(item.block in inside for item in fn.facts.raises)


def _is_library(project: Project, fn: Fn, call: Call) -> bool:
    return bool(project.models(fn, call)) and not project.targets(fn, call)


def _ends_after_some(project: Project, fn: Fn, broad: Block) -> bool:
    """`except NotFound: return None` above the `except Exception` after which the loop goes on."""
    return any(
        block.exits in ("raise", "return", "break") and not ENDS.issuperset(project.exceptions.caught_types(fn, block))
        for block in _above(fn, broad)
    )
