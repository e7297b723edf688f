"""The key of a whole run: what does not change it cannot change the result."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from backendlint.analysis import Inputs
from backendlint.dependency_files import dependency_files
from backendlint.digests import code_digest
from backendlint.request import Request

TOOLS = ("libcst-", "semgrep-", "sqlglot-", "pyyaml-")
"""Packages whose version can change what is found (their `dist-info` folders)."""


def run_key(request: Request, inputs: Inputs, pack: str, since: str | None) -> str:
    """Hash of all that a run depends on: files, options, rules, library models, our code and the tools'.

    `pack` is the hash of rule and library folders, `since` the commit to compare with.
    """
    found = hashlib.sha256(code_digest().encode())
    for part in (pack, since, request.show_suppressed, inputs.settings.root, inputs.settings.config, _tools()):
        found.update(f"\0{part!r}".encode("utf-8", "surrogatepass"))
    baseline = request.baseline or _configured(inputs)
    found.update(repr((baseline, _content(baseline))).encode("utf-8", "surrogatepass"))
    for file in inputs.discovery.files:
        known = inputs.digests.get(file.path, "")
        found.update(f"\0{file.path}\0{file.reported}\0{known}".encode("utf-8", "surrogatepass"))
    for path in dependency_files(inputs.settings.root):  # they may tell the SQL dialect
        found.update(f"\0{path.name}\0{_content(path)!r}".encode())
    for notification in inputs.notifications:
        found.update(repr(notification).encode("utf-8", "surrogatepass"))
    return found.hexdigest()


def _configured(inputs: Inputs) -> Path | None:
    name = inputs.settings.config.baseline
    return inputs.settings.root / name if name else None


def _content(path: Path | None) -> bytes | None:
    try:
        return path.read_bytes() if path else None
    except OSError:
        return None


def _tools() -> Sequence[str]:
    """Installed versions of the tools, from one look into each site-packages folder."""
    found: list[str] = []
    for folder in sys.path:
        if folder.endswith(("site-packages", "dist-packages")):
            try:
                found += [name for name in os.listdir(folder) if name.lower().startswith(TOOLS)]  # noqa: PTH208 - names only
            except OSError:
                continue
    return sorted(found)
