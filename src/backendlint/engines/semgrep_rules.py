"""semgrep YAML: merging the rules' files into one config, and reading users' own files as rules."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from backendlint.errors import RuleError
from backendlint.findings.model import CONFIDENCES, PILLARS, PROFILES, SEVERITIES, Notification
from backendlint.ruleset.manifest import Rule

if TYPE_CHECKING:
    from backendlint.findings.model import Confidence, Pillar, Profile, Severity

_OVERRIDES = {"severity": SEVERITIES, "confidence": CONFIDENCES, "profile": PROFILES}
_SEVERITY: dict[str, Severity] = {
    "ERROR": "error", "CRITICAL": "error", "HIGH": "error",
    "WARNING": "warning", "MEDIUM": "warning",
    "INFO": "note", "LOW": "note",
}  # fmt: skip
_LANGUAGES = {"python", "py", "python3", "generic", "regex"}
_CWE = re.compile(r"(?:CWE-)?(\d+)")


@dataclass(frozen=True, slots=True)
class Pattern:
    """One semgrep rule of a Rule: a Rule's file may hold several."""

    rule: Rule
    metadata: dict[str, str]
    """Overrides of the manifest for this pattern's hits: severity, confidence, profile, help."""
    needs: dict[str, tuple[str, ...]]
    """Of the pattern alone, beside the rule's."""


def merge(rules: Sequence[Rule]) -> tuple[list[dict[str, Any]], dict[str, Pattern], list[Notification]]:
    """All patterns with an id of their own, what they belong to by that id, and what could not be used.

    Ids must be unique: `semgrep --experimental` drops rules that share one.
    """
    merged: list[dict[str, Any]] = []
    patterns: dict[str, Pattern] = {}
    problems: list[Notification] = []
    for rule in rules:
        try:
            entries = list(_entries(rule))
            overrides = [_overrides(entry, rule) for entry in entries]
        except RuleError as error:
            problems.append(Notification("rule-failed", str(error), "error"))
            continue
        for entry, metadata in zip(entries, overrides, strict=True):
            identity = f"p{len(patterns)}-{entry['id']}"
            patterns[identity] = Pattern(rule, metadata, _needs(entry, rule.folder))
            merged.append({**entry, "id": identity, "metadata": {}})
    return merged, patterns, problems


def bare_rules(path: Path) -> list[Rule]:
    """The rules of a semgrep YAML file that has no rule.yaml, from each one's own keys and `metadata`.

    `metadata` may give pillar (default security), severity, confidence, profile, name, summary, help, checklist, cwe,
    references and needs; semgrep's own `severity` counts where metadata has none. Raises RuleError.
    """
    return [_bare_rule(entry, path) for entry in _load(path)]


def _entries(rule: Rule) -> Iterator[dict[str, Any]]:
    if rule.folder.is_file():
        yield from (entry for entry in _load(rule.folder) if entry["id"] == rule.id)
        return
    path = rule.folder / "semgrep.yaml"
    for entry in _load(path):
        if str(entry["id"]).partition("-")[0] != rule.id:
            raise RuleError(f"{path}: pattern `{entry['id']}` must be called `{rule.id}` or `{rule.id}-something`")
        yield entry


def _load(path: Path) -> list[dict[str, Any]]:
    import yaml

    try:
        document = yaml.load(path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (OSError, UnicodeDecodeError) as error:
        raise RuleError(f"{path}: cannot be read: {error}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise RuleError(f"{path}{line}: is not YAML: {getattr(error, 'problem', None) or error}") from error
    entries = document.get("rules") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not entries:
        raise RuleError(f"{path}: a semgrep file is a mapping with a list `rules`")
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
            raise RuleError(f"{path}: every semgrep rule is a mapping with an `id`")
        languages = entry.get("languages") or []
        if not isinstance(languages, list) or not _LANGUAGES.intersection(languages):
            raise RuleError(f"{path}: rule `{entry['id']}`: `languages` must hold python, generic or regex")
        if not isinstance(entry.get("metadata") or {}, dict):
            raise RuleError(f"{path}: rule `{entry['id']}`: `metadata` must be a mapping")
    return entries


def _overrides(entry: dict[str, Any], rule: Rule) -> dict[str, str]:
    if rule.folder.is_file():
        return {}  # a bare file's metadata is the rule itself
    metadata = entry.get("metadata") or {}
    found = {key: str(metadata[key]) for key in ("help", *_OVERRIDES) if key in metadata}
    for key, allowed in _OVERRIDES.items():
        if key in found and found[key] not in allowed:
            raise RuleError(f"{rule.folder / 'semgrep.yaml'}: `{key}` of `{entry['id']}`: one of {', '.join(allowed)}")
    return found


def _bare_rule(entry: dict[str, Any], path: Path) -> Rule:
    metadata = entry.get("metadata") or {}
    identity = entry["id"]

    def pick(key: str, allowed: tuple[str, ...], default: str) -> str:
        value = str(metadata.get(key, default)).lower()
        if value not in allowed:
            raise RuleError(f"{path}: rule `{identity}`: `{key}` is one of {', '.join(allowed)}, not `{value}`")
        return value

    summary = str(metadata.get("summary") or entry.get("message") or identity).strip().splitlines()[0]
    return Rule(
        id=identity,
        name=str(metadata.get("name") or _kebab(identity)),
        pillar=cast("Pillar", pick("pillar", PILLARS, "security")),
        engine="semgrep",
        severity=cast("Severity", pick("severity", SEVERITIES, _SEVERITY.get(str(entry.get("severity")), "warning"))),
        confidence=cast("Confidence", pick("confidence", CONFIDENCES, "medium")),
        profile=cast("Profile", pick("profile", PROFILES, "default")),
        summary=summary,
        help=str(metadata.get("help") or "See the rule's message."),
        checklist=_strings(metadata.get("checklist")),
        cwe=tuple(int(match[1]) for text in _strings(metadata.get("cwe")) if (match := _CWE.match(text))),
        needs=_needs(entry, path),
        fix="unsafe" if "fix" in entry else "none",
        references=_strings(metadata.get("references")),
        folder=path,
        origin="user",
    )


def _needs(entry: dict[str, Any], path: Path) -> dict[str, tuple[str, ...]]:
    needs = (entry.get("metadata") or {}).get("needs") or {}
    if not isinstance(needs, dict):
        raise RuleError(f"{path}: rule `{entry['id']}`: `needs` must be a mapping")
    return {str(key): _strings(values) for key, values in needs.items()}


def _strings(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(str(item) for item in value) if isinstance(value, list) else (str(value),)


def _kebab(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "rule"
