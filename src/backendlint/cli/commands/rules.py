"""`backendlint rules`: what there is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from backendlint.cli.packs import load_packs, rules_option
from backendlint.findings.model import PROFILES

if TYPE_CHECKING:
    from backendlint.ruleset.manifest import Rule


@click.command()
@click.argument("selectors", nargs=-1)
@click.option("--profile", type=click.Choice(PROFILES), help="Only rules that run in this profile.")
@click.option("--engine", help="Only rules of this engine (project, cst, sql, semgrep).")
@click.option("--format", "fmt", type=click.Choice(["text", "json"]), default="text", show_default=True)
@rules_option
def command(
    selectors: tuple[str, ...], profile: str | None, engine: str | None, fmt: str, rules_dirs: tuple[Path, ...]
) -> None:
    """List the rules.

    All of them, or those that SELECTORS name (ids, names, pillars, prefixes).
    """
    from backendlint.ruleset.select import check_selectors, matches

    ruleset = load_packs(rules_dirs)
    check_selectors(selectors, "rules", ruleset)
    chosen = [
        rule
        for rule in ruleset
        if (not selectors or any(matches(word, rule) for word in selectors))
        and (profile is None or PROFILES.index(rule.profile) <= PROFILES.index(profile))
        and (engine is None or rule.engine == engine)
    ]
    click.echo(_json(chosen) if fmt == "json" else _text(chosen))


def _json(rules: list[Rule]) -> str:
    import json

    keys = ("id", "name", "pillar", "severity", "confidence", "engine", "cwe", "profile", "fix", "summary", "help")
    rows = [
        {**{key: getattr(rule, key) for key in keys}, "checklist": rule.checklist, "origin": rule.origin}
        for rule in rules
    ]
    return json.dumps(rows, indent=2)


def _text(rules: list[Rule]) -> str:
    wide = max((len(rule.name) for rule in rules), default=0)
    lines: list[str] = []
    pillar = ""
    for rule in rules:
        if rule.pillar != pillar:
            pillar = rule.pillar
            lines += ["", pillar.capitalize()] if lines else [pillar.capitalize()]
        fix = {"none": " ", "safe": "*", "unsafe": "+"}[rule.fix]
        lines.append(f"  {rule.id:<8}{rule.name:<{wide}}  {rule.severity:<8}{rule.profile:<8}{fix} {rule.summary}")
    lines += ["", f"{len(rules)} rules; * has a fix, + has one that may change behaviour (--unsafe-fixes)"]
    return "\n".join(lines)
