"""Django's migrations, replayed in dependency order: the operations on tables, and the state of the models at the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from backendlint.facts.model import ClassFacts, FileFacts
from backendlint.project.schema import operations as ops
from backendlint.project.schema.django_apps import Apps, settings_of
from backendlint.project.schema.django_fields import MANY, RELATIONS, field_kind, target_of
from backendlint.project.schema.django_operations import Replay
from backendlint.project.schema.django_state import State
from backendlint.project.schema.reading import CallNode, Links, Node, class_node, location_of, strings
from backendlint.project.schema.revisions import in_order

_BESIDE = frozenset({"AlterUniqueTogether", "AlterIndexTogether", "AddConstraint", "AddIndex"})
"""What the second part of an app's first migration holds besides relations."""


@dataclass(slots=True)
class History:
    """All migrations with their operations, and what the models look like after the last one."""

    migrations: list[ops.Migration]
    state: State
    unread: frozenset[str] = frozenset()
    """Apps with migrations whose operations are computed, so that what they do is not known."""
    paths: frozenset[str] = frozenset()
    """Of all migrations, those among them that a squashed one replaces."""


@dataclass(slots=True)
class _Found:
    migration: ops.Migration
    app: str
    operations: list[CallNode]
    known: bool


def read_django_migrations(files: Sequence[FileFacts], links: Links, dialect: str) -> History:
    """Replay every migration of every app."""
    candidates = [file for file in files if ".migrations." in f".{file.module}." or "Migration" in file.classes]
    if not candidates:
        return History([], State())
    apps = Apps(files, links)
    state = settings_of(files, links, apps)
    found: dict[str, _Found] = {}
    for file in candidates:
        cls = file.classes.get("Migration")
        if cls is not None and _is_migration(file, cls, links):
            item = _read(file, cls, apps, links, dialect)
            found[item.migration.id] = item
    paths = frozenset(item.migration.path for item in found.values())
    _name_dependencies(found, state)
    _squashed(found)
    _begin(found)
    replay = Replay(state, dialect)
    migrations = in_order([item.migration for item in found.values()])
    for migration in migrations:
        item = found[migration.id]
        replay.app = item.app
        for call in item.operations:
            migration.operations.extend(replay.run(call))
    return History(migrations, state, frozenset(item.app for item in found.values() if not item.known), paths)


def _after_deploy(node: Node | None) -> bool:
    """`safe = Safe.after_deploy()`, with or without the call."""
    if node is None:
        return False
    call = node.call()
    return (call.name if call is not None else node.last()) == "after_deploy"


def _is_migration(file: FileFacts, cls: ClassFacts, links: Links) -> bool:
    return any(class_node(file, cls, base, links).last() == "Migration" for base in cls.bases)


def _read(file: FileFacts, cls: ClassFacts, apps: Apps, links: Links, dialect: str) -> _Found:
    app = apps.label(file.module)
    values = {name: class_node(file, cls, vid, links) for name, vid in cls.attributes.items()}
    name = file.module.rpartition(".")[2]
    depends = tuple(_dependencies(values.get("dependencies"))) + tuple(
        _dependencies(values.get("run_before"), before=True)
    )
    replaces = tuple(_dependencies(values.get("replaces")))
    atomic = values["atomic"].const() if "atomic" in values else True
    initial = "initial" in values and values["initial"].const() is True
    migration = ops.Migration(
        f"{app}.{name}", file.path, "django", depends, replaces, transactional=atomic is not False,
        initial=initial, dialect=dialect, after_deploy=_after_deploy(values.get("safe")),
        location=location_of(file.path, cls.header),
    )  # fmt: skip
    elements = values["operations"].elements() if "operations" in values else []
    calls = [call for item in elements or [] if (call := item.call()) is not None]
    return _Found(migration, app, calls, elements is not None)


def _dependencies(node: Node | None, before: bool = False) -> Iterator[str]:
    for item in (node.elements() or []) if node is not None else []:
        pair = strings(item)
        call = item.call()
        if call is not None and call.name == "swappable_dependency" and call.args:
            yield f"<{target_of(call.args[0])}>"
        elif len(pair) == 2 and not before:
            yield f"{pair[0]}.{pair[1]}"


def _name_dependencies(found: dict[str, _Found], state: State) -> None:
    """Dependencies on an app's first or latest migration, and on the user model's app, by the migration's own name."""
    by_app: dict[str, list[str]] = {}
    for name, item in sorted(found.items()):
        by_app.setdefault(item.app, []).append(name)

    def named(dependency: str) -> str:
        if dependency.startswith("<"):
            app = state.key_of(dependency[1:-1], "").partition(".")[0]
            return by_app.get(app, [dependency])[0]
        app, _, last = dependency.partition(".")
        if last in {"__first__", "__latest__"} and app in by_app:
            return by_app[app][0 if last == "__first__" else -1]
        return dependency

    for item in found.values():
        item.migration.depends = tuple(named(dependency) for dependency in item.migration.depends)


def _begin(found: dict[str, _Found]) -> None:
    """Mark the migrations that make an app's first tables without saying so, as those of older Djangos, and the second parts
    that hold nothing but the relations which were taken out of a first one, because two apps refer to each other."""
    own = {
        name: [dep for dep in item.migration.depends if dep.partition(".")[0] == item.app and dep in found]
        for name, item in found.items()
    }
    for name, item in found.items():
        item.migration.initial |= not own[name] and any(call.name == "CreateModel" for call in item.operations)
    first = {name for name, item in found.items() if item.migration.initial}
    for name, item in found.items():
        others = first.intersection(item.migration.depends) - set(own[name])
        if len(own[name]) == 1 and own[name][0] in first and others and _only_relations(item.operations):
            item.migration.initial = True


def _only_relations(operations: Sequence[CallNode]) -> bool:
    added = [call for call in operations if call.name == "AddField"]
    fields = [call.argument(2, "field") for call in added]
    calls = [field.call() if field is not None else None for field in fields]
    related = all(call is not None and field_kind(call) in RELATIONS | MANY for call in calls)
    return bool(added) and related and all(call.name in _BESIDE for call in operations if call.name != "AddField")


def _squashed(found: dict[str, _Found]) -> None:
    """A squashed migration and those that it replaces say the same: the replaced ones stay, the squash goes while they are there,
    unless it was edited since and makes more than they do."""
    for name, item in list(found.items()):
        replaced = [other for other in item.migration.replaces if other in found]
        if not item.migration.replaces:
            continue
        whole = len(replaced) == len(item.migration.replaces)
        if whole and _made(item) <= set[str]().union(*(_made(found[other]) for other in replaced)):
            for other in found.values():
                depends = tuple(
                    last for dependency in other.migration.depends
                    for last in ([replaced[-1]] if dependency == name else [dependency])
                )  # fmt: skip
                other.migration.depends = depends
            del found[name]
        else:
            for other_name in replaced:
                del found[other_name]
            for other in found.values():
                other.migration.depends = tuple(
                    name if dependency in item.migration.replaces else dependency
                    for dependency in other.migration.depends
                )
            item.migration.depends = tuple(dep for dep in item.migration.depends if dep != name)


def _made(item: _Found) -> set[str]:
    """The models (lower case) to which a migration gives a table or a name."""
    named = [
        call.argument(position, name)
        for call in item.operations
        for kind, position, name in (("CreateModel", 0, "name"), ("RenameModel", 1, "new_name"))
        if call.name == kind
    ]
    return {node.text().lower() for node in named if node is not None}
