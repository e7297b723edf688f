"""Uses that are weak whatever the data is: calls and assignments that a library model marks so."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call
from backendlint.findings.model import Hit
from backendlint.project.entities import Fn
from backendlint.project.libraries.conditions import holds
from backendlint.project.libraries.model import Weak

if TYPE_CHECKING:
    from backendlint.project.model import Project


class WeakUse(NamedTuple):
    """A weak use, `name` is what is called or assigned."""

    fn: Fn
    call: Call
    name: str
    weak: Weak

    @property
    def certain(self) -> bool:
        """True where the arguments themselves show it."""
        return bool(self.weak.when or self.weak.unless)


def weak_uses(project: Project, kinds: Collection[str]) -> Iterator[WeakUse]:
    """All weak uses of these kinds."""
    for site in project.effects.sites:
        for weak in site.model.weak:
            if weak.kind in kinds and _applies(project, site.fn, site.call, weak):
                yield WeakUse(site.fn, site.call, site.model.name, weak)
    for fn, call, model in project.taint.assignments:
        for weak in model.weak:
            if weak.kind in kinds and _applies(project, fn, call, weak):
                yield WeakUse(fn, call, model.name, weak)


def weak_hits(
    project: Project, kinds: Collection[str], cure: str, meant: Callable[[WeakUse], bool] = lambda _: False
) -> Iterator[Hit]:
    """One hit a place; what the arguments do not show is advice, what is `meant` so is silent."""
    seen = set()
    for use in weak_uses(project, kinds):
        location = use.fn.location(use.call.span)
        if location in seen or meant(use):
            continue
        seen.add(location)
        name = ".".join(use.name.rsplit(".", 2)[-2:])
        where = f" in `{use.fn.name}()`" if not use.fn.is_module else ""
        yield Hit(
            message=f"`{name}`{where}: {use.weak.reason}; {cure}",
            location=location,
            confidence=None if use.certain else "low",
            profile=None if use.certain else "strict",
            function=use.fn.fqn,
        )


def _applies(project: Project, fn: Fn, call: Call, weak: Weak) -> bool:
    if any(holds(project, fn, call, condition) for condition in weak.unless):
        return False
    return all(holds(project, fn, call, condition) for condition in weak.when)
