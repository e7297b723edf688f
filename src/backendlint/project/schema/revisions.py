"""Which of the project's migration scripts belong together, and the order in which they run."""

from __future__ import annotations

from dataclasses import replace

from backendlint.project.schema import operations as ops

_FOLDERS = {
    "sqlite": "sqlite", "sqlite3": "sqlite", "postgres": "postgres", "postgresql": "postgres", "mysql": "mysql", "mariadb": "mysql",
    "clickhouse": "clickhouse",
}  # fmt: skip
"""Names by which folders and tests tell for which database a script is, in projects that serve several."""


def dialect_at(path: str, dialect: str) -> str:
    """The dialect of a migration: by the nearest folder that says so, else the project's."""
    return next((found for name in reversed(path.split("/")[:-1]) if (found := dialect_named(name))), dialect)


def dialect_named(name: object) -> str:
    """The dialect of a database by its name; "" for other words."""
    return _FOLDERS.get(name, "") if isinstance(name, str) else ""


def histories(found: list[ops.Migration]) -> list[ops.Migration]:
    """All revisions, parents before children, each with the history that it is part of: a folder of revisions is one, with
    the folders that its revisions come from. What has the id and the file name of a revision before it is a copy of it
    for another database."""
    found = _located(found)
    chains = _chains(found)
    known: set[tuple[str, str]] = set()
    for item in sorted(found, key=lambda migration: migration.path):
        folder, _, name = item.path.rpartition("/")
        item.chain = chains[folder]
        item.copy = (item.id, name) in known
        known.add((item.id, name))
        if item.copy:
            item.operations = [
                replace(operation, if_not_exists=True) if isinstance(operation, ops.CreateTable) else operation
                for operation in item.operations
            ]
    return in_order(found)


def _located(found: list[ops.Migration]) -> list[ops.Migration]:
    """Without archives: Alembic does not look into folders below that of its revisions, so what lies there runs only if
    the revisions above are its parents or children."""
    folders = {_folder(item) for item in found}
    nested = {folder for folder in folders if any(folder.startswith(f"{other}/") for other in folders)}
    if not nested:
        return found
    known = {(item.id, _folder(item)) for item in found}
    joined: set[str] = set()
    for item in found:
        folder = _folder(item)
        for parent in item.depends:
            others = {other for name, other in known if name == parent}
            joined |= {folder, *others} if others and folder not in others else set()
    return [item for item in found if (folder := _folder(item)) not in nested or folder in joined]


def _chains(found: list[ops.Migration]) -> dict[str, str]:
    """The first folder of its history for each folder."""
    homes: dict[str, set[str]] = {}
    for item in found:
        homes.setdefault(item.id, set()).add(_folder(item))
    chains = {folder: folder for folder in sorted(map(_folder, found))}
    for item in found:
        folder = _folder(item)
        for parent in item.depends:
            others = homes.get(parent, set())
            if len(others) == 1 and folder not in others:
                one, other = sorted((chains[folder], chains[next(iter(others))]))
                chains = {place: one if chain == other else chain for place, chain in chains.items()}
    return chains


def in_order(found: list[ops.Migration]) -> list[ops.Migration]:
    """Parents before children, those of the same history first; what depends on itself keeps its place."""
    by_id: dict[str, list[ops.Migration]] = {}
    for item in found:
        by_id.setdefault(item.id, []).append(item)
    done: dict[str, ops.Migration] = {}

    def visit(item: ops.Migration, path: frozenset[str]) -> None:
        if item.path in done or item.path in path:
            return
        for parent in item.depends:
            others = by_id.get(parent, [])
            for other in [near for near in others if near.chain == item.chain] or others:
                visit(other, path | {item.path})
        done[item.path] = item

    for item in sorted(found, key=lambda migration: migration.path):
        visit(item, frozenset())
    return list(done.values())


def _folder(item: ops.Migration) -> str:
    return item.path.rpartition("/")[0]
