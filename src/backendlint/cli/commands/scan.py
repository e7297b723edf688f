"""`backendlint scan`: review a project."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backendlint.cli.outcome import DEFAULT, exit_code, parse_fail_on
from backendlint.cli.packs import rules_option
from backendlint.errors import UsageError
from backendlint.findings.model import PROFILES
from backendlint.report import FORMATS

if TYPE_CHECKING:
    from backendlint.config import FailLevel, Settings
    from backendlint.request import Outcome, Request

_PATH = click.Path(path_type=Path)


def _words(_ctx: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Repeated and comma-separated words as one list."""
    return tuple(word.strip() for value in values for word in value.split(",") if word.strip())


def _grouped(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Several decorators as one, in reading order."""

    def apply(function: Any) -> Any:
        for option in reversed(options):
            function = option(function)
        return function

    return apply


_what = _grouped(
    click.option("--select", multiple=True, callback=_words, help="Only these rules: ids, names, pillars, prefixes."),
    click.option("--ignore", multiple=True, callback=_words, help="Not these rules; the more specific selector wins."),
    click.option("--profile", type=click.Choice(PROFILES), help="How much to report; default: what a review blocks."),
    rules_option,
    click.option("--since", metavar="REF", help="Report only what is new since this git revision."),
    click.option("--baseline", type=_PATH, help="A file with findings that are accepted for now."),
    click.option("--write-baseline", type=_PATH, help="Accept all that is found now, in this file."),
    click.option("--show-suppressed", is_flag=True, help="Report suppressed findings too, marked as such."),
    click.option("--stdin-filename", type=_PATH, help="Read this file's unsaved text from standard input."),
    click.option("--no-context", is_flag=True, help="Read named files alone, without the project around them."),
)
_output = _grouped(
    click.option("--format", "formats", multiple=True, metavar="FORMAT[=FILE]", help="Repeatable; see below."),
    click.option("--output", type=_PATH, help="Where a format without a file goes instead of standard output."),
    click.option("--fail-on", multiple=True, metavar="[PILLAR=]LEVEL", help="Lowest severity for exit code 1."),
    click.option("--statistics", is_flag=True, help="Add the number of findings per rule."),
    click.option("--reach", is_flag=True, help="Say how many endpoints lead to each finding."),
    click.option("--quiet", "-q", is_flag=True, help="One line a finding."),
    click.option("--verbose", "-v", is_flag=True, help="Every finding in full, with what was left out and timings."),
)
_fixing = _grouped(
    click.option("--fix", is_flag=True, help="Apply safe fixes, then report what is left."),
    click.option("--diff", "show_diff", is_flag=True, help="Print the fixes as a diff instead of applying them."),
    click.option("--unsafe-fixes", is_flag=True, help="Include fixes that may change behaviour."),
)
_running = _grouped(
    click.option("--config", "config_file", type=_PATH, help="Use this configuration file."),
    click.option("--no-config", is_flag=True, help="Use no configuration file."),
    click.option("--jobs", "-j", type=click.IntRange(min=0), help="Worker processes; 0 means one a core."),
    click.option("--no-cache", is_flag=True, help="Neither read nor write the cache."),
    click.option("--cache-dir", type=_PATH, help="Where the cache lies."),
)


@dataclass(frozen=True, slots=True)
class Flags:
    """The command line, as given."""

    paths: tuple[Path, ...]
    select: tuple[str, ...]
    ignore: tuple[str, ...]
    profile: str | None
    rules_dirs: tuple[Path, ...]
    since: str | None
    baseline: Path | None
    write_baseline: Path | None
    show_suppressed: bool
    stdin_filename: Path | None
    no_context: bool
    formats: tuple[str, ...]
    output: Path | None
    fail_on: tuple[str, ...]
    statistics: bool
    reach: bool
    quiet: bool
    verbose: bool
    fix: bool
    show_diff: bool
    unsafe_fixes: bool
    config_file: Path | None
    no_config: bool
    jobs: int | None
    no_cache: bool
    cache_dir: Path | None


@click.command(epilog=f"Formats: {', '.join(FORMATS)}; e.g. --format text --format sarif=report.sarif")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path, readable=False))
@_what
@_output
@_fixing
@_running
def command(**given: Any) -> int:
    """Review a project.

    PATHS are folders and files of one project; the working directory otherwise. Single files are reviewed with the
    whole project as context.
    """
    flags = Flags(**given)
    _refuse_contradictions(flags)
    from backendlint.cli.outputs import parse_outputs

    outputs = parse_outputs(flags.formats, flags.output)
    fail_on = parse_fail_on(flags.fail_on)
    stdin = (flags.stdin_filename, _piped()) if flags.stdin_filename else None
    settings = _settings(flags)
    request = _request(flags, settings, stdin)
    outcome = _run(request, flags)
    if flags.show_diff:
        from backendlint.cli.fixing import Fixing, show

        return show(outcome, Fixing(flags.unsafe_fixes))
    if flags.write_baseline is not None:
        from backendlint.findings.baseline import write

        count = write(flags.write_baseline, outcome.accepted)
        click.echo(f"wrote {count} findings to {flags.write_baseline}", err=True)
        return 3 if exit_code(outcome.report, "never") == 3 else 0
    _report(outcome, flags, outputs, stdin)
    return exit_code(outcome.report, _levels(settings, fail_on))


def _piped() -> bytes:
    if sys.stdin is None:  # it was closed before we were started
        raise UsageError("scan: --stdin-filename needs the file's text on standard input, which is closed")
    return sys.stdin.buffer.read()


def _refuse_contradictions(flags: Flags) -> None:
    for one, two, wrong in (
        ("--config", "--no-config", flags.config_file is not None and flags.no_config),
        ("--quiet", "--verbose", flags.quiet and flags.verbose),
        ("--fix", "--diff", flags.fix and flags.show_diff),
        ("--fix", "--stdin-filename", flags.fix and flags.stdin_filename is not None),
        ("--diff", "--stdin-filename", flags.show_diff and flags.stdin_filename is not None),
        ("--stdin-filename", "paths", flags.stdin_filename is not None and bool(flags.paths)),
        ("--baseline", "--write-baseline", flags.baseline is not None and flags.write_baseline is not None),
    ):
        if wrong:
            raise UsageError(f"scan: {one} and {two} cannot be used together")
    if flags.unsafe_fixes and not (flags.fix or flags.show_diff):
        raise UsageError("scan: --unsafe-fixes needs --fix or --diff")


def _settings(flags: Flags) -> Settings:
    from backendlint.config import load

    return load(_paths(flags), explicit=flags.config_file, enabled=not flags.no_config)


def _paths(flags: Flags) -> tuple[Path, ...]:
    return (flags.stdin_filename,) if flags.stdin_filename else flags.paths or (Path(),)


def _request(flags: Flags, settings: Settings, stdin: tuple[Path, bytes] | None) -> Request:
    from backendlint.request import Request

    overrides: dict[str, object] = {}
    if flags.select:
        overrides["select"] = flags.select
    if flags.ignore:
        overrides["ignore"] = (*settings.config.ignore, *flags.ignore)
    if flags.profile is not None:
        overrides["profile"] = flags.profile
    if flags.jobs is not None:
        overrides["jobs"] = flags.jobs
    return Request(
        paths=_paths(flags),
        settings=settings,
        overrides=overrides,
        rule_folders=tuple(folder.resolve() for folder in flags.rules_dirs),
        baseline=flags.baseline.resolve() if flags.baseline else None,
        since=flags.since,
        stdin=stdin,
        context=not flags.no_context,
        show_suppressed=flags.show_suppressed,
        use_cache=not flags.no_cache,
        cache_dir=flags.cache_dir,
    )


def _run(request: Request, flags: Flags) -> Outcome:
    from backendlint.cli.progress import Progress
    from backendlint.pipeline import scan

    with Progress(enabled=not flags.quiet) as progress:
        watched = replace(request, progress=progress)
        if flags.fix:
            from backendlint.cli.fixing import Fixing, mend

            return mend(lambda: scan(watched), Fixing(flags.unsafe_fixes))
        return scan(watched)


def _levels(settings: Settings, fail_on: Mapping[str, FailLevel]) -> dict[str, FailLevel]:
    """The configuration's levels, with the command line's on top; a level for all there replaces all."""
    own = settings.config.fail_on
    configured: dict[str, FailLevel] = dict(own) if not isinstance(own, str) else {DEFAULT: own}
    return {**({} if DEFAULT in fail_on else configured), **fail_on}


def _report(outcome: Outcome, flags: Flags, outputs: list[Any], stdin: tuple[Path, bytes] | None) -> None:
    from backendlint.cli.outputs import put
    from backendlint.report import RenderOptions, render
    from backendlint.report.parts.terminal import wants_color

    report = outcome.report
    if flags.verbose:
        report = replace(report, notifications=(*report.notifications, *outcome.details))
    options = RenderOptions(
        sources=_sources(Path(report.root), stdin),
        statistics=flags.statistics,
        show_reach=flags.reach,
        quiet=flags.quiet,
        verbose=flags.verbose,
    )
    for output in outputs:
        shown = options
        if output.file is None and output.fmt == "text":
            import shutil

            width = shutil.get_terminal_size((100, 24)).columns
            shown = replace(options, color=wants_color(sys.stdout, os.environ), width=width)
        put(render(output.fmt, report, options=shown), output.file)


def _sources(root: Path, stdin: tuple[Path, bytes] | None) -> Callable[[str], str | None]:
    """Texts for excerpts; None where a file is gone."""
    from functools import lru_cache

    @lru_cache(maxsize=64)
    def read(path: str) -> str | None:
        from backendlint.parse import decode

        full = root / path
        if stdin is not None and stdin[0].resolve() == full:
            return decode(stdin[1])[0]
        try:
            return decode(full.read_bytes())[0]
        except OSError:
            return None

    return read
