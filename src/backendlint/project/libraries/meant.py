"""What a call of a library means: by its model, its arguments and the project's settings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Fn
from backendlint.project.libraries.mistaken import is_mistaken
from backendlint.project.libraries.model import CallModel
from backendlint.project.linking.variables import of_all_modules

if TYPE_CHECKING:
    from backendlint.project.model import Project


class Meant:
    """Answers `by(fn, call, name)`."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._texts: dict[str, list[str]] = {}

    def by(self, fn: Fn, call: Call, name: str) -> CallModel | None:
        """The model of a library's function, if the call is one of it."""
        model = self.project.libraries.call(name)
        if model is None or is_mistaken(fn, call, model):
            return None
        return self._queued(model) if model.queued else model

    def _queued(self, model: CallModel) -> CallModel:
        """Where a setting names a backend with a queue (`EMAIL_BACKEND`), the work is not done here."""
        for setting, pattern in model.queued.items():
            if any(re.match(pattern, text) for text in self._set_to(setting)):
                return replace(model, effect=("queue-publish",), timeout=None, raises=())
        return model

    def _set_to(self, setting: str) -> list[str]:
        known = self._texts.get(setting)
        if known is None:
            given = of_all_modules(self.project, setting)
            known = self._texts[setting] = [text for fn, vid in given for text in _texts(fn, vid)]
        return known


def _texts(fn: Fn, vid: Vid) -> Iterator[str]:
    """A constant, one of several, or the default of what is read (`env("EMAIL_BACKEND", default="...")`)."""
    value = fn.unguarded(vid)
    if value[0] == "const" and isinstance(value[1], str):
        yield value[1]
    parts = value[1] if value[0] == "phi" else fn.facts.calls[value[1]].passed if value[0] == "call" else ()
    for part in parts:
        given = fn.const(part)
        if isinstance(given, str):
            yield given
