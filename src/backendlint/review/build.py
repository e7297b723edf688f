"""Builds the review of a project: scan it, understand it, and put the views together."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from backendlint.review.model import Review

if TYPE_CHECKING:
    from backendlint.request import Request


def review(request: Request) -> Review:
    """All views; raises BackendlintError for the user's mistakes."""
    from backendlint import __version__
    from backendlint.analysis import analyse, inputs_of, open_cache
    from backendlint.pipeline import scan
    from backendlint.review.endpoints import endpoints
    from backendlint.review.resilience import dependencies
    from backendlint.review.scorecard import figures, scorecard
    from backendlint.ruleset.checklist import load_checklist
    from backendlint.selection import select
    from backendlint.watch import Watch

    outcome = scan(request)
    inputs = inputs_of(request)
    with closing(open_cache(request, inputs.settings)) as store:
        analysis = analyse(inputs, store, Watch(None))
    project = analysis.project
    rules = select(inputs.settings, request.rule_folders).known
    rows = endpoints(project)
    matrix = dependencies(project)
    active = [finding for finding in outcome.report.findings if finding.suppressed is None]
    problems = tuple(item.message for item in outcome.report.notifications if item.level in ("error", "warning"))
    return Review(
        root=inputs.settings.root.name or str(inputs.settings.root),
        version=__version__,
        files=outcome.report.summary.files,
        lines=outcome.report.summary.lines,
        scorecard=scorecard(project, load_checklist(), rules, active),
        figures=figures(project, rows, matrix),
        dependencies=matrix,
        endpoints=rows,
        problems=problems,
    )
