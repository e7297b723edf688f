"""`scan(request)`: the stages in order."""

from __future__ import annotations

import gc
import pickle
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from backendlint import __version__
from backendlint.analysis import Inputs, analyse, inputs_of, library_folders, open_cache
from backendlint.cache import Cache
from backendlint.findings.model import Finding, Hit, Notification, Report, Summary
from backendlint.request import Outcome, Request
from backendlint.runkey import run_key
from backendlint.watch import Watch

if TYPE_CHECKING:
    from backendlint.analysis import Analysis
    from backendlint.engines.base import EngineContext
    from backendlint.engines.every import Found
    from backendlint.findings.baseline import Baseline
    from backendlint.findings.collect import Collected
    from backendlint.project.model import Project
    from backendlint.selection import Selection

CACHE_KIND = "run"
RECURSION_LIMIT = 8000


def run(request: Request) -> Report:
    """Scan and report; raises BackendlintError for the user's mistakes (its exit code is 2)."""
    return scan(request).report


def scan(request: Request) -> Outcome:
    """Scan; a run in which nothing changed is answered from the cache."""
    watch = Watch(request.progress)
    with watch("discover"):
        inputs = inputs_of(request)
        since = _commit(request, inputs)
        pack = _pack(request, inputs)
        key = run_key(request, inputs, pack, since)
    with closing(open_cache(request, inputs.settings)) as store:
        known = store.get(CACHE_KIND, key)
        if known is not None:
            outcome: Outcome = pickle.loads(known)
            outcome = replace(outcome, from_cache=True)
        else:
            with _no_pauses():
                outcome, lasting = _fresh(request, inputs, since, store, watch, pack)
            if lasting:
                store.put_many(CACHE_KIND, {key: pickle.dumps(outcome, 5)})
        problem = store.problem
    details = (Notification("cache", problem),) if problem else ()
    summary = replace(outcome.report.summary, seconds=watch.seconds, stages=watch.stages)
    report = replace(outcome.report, summary=summary, show_suppressed=request.show_suppressed)
    return replace(outcome, report=report, details=(*outcome.details, *details))


def _fresh(
    request: Request, inputs: Inputs, since: str | None, store: Cache, watch: Watch, pack: str
) -> tuple[Outcome, bool]:
    """The outcome, and whether it may be remembered: not if a part failed, or files changed under our hands."""
    from backendlint.selection import select

    with watch("rules"):
        selection = select(inputs.settings, request.rule_folders, store, pack)
        baseline = _baseline(request, inputs)
    if since is not None:
        from backendlint.since import baseline_at

        with watch("since"):
            baseline = baseline_at(since, request, inputs, baseline, lambda earlier: _accepted(earlier, store))
    analysis = analyse(inputs, store, watch)
    found = _run_engines(selection, analysis, store, watch)
    with watch("findings"):
        collected = _collect(request, selection, analysis, found, baseline)
        notifications = tuple(dict.fromkeys((*analysis.notifications, *found.notifications, *collected.notifications)))
        outcome = _outcome(selection, analysis, collected, notifications)
    return outcome, analysis.stable and not any(item.level == "error" for item in notifications)


def _accepted(request: Request, store: Cache) -> tuple[Finding, ...]:
    inputs = inputs_of(request)
    return _fresh(request, inputs, None, store, Watch(), _pack(request, inputs))[0].accepted


def _pack(request: Request, inputs: Inputs) -> str:
    from backendlint.selection import pack_of

    return pack_of(inputs.settings, request.rule_folders, library_folders(inputs.settings))


def _run_engines(selection: Selection, analysis: Analysis, store: Cache, watch: Watch) -> Found:
    from backendlint import api  # noqa: F401 - all checks import it: better before a second process is forked
    from backendlint.engines.every import Subject
    from backendlint.engines.every import run as run_engines

    reviewed = {file.path for file in analysis.inputs.discovery.files if file.reported}
    files = {path: facts for path, facts in analysis.files.items() if path in reviewed}
    if len(files) < len(analysis.files):
        analysis.project.focus = frozenset(reviewed)
    sql = [file.path for file in analysis.inputs.discovery.files if file.kind == "sql"]
    context = _context(selection, analysis, store)
    with watch("engines"):
        found = run_engines(selection.rules, Subject(analysis.project, files, sql), context)
    del watch.stages["engines"]
    for name, seconds in context.seconds.items():
        if name.startswith("engine:"):
            watch.stages[name.partition(":")[2]] = seconds
    return found


def _context(selection: Selection, analysis: Analysis, store: Cache) -> EngineContext:
    from backendlint.engines.base import EngineContext

    libraries = analysis.project.libraries

    def effects(name: str) -> Sequence[str]:
        model = libraries.call(name)
        return model.effect if model is not None else ()

    return EngineContext(
        root=analysis.inputs.settings.root,
        read=analysis.sources.read,
        cache=store,
        digests=analysis.inputs.digests,
        jobs=analysis.inputs.settings.config.jobs,
        options=selection.options,
        effects=effects,
        models=libraries.hash,
    )


def _collect(
    request: Request, selection: Selection, analysis: Analysis, found: Found, baseline: Baseline | None
) -> Collected:
    from backendlint.findings.collect import CollectOptions, collect

    config = analysis.inputs.settings.config
    files = [file for file in analysis.inputs.discovery.files if file.kind != "template"]
    reported = frozenset(file.path for file in files if file.reported)
    options = CollectOptions(
        profile=config.profile,
        severity=config.severity,
        per_file_ignores=config.per_file_ignores,
        only=None if len(reported) == len(files) else reported,
        rules=selection.known,
        ran=frozenset(rule.id for rule in selection.rules) - found.failed,
        other_files=[file.path for file in files if file.kind != "python"],
        require_reasons=config.require_reasons,
        show_suppressed=request.show_suppressed,
    )
    project = analysis.project
    return collect(
        [(rule, _placed(hit, project)) for rule, hit in found.hits],
        files=analysis.files,
        sources=analysis.sources.read,
        baseline=baseline,
        options=options,
        reach=lambda function: project.reach(function) if function else 0,
    )


def _placed(hit: Hit, project: Project) -> Hit:
    """The hit with the full name of the function in which it lies, whatever its engine knew of that."""
    facts = project.files.get(hit.location.path)
    if facts is None or hit.function in project.functions:
        return hit
    from backendlint.engines.base import enclosing_function

    name = hit.function or enclosing_function(facts, hit.location.line, hit.location.column - 1)
    full = f"{facts.module}.{name}" if name and facts.module else name
    return replace(hit, function=full if full in project.functions else hit.function)


def _outcome(
    selection: Selection, analysis: Analysis, collected: Collected, notifications: Sequence[Notification]
) -> Outcome:
    reviewed = [file for file in analysis.inputs.discovery.files if file.reported]
    summary = Summary(
        files=len(reviewed),
        lines=sum(analysis.files[file.path].lines for file in reviewed if file.path in analysis.files),
        by_pillar=_count(collected.findings),
        suppressed=collected.suppressed,
        baselined=collected.baselined,
        below_profile=collected.below_profile,
        outside=collected.outside,
        ignored=collected.ignored,
    )
    report = Report(
        str(analysis.inputs.settings.root),
        collected.findings,
        tuple(notifications),
        summary,
        rules=selection.rules,
        version=__version__,
    )
    return Outcome(report, collected.all_findings, tuple(_details(analysis.inputs, collected)))


def _count(findings: Sequence[Finding]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for finding in findings:
        if finding.suppressed is None:
            counts[finding.pillar] = counts.get(finding.pillar, 0) + 1
    return counts


def _details(inputs: Inputs, collected: Collected) -> Iterator[Notification]:
    left_out: Mapping[str, int] = inputs.discovery.left_out
    for category, count in sorted(left_out.items()):
        yield Notification("left-out", f"{count} files are not reviewed: {category}")
    if collected.stale_baseline:
        yield Notification("stale-baseline", f"{collected.stale_baseline} entries of the baseline have not come up")


def _baseline(request: Request, inputs: Inputs) -> Baseline | None:
    name: Any = request.baseline or inputs.settings.config.baseline
    if not name:
        return None
    from backendlint.findings.baseline import load

    return load(inputs.settings.root / name)


def _commit(request: Request, inputs: Inputs) -> str | None:
    if request.since is None:
        return None
    from backendlint.since import commit

    return commit(inputs.settings.root, request.since)


@contextmanager
def _no_pauses() -> Iterator[None]:
    """Keep the garbage collector from walking over the facts, which live until the end, again and again.

    engines.every switches it on again, with what is there frozen, before engines whose trees are full of circles.
    Questions about values nest deeper than Python's usual limit; each kind of question has a bound of its own.
    """
    enabled, limit = gc.isenabled(), sys.getrecursionlimit()
    gc.disable()
    sys.setrecursionlimit(max(limit, RECURSION_LIMIT))
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)
        gc.unfreeze()
        if enabled:
            gc.enable()
