"""`backendlint init`: a configuration and a pre-commit stanza to start from."""

from __future__ import annotations

from pathlib import Path

import click

_STANZA = """\
  - repo: local
    hooks:
      - id: backendlint
        name: backendlint
        entry: backendlint scan
        language: system
        types_or: [python, sql]
        require_serial: true
"""
"""Runs the installed backendlint; the README shows how the hook installs its own."""


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path), default=Path())
@click.option("--force", is_flag=True, help="Overwrite an existing backendlint.toml.")
def command(folder: Path, force: bool) -> None:
    """Write a configuration to start from.

    A commented backendlint.toml in FOLDER, and a pre-commit configuration where there is none.
    """
    from backendlint.config import default_text
    from backendlint.errors import UsageError

    config = folder / "backendlint.toml"
    if config.exists() and not force:
        raise UsageError(f"init: {config} exists already; --force overwrites it")
    config.write_text(f"# Options of backendlint; each line shows the default.\n\n{default_text()}", encoding="utf-8")
    click.echo(f"wrote {config}")
    hooks = folder / ".pre-commit-config.yaml"
    if not hooks.exists():
        hooks.write_text(f"repos:\n{_STANZA}", encoding="utf-8")
        click.echo(f"wrote {hooks}")
    elif "id: backendlint" not in hooks.read_text(encoding="utf-8", errors="replace"):
        click.echo(f"{hooks} exists already; add this below its `repos:`\n\n{_STANZA}", nl=False)
