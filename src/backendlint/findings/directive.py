"""The comments that suppress findings: `# backendlint: ignore[REL101, call-without-timeout] -- reason`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from backendlint.findings.text import source_lines

ALLOWED = (
    "`ignore[RULE, ...] -- reason` or `ignore-file[RULE, ...] -- reason`, where RULE is an id, a name, the beginning "
    "of an id or a pillar; without [...] all rules are meant"
)
_DIRECTIVE = re.compile(
    r"(?P<verb>ignore-file|ignore)\b(?!-)\s*(?P<list>\[(?P<rules>[^\]\[]*)\])?\s*(?:(?:--|—)\s*(?P<reason>.*))?",
    re.DOTALL,
)
_OTHER_COMMENT = re.compile(r"\s+#\s.*", re.DOTALL)
_IN_TEXT = re.compile(r"(?:--|\#|//)\s*backendlint:\s*(?P<text>.*)")


@dataclass(slots=True)
class Directive:
    """A suppression as written; `rules` is empty where all are meant. Lines and columns are 1-based."""

    line: int
    column: int
    end_column: int
    own_line: bool
    whole_file: bool = False
    rules: tuple[str, ...] = ()
    reason: str = ""
    problem: str = ""
    """What is wrong with it; such a directive suppresses nothing."""
    used: set[str] = field(default_factory=set)
    """Those of `rules` that a finding needed; "" stands for a list that is empty."""


def parse_directive(text: str, line: int, column: int, own_line: bool) -> Directive:
    """The directive in what follows `backendlint:`; `column` is where the comment begins."""
    found = Directive(line, column, column + len("# backendlint: ") + len(text), own_line)
    match = _DIRECTIVE.fullmatch(_without_other_comments(text.strip()))
    if match is None:
        found.problem = f"`backendlint: {text.strip()}` is not understood; write {ALLOWED}"
        return found
    found.whole_file = match["verb"] == "ignore-file"
    found.reason = (match["reason"] or "").strip()
    found.rules = tuple(dict.fromkeys(part.strip() for part in (match["rules"] or "").split(",") if part.strip()))
    if match["list"] and not found.rules:
        found.problem = f"`backendlint: {text.strip()}` names no rule between its brackets; write {ALLOWED}"
    return found


def _without_other_comments(text: str) -> str:
    """`ignore[X]  # noqa: E501` without the second comment; a reason may speak of `issue #12`."""
    return _OTHER_COMMENT.sub("", text)


def directives_in_text(text: str) -> list[Directive]:
    """The directives of a file that is not Python (`-- backendlint: ignore[...]` in SQL)."""
    if "backendlint:" not in text:
        return []
    found = []
    for number, line in enumerate(source_lines(text), 1):
        match = _IN_TEXT.search(line) if "backendlint:" in line else None
        if match:
            own = not line[: match.start()].strip()
            found.append(parse_directive(match["text"], number, match.start() + 1, own))
    return found
