"""Rules in two processes find what they find in one, and the death of one process is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from scanning import CHECK, add_rule, found, kinds, run, write

from backendlint.engines import every

MEET = "import os, signal\n\ndef check(project):\n    open({fifo!r}, {mode!r}).close()\n    {then}\n"
"""A rule that goes on when another one has come to the same place."""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """XX901 of reliability, XX902 of security."""
    folder = add_rule(tmp_path / "rules")
    add_security_rule(folder, "XX902", CHECK)
    return folder


def add_security_rule(folder: Path, rule_id: str, check: str) -> None:
    add_rule(folder, rule_id, check)
    manifest = folder / rule_id.lower() / "rule.yaml"
    manifest.write_text(manifest.read_text().replace("pillar: reliability", "pillar: security"))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write(tmp_path / "p", {f"m{number}.py": "def bad(): pass\n" for number in range(5)})


@pytest.mark.parametrize("jobs", [0, 1])
def test_two_processes_find_the_same_as_one(
    rules: Path, project: Path, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    whole = run(rules, project, use_cache=False)
    monkeypatch.setattr(every, "FILES_FOR_A_PROCESS", 1)
    split = run(rules, project, use_cache=False, overrides={"jobs": jobs})
    assert split.report.findings == whole.report.findings
    assert found(split) == sorted(f"m{n}.py:1 {rule}" for n in range(5) for rule in ("XX901", "XX902"))
    assert {"project", "findings"} <= set(split.report.summary.stages)


def test_death_of_the_second_process_is_told(
    rules: Path, project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fifo = str(tmp_path / "fifo")
    os.mkfifo(fifo)
    kill = "os.kill(os.getpid(), signal.SIGKILL); yield"
    add_security_rule(rules, "XX903", MEET.format(fifo=fifo, mode="w", then=kill))
    add_rule(rules, "XX904", MEET.format(fifo=fifo, mode="r", then="yield from ()"))
    monkeypatch.setattr(every, "FILES_FOR_A_PROCESS", 1)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    outcome = run(rules, project, use_cache=False)
    assert found(outcome) == [f"m{n}.py:1 XX901" for n in range(5)]
    assert kinds(outcome) == ["engine-failed"]


def test_failing_rule_in_the_second_process_is_named(
    rules: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_security_rule(rules, "XX903", "def check(project):\n    raise KeyError('oops')\n    yield\n")
    monkeypatch.setattr(every, "FILES_FOR_A_PROCESS", 1)
    outcome = run(rules, project, use_cache=False)
    assert len(found(outcome)) == 10
    assert kinds(outcome) == ["rule-failed"]


def test_rule_that_takes_too_long_is_named_and_what_it_found_is_kept(
    rules: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spin = CHECK + "    try:\n        while True:\n            pass\n    except Exception:\n        pass\n"
    add_rule(rules, "XX904", spin)
    monkeypatch.setattr("backendlint.engines.base.EngineContext.__init__.__defaults__", _shorter())
    outcome = run(rules, project, use_cache=False)
    assert kinds(outcome) == ["rule-failed"]
    assert "XX904 (rule-xx904) failed: TimeoutError: it took more than 0.5 s" in outcome.report.notifications[0].message
    assert sum(item.rule_id == "XX904" for item in outcome.report.findings) == 5
    assert sum(item.rule_id == "XX902" for item in outcome.report.findings) == 5


def _shorter() -> tuple[object, ...]:
    """The defaults of EngineContext with a time limit of half a second."""
    return tuple(0.5 if value == 300.0 else value for value in every.EngineContext.__init__.__defaults__ or ())
