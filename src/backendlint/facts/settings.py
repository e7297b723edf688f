"""What a file sets for the whole program."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.facts.model import FileFacts, Vid


def setting(file: FileFacts, name: str) -> Iterator[Vid]:
    """The module's variable of that name, and where its classes are settings (django-configurations 2.5, or the project's own
    `class BaseSettings(Settings)` in a module of settings) theirs; values of function 0."""
    if name in file.names:
        yield file.names[name]
    holding = [cls for cls in file.classes.values() if name in cls.attributes and cls.owner == 0]
    if holding and any(item.target.partition(".")[0] == "configurations" for item in file.imports):
        yield from (cls.attributes[name] for cls in holding)
    elif "settings" in file.module.split("."):
        yield from (cls.attributes[name] for cls in holding if cls.name.endswith("Settings"))
