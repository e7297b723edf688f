"""Which findings comments suppress, and which comments are of no use."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from backendlint.findings.directive import Directive, directives_in_text, parse_directive
from backendlint.findings.model import Location, Notification
from backendlint.findings.scope import FileShape, Lines, python_shape, text_shape
from backendlint.findings.text import source_lines
from backendlint.ruleset.nearest import did_you_mean
from backendlint.ruleset.select import matches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from backendlint.facts.model import FileFacts
    from backendlint.ruleset.manifest import Rule


@dataclass(slots=True)
class Suppressions:
    """All suppression comments, by file; made with `read`."""

    known: tuple[Rule, ...]
    """All rules that a comment may name, run or not."""
    by_path: dict[str, list[tuple[Directive, Lines]]] = field(default_factory=dict)

    def reason(self, rule: Rule, location: Location) -> str | None:
        """The reason given (may be empty) where a comment suppresses the rule there; None where none does."""
        for directive, (first, last) in self.by_path.get(location.path, ()):
            if not first <= location.line <= last:
                continue
            for word in directive.rules or ("",):
                if not word or matches(word, rule):
                    directive.used.add(word)
                    return directive.reason
        return None

    def notifications(self, *, ran: frozenset[str], require_reasons: bool, unused: bool) -> Iterator[Notification]:
        """What is wrong with the comments, by path and line. `ran` holds the ids of the rules that did run."""
        for path in sorted(self.by_path):
            for directive, _ in self.by_path[path]:
                yield from self._about(path, directive, ran if unused else None, require_reasons)

    def _about(
        self, path: str, directive: Directive, ran: frozenset[str] | None, require_reasons: bool
    ) -> Iterator[Notification]:
        place = Location(path, directive.line, directive.column, directive.line, directive.end_column)
        if directive.problem:
            yield Notification("malformed-suppression", directive.problem, "warning", place)
            return
        for word in directive.rules or ("",):
            meant = self._meant(word)
            if not meant and word:
                hint = did_you_mean(word, self._names()) or "; `backendlint rules` lists them"
                yield Notification("malformed-suppression", f"no rule is called `{word}`{hint}", "warning", place)
            elif ran is not None and word not in directive.used and meant <= ran:
                what = f"`{word}`" if word else "any rule"
                message = f"no finding of {what} is suppressed here any more; remove it from the comment"
                yield Notification("unused-suppression", message, "note", place)
        if require_reasons and not directive.reason:
            message = "this suppression gives no reason; write `... -- why it is fine here` at its end"
            yield Notification("suppression-without-reason", message, "warning", place)

    def _meant(self, word: str) -> frozenset[str]:
        return frozenset(rule.id for rule in self.known if not word or matches(word, rule))

    def _names(self) -> list[str]:
        return [name for rule in self.known for name in (rule.id, rule.name)]


def read(
    files: Mapping[str, FileFacts], others: Sequence[str], sources: Callable[[str], str], known: tuple[Rule, ...]
) -> Suppressions:
    """The comments of Python files (by their facts) and of `others` (by their text); unreadable files have none."""
    found = Suppressions(known)
    for path, facts in files.items():
        if facts.comments:
            directives = [parse_directive(c.text, c.line, c.column + 1, c.own_line) for c in facts.comments]
            found.by_path[path] = _placed(directives, python_shape(facts, source_lines(text_of(sources, path))))
    for path in others:
        text = text_of(sources, path)
        directives = directives_in_text(text)
        if path not in files and directives:
            found.by_path[path] = _placed(directives, text_shape(source_lines(text), path))
    return found


def _placed(directives: list[Directive], shape: FileShape) -> list[tuple[Directive, Lines]]:
    """Malformed directives cover nothing."""
    return [(item, (0, 0) if item.problem else shape.covered(item)) for item in directives]


def text_of(sources: Callable[[str], str], path: str) -> str:
    """The file's text, or "" where it is gone or cannot be read: the engines have said so already."""
    try:
        return sources(path)
    except (OSError, ValueError):
        return ""
