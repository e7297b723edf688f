"""Tables of one row: what changes all of them changes the one that is meant."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backendlint.api import Call, Fn, Project, Ref, for_tests

_ASKS_ONE = ("get", "get_or_create", "update_or_create")


def holds_one(project: Project, table: str) -> bool:
    """`SELECT name FROM installation LIMIT 1`: whichever row, there is one."""
    asked = re.compile(rf"\bFROM\s+(?:[\w\"`]+\.)?[\"`]?{re.escape(table)}[\"`]?\s+LIMIT\s+1\b", re.IGNORECASE)
    return any(asked.search(text.text) for text in project.data.texts)


def of_one_row(project: Project, entity: str) -> bool:
    """`Banner.objects.get(id=1)`: the table has one row, which all share."""
    return _numbered_alike(project, entity) or any(
        fn.const(vid) == 1 and not for_tests(project, fn)
        for fn, call in project.graph.calls_written(*_ASKS_ONE)
        for key, vid in call.kwargs
        if key in ("id", "pk") and any(row.name == entity for row in _rows(project, fn, call))
    )


def _numbered_alike(project: Project, entity: str) -> bool:
    """`id = IntegerField(primary_key=True, default=1)`: a second row has no number."""
    cls = project.classes.get(entity)
    values = (cls.owner.value(vid) for vid in cls.facts.attributes.values()) if cls is not None else ()
    calls = [cls.owner.calls[value[1]] for value in values if cls is not None and value[0] == "call"]
    return cls is not None and any(
        cls.owner.const(call.kwarg("primary_key")) is True
        and isinstance(cls.owner.const(call.kwarg("default")), int | str)
        for call in calls
        if min(call.kwarg("primary_key"), call.kwarg("default")) >= 0
    )


def _rows(project: Project, fn: Fn, call: Call) -> Iterator[Ref]:
    """The classes of which a call gives rows, or a row with whether it was made."""
    for ref in project.refs(fn, call.value):
        yield from (item for item in (ref, ref.arg) if item is not None)
