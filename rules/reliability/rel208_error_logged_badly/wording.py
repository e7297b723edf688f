"""How a log call is shown, and what is wrong with it."""

from __future__ import annotations

import re

from backendlint.api import Call, Fn, Project, called_name, lines_of

_CHAIN = re.compile(r"\w+(\.\w+)+")
LOST = {
    "repeated": (
        "that is raised again below",
        "the layer that handles it, or what runs the program, logs it once more, and one failure looks like several",
    ),
    "untraced": ("without its traceback", "nobody can tell from the log where it came from"),
    "untold": ("without saying what it was", "a bug and an outage look the same in the log"),
    "hidden": (
        "without its traceback and below warning",
        "production logs, which usually leave such levels out, show nothing",
    ),
}
"""What is wrong, and what follows."""


def written(project: Project, fn: Fn, call: Call) -> str:
    """The last two parts of the callee as it is written: `logger.error`."""
    span = fn.facts.span_of(call.func)
    lines = lines_of(project, fn.path)
    text = lines[span.line - 1][span.column : span.end_column] if span.line == span.end_line <= len(lines) else ""
    name = text if _CHAIN.fullmatch(text) else called_name(fn.file, fn.facts, call)
    return ".".join(name.split(".")[-2:])
