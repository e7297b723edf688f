"""REL110: endpoints that can wait longer than the budget allows, and jobs longer than theirs, written out step by step."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Fn, Hit, Location, Part, Project, Route, Step, Sum, duration, is_job, terms

SHOWN = 4


def check(project: Project) -> Iterator[Hit]:
    """One hit an endpoint's handler (several routes of one handler count once), and one a job; endpoints that wait at the same
    places, or that only what all of them do first makes too slow, such as connecting, are one: the longest."""
    seen: set[str] = set()
    alike: dict[object, list[tuple[Route, Fn, Sum]]] = {}
    budget = project.waits.budget("api_ms")
    for route in project.routes:
        if route.handler is None or route.handler.fqn in seen or route.kind == "websocket":
            continue
        seen.add(route.handler.fqn)
        total = project.waits.route(route)
        if total.seconds > budget:
            same: object = _shared(total, budget) or frozenset(part.location for part in total.parts)
            alike.setdefault(same, []).append((route, route.handler, total))
    for group in alike.values():
        route, handler, total = max(group, key=lambda item: (_adds_up(item[2], budget), item[2].seconds))
        others = len(group) - 1
        count = f" and {others} other endpoint{'s' if others > 1 else ''}" if others else ""
        short = any(item.seconds < total.seconds for _, _, item in group)
        yield _hit(project, f"`{route.label}`{count}", handler, total, "api_ms", route.place, short)
    for fn in project.reviewed():
        if fn.fqn not in seen and is_job(project, fn):
            total = project.waits.of(fn)
            if total.seconds > project.waits.budget("job_ms"):
                yield _hit(project, f"Job `{fn.name}()`", fn, total, "job_ms", fn.header)


def _hit(project: Project, name: str, fn: Fn, total: Sum, key: str, place: Location, others_less: bool = False) -> Hit:
    parts = sorted(total.parts, key=lambda part: -part.total)
    return Hit(
        message=f"{name} can wait {'up to ' if others_less else ''}{duration(total.seconds)} for others {_more(total)}, "
        f"over {project.waits.stated(key)}: {_written(parts)}.",
        location=place,
        related=tuple(_step(part) for part in parts[:10]),
        flow=tuple(_step(part) for part in total.parts),
        function=fn.fqn,
        profile=None if _adds_up(total, project.waits.budget(key)) and not _leisure(project, key) else "strict",
        fingerprint_key=f"{fn.fqn}: worst-case wait",
    )


def _leisure(project: Project, key: str) -> bool:
    """Nobody waits for a job: how long one may take is for the project to say."""
    return key == "job_ms" and project.waits.assumed(key)


def _shared(total: Sum, budget: float) -> frozenset[Location]:
    """The places at which a request waits once, if it is within the budget without them."""
    once = [part for part in total.parts if part.once]
    rest = total.seconds - sum(part.total for part in once)
    return frozenset(part.location for part in once) if rest <= budget else frozenset()


def _more(total: Sum) -> str:
    """How the sum ends: calls without a timeout, or with one that is not known, and further rounds come on top."""
    if total.endless:
        return f"and more (`{total.endless[0].model.name}` has no timeout)"
    return "and more" if total.open else "at worst"


def _adds_up(total: Sum, budget: float) -> bool:
    """Whether waits that somebody chose add up; one that is too long by itself is for REL102 to report, and to be cured first."""
    firm = [part for part in total.parts if not part.soft]
    if (len(firm) == 1 and firm[0].times == 1) or any(part.seconds > budget for part in firm):
        return False
    return total.firm > budget


def _written(parts: list[Part]) -> str:
    """The sum with its longest terms spelled out."""
    written = terms(parts)
    texts = [text for text, _ in written[:SHOWN]]
    rest = written[SHOWN:]
    if rest:
        texts.append(f"{len(rest)} more {duration(sum(seconds for _, seconds in rest))}")
    return " + ".join(texts)


def _step(part: Part) -> Step:
    times = f" x {part.times:g} = {duration(part.total)}" if part.times != 1 else ""
    return Step(part.location, f"{part.label}: {duration(part.seconds)}{times}")
