"""REL207: the handler knows that something failed, and its answer says otherwise."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Answer, Fn, Hit, Profile, Project, answers, says_missing

TELLING = frozenset({"error", "errors", "detail", "exception", "err", "error_message", "traceback"})
"""Keys of a body that tells of a failure."""
ALL = ("builtins.Exception", "builtins.BaseException")


def check(project: Project) -> Iterator[Hit]:
    """One hit an answer inside an `except` block of a handler."""
    for fqn, routes in project.route_functions.items():
        fn = project.functions[fqn]
        if not any(route.kind == "http" for route in routes):
            continue
        for answer in answers(project, fn):
            handler = next((number for number, item in fn.blocks_of(answer.block) if item.kind == "except"), -1)
            if handler >= 0 and not answer.special:
                yield from _judged(project, fn, handler, answer)


def _judged(project: Project, fn: Fn, handler: int, answer: Answer) -> Iterator[Hit]:
    types = project.exceptions.caught_types(fn, fn.facts.blocks[handler])
    names = ", ".join(name.rpartition(".")[2] for name in types[:2]) or "an exception"
    found: tuple[str, str, Profile | None] | None = None
    if not answer.failed and _tells(project, fn, answer):
        status = answer.status or 200
        found = (
            f"answers {status} with a body that tells of an error",
            "clients, caches and monitors take it for success",
            None,
        )
    elif answer.failed and answer.status is not None:
        found = _mismatch(project, types, answer.status)
    if found is not None:
        yield Hit(
            f"`{fn.name}()` catches `{names}` and {found[0]}: {found[1]}; answer with the status that says what happened.",
            fn.location(answer.span),
            function=fn.fqn,
            profile=found[2],
        )


def _tells(project: Project, fn: Fn, answer: Answer) -> bool:
    if answer.keys is None:
        return False
    if TELLING.intersection(key.lower() for key in answer.keys):
        return True
    return _flagged(fn, answer)


def _flagged(fn: Fn, answer: Answer) -> bool:
    """`{"success": False}`, `{"status": "error"}`."""
    value = fn.facts.values[answer.body] if answer.body >= 0 else ("",)
    if value[0] != "dict":
        return False
    for key, item in value[1]:
        name, said = (fn.const(key) if key >= 0 else ...), fn.const(item)
        if name in ("success", "ok") and said is False:
            return True
        if name == "status" and said in ("error", "fail", "failed", "failure"):
            return True
    return False


def _mismatch(project: Project, types: tuple[str, ...], status: int) -> tuple[str, str, Profile | None] | None:
    kinds = [project.exception_kind(name) for name in types]
    if types and all(kind == "not-found" or says_missing(name) for kind, name in zip(kinds, types, strict=True)):
        if status >= 500:
            return f"answers {status}", "what is not there is reported as a failure of the server", None
        return None
    if types and all(kind == "validation" for kind in kinds) and status >= 500:
        return f"answers {status}", "the client's mistake is reported as the server's", None
    if (
        types
        and all(kind == "infrastructure" for kind in kinds)
        and not all(name.startswith("builtins.") for name in types)
        and 400 <= status < 500
        and status not in (401, 403, 408, 409, 412, 423, 424, 429)
    ):
        return (
            f"answers {status}",
            "a failure of the server is reported as the client's mistake, so nobody retries and no alarm rings",
            None,
        )
    if any(name in ALL for name in types) and 400 <= status < 500 and status not in (401, 403):
        return f"answers {status} to every failure", "bugs and outages are reported as the client's mistake", None
    return None
