"""REL115: connections, files, sockets, sessions and locks that some way out of a function leaves open."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from backendlint.api import Call, Hit, Leak, Profile, Project, only_by_hand, told_once

from .sql_locks import sql_locks

NAMES = {
    "db-connection": "database connection",
    "db-session": "database session",
    "http-session": "HTTP session",
    "pooled-connection": "pooled connection",
    "file-descriptor": "file descriptor",
    "db-pool": "connection pool",
    "db-cursor": "cursor",
    "smtp": "SMTP connection",
    "ldap": "LDAP connection",
    "ssh": "SSH connection",
    "queue-connection": "connection to a queue",
    "queue-channel": "channel",
    "grpc-channel": "gRPC channel",
    "http-response": "HTTP response",
}
FILES = frozenset({"file", "archive"})
FEW = 2
"""So many methods of one class, and files closed by hand, are told one by one."""
AN = "aeioFHLMNRSX"
"""Begin words with a vowel, the capitals as letters that are read one by one."""


def check(project: Project) -> Iterator[Hit]:
    """One hit a resource, at the call that opens it; of those of one function that one close would end (opened in two branches),
    or that nothing ends, the first, and so of a class of which several methods never close what they open, and of files that a
    project closes without `with`."""
    told: set[tuple[str, Call | str]] = set()
    alike: dict[tuple[str, str], list[Hit]] = {}
    for leak in project.resources.leaks():
        hit = _hit(project, leak)
        if hit.profile is None:
            place = (leak.fn.fqn, leak.closed or leak.kind)
            hit = replace(hit, profile="strict") if place in told else hit
            told.add(place)
        if hit.profile is None and leak.closed is None and leak.fn.cls is not None:
            alike.setdefault((leak.fn.cls.fqn, leak.kind), []).append(hit)
        elif hit.profile is None and leak.closed is not None and leak.kind in FILES:
            alike.setdefault(("", leak.kind), []).append(hit)
        else:
            yield hit
    yield from sql_locks(project)
    for hits in alike.values():
        yield from told_once(hits, _throughout, FEW, severity=None)


def _throughout(hit: Hit, others: str) -> str:
    return f"{hit.message[:-1]} (here and in {others})."


def _hit(project: Project, leak: Leak) -> Hit:
    what = NAMES.get(leak.kind, leak.kind)
    verb = "acquires" if leak.kind == "lock" else "opens"
    article = "an" if what[0] in AN else "a"
    start = f"`{leak.fn.name}()` {verb} {article} {what} (`{leak.model.name}`) "
    if leak.closed is None:
        message = f"{start}and never {'releases' if leak.kind == 'lock' else 'closes'} it."
    else:
        stays, end = ("held", "release") if leak.kind == "lock" else ("open", "close")
        message = f"{start}that stays {stays} when an exception or an early return comes before the {end}."
        if leak.fn.facts.is_generator:
            message = (
                f"{start}that stays {stays} when what uses it fails: that is raised at the `yield`, and the {end} is "
                "skipped; put it into `finally`."
            )
    skipped = "the release that is skipped" if leak.kind == "lock" else "the close that is skipped"
    related = () if leak.closed is None else (leak.fn.step(leak.closed.span, skipped),)
    return Hit(
        message=message,
        location=leak.fn.location(leak.call.span),
        related=related,
        function=leak.fn.fqn,
        profile=_profile(project, leak),
    )


def _profile(project: Project, leak: Leak) -> Profile | None:
    """Advice where the interpreter closes it at once or only writing to it may fail, where closing late costs little, and in
    migrations, which end at once."""
    if project.layer(leak.fn) == "migration" or ((leak.chained or leak.alone) and leak.kind == "file"):
        return "strict"
    if only_by_hand(project, leak.fn) or project.literals.for_trial(leak.fn, leak.call.value):
        return "strict"  # the end of a program closes everything
    return "strict" if leak.kind == "http-session" and not _must_await(project, leak) else None


def _must_await(project: Project, leak: Leak) -> bool:
    """Asynchronous clients cannot be closed by the garbage collector."""
    cls = project.libraries.cls(leak.model.returns or leak.model.name)
    models = [project.libraries.call(f"{cls.name}.{name}") for name in cls.close] if cls is not None else []
    return any(model is not None and model.awaitable for model in models)
