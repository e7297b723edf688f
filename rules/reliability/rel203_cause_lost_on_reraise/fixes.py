"""How the cause is named."""

from __future__ import annotations

from backendlint.api import Edit, Fix, Fn, Project, Raise, Span, lines_of

_NAMES = ("err", "error", "exc", "cause")


def fix(project: Project, fn: Fn, item: Raise, handler: int) -> Fix | None:
    """`from` the handler's name; a handler that binds none gets one that the function does not use."""
    block = fn.facts.blocks[handler]
    edits: list[Edit] = []
    name = block.name
    if not name:
        if block.value < 0 or not _ends_clause(project, fn, fn.facts.span_of(block.value)):
            return None
        used = {binding.name for binding in fn.facts.bindings} | {param.name for param in fn.facts.params}
        used |= {other.name for other in fn.facts.blocks} | set(fn.file.names)
        free = [candidate for candidate in _NAMES if candidate not in used]
        if not free:
            return None
        name = free[0]
        edits.append(_insert(fn, fn.facts.span_of(block.value), f" as {name}"))
    edits.append(_insert(fn, item.span, f" from {name}"))
    return Fix(f"Name `{name}` as the cause", tuple(edits), safe=True)


def _ends_clause(project: Project, fn: Fn, types: Span) -> bool:
    """Whether the colon follows the caught types: no closing bracket or comment stands between."""
    lines = lines_of(project, fn.path)
    return types.end_line <= len(lines) and lines[types.end_line - 1][types.end_column :].lstrip().startswith(":")


def _insert(fn: Fn, after: Span, text: str) -> Edit:
    """Insert the text behind the span."""
    return Edit(fn.location(Span(after.end_line, after.end_column, after.end_line, after.end_column)), text)
