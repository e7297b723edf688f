"""The scorecard: every item of the reviewers' checklist with its state in this project, and figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from backendlint.findings.model import SEVERITIES, Finding
from backendlint.review.model import Figure, RuleCount, Score, State
from backendlint.review.outbound import outbound

if TYPE_CHECKING:
    from backendlint.project.model import Project
    from backendlint.review.model import Dependency, Endpoint
    from backendlint.ruleset.checklist import Item
    from backendlint.ruleset.manifest import Rule


def scorecard(
    project: Project, items: Sequence[Item], rules: Sequence[Rule], findings: Sequence[Finding]
) -> tuple[Score, ...]:
    """One row an item, in the checklist's order."""
    known = {rule.id for rule in rules}
    present = evidence(project)
    by_rule: dict[str, list[Finding]] = {}
    for finding in findings:
        by_rule.setdefault(finding.rule_id, []).append(finding)
    return tuple(_score(item, known, present, by_rule) for item in items)


def _score(item: Item, known: Collection[str], present: Collection[str], by_rule: dict[str, list[Finding]]) -> Score:
    counts = []
    for rule_id in (*item.rules, *item.evidence):
        found = by_rule.get(rule_id, [])
        if found:
            gravest = min((finding.severity for finding in found), key=SEVERITIES.index)
            counts.append(RuleCount(rule_id, found[0].name, len(found), gravest))
    counts = sorted(dict.fromkeys(counts), key=lambda rule: (SEVERITIES.index(rule.severity), -rule.count))
    total = sum(rule.count for rule in counts)
    return Score(
        item.id,
        item.pillar,
        item.question,
        _state(item, known, present, total),
        total,
        tuple(counts),
        _note(item, known),
    )


def _state(item: Item, known: Collection[str], present: Collection[str], total: int) -> State:
    if total:
        return "findings"
    if item.applies and not set(item.applies) & set(present):
        return "not applicable"
    state = item.state(known)
    return "runtime" if state == "runtime" else "planned" if state == "planned" else "pass"


def _note(item: Item, known: Collection[str]) -> str:
    missing = item.planned(known)
    parts = [item.runtime] if item.runtime else []
    if missing:
        parts.append(f"not checked yet: {', '.join(missing)}")
    return " ".join(parts)


def evidence(project: Project) -> frozenset[str]:
    """What the project has, in the checklist's words (`applies`)."""
    found = set()
    if project.routes:
        found.add("routes")
    if any(True for _ in outbound(project)):
        found.add("outbound")
    effects = {effect for site in project.effects.sites for effect in site.model.effect}
    if effects & {"db-read", "db-write", "db", "db-connect"} or any(
        project.hierarchy.role(cls) == "model" for cls in project.classes.values()
    ):
        found.add("database")
    if any(project.layers.of_path(path) == "migration" for path in project.files):
        found.add("migrations")
    if any(fn.facts.is_async for fn in project.all_functions()):
        found.add("async")
    if any(project.layer(fn) == "task" for fn in project.all_functions()) or effects & {
        "queue-publish",
        "queue-consume",
    }:
        found.add("jobs")
    libraries = {item.target.partition(".")[0] for file in project.files.values() for item in file.imports}
    kinds = {library.kind for name in libraries if (library := project.libraries.library_of(name)) is not None}
    if kinds & {"rpc", "graphql"}:
        found.add("rpc")
    return frozenset(found)


def figures(project: Project, endpoints: Sequence[Endpoint], dependencies: Sequence[Dependency]) -> tuple[Figure, ...]:
    """Shares that reviewers ask for."""
    found = [Figure("Endpoints", str(len(endpoints)), f"{len(project.applications)} applications")]
    documented = [route for route in project.routes if route.documented and route.in_schema]
    if documented:
        full = [row for row in endpoints if row.docs == "full"]
        found.append(
            Figure(
                "API documentation",
                share(len(full), len(documented)),
                "with response model and description; the target is over 95 %",
            )
        )
    if endpoints:
        closed = [row for row in endpoints if row.auth not in ("none", "public")]
        found.append(
            Figure(
                "Authenticated",
                share(len(closed), len(endpoints)),
                f"{len(endpoints) - len(closed)} endpoints are open",
            )
        )
        limited = [row for row in endpoints if row.rate_limit != "none"]
        found.append(Figure("Rate limited", share(len(limited), len(endpoints)), f"{len(limited)} endpoints"))
        changing = [row for row in endpoints if set(row.method.split("|")) & {"POST", "PUT", "PATCH"}]
        valid = [row for row in changing if row.validation != "none"]
        if changing:
            found.append(
                Figure(
                    "Bodies with a schema",
                    share(len(valid), len(changing)),
                    f"of {len(changing)} endpoints that take one",
                )
            )
        unbounded = [row for row in endpoints if row.wait == "unbounded"]
        found.append(Figure("Unbounded waits", str(len(unbounded)), "endpoints that a hanging dependency hangs"))
    if dependencies:
        bounded = [row for row in dependencies if not row.timeout.startswith("none")]
        found.append(
            Figure("Dependencies with a timeout", share(len(bounded), len(dependencies)), f"of {len(dependencies)}")
        )
    layers = Counter(layer for fn in project.all_functions() if not fn.is_module and (layer := project.layer(fn)))
    if layers:
        found.append(
            Figure("Layers", str(len(layers)), ", ".join(f"{count} {layer}" for layer, count in layers.most_common(6)))
        )
    return tuple(found)


def share(part: int, whole: int) -> str:
    """A percentage without decimals."""
    return f"{round(100 * part / whole)} %" if whole else "-"
