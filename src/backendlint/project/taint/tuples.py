"""Objects of `collections.namedtuple`: which argument a field is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Fn
from backendlint.project.linking.namedtuples import MAKER, fields_of
from backendlint.project.linking.variables import variable
from backendlint.project.taint import labels as lb
from backendlint.project.taint.labels import NONE, Labels, Path

if TYPE_CHECKING:
    from backendlint.project.taint.reads import Reader


class NamedTuples:
    """Answers `read(fn, call, path)`."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.project = reader.project
        self._fields: dict[tuple[str, Vid], tuple[str, ...]] = {}

    def read(self, fn: Fn, call: Call, path: Path) -> Labels | None:
        """Labels of a part of the tuple that a call makes; None for other calls."""
        func = fn.facts.values[call.func]
        maker = variable(self.project, fn, func[1]) if func[0] == "name" else None
        fields = self._of(*maker) if maker is not None else ()
        if not fields or call.open_ended:
            return None
        given = {**dict(zip(fields, call.args, strict=False)), **dict(call.kwargs)}
        if not path or path[0] == "[*]":
            return lb.merge(self.reader.read(fn, vid, path[1:]) for vid in given.values())
        number = path[0][1:-1]
        name = fields[int(number)] if number.isdigit() and int(number) < len(fields) else path[0]
        return self.reader.read(fn, given[name], path[1:]) if name in given else NONE

    def _of(self, module: Fn, vid: Vid) -> tuple[str, ...]:
        """The names of the fields; none where the value is no such class."""
        key = (module.fqn, vid)
        if key not in self._fields:
            self._fields[key] = self._declared(module, vid)
        return self._fields[key]

    def _declared(self, module: Fn, vid: Vid) -> tuple[str, ...]:
        value = module.facts.values[vid]
        call = module.facts.calls[value[1]] if value[0] == "call" else None
        if call is None or not any(model.name == MAKER for model in self.project.models(module, call)):
            return ()
        return fields_of(module, call)
