"""What a change introduces: the project is scanned as it was at a git revision, and what was there already is known."""

from __future__ import annotations

import io
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path, PurePosixPath

from backendlint.analysis import Inputs
from backendlint.cache import FOLDER
from backendlint.config import Config, Settings
from backendlint.dependency_files import names_dependencies
from backendlint.discover import KINDS, TEMPLATES
from backendlint.errors import UsageError
from backendlint.findings.baseline import Baseline, Entry
from backendlint.findings.model import Finding
from backendlint.request import Request

GIT_SECONDS = 300


def commit(root: Path, revision: str) -> str:
    """The commit's hash; raises UsageError where git does not know the revision."""
    found = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if found is None:
        raise UsageError(f"--since {revision}: no such revision in the git repository of {root}")
    return found.decode().strip()


def baseline_at(
    revision: str,
    request: Request,
    inputs: Inputs,
    known: Baseline | None,
    scan: Callable[[Request], Iterable[Finding]],
) -> Baseline:
    """All findings of the project at that commit, joined with the baseline that is in force anyway.

    `scan` gives all findings of a request that suppression comments leave.
    """
    root = inputs.settings.root
    with tempfile.TemporaryDirectory(prefix="backendlint-") as folder:
        old = Path(folder).resolve()
        write_tree(root, revision, old)
        paths = [old / path.resolve().relative_to(root) for path in request.paths]
        earlier = replace(
            request,
            paths=tuple(path for path in paths if path.exists()),
            settings=Settings(old, _anchored(inputs.settings), inputs.settings.source),
            overrides={},
            baseline=None,
            since=None,
            stdin=None,
            progress=None,
        )
        then = Baseline.of(scan(earlier)) if earlier.paths else Baseline()
    return joined(then, known) if known else then


def write_tree(root: Path, revision: str, target: Path) -> None:
    """Write what a scan reads below `root` at that commit, byte for byte: git's filters and hooks do not run."""
    listed = _git(root, "ls-tree", "-r", "-z", "--end-of-options", revision) or b""
    wanted = [found for entry in listed.split(b"\0") if (found := _wanted(os.fsdecode(entry)))]
    names = "".join(f"{name}\n" for name, _ in wanted)
    stream = io.BytesIO(_git(root, "cat-file", "--batch", given=names.encode()) or b"")
    for _, path in wanted:
        header = stream.readline().split()
        if len(header) != 3:
            continue
        data = stream.read(int(header[2]))
        stream.read(1)
        place = target / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)


def _wanted(entry: str) -> tuple[str, str] | None:
    """(object, path) of an entry of ls-tree that is a source file or tells the SQL dialect, and no link."""
    about, _, path = entry.partition("\t")
    parts = PurePosixPath(path)
    if not about.startswith("100") or parts.is_absolute() or ".." in parts.parts:
        return None
    if parts.suffix not in (*KINDS, *TEMPLATES) and not names_dependencies(parts):
        return None
    return about.split()[2], path


def _anchored(settings: Settings) -> Config:
    """The options, with the folders that they name where they are now; no baseline."""
    root, config = settings.root, settings.config
    return replace(
        config,
        baseline=None,
        cache_dir=str(root / (config.cache_dir or FOLDER)),
        rule_paths=tuple(str(root / name) for name in config.rule_paths),
        library_paths=tuple(str(root / name) for name in config.library_paths),
    )


def joined(first: Baseline, second: Baseline) -> Baseline:
    """Known to either; a finding that both know counts as often as the one that knows it more often."""
    entries: dict[str, Entry] = {}
    for entry in (*first.entries, *second.entries):
        other = entries.get(entry.fingerprint)
        if other is None or other.count < entry.count:
            entries[entry.fingerprint] = entry
    return Baseline(tuple(entries.values()))


def _git(root: Path, *arguments: str, given: bytes = b"") -> bytes | None:
    """What git answers, or None where it fails. The repository's configuration must not make it run a program."""
    command = ["git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", *arguments]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    environment["GIT_NO_LAZY_FETCH"] = "1"
    try:
        done = subprocess.run(
            command, cwd=root, env=environment, input=given, capture_output=True, timeout=GIT_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
