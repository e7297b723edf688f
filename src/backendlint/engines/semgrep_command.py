"""Running the `semgrep` command: found, started, waited for, and its JSON read. Knows nothing of our rules."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backendlint.findings.model import Notification

RULE_LIMIT = 10
"""Seconds that one rule may take on one file."""
MAX_BYTES = 4_000_000
"""Larger files are not given to semgrep; the parser does not read them either."""
LONGEST_PATH = 1000
"""Bytes of a path that is kept in the temporary tree, which lies deeper than the project may."""
_TREE = "files"
_TIME = "time"
_RENAMED = ".renamed"
_TRANSIENT = {"Timeout", "Out of memory", "Stack overflow", "Timeout during interfile analysis", "Fatal error"}
_DROPPED = ("SEMGREP_RULES", "SEMGREP_BASELINE_COMMIT", "SEMGREP_APP_TOKEN", "SEMGREP_URL", "SEMGREP_FORCE_COLOR")


@dataclass(slots=True)
class Outcome:
    """What a run gave: by file its `results`, `errors` (messages) and if they are `transient`; the run's problems."""

    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    problems: list[Notification] = field(default_factory=list)


@dataclass(slots=True)
class SemgrepRun:
    """One start of the command on a temporary tree."""

    folder: tempfile.TemporaryDirectory[str]
    paths: dict[str, str]
    """The project's path by the path below the temporary tree."""
    texts: dict[str, bytes]
    expected: set[str]
    """Files that semgrep has to say to have read."""
    jobs: int
    time_limit: float
    program: str | None
    process: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(
        cls, config: str, texts: Mapping[str, str], expected: set[str], jobs: int, time_limit: float
    ) -> SemgrepRun:
        """Write config and files, start the command, return at once."""
        folder = tempfile.TemporaryDirectory(prefix="backendlint-", ignore_cleanup_errors=True)
        data = {path: text.encode("utf-8", "replace") for path, text in texts.items()}
        program = find_program()
        run = cls(folder, {}, data, expected, max(jobs, 1), time_limit, program)
        if program is not None:
            run._write(config)
            run.process = run._spawn(experimental=True)
        return run

    def finish(self) -> Outcome:
        """Wait, and run once more without `--experimental` where that start-up did not serve."""
        try:
            return self._finish()
        finally:
            self.close()

    def close(self) -> None:
        """Stop the command if it runs, and remove the temporary files."""
        if self.process is not None:
            _kill(self.process)
        self.folder.cleanup()

    def _finish(self) -> Outcome:
        if self.program is None:
            return _failed("the `semgrep` command was found neither beside the Python interpreter nor on the PATH")
        if self.process is None:
            return _failed(f"{self.program} could not be started")
        report, trouble = self._read(self.process)
        if report is None and trouble != _TIME:
            self.process = self._spawn(experimental=False) or self.process
            report, trouble = self._read(self.process)
        if report is None:
            reason = f"it did not end within {self.time_limit:g} s" if trouble == _TIME else trouble
            return _failed(f"{self.program}: {reason}")
        return self._outcome(report)

    def _write(self, config: str) -> None:
        root = Path(self.folder.name)
        (root / "config.yaml").write_text(config, encoding="utf-8")
        tree = root / _TREE
        tree.mkdir()
        (tree / ".semgrepignore").touch()
        for path, data in self.texts.items():
            if len(data) > MAX_BYTES:
                continue
            inner = _inner(path)
            target = tree / inner
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
            self.paths[inner] = path

    def _spawn(self, *, experimental: bool) -> subprocess.Popen[bytes] | None:
        root = Path(self.folder.name)
        command = [str(self.program), "scan", *(["--experimental"] if experimental else []), *_FLAGS]
        command += ["--jobs", str(self.jobs), "--config", "config.yaml", "--project-root", _TREE, _TREE]
        with (root / "out").open("wb") as out, (root / "err").open("wb") as err:
            try:
                process = subprocess.Popen(
                    command, cwd=root, env=_environment(root), stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                    start_new_session=True,
                )  # fmt: skip
            except OSError:
                return None
        weakref.finalize(self.folder, _kill, process)
        return process

    def _read(self, process: subprocess.Popen[bytes]) -> tuple[dict[str, Any] | None, str]:
        """The JSON report, or None and why there is none ("time" where the limit was reached)."""
        try:
            code = process.wait(self.time_limit)
        except subprocess.TimeoutExpired:
            _kill(process)
            return None, _TIME
        root = Path(self.folder.name)
        try:
            report = json.loads((root / "out").read_bytes())
        except ValueError:
            words = (root / "err").read_text("utf-8", "replace").split()
            return None, f"exit code {code} and no report: {' '.join(words)[-300:] or 'it said nothing'}"
        scanned = report.get("paths", {}).get("scanned", []) if isinstance(report, dict) else []
        if self.expected and not scanned:
            return None, f"exit code {code} and no file scanned: {_first_error(report)}"
        return report, ""

    def _outcome(self, report: dict[str, Any]) -> Outcome:
        outcome = Outcome()
        scanned = {self._project_path(name) for name in report["paths"]["scanned"]}
        for path in self.paths.values():
            if path in scanned or path not in self.expected:
                outcome.files[path] = {"results": [], "errors": [], "transient": False}
        for path in sorted(self.expected - outcome.files.keys()):
            message = f"{path}: semgrep did not read the file; its rules' findings there are missing"
            outcome.problems.append(Notification("semgrep-skipped", message, "warning"))
        for result in report["results"]:
            path = self._project_path(result["path"])
            outcome.files[path]["results"].append(self._result(path, result))
        for error in report["errors"]:
            self._error(error, outcome)
        return outcome

    def _result(self, path: str, result: dict[str, Any]) -> dict[str, Any]:
        lines = self.texts[path].split(b"\n")
        span = [*_place(lines, result["start"]), *_place(lines, result["end"])]
        extra = result["extra"]
        return {"id": result["check_id"], "span": span, "message": extra["message"].strip(), "fix": extra.get("fix")}

    def _error(self, error: dict[str, Any], outcome: Outcome) -> None:
        kind = error.get("type")
        kind = str(kind[0] if isinstance(kind, list) else kind)
        path = self._project_path(error["path"]) if error.get("path") else ""
        words = str(error.get("message", kind)).replace(f"{_TREE}/", "").split()
        message = re.sub(r"\bp\d+-", "", " ".join(words))[:300]
        if path in outcome.files and kind not in _TRANSIENT:
            outcome.files[path]["errors"].append(f"semgrep could not read a part: {message}")
        elif path in outcome.files:
            outcome.files[path]["transient"] = True
            outcome.problems.append(Notification("semgrep-incomplete", f"semgrep: {message}", "warning"))
        else:
            for raw in outcome.files.values():
                raw["transient"] = True
            outcome.problems.append(Notification("engine-failed", f"semgrep: {message}", "error"))

    def _project_path(self, name: str) -> str:
        inner = name.removeprefix(f"{_TREE}/")
        return self.paths.get(inner, inner)


_FLAGS = (
    "--json", "--quiet", "--metrics=off", "--disable-version-check", "--disable-nosem", "--no-git-ignore",
    "--no-rewrite-rule-ids", "--oss-only", "--timeout", str(RULE_LIMIT), "--timeout-threshold", "3",
    "--max-target-bytes", str(MAX_BYTES + 1),
)  # fmt: skip


def find_program() -> str | None:
    """The command beside the running interpreter, else on the PATH."""
    beside = Path(sys.executable).parent
    for name in ("semgrep", "pysemgrep"):
        found = shutil.which(name, path=str(beside)) or shutil.which(name)
        if found:
            return found
    return None


def _environment(root: Path) -> dict[str, str]:
    environment = {key: value for key, value in os.environ.items() if key not in _DROPPED}
    beside = str(Path(sys.executable).parent)
    return environment | {
        "PATH": os.pathsep.join(filter(None, (beside, environment.get("PATH", "")))),
        "SEMGREP_SEND_METRICS": "off",
        "SEMGREP_ENABLE_VERSION_CHECK": "0",
        "SEMGREP_SETTINGS_FILE": str(root / "settings.yml"),
        "SEMGREP_LOG_FILE": str(root / "semgrep.log"),
        "SEMGREP_VERSION_CACHE_PATH": str(root / "version"),
        "PYTHONUTF8": "1",
        "NO_COLOR": "1",
    }


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the command with all its children."""
    if process.poll() is not None:
        return
    if hasattr(os, "killpg"):
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            process.kill()
    else:
        process.kill()
    process.wait()


def _failed(reason: str) -> Outcome:
    message = f"semgrep did not run: {reason}; the findings of all semgrep rules are missing"
    return Outcome(problems=[Notification("engine-failed", message, "error")])


def _first_error(report: object) -> str:
    errors = report.get("errors", []) if isinstance(report, dict) else []
    return " ".join(str(errors[0].get("message", "")).split())[:300] if errors else "no reason given"


def glob(path: str) -> str:
    """A pattern of semgrep's `paths` for one file of the tree; what globs or regexes give a meaning to becomes `?`."""
    return "/" + re.sub(r"[^\w/.-]", "?", _inner(path))


def _inner(path: str) -> str:
    """The file's path in the temporary tree: its own, but for names that semgrep or the file system would refuse."""
    if path.endswith(".py") and len(path.encode("utf-8", "replace")) < LONGEST_PATH:
        return path
    return f"{_RENAMED}/{hashlib.sha256(path.encode('utf-8', 'replace')).hexdigest()}.py"


def _place(lines: list[bytes], place: dict[str, int]) -> tuple[int, int]:
    """Line and column, 1-based, the column in characters: semgrep counts UTF-8 bytes."""
    line, column = place["line"], place["col"]
    before = lines[line - 1][: column - 1] if line <= len(lines) else b""
    return line, len(before.decode("utf-8", "replace")) + 1
