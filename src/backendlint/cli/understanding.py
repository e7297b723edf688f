"""The linked project, for the commands that show what is known about it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backendlint.analysis import Analysis


def understand(path: Path | None) -> Analysis:
    """Read and link the project at a path; a file stands for the project around it."""
    from backendlint.analysis import analyse, inputs_of, open_cache
    from backendlint.request import Request
    from backendlint.watch import Watch

    request = Request(paths=(path or Path(),))
    inputs = inputs_of(request)
    with closing(open_cache(request, inputs.settings)) as store:
        return analyse(inputs, store, Watch(None))


def table(head: Sequence[str], rows: Sequence[Sequence[str]], widest: int = 60) -> str:
    """Columns aligned with blanks; long cells are cut."""
    cut = [[cell if len(cell) <= widest else cell[: widest - 1] + "…" for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in [list(head), *cut]) for column in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in [list(head), *cut]
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(line.rstrip() for line in lines)
