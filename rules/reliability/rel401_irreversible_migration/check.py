"""REL401: migrations without a way back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import takewhile

from backendlint.api import Hit, Location, Moment, Project, lines_of, ops, told_once

DOWN = re.compile(r"^--\s*(?:migrate:down|\+goose\s+down|\+migrate\s+down).*$", re.IGNORECASE | re.MULTILINE)
WRITTEN = -1
WHY = 6
"""So many words of a comment say why there is no way back."""
LATER = re.compile(r"\b(TODO|FIXME|XXX)\b")


def check(project: Project) -> Iterator[Hit]:
    """Alembic's missing, empty and raising downgrades; Django's RunPython and RunSQL without a reverse; lone `.up.sql` files.
    Where no downgrade is ever written, that is a style, told once."""
    told: set[str] = set()
    django: list[Hit] = []
    revisions: list[Hit] = []
    for moment in project.data.moments():
        migration = moment.migration
        if migration.kind == "django":
            django.extend(_django(moment))
        elif migration.id not in told:
            told.add(migration.id)
            hit = _alembic(project, moment) if migration.kind == "alembic" else _sql(project, moment)
            if hit is not None and migration.kind == "alembic" and hit.profile is None:
                revisions.append(hit)
            elif hit is not None:
                yield hit
    yield from told_once(revisions, _everywhere)
    yield from project.data.by_habit(django)


def _everywhere(hit: Hit, places: str) -> str:
    return f"{hit.message[:-1]}. So it is with {places.replace('place', 'revision')}."


def _django(moment: Moment) -> Iterator[Hit]:
    operation = moment.operation
    place = operation.location
    if isinstance(operation, ops.RunCode) and not operation.reversible and operation.name != "noop":
        yield moment.hit(
            f"`RunPython({operation.name})` has no `reverse_code`, so this migration cannot be unapplied, and no release from "
            "before it can be gone back to with its schema; pass the function that undoes it, or `migrations.RunPython.noop` "
            "if nothing needs undoing.",
            at=place,
        )
    if isinstance(operation, ops.RunSQL) and not operation.reversible:
        yield moment.hit(
            "`RunSQL` has no `reverse_sql`, so this migration cannot be unapplied, and no release from before it can be gone back "
            "to with its schema; pass the statement that undoes it, or `migrations.RunSQL.noop` if nothing needs undoing.",
            at=place,
            profile="strict" if operation.refused else None,
        )


def _says_why(project: Project, place: Location) -> bool:
    """Whether nothing but a comment stands in the function: `# the column stays: rows that use it could not be read any more`."""
    body = takewhile(_is_empty, (text.strip() for text in lines_of(project, place.path)[place.line :]))
    return any(text.startswith("# ") and len(text.split()) >= WHY and not LATER.search(text) for text in body)


def _is_empty(text: str) -> bool:
    return not text or text == "pass" or text.startswith("#")


def _alembic(project: Project, moment: Moment) -> Hit | None:
    migration = moment.migration
    kind = migration.reverse_kind
    if kind not in {"missing", "empty", "raises"} or not migration.operations:
        return None
    what = {
        "missing": "has no `downgrade()`",
        "empty": "has an empty `downgrade()`, so a downgrade says it succeeded and changes nothing",
        "raises": "raises in `downgrade()`",
    }[kind]
    place = migration.reverse_location or migration.location
    message = (
        f"Revision `{migration.id}` {what}: a release that goes wrong cannot be rolled back with its schema; "
        "undo there what `upgrade()` does, in reverse order."
    )
    deliberate = kind == "raises" or all(
        item.guarded or isinstance(item, ops.DataChange | ops.RunCode | ops.Other)
        for item in migration.whole
        if not isinstance(item, ops.RunSQL)
    )  # what only mends a schema that lacks something has nothing to undo
    deliberate = deliberate or (kind == "empty" and place is not None and _says_why(project, place))
    hit = moment.hit(message, at=place)
    return hit if not deliberate or hit.profile else moment.hit(message, at=place, profile="strict")


def _sql(project: Project, moment: Moment) -> Hit | None:
    """A `x.up.sql` without `x.down.sql`, or a `migrate:down` without a statement, where the project writes such pairs."""
    path = moment.migration.path
    files = set(project.sql_files)
    empty = _way_back(project, path)
    if empty is not None:
        if empty >= 0 and any(_way_back(project, item) == WRITTEN for item in files if _beside(item, path)):
            deliberate = all(isinstance(item, ops.DataChange | ops.Other) for item in moment.migration.operations)
            message = (
                f"`{path.rpartition('/')[2]}` has no statement in its way back, unlike its siblings: a release that goes wrong "
                "cannot be rolled back with its schema; undo there what the way forward does, in reverse order."
            )
            place = Location(path, empty + 1, 1, empty + 1, 1)
            return moment.hit(message, at=place, profile="strict") if deliberate else moment.hit(message, at=place)
        return None
    if not path.endswith(".up.sql") or path.removesuffix(".up.sql") + ".down.sql" in files:
        return None
    if not any(name.endswith(".down.sql") for name in files):
        return None
    return moment.hit(
        f"`{path.rpartition('/')[2]}` has no `.down.sql` beside it, unlike its siblings: a release that goes wrong cannot be "
        "rolled back with its schema; write the way back.",
        at=Location(path, 1, 1, 1, 1),
    )


def _way_back(project: Project, path: str) -> int | None:
    """The line (from 0) of an empty way back in a migration that holds both ways (dbmate, goose, sql-migrate), WRITTEN where
    there is a statement in it; None for other files."""
    text = project.sources(path)
    marker = DOWN.search(text)
    if marker is None:
        return None
    rest = re.sub(r"--[^\n]*|/\*.*?\*/", "", text[marker.end() :], flags=re.DOTALL)
    return text.count("\n", 0, marker.start()) if not rest.strip(" \t\r\n;") else WRITTEN


def _beside(path: str, other: str) -> bool:
    return path != other and path.rpartition("/")[0] == other.rpartition("/")[0]
