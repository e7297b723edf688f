"""REL106: bugs and refusals that are tried again."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Fn, Hit, Policy, Project, Span, ingredients, runs_by_hand

BROAD = frozenset(["all", "builtins.Exception", "builtins.BaseException"])


def check(project: Project) -> Iterator[Hit]:
    """One hit a policy that retries whatever is raised."""
    for policy in project.retries.all:
        if BROAD.intersection(policy.on) and policy.attempts not in (0.0, 1.0) and not _chooses(policy):
            span = _handler(project, policy) if policy.kind == "loop" else policy.span
            yield _hit(project, policy, policy.home, span)


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


def _handler(project: Project, policy: Policy) -> Span:
    """The `except` line of the loop that catches too much."""
    for block in policy.fn.facts.blocks:
        if block.kind != "except" or policy.fn.facts.blocks[block.group].kind != "try":
            continue
        inside = any(number == policy.block for number, _ in policy.fn.blocks_of(block.parent))
        if inside and BROAD.intersection(project.exceptions.surely_caught(policy.fn, block)):
            return Span(block.span.line, block.span.column, block.span.line, block.span.column + len("except"))
    return policy.span


def _hit(project: Project, policy: Policy, home: Fn, span: Span) -> Hit:
    return Hit(
        message=f"{policy.retried} is retried after every exception: a bug, a refusal or bad input is tried again "
        "as if it were an outage.",
        location=home.location(span),
        function=policy.fn.fqn,
        profile="strict" if runs_by_hand(project, policy.fn) else None,  # such as a script that waits for its database
    )
