"""From hits to the findings of a report: one each, identified, filtered and ranked. What is filtered is counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from backendlint.findings import suppress
from backendlint.findings.fingerprint import fingerprint_base, numbered
from backendlint.findings.model import (
    BASELINED,
    CONFIDENCES,
    PROFILES,
    SEVERITIES,
    Finding,
    Hit,
    Notification,
    Profile,
    Severity,
)
from backendlint.findings.rank import ranked
from backendlint.findings.text import line_at, source_lines
from backendlint.ruleset.select import matches

if TYPE_CHECKING:
    from backendlint.facts.model import FileFacts
    from backendlint.findings.baseline import Baseline
    from backendlint.ruleset.manifest import Rule

Pair = tuple["Rule", Finding]


@dataclass(frozen=True, slots=True)
class CollectOptions:
    """What the run was asked for. Selectors are ids, names, beginnings of ids, pillars or `ALL`."""

    profile: Profile = "default"
    severity: Mapping[str, Severity] = field(default_factory=dict)
    """Selector to the severity that its rules' findings get; the longest selector wins, an id or a name before all."""
    per_file_ignores: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Glob (as in .gitignore) to selectors of rules that are not reported there."""
    only: frozenset[str] | None = None
    """Paths to report on where the others were read as context; None for all."""
    rules: tuple[Rule, ...] = ()
    """All known rules: what a suppression comment may name."""
    ran: frozenset[str] = frozenset()
    """Ids of the rules that ran to their end: others' suppressions are not called unused."""
    other_files: Sequence[str] = ()
    """Scanned files that are not Python, for their suppression comments."""
    require_reasons: bool = False
    report_unused: bool = True
    show_suppressed: bool = False
    """Keep suppressed and baselined findings, marked by `suppressed`."""


@dataclass(frozen=True, slots=True)
class Collected:
    """Findings in rank order, and how many were left out and why."""

    findings: tuple[Finding, ...]
    notifications: tuple[Notification, ...] = ()
    suppressed: int = 0
    baselined: int = 0
    below_profile: int = 0
    outside: int = 0
    ignored: int = 0
    duplicates: int = 0
    """Hits of one rule at one place beyond the best one."""
    stale_baseline: int = 0
    """Entries of the baseline that have not come up."""
    all_findings: tuple[Finding, ...] = ()
    """What a new baseline holds: reported and baselined findings, unsuppressed."""


def collect(
    hits: Iterable[tuple[Rule, Hit]],
    *,
    files: Mapping[str, FileFacts],
    sources: Callable[[str], str],
    baseline: Baseline | None,
    options: CollectOptions,
    reach: Callable[[str | None], int],
) -> Collected:
    """Make, identify, filter and rank the findings.

    `files` are the Python files' facts by path; `sources` gives any file's text and may raise OSError; `reach` says how
    many endpoints lead to a function. Hits are told apart by rule, start of the place and `fingerprint_key`.
    """
    pairs = [(rule, _finding(rule, hit, reach)) for rule, hit in hits]
    best = _yielded(_best(pairs))
    identified = _identified(best, files, sources)
    comments = suppress.read(files, _others(identified, files, options), sources, options.rules)
    counts = dict.fromkeys(("suppressed", "baselined", "below_profile", "outside", "ignored"), 0)
    matcher = baseline.matcher() if baseline else None
    ignored_at = _ignores(options.per_file_ignores)
    kept: list[Finding] = []
    unsuppressed: list[Finding] = []
    for rule, plain in identified:
        finding = _with_severity(rule, plain, options.severity)
        reason = comments.reason(rule, finding.location)
        why = _left_out(rule, finding, options, ignored_at)
        if why is None and reason is not None:
            why, finding = "suppressed", replace(finding, suppressed=reason)
        elif why is None:
            unsuppressed.append(finding)
            if matcher is not None and matcher.take(finding.fingerprint):
                why, finding = "baselined", replace(finding, suppressed=BASELINED)
        if why is not None:
            counts[why] += 1
        if why is None or (options.show_suppressed and finding.suppressed is not None):
            kept.append(finding)
    return Collected(
        findings=ranked(kept),
        notifications=tuple(_notifications(comments, options)),
        duplicates=len(pairs) - len(best),
        stale_baseline=matcher.stale() if matcher else 0,
        all_findings=ranked(unsuppressed),
        **counts,
    )


def _finding(rule: Rule, hit: Hit, reach: Callable[[str | None], int]) -> Finding:
    return Finding(
        rule_id=rule.id,
        name=rule.name,
        pillar=rule.pillar,
        severity=hit.severity or rule.severity,
        confidence=hit.confidence or rule.confidence,
        profile=hit.profile or rule.profile,
        message=hit.message,
        help=hit.help or rule.help,
        location=hit.location,
        related=hit.related,
        flow=hit.flow,
        reach=reach(hit.function),
        fix=hit.fix,
        function=hit.function,
        fingerprint_key=hit.fingerprint_key,
    )


def _best(pairs: Iterable[Pair]) -> list[Pair]:
    """One finding for each rule, place and key, by place: several flows to one sink are one problem."""
    found: dict[tuple[str, str, int, int, str | None], Pair] = {}
    for rule, finding in pairs:
        key = (rule.id, *_start(finding), finding.fingerprint_key)
        if key not in found or _quality(finding) < _quality(found[key][1]):
            found[key] = (rule, finding)
    return [found[key] for key in sorted(found, key=lambda key: (*key[:4], key[4] or ""))]


def _yielded(pairs: list[Pair]) -> list[Pair]:
    """What a rule finds where one that it yields to tells something by default is advice."""
    told = {(rule.id, _start(found)) for rule, found in pairs if found.profile == "default"}
    return [
        (rule, replace(found, profile="strict"))
        if found.profile == "default" and any((other, _start(found)) in told for other in rule.yields_to)
        else (rule, found)
        for rule, found in pairs
    ]


def _start(finding: Finding) -> tuple[str, int, int]:
    return finding.location.path, finding.location.line, finding.location.column


def _quality(finding: Finding) -> tuple[int, int, int, bool, int, int, str]:
    """Lower is better: shown most widely, gravest, surest, explained, and that by the shortest way."""
    return (
        PROFILES.index(finding.profile),
        SEVERITIES.index(finding.severity),
        CONFIDENCES.index(finding.confidence),
        not finding.flow,
        len(finding.flow),
        -finding.reach,
        finding.message,
    )


def _identified(pairs: Sequence[Pair], files: Mapping[str, FileFacts], sources: Callable[[str], str]) -> list[Pair]:
    """The findings with fingerprints; `pairs` are ordered by rule and place, which numbers equal ones."""
    texts: dict[str, list[str]] = {}
    bases = []
    for _, finding in pairs:
        place = finding.location
        if place.path not in texts:
            texts[place.path] = source_lines(suppress.text_of(sources, place.path))
        facts = files.get(place.path)
        function = _function_at(facts, place.line, place.column - 1) if facts else finding.function or ""
        bases.append(fingerprint_base(finding, line_at(texts[place.path], place.line), function))
    prints = numbered(bases)
    return [(rule, replace(found, fingerprint=print_)) for (rule, found), print_ in zip(pairs, prints, strict=True)]


def _function_at(facts: FileFacts, line: int, column: int) -> str:
    """Qualified name of the innermost named function around the place, or "" (a lambda's name has its line in it)."""
    around = [
        (function.span, function.qualname)
        for function in facts.functions[1:]
        if function.span.line <= line <= function.span.end_line
        and function.span[:2] <= (line, column) < function.span[2:]
        and "<" not in function.qualname
    ]
    return max(around)[1] if around else ""


def _left_out(
    rule: Rule, finding: Finding, options: CollectOptions, ignored_at: Callable[[str], Sequence[str]]
) -> str | None:
    """Why the finding is not for this report. A rule that was chosen by name brings its own profile along."""
    widest = max(PROFILES.index(options.profile), PROFILES.index(rule.profile))
    if PROFILES.index(finding.profile) > widest:
        return "below_profile"
    if options.only is not None and finding.location.path not in options.only:
        return "outside"
    if any(matches(word, rule) for word in ignored_at(finding.location.path)):
        return "ignored"
    return None


def _ignores(per_file: Mapping[str, Sequence[str]]) -> Callable[[str], Sequence[str]]:
    """From a path to the selectors that are ignored there."""
    if not per_file:
        return lambda _path: ()
    from pathspec import GitIgnoreSpec

    specs = [(GitIgnoreSpec.from_lines([glob]), words) for glob, words in per_file.items()]
    return lambda path: [word for spec, words in specs if spec.match_file(path) for word in words]


def _with_severity(rule: Rule, finding: Finding, severities: Mapping[str, Severity]) -> Finding:
    words = [word for word in severities if matches(word, rule)]
    if not words:
        return finding
    exact = (rule.id.casefold(), rule.name)
    pillars = (rule.pillar, "all")
    word = max(words, key=lambda word: (word.casefold() in exact, word.casefold() not in pillars, len(word)))
    return replace(finding, severity=severities[word])


def _others(pairs: Iterable[Pair], files: Mapping[str, FileFacts], options: CollectOptions) -> list[str]:
    paths = {finding.location.path for _, finding in pairs} | set(options.other_files)
    return sorted(path for path in paths if path not in files)


def _notifications(comments: suppress.Suppressions, options: CollectOptions) -> Iterator[Notification]:
    found = comments.notifications(
        ran=options.ran, require_reasons=options.require_reasons, unused=options.report_unused
    )
    for notification in found:
        place = notification.location
        if options.only is None or place is None or place.path in options.only:
            yield notification
