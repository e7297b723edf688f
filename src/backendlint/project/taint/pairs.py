"""What comes out of iterating: the keys of a mapping or its values, and which of several iterables is behind a pair."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Fn
from backendlint.project.linking.binding import unchanged
from backendlint.project.taint import labels as lb
from backendlint.project.taint.labels import KEYS, NONE, Labels, Path

if TYPE_CHECKING:
    from backendlint.project.taint.reads import Reader

_VIEWS = frozenset({"items", "keys", "values"})
_SAME_ITEMS = frozenset(f"builtins.{name}" for name in "list tuple sorted reversed iter set frozenset".split())
_ANY = "[*]"


class Pairs:
    """Answers `read(fn, call, path)`."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.project = reader.project

    def read(self, fn: Fn, call: Call, path: Path) -> Labels | None:
        """Labels of what such a call gives; None for other calls, and where no part is asked for."""
        func = fn.facts.values[call.func]
        if func[0] == "attr":
            return self._view(fn, func[1], func[2], path) if func[2] in _VIEWS and not call.passed else None
        name = str(func[1]) if func[0] == "name" else ""
        if name == "builtins.dict":
            return self._made(fn, call, path)
        if not name or not call.args or call.kwarg("key") >= 0:
            return None
        if name in _SAME_ITEMS:
            return self._listed(fn, call.args[0], path)
        number = _number(path)
        if number < 0 or any(fn.facts.values[vid][0] == "star" for vid in call.args):
            return None
        if name == "builtins.enumerate":
            return NONE if number == 0 else self.elements(fn, call.args[0], path[2:])
        if name == "builtins.zip":
            return self.elements(fn, call.args[number], path[2:]) if number < len(call.args) else NONE
        return None

    def elements(self, fn: Fn, vid: Vid, rest: Path) -> Labels:
        """Labels of what a loop over the value gives: of a mapping its keys."""
        return self.reader.read(fn, vid, lb.extend(rest, KEYS if self.is_mapping(fn, vid) else _ANY))

    def is_mapping(self, fn: Fn, vid: Vid) -> bool:
        """Whether the value is certainly a dict."""
        value = unchanged(fn, vid)
        if value[0] == "dict" or (value[0] == "comp" and value[1] == "dict"):
            return True
        if value[0] == "param" and fn.facts.params[value[1]].kind == "kwargs":
            return True
        if value[0] in ("param", "name", "attr", "call"):
            refs = self.project.refs(fn, vid)
            return bool(refs) and all(ref.kind == "libinst" and ref.name == "builtins.dict" for ref in refs)
        return False

    def _view(self, fn: Fn, base: Vid, view: str, path: Path) -> Labels | None:
        if view == "keys":
            return self.reader.read(fn, base, (KEYS, *path[1:]))
        if view == "values":
            return self.reader.read(fn, base, (_ANY, *path[1:]))
        number = _number(path)
        if number < 0:
            return None
        return self.reader.read(fn, base, lb.extend(path[2:], _ANY if number else KEYS))

    def _listed(self, fn: Fn, vid: Vid, path: Path) -> Labels | None:
        """A copy with the same items in any order."""
        if path and path[0].startswith("["):
            return self.elements(fn, vid, path[1:])
        return self.reader.read(fn, vid, (KEYS,)) if self.is_mapping(fn, vid) else None

    def _made(self, fn: Fn, call: Call, path: Path) -> Labels | None:
        """`dict(pairs, name=value)`."""
        if not path or not path[0].startswith("[") or call.open_ended:
            return None
        named = [self.reader.read(fn, vid, path[1:]) for key, vid in call.kwargs if path[0] in (lb.item(key), _ANY)]
        return lb.merge((*(self.reader.read(fn, vid, path) for vid in call.args), *named))


def _number(path: Path) -> int:
    """The place in the pair that is asked for; -1 where none is."""
    known = len(path) > 1 and path[0] in (_ANY, "[0]") and path[1][1:-1].isdigit()
    return int(path[1][1:-1]) if known else -1
