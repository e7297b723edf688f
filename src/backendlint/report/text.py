"""For people at a terminal: by pillar in rank order, with the source and the way that leads there."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING

from backendlint.report.parts.clean import one_line, shown_path
from backendlint.report.parts.counts import gravest_first, per_pillar, per_rule, per_severity, plural
from backendlint.report.parts.excerpt import Excerpts
from backendlint.report.parts.terminal import Style, wrapped
from backendlint.report.parts.wording import closing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from backendlint.findings.model import Finding, Location, Notification, Report, Step
    from backendlint.report.parts.options import RenderOptions

MAX_FULL = 5
"""Findings of one rule shown in full; the next ones get a line each."""
MAX_SHORT = 20
"""Findings of one rule shown in a line each; of the rest the number is told."""
MAX_STEPS = 12
MAX_NOTIFICATIONS = 30


def render(report: Report, options: RenderOptions) -> str:
    """The report; a rule that found very much is shortened (`verbose` shows all, `quiet` a line for each finding)."""
    writer = _Writer(options)
    if options.quiet:
        parts = [writer.short(finding) for finding in report.findings]
        parts += [writer.notification(item) for item in report.notifications]
    else:
        parts = [*writer.findings(report.findings), *writer.closing(report)]
    return "".join(f"{part}\n" for part in parts)


class _Writer:
    def __init__(self, options: RenderOptions) -> None:
        self._options = options
        self._style = Style(options.color)
        self._excerpts = Excerpts(options)

    def findings(self, findings: Sequence[Finding]) -> Iterator[str]:
        """Blocks of findings, by pillar."""
        for pillar, group in groupby(findings, key=lambda finding: finding.pillar):
            members = list(group)
            yield self._style("bold", f"{pillar.upper()}  {plural(len(members), 'finding')}")
            yield ""
            yield from self._pillar(members)

    def _pillar(self, findings: Sequence[Finding]) -> Iterator[str]:
        """Rank order decides which findings of a rule are shown in full; what is shortened follows them."""
        seen: Counter[str] = Counter()
        short: dict[str, list[Finding]] = {}
        for finding in findings:
            seen[finding.rule_id] += 1
            if self._options.verbose or seen[finding.rule_id] <= MAX_FULL:
                yield from self._full(finding)
            else:
                short.setdefault(finding.rule_id, []).append(finding)
        for rule_id, rest in short.items():
            yield self._style("bold", f"{len(rest):,} more of {rule_id} {rest[0].name}:")
            yield from (f"  {self.short(finding)}" for finding in rest[:MAX_SHORT])
            if len(rest) > MAX_SHORT:
                files = len({finding.location.path for finding in rest[MAX_SHORT:]})
                left = f"{len(rest) - MAX_SHORT:,} in {plural(files, 'file')}"
                yield f"  and {left}: --verbose or --format json lists them"
            yield ""

    def _full(self, finding: Finding) -> Iterator[str]:
        width = self._options.width
        yield self._headline(finding)
        yield wrapped(one_line(finding.message), width, "  ")
        excerpt = self._excerpts.of(finding.location, "    ")
        if excerpt:
            yield ""
            yield excerpt
            yield ""
        yield from self._steps("how it gets there", finding.flow, numbered=True)
        yield from self._steps("see also", finding.related, numbered=False)
        if finding.help:
            yield self._style("help", wrapped(f"do: {one_line(finding.help)}", width, "  "))
        if finding.fix is not None:
            flag = "--fix" if finding.fix.safe else "--fix --unsafe-fixes"
            yield wrapped(f"{flag} does it: {one_line(finding.fix.description)}", width, "  ")
        if self._options.verbose:
            function = f", in {one_line(finding.function)}()" if finding.function else ""
            yield self._style("dim", f"  {finding.profile} profile{function}, fingerprint {finding.fingerprint}")
        yield ""

    def _headline(self, finding: Finding) -> str:
        notes = [f"{finding.confidence} confidence"] if finding.confidence != "high" or self._options.verbose else []
        if self._options.show_reach or finding.reach:
            notes.append(f"reached from {plural(finding.reach, 'endpoint')}")
        if finding.suppressed is not None:
            notes.append(f"suppressed: {one_line(finding.suppressed)}" if finding.suppressed else "suppressed")
        what = f"{finding.rule_id} {finding.name}"
        extra = self._style("dim", f"  ({', '.join(notes)})") if notes else ""
        severity = self._style(finding.severity, finding.severity)
        return f"{self._place(finding.location)}: {severity} {self._style('bold', what)}{extra}"

    def short(self, finding: Finding) -> str:
        """The finding in one line."""
        severity = self._style(finding.severity, finding.severity)
        reach = f" (reached from {plural(finding.reach, 'endpoint')})" if self._options.show_reach else ""
        message = one_line(finding.message)
        return f"{self._place(finding.location)}: {severity} {finding.rule_id} {message}{reach}"

    def _steps(self, title: str, steps: Sequence[Step], *, numbered: bool) -> Iterator[str]:
        if not steps:
            return
        yield f"  {title}:"
        shown = steps if self._options.verbose or len(steps) <= MAX_STEPS else [*steps[: MAX_STEPS - 1], steps[-1]]
        numbers = [*range(1, len(shown)), len(steps)]
        for number, step in zip(numbers, shown, strict=True):
            if number == len(steps) and len(shown) < len(steps):
                yield f"      ... {plural(len(steps) - len(shown), 'step')} between"
            mark = f"{number}." if numbered else "-"
            yield f"    {mark} {self._place(step.location)}  {one_line(step.message)}".rstrip()
        yield ""

    def _place(self, place: Location) -> str:
        return self._style("place", f"{shown_path(place.path)}:{place.line}:{place.column}")

    def closing(self, report: Report) -> Iterator[str]:
        """What could not be read, then the figures: the last thing on the screen is the result."""
        yield from self._notifications(report)
        if self._options.statistics:
            yield from self._statistics(report)
        counts = per_pillar(report)
        total = sum(counts.values())
        if total:
            listed = ", ".join(f"{count:,} {pillar}" for pillar, count in counts.items() if count)
            graded = ", ".join(plural(count, name) for name, count in per_severity(report).items() if count)
            yield self._style("bold", f"{plural(total, 'finding')}: {listed} ({graded}).")
        else:
            yield self._style("bold", "No findings.")
        yield from (wrapped(line, self._options.width, "") for line in closing(report))
        if self._options.verbose and report.summary.stages:
            stages = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in report.summary.stages.items())
            yield self._style("dim", wrapped(f"Stages: {stages}.", self._options.width, ""))

    def _notifications(self, report: Report) -> Iterator[str]:
        items = gravest_first(report.notifications)
        if not items:
            return
        shown = items if self._options.verbose else items[:MAX_NOTIFICATIONS]
        yield self._style("bold", "WHAT THE SCAN COULD NOT DO, OR NOTICED")
        yield from (f"  {self.notification(item)}" for item in shown)
        if len(shown) < len(items):
            counts = Counter(item.kind for item in items[len(shown) :])
            rest = ", ".join(f"{count:,} {kind}" for kind, count in counts.most_common())
            yield f"  and {len(items) - len(shown):,} more ({rest}): --verbose or --format json lists them"
        yield ""

    def notification(self, item: Notification) -> str:
        """The notification in one line."""
        place = f"{self._place(item.location)}: " if item.location else ""
        return f"{place}{self._style(item.level, item.level)} {one_line(item.kind)}: {one_line(item.message)}"

    def _statistics(self, report: Report) -> Iterator[str]:
        rows = per_rule(report)
        if rows:
            width = max(len(f"{count:,}") for _, _, count in rows)
            yield self._style("bold", "FINDINGS PER RULE")
            yield from (f"  {count:>{width},}  {rule_id} {name}" for rule_id, name, count in rows)
            yield ""
