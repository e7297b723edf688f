"""A rule folder and a project, made for one test."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from backendlint.pipeline import scan
from backendlint.request import Outcome, Request

MANIFEST = """\
id: {id}
name: {name}
pillar: reliability
engine: project
severity: warning
confidence: high
profile: default
summary: A function is called bad
help: Call it good.
checklist: [R-ERRORS]
options: {{word: bad}}
"""
CHECK = '''\
"""Functions whose name begins with a word."""
from backendlint.api import Hit, Location


def check(project):
    word = project.options["rules"].get("{id}", {{}}).get("word", "bad")
    for fn in project.all_functions():
        if fn.facts.name.startswith(word):
            span = fn.facts.header
            place = Location(fn.file.path, span.line, span.column + 1, span.end_line, span.end_column + 1)
            yield Hit(f"`{{fn.facts.name}}()` is called bad", place)
'''


def add_rule(folder: Path, rule_id: str = "XX901", check: str = CHECK) -> Path:
    """A rule that reports functions called bad...; returns the folder of rules."""
    home = folder / rule_id.lower()
    home.mkdir(parents=True)
    (home / "rule.yaml").write_text(MANIFEST.format(id=rule_id, name=f"rule-{rule_id.lower()}"))
    (home / "check.py").write_text(check.format(id=rule_id))
    return folder


def write(root: Path, files: dict[str, str | bytes]) -> Path:
    """Write a project's files."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def run(rules: Path, *paths: Path, **fields: Any) -> Outcome:
    """Scan with just the rules of that folder."""
    overrides = {"select": ("XX",), **fields.pop("overrides", {})}
    return scan(Request(paths=paths, rule_folders=(rules,), overrides=overrides, **fields))


def found(outcome: Outcome) -> list[str]:
    """`path:line rule` of each finding."""
    return sorted(f"{item.location.path}:{item.location.line} {item.rule_id}" for item in outcome.report.findings)


def kinds(outcome: Outcome) -> list[str]:
    """What the report says of the run itself."""
    return sorted(item.kind for item in outcome.report.notifications)


def git(root: Path, *arguments: str) -> None:
    """Run git as somebody."""
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
    subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True)
