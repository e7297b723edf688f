"""REL310: one transaction for each item of a loop."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Call, Fn, Hit, Profile, Project, Step, always, grows, runs_by_hand, stops_early

OUTSIDE = ("http", "mail", "queue-publish", "subprocess", "cloud", "sleep", "queue-consume")
LOOPS = ("for", "comp")
MAX_DEPTH = 3


def check(project: Project) -> Iterator[Hit]:
    """Commits in `for` loops over data, directly or through callees."""
    for fn in project.all_functions():
        if not project.effects.has(fn, "commit") or not any(block.kind in LOOPS for block in fn.facts.blocks):
            continue
        for call in fn.calls:
            loop = _loop(project, fn, call.block)
            commit = _commit(project, fn, call) if loop >= 0 else None
            if commit is None:
                continue
            line = fn.facts.blocks[loop].span.line
            yield Hit(
                f"{commit[0]} commits for each item of the loop in line {line} of `{fn.name}()`: if one item fails, the earlier ones "
                "stay stored, and each commit waits for the disk; commit once after the loop.",
                fn.location(call.span),
                related=commit[1],
                function=fn.fqn,
                profile=_profile(project, fn, loop, call),
            )


def _loop(project: Project, fn: Fn, block: int) -> int:
    for number, item in fn.blocks_of(block):
        if item.kind in LOOPS:
            return number if grows(project, fn, number) and not stops_early(fn, block, number) else -1
        if item.kind in ("while", "lambda"):
            return -1
    return -1


def _commit(project: Project, fn: Fn, call: Call) -> tuple[str, tuple[Step, ...]] | None:
    if project.transactions.ends(fn, call) == "commit":
        return "This", ()
    for target in project.targets(fn, call):
        if target.facts.is_generator:
            continue
        edges, site = project.effects.chain(target, "commit")
        sure = all(edge.call is not None and always(edge.caller, edge.call.block) for edge in edges)
        if site is None or len(edges) >= MAX_DEPTH or not sure or not always(site.fn, site.call.block):
            continue
        if project.transactions.ends(site.fn, site.call) == "commit":
            return f"`{target.name}()`", (site.fn.step(site.call.span, "commits"),)
    return None


def _profile(project: Project, fn: Fn, loop: int, call: Call) -> Profile | None:
    """strict where a transaction for each item is a choice: counted batches, items that may fail, outside effects."""
    for number, item in fn.blocks_of(call.block):
        if number == loop:
            break
        if item.kind in ("try", "except", "if", "try-else"):
            return "strict"
    inside = [other for other in fn.calls if any(number == loop for number, _ in fn.blocks_of(other.block))]
    if any(project.effects.call_effects(fn, other) & set(OUTSIDE) for other in inside):
        return "strict"
    return "strict" if runs_by_hand(project, fn) or project.layer(fn) == "migration" else None
