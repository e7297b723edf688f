"""Where functions are handed to code of the project, which calls them: `run_hook(_delete_action, thread)`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from backendlint.facts.model import FileFacts
from backendlint.project.entities import Fn
from backendlint.project.graph.calls import Edge

if TYPE_CHECKING:
    from backendlint.project.model import Project


class HandedOn:
    """Answers `of(fn)`."""

    def __init__(self, project: Project) -> None:
        self.project = project

    def of(self, fn: Fn) -> list[Edge]:
        """The calls, in its own file and those that import it, that hand the function on, as if they called it.

        What a library takes has its own meaning (a thread's target, a signal's receiver), and is left out.
        """
        names = (fn.name, fn.file.module.rpartition(".")[2])
        files = {fn.path: fn.file} | {file.path: file for name in names for file in self._importing.get(name, ())}
        return [edge for file in files.values() for edge in self._in_file(file, fn)]

    @cached_property
    def _importing(self) -> dict[str, list[FileFacts]]:
        """Files by the last parts of what they import."""
        found: dict[str, list[FileFacts]] = {}
        for file in self.project.files.values():
            for name in {item.target.rpartition(".")[2] for item in file.imports}:
                found.setdefault(name, []).append(file)
        return found

    def _in_file(self, file: FileFacts, fn: Fn) -> Iterator[Edge]:
        for caller in self.project.functions_of(file):
            for call in caller.facts.calls:
                named = (
                    [vid for vid in call.passed if _last(caller, vid) == fn.name] if call.args or call.kwargs else ()
                )
                if any(ref.name == fn.fqn for vid in named for ref in self.project.refs(caller, vid)) and not any(
                    ref.kind == "lib" for ref in self.project.callees(caller, call)
                ):
                    yield Edge(caller, fn, call, "call", call.span)


def _last(fn: Fn, vid: int) -> str:
    """The last part of what is passed by its name."""
    value = fn.facts.values[vid]
    return str(value[-1]).rpartition(".")[2] if value[0] in ("name", "def", "attr") else ""
