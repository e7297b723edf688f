"""Content hashes: of the scanned files, and of our own code, so that a cache knows what is still true.

Reading and hashing every file costs less than 25 microseconds each here, so no table of sizes and times stands
between a file and its hash: nothing that changed is ever taken for unchanged.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from backendlint.discover import SourceFile
from backendlint.findings.model import Location, Notification


def digest(data: bytes) -> str:
    """A content's hash."""
    return hashlib.sha256(data).hexdigest()


def read(file: SourceFile) -> bytes:
    """The file's bytes; raises OSError. A link or FIFO that took the file's place is refused, not followed."""
    if file.data is not None:
        return file.data
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(file.absolute, flags)
    with open(descriptor, "rb", buffering=0) as stream:  # noqa: PTH123 - a descriptor, not a path
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file any more")
        return stream.readall()


def digests(files: Iterable[SourceFile]) -> tuple[dict[str, str], list[Notification]]:
    """Hash by path; a file that cannot be read has none and is named in a notification."""
    found: dict[str, str] = {}
    problems: list[Notification] = []
    for file in files:
        try:
            found[file.path] = digest(read(file))
        except OSError as error:
            problems.append(unreadable(file.path, error))
    return found, problems


def unreadable(path: str, error: OSError) -> Notification:
    """What is said of a file that could not be read, or is no longer there."""
    reason = error.strerror or str(error)
    return Notification("unreadable-file", f"{path} cannot be read: {reason}", "warning", Location(path, 1, 1, 1, 1))


def code_digest(parts: Sequence[str] = ("",)) -> str:
    """The hash of our own modules (files or folders below the package; by default all) and of the Python running."""
    package = Path(__file__).parent
    found = hashlib.sha256(f"{sys.implementation.cache_tag}{sys.version_info[:3]}".encode())
    for part in parts:
        top = package / part
        for path in [top] if top.is_file() else sorted(top.rglob("*.py")):
            found.update(f"\0{path.relative_to(package)}\0".encode() + path.read_bytes())
    return found.hexdigest()
