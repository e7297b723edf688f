"""What Django's settings say of zones, and which programs they are for."""

from __future__ import annotations

from backendlint.api import FileFacts, Fn, Project, of_all_modules, operands

_GONE = ("django.core.urlresolvers", "django.conf.urls.patterns")
"""Modules and functions that Django 2 has no more."""
_UTC_NAMES = frozenset(["UTC", "Etc/UTC", "GMT", "Etc/GMT"])


def programs_of(project: Project, package: str) -> set[str]:
    """The folders at the root in which some file imports the package: beside them may be other programs."""
    return {program(path) for path, file in project.files.items() if package in file.packages}


def program(path: str) -> str:
    return path.rpartition("/")[0].partition("/")[0]


def runs_in_utc(project: Project) -> bool:
    """Django's `TIME_ZONE = "UTC"`: Django makes it the zone of the process."""
    said = values_of(project, "TIME_ZONE")
    return bool(said) and said <= _UTC_NAMES


def values_of(project: Project, setting: str) -> set[object]:
    """What the project's modules set it to."""
    return {module.const(vid) for module, vid in of_all_modules(project, setting)}


def zones_of(project: Project) -> set[object]:
    """What is said of `USE_TZ`; where nothing is, Django took it for False until 5.0."""
    said = values_of(project, "USE_TZ")
    return said or ({False} if any(map(_is_of_old_django, project.files.values())) else set())


def _is_of_old_django(file: FileFacts) -> bool:
    return "django" in file.packages and any(item.target.startswith(_GONE) for item in file.imports)


def asks_setting(fn: Fn, block: int) -> bool:
    """In a branch that asks whether the project has zones at all: `elif not settings.USE_TZ`."""
    todo = [item.value for _, item in fn.blocks_of(block) if item.kind in ("if", "else") and item.value >= 0]
    while todo:
        vid = todo.pop()
        value = fn.facts.values[vid]
        if value[-1] == "USE_TZ" or str(value[-1]).endswith(".USE_TZ"):
            return True
        if value[0] in ("not", "bool", "compare", "guard"):
            todo += operands(value)
    return False
