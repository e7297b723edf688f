"""`python -m bench.accuracy.sqltexts PATH...`: how many of the SQL texts found in a project sqlglot parses.

A text counts as parsed when each of its statements does; statements that sqlglot keeps as one opaque command are counted
on their own. --list shows what does not parse, with the parser's words, and what only another dialect takes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from backendlint.cli.understanding import understand
from backendlint.project.sqltext.statements import Statement

ENOUGH = 0.99


@dataclass(slots=True)
class Counted:
    """The figures of one project."""

    name: str
    dialect: str
    texts: set[int] = field(default_factory=set)
    statements: int = 0
    commands: int = 0
    failed: list[Statement] = field(default_factory=list)
    elsewhere: list[Statement] = field(default_factory=list)
    """Parsed, but not in the project's dialect."""

    @property
    def broken(self) -> int:
        """How many texts hold a statement that does not parse."""
        return len({id(item.source) for item in self.failed})

    @property
    def share(self) -> float:
        """The share of texts that parse."""
        return 1 - self.broken / len(self.texts) if self.texts else 1.0


def count(name: str, statements: Sequence[Statement], dialect: str) -> Counted:
    """Parse all statements of a project."""
    from sqlglot import exp

    found = Counted(name, dialect)
    for statement in statements:
        parsed = statement.parsed
        found.texts.add(id(statement.source))
        found.statements += 1
        found.commands += isinstance(parsed.tree, exp.Command)
        if parsed.tree is None:
            found.failed.append(statement)
        elif parsed.error:
            found.elsewhere.append(statement)
    return found


def lines(found: Counted, listed: bool) -> Iterator[str]:
    """The project's line of the table, and what is listed of it."""
    share = 1 - len(found.failed) / found.statements if found.statements else 1.0
    yield (
        f"{found.name:32} {found.dialect or '-':10} {len(found.texts):6} {found.share:7.1%} {found.statements:10} {share:7.1%}"
        f" {found.commands:8} {len(found.elsewhere):10}"
    )
    if listed:
        for label, statements in (("fails", found.failed), ("other dialect", found.elsewhere)):
            for item in statements:
                place = item.location()
                shown = " ".join(item.text.split())[:160]
                yield f"  {label}: {place.path}:{place.line} {item.parsed.error[:80]} | {shown}"


def main() -> int:
    """Print the table; 1 where a project is below the bound."""
    parser = argparse.ArgumentParser(prog="python -m bench.accuracy.sqltexts", description=__doc__)
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--list", action="store_true", help="show what does not parse")
    given = parser.parse_args()
    print(
        f"{'':32} {'dialect':10} {'texts':>6} {'parsed':>7} {'statements':>10} {'parsed':>7} {'commands':>8} {'elsewhere':>10}"
    )
    met = True
    for path in given.paths:
        data = understand(path).project.data
        found = count(path.resolve().name, data.statements, data.dialect)
        met &= found.share >= ENOUGH
        for line in lines(found, given.list):
            print(line)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
