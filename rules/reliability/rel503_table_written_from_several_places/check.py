from __future__ import annotations

import re
from collections.abc import Iterator

from backendlint.api import Cls, Hit, Project, Step, Write, stored_entity

FREE = ("migration", "command", "task", "middleware", "config", "entry")
"""Layers that may write anything."""
TESTS = re.compile(r"(^|/)(tests?|testing|testutils|factories|conftest)(/|\.py$|_)")
MAX_STRANGERS = 2
"""Where more packages than this write a table, sharing is the project's practice."""
SHARED = (
    "crud",
    "common",
    "core",
    "db",
    "database",
    "utils",
    "base",
    "shared",
    "lib",
    "app",
    "src",
    "helpers",
    "seed",
    "fixtures",
)
LAYER_FOLDERS = ("service", "repository", "controller", "model", "client", "schema")


def check(project: Project) -> Iterator[Hit]:
    for entity, writes in by_entity(project).items():
        units: dict[str, list[Write]] = {}
        for write in writes:
            unit = unit_of(project, write)
            if unit:
                units.setdefault(unit, []).append(write)
        owner = owning_unit(project, entity, units)
        if owner is None or len(units) < 2:
            continue
        example = units[owner][0]
        name = entity.rpartition(".")[2]
        shared = len(units) - 1 > MAX_STRANGERS
        for unit, found in units.items():
            if unit == owner:
                continue
            for write in found:
                yield Hit(
                    f"`{write.fn.name}()` in {unit} writes `{name}`, which {owner} owns and writes too: its rules are "
                    f"by-passed. Call {owner} instead.",
                    write.fn.location(write.call.span),
                    related=(Step(example.fn.location(example.call.span), f"{owner} writes `{name}` here"),),
                    function=write.fn.fqn,
                    profile="strict" if shared else "default",
                )


def by_entity(project: Project) -> dict[str, list[Write]]:
    """Writes by entity; a table's SQL name counts as the model of that name."""
    names: dict[str, str] = {}
    for fqn, cls in project.classes.items():
        if stored_entity(project, cls):
            name = table_name(cls)
            names[name] = fqn
            names.setdefault(f"{package(cls)}_{cls.name.lower()}", fqn)
    found: dict[str, list[Write]] = {}
    for write in project.writes.all():
        layer = project.layer(write.fn)
        if not write.entity or layer in FREE or layer == "model" or write.fn.is_module or TESTS.search(write.fn.path):
            continue
        entity = write.entity if write.entity in project.classes else names.get(write.entity.lower(), write.entity)
        found.setdefault(entity, []).append(write)
    return found


def package(cls: Cls) -> str:
    """The folder that defines the class, which Django puts before the table's name."""
    folders = [part for part in cls.path.split("/")[:-1] if part != "models"]
    return folders[-1] if folders else ""


def table_name(cls: Cls) -> str:
    for attribute in ("__tablename__", "db_table", "table_name"):
        vid = cls.facts.attributes.get(attribute, -1)
        value = cls.owner.facts.values[vid] if vid >= 0 else ("",)
        if value[0] == "const" and isinstance(value[1], str):
            return value[1].lower()
    return snake(cls.name)


def unit_of(project: Project, write: Write) -> str:
    """What owns code: the module inside a layer's folder, else the package; "" for shared code and handlers."""
    parts = write.fn.path.rpartition(".")[0].split("/")
    for position in range(len(parts) - 2, -1, -1):
        layer = project.layers.of_path(f"{parts[position]}/x.py")
        if layer == "controller":
            return ""
        if layer == "schema" and position:
            return parts[position - 1]
        if layer in LAYER_FOLDERS:
            inner = parts[position + 1 :]
            package = parts[position - 1] if position > 1 else ""
            stem = re.sub(
                r"_?(service|repository|repo|crud|controller|views?|handlers?|dao|api)s?$|^(service|repo|crud)s?_",
                "",
                inner[0],
            )
            return stem or package or inner[0]
    if parts[-1] in SHARED or (len(parts) > 1 and parts[-2] in SHARED):
        return ""
    if len(parts) > 1:
        return parts[-2]
    return re.sub(r"_?(service|repository|repo|crud)s?$", "", parts[-1])


def owning_unit(project: Project, entity: str, units: dict[str, list[Write]]) -> str | None:
    """The unit with the entity's name, else the package that defines the model; it must write the entity itself."""
    name = snake(entity.rpartition(".")[2])
    for unit in units:
        if singular(snake(unit)) == singular(name):
            return unit
    cls = project.classes.get(entity)
    if cls is not None:
        parts = cls.path.rpartition(".")[0].split("/")
        for part in reversed(parts):
            if part in units and part not in ("models", "app", "src"):
                return part
    candidates = [
        unit
        for unit in units
        if len(unit) > 3 and singular(snake(unit)) in (name.split("_")[0], singular(name.split("_")[0]))
    ]
    return candidates[0] if len(candidates) == 1 else None


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def singular(word: str) -> str:
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word
