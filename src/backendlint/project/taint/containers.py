"""Lists, dicts and other containers: which element a value is, as exactly as the code shows."""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile
from typing import TYPE_CHECKING

from backendlint.facts.model import Value, Vid
from backendlint.project.entities import Fn
from backendlint.project.taint import labels as lb
from backendlint.project.taint.labels import KEYS, NONE, Labels, Path
from backendlint.project.taint.naming import identifier_words, sensitive

if TYPE_CHECKING:
    from backendlint.project.taint.reads import Reader

_ADDS = frozenset({"append", "appendleft", "add", "insert", "put", "put_nowait", "push"})
_MERGES = frozenset({"extend", "extendleft", "update"})
_WRITES = ("write", "writelines")
_REMOVES = frozenset({"pop", "popleft", "popitem", "remove", "discard", "sort", "reverse"})
_KEYED = frozenset({"set", "setdefault", "__setitem__", "add_header", "set_header"})
_COMPARES = frozenset("$eq $ne $gt $gte $lt $lte $in $nin $exists $type $mod $size $limit $skip".split())
_PUBLIC = frozenset({"public", "publishable"})
MAX_WAYS = 16
"""Ways in which a list may have been made."""
MAX_PARTS = 400
"""Values of which such a list is made."""
MAX_EXACT = 64


class Containers:
    """Reads displays, comprehensions, items and what mutating methods leave behind."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.methods: dict[str, Callable[[Fn, Vid, Value, Path], Labels]] = {
            "list": self._sequence,
            "tuple": self._sequence,
            "set": self._sequence,
            "dict": self._dict,
            "comp": self._comp,
            "elem": self._elem,
            "unpack": self._unpack,
            "item": self._item,
            "mut": self._mut,
            "store": self._store,
        }

    def _sequence(self, fn: Fn, _vid: Vid, value: Value, path: Path) -> Labels:
        return self._elements(fn, value[1], path)

    def _elements(self, fn: Fn, vids: tuple[Vid, ...] | list[Vid], path: Path) -> Labels:
        values = fn.facts.values
        if path and path[0].startswith("[") and path[0] != "[*]":
            index = _index(path[0])
            if index is not None and not any(values[vid][0] == "star" for vid in vids):
                return self.reader.read(fn, vids[index], path[1:]) if -len(vids) <= index < len(vids) else NONE
        rest = path[1:]
        return lb.merge(
            self.reader.read(fn, values[vid][1], path) if values[vid][0] == "star" else self.reader.read(fn, vid, rest)
            for vid in vids
        )

    def _dict(self, fn: Fn, _vid: Vid, value: Value, path: Path) -> Labels:
        parts = []
        for key, vid in value[1]:
            if key < 0:
                parts.append(self.reader.read(fn, vid, path))
            elif path[:1] == (KEYS,):
                parts.append(self.reader.read(fn, key, path[1:]))
            elif not path or path[0] == "[*]":
                parts.append(self._entry(fn, key, vid, path[1:]))
                if not path:
                    parts.append(self.reader.read(fn, key, ()))
            else:
                known = fn.const(key)
                if known is ... or lb.item(known) == path[0]:
                    parts.append(self._entry(fn, key, vid, path[1:]))
        return lb.merge(parts)

    def _entry(self, fn: Fn, key: Vid, vid: Vid, path: Path) -> Labels:
        """What stands under a key; what is called public there is no secret (`"public_key": pair.secret`), and what an operator
        of MongoDB compares with (`{"$gt": since}`) is none itself."""
        found, name = self.reader.read(fn, vid, path), fn.const(key)
        if name in _COMPARES:
            return lb.clear(found, ("nosql",))
        public = bool(found) and isinstance(name, str) and not _PUBLIC.isdisjoint(identifier_words(name))
        return lb.clear(found, ("secret",)) if public else found

    def _comp(self, fn: Fn, _vid: Vid, value: Value, path: Path) -> Labels:
        if path[:1] == (KEYS,) and value[3] >= 0:
            return self.reader.read(fn, value[3], path[1:])
        found = self.reader.read(fn, value[2], path[1:])
        if value[3] >= 0 and (not path or path[0] == "[*]"):
            found = lb.merge((found, self.reader.read(fn, value[3], ())))
        return lb.clear(found, lb.HIDDEN - {"exception"}) if found and _redacts(fn, value) else found

    def _elem(self, fn: Fn, _vid: Vid, value: Value, path: Path) -> Labels:
        return self.reader.pairs.elements(fn, value[1], path)

    def _unpack(self, fn: Fn, _vid: Vid, value: Value, path: Path) -> Labels:
        found = self.reader.read(fn, value[1], lb.extend(path, lb.item(value[2]) if value[2] >= 0 else "[*]"))
        if not found or fn.facts.values[value[1]][0] not in ("call", "await"):
            return found
        # which of several results a secret is, only the names that they are given can tell
        return {origin: mark._replace(weak=True) if origin.what == "secret" else mark for origin, mark in found.items()}

    def _item(self, fn: Fn, vid: Vid, value: Value, path: Path) -> Labels:
        key = fn.const(value[2])
        if key is ...:
            found = self.reader.read(fn, value[1], lb.extend(path, "[*]"))
        else:
            found = self.reader.read(fn, value[1], lb.extend(path, lb.item(key)))
            found = lb.clear(found, self.reader.declared.of_item(fn, value[1], key, path)) if found else found
            found = self.reader.urls.back(key, self.reader.attribute_models(fn, value[1]), found)
            if isinstance(key, str) and not path:
                found = self.reader.named(found, fn, vid, key)
        return found

    def _store(self, fn: Fn, _vid: Vid, value: Value, path: Path) -> Labels:
        _, base, key, stored = value
        if path[:1] == (KEYS,):
            return lb.merge((self.reader.read(fn, base, path), self.reader.read(fn, key, path[1:])))
        if not path or path[0] == "[*]" or not path[0].startswith("["):
            inside = NONE if path and not path[0].startswith("[") else self._entry(fn, key, stored, path[1:])
            return lb.merge((self.reader.read(fn, base, path), inside))
        known = fn.const(key)
        if known is ...:
            return lb.merge((self.reader.read(fn, base, path), self.reader.read(fn, stored, path[1:])))
        if lb.item(known) == path[0]:
            return self._entry(fn, key, stored, path[1:])
        return self.reader.read(fn, base, path)

    def _mut(self, fn: Fn, vid: Vid, value: Value, path: Path) -> Labels:
        exact = self.exact(fn, vid)
        if exact is not None:
            return self._elements(fn, exact, path)
        known = at(fn, vid, path)
        if known:
            return lb.merge(self.reader.read(fn, item, path[1:]) for item in known)
        _, base, method, vids = value
        before = NONE if method == "clear" else self.reader.read(fn, base, path)
        named = method in _WRITES and path[:1] == ("name",)  # what is written to a file leaves its name alone
        if method in _REMOVES or method == "clear" or not vids or named:
            return before
        if method in _MERGES:
            return lb.merge((before, *(self.reader.read(fn, item, path) for item in vids)))
        if method in _KEYED:
            return lb.merge((before, self._keyed(fn, vids, path)))
        rest = path[1:] if method in _ADDS else path
        return lb.merge((before, *(self.reader.read(fn, item, rest) for item in vids)))

    def _keyed(self, fn: Fn, vids: tuple[Vid, ...], path: Path) -> Labels:
        """`c.set(section, key, value)`: only where the keys are the ones asked for."""
        if path[:1] == (KEYS,):
            return lb.merge(self.reader.read(fn, vid, path[1:]) for vid in vids[:-1])
        keys = [fn.const(vid) for vid in vids[:-1]]
        if path and path[0] != "[*]" and ... not in keys and path[0] != composite(keys):
            return NONE
        return self.reader.read(fn, vids[-1], path[1:])

    def exact(self, fn: Fn, vid: Vid) -> list[Vid] | None:
        """The vids of a list's elements where each change to it is known exactly."""
        value = fn.facts.values[vid]
        if value[0] == "list":
            starred = any(fn.facts.values[item][0] == "star" for item in value[1])
            return None if starred or len(value[1]) > MAX_EXACT else list(value[1])
        if value[0] != "mut":
            return None
        items = self.exact(fn, value[1])
        return None if items is None else _apply(fn, items, value[2], value[3])


def _redacts(fn: Fn, value: Value) -> bool:
    """`{key: "***" if key in SECRETS else value for ...}`, `{key: value for ... if key != "token"}`."""
    if value[1] != "dict":
        return False
    element = fn.facts.values[value[2]]
    masks = element[0] == "phi" and any(isinstance(fn.const(part), str) for part in element[1])
    key = fn.facts.values[value[3]]
    return masks or (key[0] == "guard" and not _harmless(fn, key[2]))


def _harmless(fn: Fn, test: Vid) -> bool:
    """`key != "version"`: a test that speaks of a key which is no secret."""
    value = fn.facts.values[test]
    named = [fn.const(side) for side in value[2]] if value[0] == "compare" else []
    return any(isinstance(name, str) and not sensitive(name) for name in named)


def at(fn: Fn, vid: Vid, path: Path) -> list[Vid]:
    """What may stand at the path's first index in a list that grows; nothing where that index is behind what is known of it."""
    index = _index(path[0]) if path and path[0] != "[*]" and path[0].startswith("[") else None
    if index is None or index < 0:
        return []
    ways = beginnings(fn, vid)
    return list(dict.fromkeys(items[index] for items in ways)) if all(index < len(items) for items in ways) else []


def beginnings(fn: Fn, vid: Vid) -> list[list[Vid]]:
    """What a list may begin with, however it was made: all of its elements as far as they are known. Nothing where not even
    the first is."""
    return _beginnings(fn, vid, {})


def _beginnings(fn: Fn, vid: Vid, known: dict[Vid, list[list[Vid]]]) -> list[list[Vid]]:
    if vid not in known and len(known) < MAX_PARTS:
        known[vid] = []  # meanwhile: a list that is made of itself
        ways = _ways(fn, vid, fn.facts.values[vid], known)
        known[vid] = [items[:MAX_EXACT] for items in ways[:MAX_WAYS] if items]
    return known.get(vid, [])


def _ways(fn: Fn, vid: Vid, value: Value, known: dict[Vid, list[list[Vid]]]) -> list[list[Vid]]:
    if value[0] in ("list", "tuple"):
        return [list(takewhile(lambda item: fn.facts.values[item][0] != "star", value[1]))]
    if value[0] == "guard":
        return _beginnings(fn, value[1], known)
    if value[0] == "binop" and value[1] == "+":
        added = _beginnings(fn, value[3], known)
        return [[*items, *(added[0] if added else ())] for items in _beginnings(fn, value[2], known)]
    if value[0] == "phi":
        found = [_beginnings(fn, item, known) for item in value[1] if item != vid]
        return [items for part in found for items in part] if all(found) else []
    if value[0] != "mut":
        return []
    method, vids = value[2], value[3]
    before = _beginnings(fn, value[1], known) or ([[]] if fn.facts.values[value[1]] == ("list", ()) else [])
    if method in ("append", "extend") and len(vids) == 1:
        added = [list(vids)] if method == "append" else _beginnings(fn, vids[0], known)
        return [[*items, *(added[0] if added else ())] for items in before]
    made = (_apply(fn, items, method, vids) for items in before) if method == "insert" else ()
    return [items for items in made if items is not None]


def grown_from(fn: Fn, vid: Vid) -> Vid:
    """The list of which nothing is known but that more was put behind it."""
    value = fn.facts.values[vid]
    while True:
        behind = value[0] == "mut" and value[2] in ("append", "extend")
        inner = value[1] if behind or value[0] == "guard" else value[2] if value[:2] == ("binop", "+") else -1
        if inner < 0 or fn.facts.values[inner] == ("list", ()):
            return vid
        vid, value = inner, fn.facts.values[inner]


def _apply(fn: Fn, items: list[Vid], method: str, vids: tuple[Vid, ...]) -> list[Vid] | None:
    if len(items) > MAX_EXACT:
        return None
    if method == "append" and len(vids) == 1:
        return [*items, vids[0]]
    if method == "clear":
        return []
    index = fn.const(vids[0]) if vids else -1
    if not isinstance(index, int) or method not in ("pop", "insert"):
        return None
    if method == "insert" and len(vids) == 2:
        return [*items[:index], vids[1], *items[index:]]
    if method == "pop" and -len(items) <= index < len(items):
        return items[:index] + (items[index + 1 :] if index != -1 else [])
    return None


def _index(element: str) -> int | None:
    text = element[1:-1]
    return int(text) if text.lstrip("-").isdigit() else None


def later(path: Path, start: object) -> Path:
    """The path in a sequence for one in its slice from `start` on."""
    index = _index(path[0]) if path else None
    if index is None or index < 0 or start in (None, 0):
        return path
    known = isinstance(start, int) and start > 0
    return (f"[{index + start}]" if known else "[*]", *path[1:])  # type: ignore[operator]


def composite(keys: list[object]) -> str:
    """The path element of a value that is kept under several keys (one key: as a subscript's)."""
    return lb.item(keys[0]) if len(keys) == 1 else lb.item(tuple(keys))
