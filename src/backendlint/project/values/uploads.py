"""Files that lie in memory: what was uploaded, and buffers of bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Fn
from backendlint.project.graph.calls import arguments
from backendlint.project.libraries.model import CallModel
from backendlint.project.loops.filled import VALIDATED
from backendlint.project.values.uses import ingredients
from backendlint.project.web.requests import request_reads

if TYPE_CHECKING:
    from backendlint.project.model import Project

_BUFFERS = frozenset({"io.BytesIO", "io.StringIO"})
_READS = frozenset({"read", "seek", "readlines", "chunks"})
_DECODES = frozenset({"file", "cpu"})


def in_memory(project: Project, fn: Fn, vid: Vid) -> bool:
    """`BytesIO(body)`, `request.FILES["photo"]`, `validated_data["photo"]`: reading it asks no disk."""
    made = ingredients(fn.facts, (vid,))
    values = [fn.value(item) for item in made]
    if any(value[0] == "attr" and value[2] in VALIDATED for value in values):
        return True
    buffers = (fn.facts.calls[value[1]].func for value in values if value[0] == "call")
    if any(fn.value(func)[0] == "name" and fn.value(func)[1] in _BUFFERS for func in buffers):
        return True
    return any(item.vid in made for item in request_reads(project, fn))


def reads_memory(project: Project, fn: Fn, call: Call, models: list[CallModel]) -> bool:
    """`photo.read()` of what was uploaded, and `Image.open(photo)`: a function that is given a path or a file, and is given that."""
    if not models:
        value = fn.unguarded(call.func)
        return value[0] == "attr" and value[2] in _READS and in_memory(project, fn, value[1])
    for model in models:
        given = [vid for sink in model.sinks if sink.kind == "path" for vid in arguments(call, sink.arg)]
        if not given or not set(model.effect) <= _DECODES or not all(in_memory(project, fn, vid) for vid in given):
            return False
    return True
