"""REL105: a POST that is sent again may be carried out twice."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Call, Fn, Hit, Policy, Project

UNSAFE = ("POST", "PATCH")


def check(project: Project) -> Iterator[Hit]:
    """One hit a call that changes something elsewhere and is retried without an idempotency key."""
    seen: set[tuple[str, Call]] = set()
    for policy in project.retries.all:
        if policy.kind == "client":
            if {"ANY", *UNSAFE}.intersection(policy.methods) and policy.attempts != 0.0:
                yield _client(policy)
            continue
        if policy.attempts in (0.0, 1.0) or (policy.kind == "decorator" and not policy.on):
            continue
        for fn, call in _calls(project, policy):
            if (fn.fqn, call) not in seen and _changes(project, fn, call) and not _keyed(fn, call):
                seen.add((fn.fqn, call))
                yield _hit(project, policy, fn, call)


def _calls(project: Project, policy: Policy) -> list[tuple[Fn, Call]]:
    """Outbound calls that are repeated: those of the loop or function, and of project functions that they call."""
    found: list[tuple[Fn, Call]] = []
    for call in policy.calls or tuple(policy.fn.calls):
        targets = project.targets(policy.fn, call)
        found.append((policy.fn, call))
        found += [(target, inner) for target in targets for inner in target.calls]
    return found


def _changes(project: Project, fn: Fn, call: Call) -> bool:
    for model in project.models(fn, call):
        if "mail" in model.effect and model.idempotent is not True:
            return True
        if "http" not in model.effect or model.idempotent:
            continue
        method = model.method
        if method.startswith("arg:") and call.args:
            method = str(fn.const(call.args[0])).upper()
        if method in UNSAFE:
            return True
    return False


def _keyed(fn: Fn, call: Call) -> bool:
    """An idempotency key in a keyword, a header or the body, or one that may be there."""
    if call.open_ended:
        return True
    for key, vid in call.kwargs:
        if "idempot" in key.lower() or _mentions(fn, vid):
            return True
    return any(_mentions(fn, vid) for vid in call.args)


def _mentions(fn: Fn, vid: int, depth: int = 6) -> bool:
    value = fn.facts.values[vid]
    if depth == 0:
        return False
    if value[0] == "const":
        return isinstance(value[1], str) and ("idempot" in value[1].lower() or value[1].lower() == "x-request-id")
    if value[0] == "dict":
        return any(_mentions(fn, item, depth - 1) for pair in value[1] for item in pair if item >= 0)
    if value[0] == "store":
        return _mentions(fn, value[2], depth - 1) or _mentions(fn, value[1], depth - 1)
    if value[0] in ("guard", "mut", "setattr"):
        return _mentions(fn, value[1], depth - 1)
    if value[0] == "name":
        return "idempot" in value[1].lower()
    if value[0] == "param":
        return "idempot" in fn.facts.params[value[1]].name.lower()
    return value[0] == "attr" and "idempot" in value[2].lower()


def _client(policy: Policy) -> Hit:
    methods = "every method" if "ANY" in policy.methods else "POST"
    return Hit(
        message=f"The client made in `{policy.fn.name}()` retries {methods} without an idempotency key: an answer lost on the way "
        "back repeats the effect.",
        location=policy.home.location(policy.span),
        function=policy.fn.fqn,
    )


def _hit(project: Project, policy: Policy, fn: Fn, call: Call) -> Hit:
    name = project.models(fn, call)[0].name
    return Hit(
        message=f"`{name}` in `{fn.name}()` is retried without an idempotency key: an answer lost on the way back repeats the effect.",
        location=fn.location(call.span),
        related=(policy.home.step(policy.span, "retried here"),),
        function=fn.fqn,
    )
