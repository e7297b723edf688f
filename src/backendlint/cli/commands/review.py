"""`backendlint review`: the scorecard, the resilience matrix and the API table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from backendlint.cli.packs import rules_option
from backendlint.findings.model import PROFILES

if TYPE_CHECKING:
    from backendlint.review.model import Review

FORMATS = ("text", "markdown", "json", "html")


@click.command()
@click.argument("path", required=False, type=click.Path(exists=True, path_type=Path))
@click.option("--format", "fmt", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option("--output", type=click.Path(path_type=Path), help="The file to write; standard output otherwise.")
@click.option("--profile", type=click.Choice(PROFILES), help="Which findings the scorecard counts.")
@click.option("--no-cache", is_flag=True, help="Neither read nor write the cache.")
@rules_option
def command(
    path: Path | None, fmt: str, output: Path | None, profile: str | None, no_cache: bool, rules_dirs: tuple[Path, ...]
) -> None:
    """Show what no list of findings can: every question of a reviewer with its answer for the project at PATH, what
    happens when a dependency is down, and every endpoint with what protects it."""
    from backendlint.cli.outputs import put
    from backendlint.request import Request
    from backendlint.review.build import review

    overrides = {"profile": profile} if profile else {}
    made = review(
        Request(paths=(path or Path(),), overrides=overrides, rule_folders=rules_dirs, use_cache=not no_cache)
    )
    put(_render(fmt, made), output)


def _render(fmt: str, made: Review) -> str:
    from backendlint.review.html import as_html
    from backendlint.review.text import as_json, as_markdown, as_text

    renderers = {"text": as_text, "markdown": as_markdown, "json": as_json, "html": as_html}
    return renderers[fmt](made)
