"""`backendlint cache`: what earlier runs left behind."""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def command() -> None:
    """Look after the cache."""


@command.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path), default=Path())
@click.option("--cache-dir", type=click.Path(path_type=Path), help="The folder, where it is not the project's own.")
def clear(path: Path, cache_dir: Path | None) -> None:
    """Remove the cache of the project at PATH."""
    from backendlint.cache import clear, folder_for
    from backendlint.config import load

    settings = load([path])
    folder, _ = folder_for(settings.root, settings.config.cache_dir, cache_dir)
    click.echo(f"removed the cache in {folder}" if clear(folder) else f"there is no cache in {folder}")


@command.command(name="dir")
@click.argument("path", type=click.Path(exists=True, path_type=Path), default=Path())
def show(path: Path) -> None:
    """Print where the cache of the project at PATH lies."""
    from backendlint.cache import folder_for
    from backendlint.config import load

    settings = load([path])
    click.echo(folder_for(settings.root, settings.config.cache_dir, None)[0])
