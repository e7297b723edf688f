"""Which Django app a module belongs to, and the settings that shape tables."""

from __future__ import annotations

from collections.abc import Sequence

from backendlint.facts.model import FileFacts
from backendlint.facts.settings import setting
from backendlint.project.schema.django_fields import TYPES
from backendlint.project.schema.django_state import State
from backendlint.project.schema.reading import Links, Node, class_node


class Apps:
    """App labels by package."""

    def __init__(self, files: Sequence[FileFacts], links: Links) -> None:
        self.labels: dict[str, str] = {}
        self.auto_fields: dict[str, str] = {}
        for file in files:
            parts = file.module.split(".")
            for marker in ("models", "migrations"):
                if marker in parts[1:]:
                    package = ".".join(parts[: parts.index(marker, 1)])
                    self.labels.setdefault(package, package.rpartition(".")[2])
        for file in files:
            if file.module.rpartition(".")[2] == "apps" or any(
                cls.name.endswith("Config") for cls in file.classes.values()
            ):
                self._configs(file, links)

    def _configs(self, file: FileFacts, links: Links) -> None:
        package = file.module if file.is_package else file.module.rpartition(".")[0]
        for cls in file.classes.values():
            if not any(class_node(file, cls, base, links).last().endswith("AppConfig") for base in cls.bases):
                continue
            values = {
                name: class_node(file, cls, cls.attributes[name], links).text()
                for name in ("label", "name", "default_auto_field")
                if name in cls.attributes
            }
            label = values.get("label") or (values.get("name") or package).rpartition(".")[2]
            self.labels[package] = label
            kind = TYPES.get(values.get("default_auto_field", "").rpartition(".")[2])
            if kind:
                self.auto_fields[label] = kind

    def label(self, module: str) -> str:
        """The app of a module: the nearest package that is an app, else the package itself."""
        package = module
        while package:
            if package in self.labels:
                return self.labels[package]
            package = package.rpartition(".")[0]
        return module.split(".")[-2] if "." in module else module


def settings_of(files: Sequence[FileFacts], links: Links, apps: Apps) -> State:
    """An empty state with what the settings modules say."""
    state = State(app_auto_fields=dict(apps.auto_fields))
    for file in files:
        for name in ("AUTH_USER_MODEL", "DEFAULT_AUTO_FIELD"):
            for text in (Node(file, 0, vid, links).text() for vid in setting(file, name)):
                if name == "AUTH_USER_MODEL" and "." in text:
                    state.user_model = text
                elif text:
                    state.auto_field = TYPES.get(text.rpartition(".")[2], state.auto_field)
    return state
