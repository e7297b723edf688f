"""HTTP status codes that values stand for."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from backendlint.facts.model import Vid
from backendlint.project.entities import Fn

if TYPE_CHECKING:
    from backendlint.project.model import Project


def status_of(project: Project, fn: Fn, vid: Vid) -> int | None:
    """The HTTP status that a value stands for: a number, a framework's constant, or `HTTPStatus.X`."""
    found = project.constants(fn, vid)
    if found and len(found) == 1 and isinstance(found[0], int):
        return found[0]
    value = fn.facts.values[vid]
    name = value[1] if value[0] == "name" else value[2] if value[0] == "attr" else ""
    for ref in project.refs(fn, vid):
        model = project.libraries.attribute(ref.name)
        if model is not None and model.status:
            return model.status
    if not isinstance(name, str):
        return None
    return status_by_name(name)


def status_by_name(name: str) -> int | None:
    """`status.HTTP_201_CREATED`, `HTTPStatus.CREATED`, `HTTPStatus.CREATED.value`."""
    match = re.search(r"HTTP_(\d{3})(_|$)", name)
    if match:
        return int(match[1])
    last = name.removesuffix(".value").rpartition(".")[2]
    return int(HTTPStatus[last]) if "HTTPStatus" in name and last in HTTPStatus.__members__ else None
