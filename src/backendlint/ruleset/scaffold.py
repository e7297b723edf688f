"""The files of a new rule, for `backendlint new-rule`."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from backendlint.errors import UsageError
from backendlint.findings.model import PILLARS, Pillar
from backendlint.ruleset.manifest import Engine

PREFIXES: dict[Pillar, str] = {
    "reliability": "REL",
    "security": "SEC",
    "performance": "PERF",
    "features": "API",
    "convenience": "OPS",
}
"""What the ids of a pillar's rules begin with."""

_RULE = """\
id: {id}
name: {name}
pillar: {pillar}
engine: {engine}
severity: warning
confidence: high
profile: default
summary: What is wrong, as a statement
help: What to do instead, in one line.
checklist: [{item}]
{cwe}needs: {{}}
fix: none
references: []
"""

_DOC = """\
# {id} {name}

## What it finds
One paragraph: the code that is reported, and from where to where it looks.

## Why it matters
What happens in production, to whom, and when.

## Bad
```python
...
```

## Good
```python
...
```

## How to fix
The shortest way to right code.

## Known limits
What it misses, and what it reports though it is right.
"""

_CHECKS = {
    "project": '''\
"""{id}: one line on how it decides."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Hit, Project


def check(project: Project) -> Iterator[Hit]:
    """Yield a hit for each problem in the project."""
    yield from ()
''',
    "cst": '''\
"""{id}: one line on how it decides."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Hit, SyntaxSite


def check(site: SyntaxSite) -> Iterator[Hit]:
    """Yield a hit for each problem in the statement."""
    yield from ()
''',
    "sql": '''\
"""{id}: one line on how it decides."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Hit, SqlStatement


def check(statement: SqlStatement) -> Iterator[Hit]:
    """Yield a hit for each problem in the statement."""
    yield from ()
''',
    "semgrep": """\
rules:
  - id: {id}
    languages: [python]
    severity: WARNING
    message: "`$FUNCTION` does something wrong; do this instead."
    pattern: replace_me.$FUNCTION(...)
""",
}

_BAD = """\
# Every line that the rule reports ends with a marker like this one; unmarked lines are asserted clean.
replace = 1  # expect: {id}
"""
_GOOD = "# What looks alike and is right.\nreplace = 1\n"


@dataclass(frozen=True, slots=True)
class NewRule:
    """What the scaffold needs to know."""

    id: str
    name: str
    pillar: Pillar
    engine: Engine
    item: str

    @property
    def folder(self) -> str:
        """Its folder's name, below the pillar's."""
        return folder_name(self.id, self.name)


def folder_name(rule_id: str, name: str) -> str:
    """`rel101_call_without_timeout` for REL101 and call-without-timeout."""
    return f"{rule_id.lower()}_{name.replace('-', '_')}"


def pillar_of(topic: str) -> Pillar:
    """The pillar that a topic names: the pillar itself, or the ids' prefix; raises UsageError."""
    from backendlint.ruleset.nearest import did_you_mean

    for pillar in PILLARS:
        if topic.casefold() in (pillar, PREFIXES[pillar].casefold()):
            return pillar
    known = [*PILLARS, *PREFIXES.values()]
    raise UsageError(f"new-rule: no topic `{topic}`{did_you_mean(topic, known) or '; there are ' + ', '.join(known)}")


def next_id(pillar: Pillar, taken: Collection[str]) -> str:
    """The first number above all of the pillar's that are taken, by rules or by plans."""
    prefix = PREFIXES[pillar]
    used = [int(rule_id.removeprefix(prefix)) for rule_id in taken if re.fullmatch(prefix + r"\d+", rule_id)]
    return f"{prefix}{max(used, default=100) + 1}"


def write(rule: NewRule, rules: Path, fixtures: Path) -> list[Path]:
    """Write the rule's folder and fixtures; returns the files. Raises UsageError rather than overwrite anything."""
    folder = rules / rule.pillar / rule.folder
    samples = fixtures / rule.pillar / rule.folder
    for path in (folder, samples):
        if path.exists():
            raise UsageError(f"new-rule: {path} exists already")
    cwe = "cwe: []\n" if rule.pillar == "security" else ""
    values = {"id": rule.id, "name": rule.name, "pillar": rule.pillar, "engine": rule.engine, "item": rule.item}
    part = "semgrep.yaml" if rule.engine == "semgrep" else "check.py"
    texts = {
        folder / "rule.yaml": _RULE.format(cwe=cwe, **values),
        folder / part: _CHECKS[rule.engine].format(**values),
        folder / "doc.md": _DOC.format(**values),
        samples / "bad" / "example.py": _BAD.format(**values),
        samples / "good" / "example.py": _GOOD,
    }
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(texts)
