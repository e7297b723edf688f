"""Uploaded files: to open one is to read what was sent, and only its name can lead anywhere."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from backendlint.project.entities import Ref
from backendlint.project.taint.labels import KEYS, UPLOAD, Path

if TYPE_CHECKING:
    from backendlint.project.model import Project

_NAMES = frozenset({"filename", "name"})
_FREE = frozenset({"filename", KEYS})
"""What of a file that was sent may hold `../`; Django's `name` is a base name, and that of others the field's."""
_TYPE = re.compile(r"[\w.]+")


def is_file(project: Project, name: str) -> bool:
    """Whether a library's class is that of uploaded or opened files, or of what stands for one in memory."""
    made = project.libraries.call(name)
    if made is not None and "path" in made.sanitizes:
        return True
    for attribute in _NAMES:
        model = project.libraries.attribute(f"{name}.{attribute}")
        if model is not None and model.source == "request":
            return True
    return project.libraries.is_subclass(name, "io.IOBase")


def are_files(project: Project, refs: Iterable[Ref]) -> bool:
    """Whether each of these types is such a class."""
    found = list(refs)
    return bool(found) and all(ref.kind == "libinst" and is_file(project, ref.name) for ref in found)


def holds_files(project: Project, written: str) -> bool:
    """Whether a library's type is one of files, or a mapping of them (`MultiValueDict[UploadedFile]`)."""
    for name in _TYPE.findall(written):
        model = project.libraries.cls(name)
        if is_file(project, name) or (model is not None and model.iterates and is_file(project, model.iterates)):
            return True
    return False


def opened(path: Path) -> tuple[str, ...]:
    """What the part of an uploaded file at this path is clean of: all but its name names no file."""
    if _FREE.intersection(path):
        return ()
    return (UPLOAD, "path") if "name" in path else (UPLOAD,)


def of_part(kinds: frozenset[str], path: Path) -> frozenset[str]:
    """What the part of a field's value at this path is clean of, where the value is clean of these kinds."""
    return kinds - {UPLOAD} | frozenset(opened(path)) if UPLOAD in kinds else kinds


def kept_file(kinds: frozenset[str], path: Path) -> frozenset[str]:
    """What an object's attribute of these kinds is clean of: one that is declared as a file is one, whatever it was given."""
    return kinds | {"path"} if UPLOAD in kinds and not _FREE.intersection(path) else kinds
