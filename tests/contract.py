"""What every rule must keep; test_rule_contract.py holds ours to it, test_contributing.py the recipe for new ones."""

from __future__ import annotations

import gc
import itertools
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from backendlint.config import Config, Settings, load
from backendlint.findings.model import Finding
from backendlint.fix import plan, write
from backendlint.pipeline import scan
from backendlint.request import Outcome, Request
from backendlint.ruleset.checklist import load_checklist
from backendlint.ruleset.manifest import Rule
from backendlint.ruleset.scaffold import PREFIXES, folder_name

ROOT = Path(__file__).parents[1]
SECTIONS = ("What it finds", "Why it matters", "Bad", "Good", "How to fix", "Known limits")
MARK = re.compile(r"(?:#|--)\s*expect:\s*([A-Z]+\d+(?:\s*,\s*[A-Z]+\d+)*)")
PROFILE = re.compile(r"expect:[\sA-Z0-9,]*\((default|strict|audit)\)")
LONGEST_MESSAGE = 400
COLLECT_AFTER = 60
"""Scans: each leaves some five megabytes in circles, where the collector seldom looks while the process goes on."""
_SCANS = itertools.count(1)

Place = tuple[str, int]
"""A path relative to the sample, and a line."""


def samples(fixtures: Path, kind: str) -> list[Path]:
    """The projects in a rule's bad/ or good/: each direct sub-folder or file is one."""
    folder = fixtures / kind
    return sorted(path for path in folder.iterdir() if path.name != "__pycache__") if folder.is_dir() else []


def files_of(sample: Path) -> Iterator[tuple[str, Path]]:
    """The sample's files, with their paths in reports."""
    if sample.is_file():
        yield sample.name, sample
        return
    for path in sorted(sample.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(sample).as_posix(), path


def marked(sample: Path, rule_id: str) -> set[Place]:
    """Lines marked `# expect: ID`."""
    return {
        (name, number)
        for name, path in files_of(sample)
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        for ids in MARK.findall(line)
        if rule_id in re.split(r"\s*,\s*", ids)
    }


def profiles(sample: Path) -> dict[Place, str]:
    """Profiles that marks name in brackets: `# expect: ID (strict)`."""
    return {
        (name, number): found[1]
        for name, path in files_of(sample)
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if (found := PROFILE.search(line))
    }


def scan_sample(
    sample: Path,
    *rule_ids: str,
    profile: str = "audit",
    rules: tuple[Path, ...] = (),
    files: Sequence[str] = (),
) -> Outcome:
    """Scan one sample as a project of its own, in this process; only these files of it, the others as context."""
    root = sample if sample.is_dir() else sample.parent
    settings = load([root]) if (root / "backendlint.toml").is_file() else Settings(root, Config(), None)
    config = replace(settings.config, select=rule_ids, profile=profile, jobs=1)
    if next(_SCANS) % COLLECT_AFTER == 0:
        gc.collect()
    return scan(
        Request(
            paths=tuple(sample / name for name in files) or (sample,),
            settings=replace(settings, config=config),
            rule_folders=rules,
            context=bool(files),
            use_cache=False,
        )
    )


@cache
def findings_in(sample: Path, rule_id: str, rules: tuple[Path, ...]) -> tuple[Finding, ...]:
    """The rule's findings in a sample; a part that could not run is an AssertionError."""
    report = scan_sample(sample, rule_id, rules=rules).report
    failed = [item.message for item in report.notifications if item.level == "error"]
    assert not failed, f"{sample}: {failed}"
    return report.findings


def check_identity(rule: Rule) -> None:
    """Id, name, pillar, folder and the pillar's folder say the same."""
    assert rule.id.startswith(PREFIXES[rule.pillar])
    assert rule.folder.name == folder_name(rule.id, rule.name)
    assert rule.folder.parent.name == rule.pillar


def check_texts(rule: Rule) -> None:
    """summary, help, checklist items, CWE numbers and references are there and well-formed."""
    assert rule.summary
    assert not rule.summary.endswith(".")
    assert rule.help.endswith(".")
    assert "\n" not in rule.summary + rule.help
    assert rule.checklist
    assert set(rule.checklist) <= {item.id for item in load_checklist()}
    assert rule.cwe or rule.pillar != "security", "a security rule names its CWE"
    assert len(set(rule.cwe)) == len(rule.cwe) <= 8, "code scanning reads ten tags a rule"
    assert all(link.startswith("https://") for link in rule.references)


def check_needs(rule: Rule) -> None:
    """A project rule that looks at SQL texts or schemas says `needs: {sql: []}`: such rules run in one process."""
    if rule.engine == "project":
        code = "".join(path.read_text(encoding="utf-8") for path in sorted(rule.folder.glob("*.py")))
        looks = re.search(r"\.data\.(?!dialect\b)", code) is not None
        assert looks == ("sql" in rule.needs)


def check_document(rule: Rule) -> None:
    """doc.md has its heading and its sections, in order, none of them empty."""
    text = (rule.folder / "doc.md").read_text(encoding="utf-8")
    assert text.startswith(f"# {rule.id} {rule.name}\n")
    parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)
    titles, bodies = parts[1::2], parts[2::2]
    assert [title for title in titles if title in SECTIONS] == list(SECTIONS)
    assert all(body.strip() for body in bodies)
    for title, body in zip(titles, bodies, strict=True):
        assert title not in ("Bad", "Good") or "```" in body


def check_bad(rule: Rule, fixtures: Path, rules: tuple[Path, ...] = ()) -> None:
    """Exactly the marked lines are reported, in good words."""
    assert samples(fixtures, "bad"), "there is a bad sample"
    for sample in samples(fixtures, "bad"):
        wanted = marked(sample, rule.id)
        assert wanted, f"{sample}: marks no line"
        found = findings_in(sample, rule.id, rules)
        places = {(item.location.path, item.location.line): item.message for item in found}
        unexpected = {place: message for place, message in places.items() if place not in wanted}
        missed = sorted(wanted - set(places))
        assert not missed and not unexpected, f"{sample}\n  missed: {missed}\n  unexpected: {unexpected}"
        named = profiles(sample)
        for finding in found:
            check_words(finding)
            place = (finding.location.path, finding.location.line)
            assert finding.profile == named.get(place, finding.profile), f"{sample}: {place} is {finding.profile}"


def check_good(rule: Rule, fixtures: Path, rules: tuple[Path, ...] = ()) -> None:
    """Nothing is reported where all is well."""
    assert samples(fixtures, "good"), "there is a good sample"
    for sample in samples(fixtures, "good"):
        assert not marked(sample, rule.id), f"{sample}: a good sample marks a line"
        assert not [(item.location, item.message) for item in findings_in(sample, rule.id, rules)]


def check_single_files(rule: Rule, fixtures: Path, rules: tuple[Path, ...] = ()) -> None:
    """A file by itself, with the others as context, shows what the whole sample shows there: hooks give single files."""
    for sample in samples(fixtures, "bad"):
        names = [name for name, path in files_of(sample) if path.suffix in (".py", ".sql")]
        shown = {(item.location, item.message, item.profile) for item in findings_in(sample, rule.id, rules)}
        flawed = {location.path for location, _, _ in shown}
        groups = [[name] for name in names if name in flawed] + [[name for name in names if name not in flawed]]
        for group in filter(None, groups) if len(names) > 1 else ():
            found = scan_sample(sample, rule.id, rules=rules, files=group).report.findings
            there = {item for item in shown if item[0].path in group}
            assert {(item.location, item.message, item.profile) for item in found} == there, f"{sample}: {group}"


def check_words(finding: Finding) -> None:
    """A message is one line of whole sentences; so is the help."""
    for text in (finding.message, finding.help):
        assert text == " ".join(text.split()), f"odd blanks: {text!r}"
        assert text.endswith((".", "?")), f"no whole sentence: {text!r}"
    assert len(finding.message) <= LONGEST_MESSAGE, finding.message


def check_fixes(rule: Rule, fixtures: Path, workplace: Path, rules: tuple[Path, ...] = ()) -> None:
    """Fixes are as safe as the manifest says, can be applied, and leave nothing of what they mend."""
    offered: set[bool] = set()
    for number, sample in enumerate(samples(fixtures, "bad")):
        fixable = [finding for finding in findings_in(sample, rule.id, rules) if finding.fix is not None]
        offered |= {finding.fix.safe for finding in fixable if finding.fix is not None}
        if fixable:
            _mend(rule, sample, workplace / str(number), rules)
    allowed = {"none": set[bool](), "safe": {True, False}, "unsafe": {False}}[rule.fix]
    assert offered <= allowed
    assert rule.fix == "none" or (rule.fix == "safe") in offered, f"no bad sample shows the {rule.fix} fix"


def _mend(rule: Rule, sample: Path, copy: Path, rules: tuple[Path, ...]) -> None:
    target = copy / sample.name
    copy.mkdir(parents=True)
    if sample.is_dir():
        shutil.copytree(sample, target)
    else:
        shutil.copy(sample, target)
    before = scan_sample(target, rule.id, rules=rules).report
    left = before.findings
    for _ in range(10):
        made = plan(left, Path(before.root), unsafe=True)
        assert not made.refused, made.refused
        if not made.files:
            break
        for file in made.files:
            write(file, Path(before.root))
        left = scan_sample(target, rule.id, rules=rules).report.findings
    assert not [finding for finding in left if finding.fix is not None], "fixes never settle"
    unfixable = sum(finding.fix is None for finding in before.findings)
    assert len(left) <= unfixable, [finding.message for finding in left]
