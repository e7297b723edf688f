"""The text of scanned files, decoded as the parser decodes it, and unchanged since they were hashed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backendlint import digests
from backendlint.discover import SourceFile
from backendlint.parse import decode

KEPT = 64
"""Texts held at a time: rules ask for the same file again and again, then for the next."""


class Sources:
    """Texts by path relative to the root."""

    def __init__(self, files: Sequence[SourceFile]) -> None:
        self._files: Mapping[str, SourceFile] = {file.path: file for file in files}
        self._texts: dict[str, str] = {}

    def read(self, path: str) -> str:
        """The file's text; raises OSError where it is gone, unreadable or no file of the scan."""
        text = self._texts.pop(path, None)
        if text is None:
            if path not in self._files:
                raise FileNotFoundError(f"{path} is not part of the scan")
            text, _ = decode(digests.read(self._files[path]))
            if len(self._texts) >= KEPT:
                del self._texts[next(iter(self._texts))]
        self._texts[path] = text
        return text
