"""Where a function reads the request, by the library models."""

from __future__ import annotations

import re
import sys
from collections.abc import Container, Iterator
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call, Span, Vid
from backendlint.project.entities import Fn
from backendlint.project.libraries.model import CallModel
from backendlint.project.linking.decorators import decorator_models, made_within
from backendlint.project.loops.loops import block_at

if TYPE_CHECKING:
    from backendlint.project.model import Project


class RequestRead(NamedTuple):
    """A call or attribute that yields request data."""

    vid: Vid
    name: str
    """Its last part: `get_json`, `form`, `POST`."""
    span: Span
    call: Call | None


def request_reads(project: Project, fn: Fn, within: Container[int] | None = None) -> Iterator[RequestRead]:
    """Reads of the request in the function itself (in these blocks of it), in source order; parameters that carry data are not
    among them."""
    found = _reads(project, fn)
    return found if within is None else (item for item in found if block_at(fn, item.span) in within)


def _reads(project: Project, fn: Fn) -> Iterator[RequestRead]:
    libraries = project.libraries
    for vid, value in enumerate(fn.facts.values):
        if value[0] == "attr":
            for ref in project.refs(fn, value[1]):
                model = libraries.attribute(f"{ref.name}.{value[2]}") if ref.kind in ("lib", "libinst") else None
                if model is not None and model.source == "request":
                    yield RequestRead(vid, str(value[2]), fn.facts.span_of(vid), None)
                    break
        elif value[0] == "name":
            dotted = libraries.canonical(str(value[1]))
            model = libraries.attribute(dotted) if libraries.knows(dotted) else None
            if model is not None and model.source == "request":
                yield RequestRead(vid, dotted.rpartition(".")[2], fn.facts.span_of(vid), None)
        elif value[0] == "call":
            call = fn.facts.calls[value[1]]
            for found in project.models(fn, call):
                if found.source == "request":
                    yield RequestRead(vid, found.name.rpartition(".")[2], call.span, call)
                    break


def validates(project: Project, model: CallModel) -> bool:
    """Whether the call holds its argument against a schema (reading JSON or dates alone does not)."""
    if model.schema not in ("validate", "parse") or model.source == "request":
        return False
    library = project.libraries.library(model.library)
    standard = model.name.partition(".")[0] in sys.stdlib_module_names
    return not standard and (library is None or library.kind not in ("stdlib", "builtin", "data"))


_SCHEMA_NAME = re.compile(r"valid|schema|expect|use_\w*(args|kwargs)|arguments|accepts|input|parse", re.IGNORECASE)
_OUTPUT_NAME = re.compile(r"marshal|serial|response|output|schema|dump|returns|render", re.IGNORECASE)


def validated_by_decorator(project: Project, fn: Fn) -> bool:
    """Whether a decorator holds the request against a schema before the function runs."""
    for ref in fn.decorators:
        model = project.libraries.decorator(ref.name) if ref.kind == "lib" else None
        if model.schema if model is not None else _SCHEMA_NAME.search(ref.name.rpartition(".")[2]):
            return True
        if ref.kind == "func" and _loads(project, project.functions[ref.name]):
            return True
    return False


def _loads(project: Project, decorator: Fn) -> bool:
    """Whether the project's own decorator, in the function that it puts around another, loads something by a schema."""
    return any(
        validates(project, model)
        for fn in made_within(project, decorator)
        for call in fn.calls
        for model in project.models(fn, call)
    )


def serialized_by_decorator(project: Project, fn: Fn) -> bool:
    """Whether a decorator, by its model or its name, turns the function's result into a response by a schema."""
    named = any(_OUTPUT_NAME.search(ref.name.rpartition(".")[2]) for ref in fn.decorators)
    return named or made_by_schema(project, fn)


def made_by_schema(project: Project, fn: Fn) -> bool:
    """Whether a decorator of a library certainly makes data of the function's result by a schema."""
    return any(model.schema == "serialize" for model in decorator_models(project, fn))


def derived(fn: Fn, start: Vid) -> set[Vid]:
    """Values of the function that are made from a value: parts, conversions, containers, results of calls."""
    found = {start}
    todo = [start]
    while todo:
        vid = todo.pop()
        further = {*fn.made_of(vid), *fn.results_of(vid)} - found
        found |= further
        todo += further
    return found
