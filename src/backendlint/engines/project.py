"""The project engine: rules that look at the whole linked project at once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

from backendlint.engines.base import EngineContext, Result, rule_failed
from backendlint.engines.needs import meets, of_files
from backendlint.findings.model import Hit, Notification
from backendlint.limits import OutOfTimeError, time_limit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from backendlint.facts.model import FileFacts
    from backendlint.ruleset.manifest import Rule


class HasFiles(Protocol):
    """What the engine itself wants of a project; its checks know the rest."""

    @property
    def files(self) -> Mapping[str, FileFacts]:
        """Facts by path."""


def run(rules: Iterable[Rule], project: HasFiles, ctx: EngineContext) -> Iterator[Result]:
    """All hits of the project rules among `rules`. A rule that fails is reported; what it found before is kept."""
    for rule in rules:
        if rule.engine != "project" or not _needed(rule, project.files.values(), ctx):
            continue
        with ctx.timed(rule.id):
            results = list(_rule(rule, project, ctx))
        yield from results
    yield from (_not_analysed(text) for text in getattr(project, "failures", ()))


def _not_analysed(text: str) -> Notification:
    message = f"{text}; findings that depend on it are missing. This is a bug of ours, please report it"
    return Notification("analysis-failed", message, "error")


def _rule(rule: Rule, project: HasFiles, ctx: EngineContext) -> Iterator[Result]:
    """The rule's hits; where it fails or takes too long, those found before, and what happened."""
    hits: list[Hit] = []
    problem: Notification | None = None
    try:
        with time_limit(ctx.time_limit):
            check = ctx.load_check(rule)
            for hit in check(project, _options(rule, ctx)) if _takes_options(check) else check(project):
                hits.append(hit)  # noqa: PERF402 - what came before a failure is kept
    except OutOfTimeError:
        problem = rule_failed(rule, "", TimeoutError(f"it took more than {ctx.time_limit:g} s"))
    except Exception as error:  # noqa: BLE001 - whatever a rule raises, the others go on
        problem = rule_failed(rule, "", error)
    for hit in hits:
        yield rule, hit
    if problem is not None:
        yield problem


def _takes_options(check: Callable[..., object]) -> bool:
    """A check with a second parameter is given the rule's options."""
    return len(inspect.signature(check).parameters) > 1


def _options(rule: Rule, ctx: EngineContext) -> dict[str, object]:
    return {**rule.options, **ctx.options.get(rule.id, {})}


def _needed(rule: Rule, files: Iterable[FileFacts], ctx: EngineContext) -> bool:
    return not of_files(rule.needs) or any(meets(rule, facts, ctx) for facts in files)
