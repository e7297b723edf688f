"""Models that code asks for by the names under which Django keeps them: `apps.get_model("shop", "Order")`."""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from typing import TYPE_CHECKING

from backendlint.facts.model import Call
from backendlint.project.entities import Cls, Fn, Ref

if TYPE_CHECKING:
    from backendlint.project.model import Project


class Registered:
    """Answers `of(fn, call)`."""

    def __init__(self, project: Project) -> None:
        self.project = project

    @cached_property
    def _by_name(self) -> dict[str, list[Cls]]:
        """The modules' own classes, by name in small letters."""
        found: dict[str, list[Cls]] = defaultdict(list)
        for cls in self.project.classes.values():
            if cls.owner.is_module:
                found[cls.name.lower()].append(cls)
        return found

    def of(self, fn: Fn, call: Call) -> tuple[Ref, ...]:
        """The model's class, where one alone of that name lies in the app: by its package, which is usually its label."""
        texts = [fn.const(vid) for vid in call.args[:2]]
        parts = [part.lower() for text in texts if isinstance(text, str) for part in text.split(".")]
        if len(parts) != 2:
            return ()
        app, name = parts
        found = [cls for cls in self._by_name.get(name, ()) if app in cls.file.module.lower().split(".")[:-1]]
        models = [cls for cls in found if self.project.hierarchy.role(cls) == "model"]
        return (Ref("class", models[0].fqn),) if len(models) == 1 else ()
