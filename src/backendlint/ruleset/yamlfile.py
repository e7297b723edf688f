"""YAML read safely into plain data, with the line of every key, so that errors can point."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backendlint.errors import RuleError

Key = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class YamlFile:
    """A document's data, and the 1-based line at which each key path begins; the document itself is `()`."""

    path: Path
    data: Any
    lines: dict[Key, int]

    def where(self, key: Key = ()) -> str:
        """`path:line` of the nearest known part of the key path."""
        while key not in self.lines and key:
            key = key[:-1]
        return f"{self.path}:{self.lines.get(key, 1)}"


def read_yaml(path: Path) -> YamlFile:
    """Read one document; raises RuleError with file and line where it is not UTF-8 or not YAML."""
    import yaml

    loader_class = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise RuleError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RuleError(f"{path}: is not UTF-8 text") from error
    loader = loader_class(text)
    try:
        node = loader.get_single_node()
        lines: dict[Key, int] = {}
        if node is not None:
            _note_lines(node, (), lines, yaml)
        data = loader.construct_document(node) if node is not None else None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        raise RuleError(f"{place}: is not valid YAML: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise RuleError(f"{path}: is not valid YAML: {error}") from error
    except (RecursionError, ValueError) as error:
        raise RuleError(f"{path}: is not usable YAML: {error}") from error
    finally:
        loader.dispose()
    return YamlFile(path, data, lines)


def _note_lines(node: Any, key: Key, lines: dict[Key, int], yaml: Any) -> None:
    lines.setdefault(key, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            part = (*key, str(name.value))
            if part in lines:
                raise yaml.composer.ComposerError(None, None, f"the key `{name.value}` occurs twice", name.start_mark)
            lines[part] = name.start_mark.line + 1
            _note_lines(value, part, lines, yaml)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _note_lines(value, (*key, index), lines, yaml)
