"""`backendlint explain`: one rule, in full."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from backendlint.cli.packs import load_packs, rules_option

if TYPE_CHECKING:
    from backendlint.ruleset.manifest import Rule


@click.command()
@click.argument("rule", metavar="ID|NAME")
@rules_option
def command(rule: str, rules_dirs: tuple[Path, ...]) -> None:
    """Explain a rule.

    Why it matters, a bad and a good example, how to fix it, and where it comes from.
    """
    from backendlint.errors import UsageError
    from backendlint.report.parts.terminal import wants_color
    from backendlint.ruleset.nearest import did_you_mean
    from backendlint.ruleset.select import matches

    ruleset = load_packs(rules_dirs)
    found = ruleset.find(rule)
    if found is None:
        several = sum(matches(rule, item) for item in ruleset)
        if several:
            raise UsageError(f"explain: `{rule}` is {several} rules, not one; `backendlint rules {rule}` lists them")
        hint = did_you_mean(rule, [key for item in ruleset for key in (item.id, item.name)])
        raise UsageError(f"explain: no rule `{rule}`{hint or '; `backendlint rules` lists them'}")
    text = _document(found)
    if wants_color(sys.stdout, os.environ):
        from rich.console import Console
        from rich.markdown import Markdown

        Console().print(Markdown(text))
    else:
        click.echo(text)


def _document(rule: Rule) -> str:
    """The rule's doc.md, then what its manifest adds."""
    doc = rule.folder / "doc.md"
    body = doc.read_text(encoding="utf-8").strip() if doc.is_file() else f"# {rule.id} {rule.name}\n\n{rule.summary}."
    options = "".join(f"\n  - `{key} = {json.dumps(value)}`" for key, value in rule.options.items())
    facts = [
        ("Pillar", rule.pillar),
        ("Severity", f"{rule.severity}, {rule.confidence} confidence, {rule.profile} profile"),
        ("What to do", rule.help),
        ("Fix", {"none": "by hand", "safe": "`--fix`", "unsafe": "`--fix --unsafe-fixes`"}[rule.fix]),
        ("Options", options),
        ("CWE", ", ".join(f"CWE-{number}" for number in rule.cwe)),
        ("Checklist", "; ".join(_items(rule))),
        ("References", ", ".join(rule.references)),
        ("Suppress", f"`# backendlint: ignore[{rule.id}] -- reason`"),
        ("Rule's folder", f"{rule.folder} ({rule.engine} engine)"),
    ]
    return body + "\n\n## In short\n\n" + "\n".join(f"- {name}: {value}" for name, value in facts if value)


def _items(rule: Rule) -> list[str]:
    from backendlint.ruleset.checklist import load_checklist

    known = {item.id: item for item in load_checklist()}
    return [f"{key} ({known[key].asks})" if key in known else key for key in rule.checklist]
