"""What language models answer with."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Cls, Fn, Project, Vid, ingredients

ANSWERS = frozenset(["response_schema", "response_format", "text_format", "output_schema", "output_type"])
"""By these a language model is told how to answer."""


class Answers:
    """The classes that a language model fills: what it is told to answer with (`response_schema=Receipt`), and parts of that."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._known: set[str] | None = None

    def holds(self, cls: Cls) -> bool:
        if self._known is None:
            self._known = set()
            for fn in self.project.all_functions():
                for vid in self._told(fn):
                    self._add(fn, vid)
        return cls.fqn in self._known

    def _told(self, fn: Fn) -> Iterator[Vid]:
        for call in fn.facts.calls:
            yield from (vid for key, vid in call.kwargs if key in ANSWERS)
        numbers = [number for number, param in enumerate(fn.facts.params) if param.name in ANSWERS]
        for edge in self.project.graph.callers(fn) if numbers else ():
            for vid in (vid for number in numbers for vid, part in edge.passed(number) if not part):
                self._add(edge.caller, vid)

    def _add(self, fn: Fn, vid: Vid) -> None:
        assert self._known is not None
        for part in ingredients(fn.facts, (vid,)):
            for ref in self.project.refs(fn, part):
                if ref.kind == "class" and ref.name not in self._known:
                    self._known.add(ref.name)
                    cls = self.project.classes[ref.name]
                    for annotation in cls.facts.annotations.values():
                        self._add(cls.owner, annotation)
