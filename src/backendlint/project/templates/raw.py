"""Values that a template prints as they are: `{{ text|safe }}`, where escaping is off, or in files that nobody escapes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Fn
from backendlint.project.libraries.model import CallModel
from backendlint.project.templates.expand import Templates
from backendlint.project.templates.syntax import EACH
from backendlint.project.templates.views import filled, named
from backendlint.project.values.uses import operands

if TYPE_CHECKING:
    from backendlint.project.model import Project

_RAW = re.compile(r"\|\s*safe\b|\bautoescape\s+(?:off|[fF]alse)\b")
_JOINED = re.compile(r"\{%[-+]?\s*(?:include|extends|import|from)\s+[\"']([^\"']+)")
_MAIL = re.compile(r"mail|message", re.IGNORECASE)
_MAIL_TEXTS = frozenset({"body", "message", "text"})
_SWITCHES = frozenset({"autoescape", "select_jinja_autoescape"})
"""What decides for all of an application's templates."""


class Printed(NamedTuple):
    """A value that a call passes to a template which prints it as it is."""

    fn: Fn
    call: Call
    model: CallModel
    vid: Vid
    place: str
    """The template and its line."""


def _mailed(fn: Fn, call: Call) -> bool:
    """The text of a mail, which is shown as it is: `EmailMessage(subject, body=template.render(...))`."""
    given = [(other, key) for other in fn.calls for key, vid in other.kwargs if vid == call.value]
    if not given or any(call.value in other.args or call.value == other.func for other in fn.calls):
        return False
    if any(call.value in operands(value) for value in fn.facts.values):
        return False
    if any(item.value == call.value for item in fn.facts.returns) or any(
        item.value == call.value for item in fn.facts.stores
    ):
        return False
    return all(key in _MAIL_TEXTS and _MAIL.search(fn.callee_name(other)) for other, key in given)


class RawTemplates:
    """Answers which values templates do not escape; owned by the project's taint."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._templates = Templates(project.template_files, project.sources)
        self._may: dict[str, bool] = {}

    def prints(self) -> Iterator[Printed]:
        """All such values, each once a call."""
        for fn, call, model in self.project.effects.sites if self._templates else ():
            if model.renders is not None and not _mailed(fn, call):
                yield from self._printed(
                    fn, call, model, lambda path: self._raw(path) if self._may_print(path, 0) else {}
                )

    def answers(self) -> Iterator[Printed]:
        """Values that a page of an answer prints, escaped or not."""
        for fn, call, model in self.project.effects.sites if self._templates else ():
            if model.renders is not None and model.response is not None and not _mailed(fn, call):
                yield from self._printed(fn, call, model, lambda path: self._places(path, ("raw", "plain")))

    def _printed(
        self, fn: Fn, call: Call, model: CallModel, places_in: Callable[[str], dict[str, str]]
    ) -> Iterator[Printed]:
        assert model.renders is not None
        for rendering in filled(self.project, fn, call, model.renders):
            for name in rendering.names:
                path = self._templates.find(name, fn.path)
                places = places_in(path) if path else {}
                for key in sorted(rendering.context.keys() & places.keys()):
                    for passed in rendering.context[key]:
                        if passed.fn is fn and passed.vid >= 0:
                            yield Printed(fn, call, model, passed.vid, places[key])

    def unescaped(self, fn: Fn, call: Call, model: CallModel) -> bool:
        """Whether a call fills a template whose name says that its values are not escaped, or that itself says so."""
        if model.renders is None:
            return False
        names = named(self.project, fn, call, model.renders.name)[1]
        if not model.renders.escapes:
            paths = (self._templates.find(name, "") for name in names)
            return any(self._may_print(path, 0) for path in paths if path)
        return bool(names) and not any(name.endswith(model.renders.escapes) for name in names) and not self._decided

    @cached_property
    def _decided(self) -> bool:
        """The application says itself which templates are escaped."""
        functions = self.project.all_functions()
        return any(
            fn.name in _SWITCHES or any(store.name in _SWITCHES for store in fn.facts.stores) for fn in functions
        )

    def _may_print(self, path: str, depth: int) -> bool:
        """Whether a template, or what it includes or extends, switches escaping off anywhere."""
        if path not in self._may:
            self._may[path] = False
            try:
                text = self.project.sources(path)
            except OSError:
                text = ""
            joined = (self._templates.find(name, path) for name in _JOINED.findall(text)) if depth < 5 else ()
            self._may[path] = bool(_RAW.search(text)) or any(
                self._may_print(item, depth + 1) for item in joined if item
            )
        return self._may[path]

    def _raw(self, path: str) -> dict[str, str]:
        """The context's names that are printed as they are, whole or element by element, and where."""
        return self._places(path, ("raw",))

    def _places(self, path: str, printed: tuple[str, ...]) -> dict[str, str]:
        found: dict[str, str] = {}
        for seen in self._templates.reads(path):
            if seen.printed in printed and all(part == EACH for part in seen.access.path):
                found.setdefault(seen.access.root, f"{seen.path}:{seen.line}")
        return found
