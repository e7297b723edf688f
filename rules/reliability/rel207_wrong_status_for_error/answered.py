"""Exceptions of the framework that are answers: `raise Http404`."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Answer, Fn, Project, answers


def raised(project: Project, fn: Fn) -> Iterator[Answer]:
    """What is raised in handlers of exceptions and has a status, and no body of its own."""
    known = {answer.span for answer in answers(project, fn)}
    for item in fn.facts.raises:
        if item.exc < 0 or item.span in known or fn.inside(item.block, "except") is None:
            continue
        for name in project.exceptions.raised(fn, item):
            model = project.libraries.exception(name)
            if model is not None and model.kind == "http" and model.status:
                yield Answer(item.span, model.status, None, "none", -1, item.block, raised=True)
                break
