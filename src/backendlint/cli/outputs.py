"""Where a scan's reports go: `--format sarif=FILE --format text --output FILE`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from backendlint.errors import UsageError


@dataclass(frozen=True, slots=True)
class Output:
    """A format and its file; None is standard output."""

    fmt: str
    file: Path | None


def parse_outputs(specs: Sequence[str], output: Path | None) -> list[Output]:
    """`FORMAT` and `FORMAT=FILE` specs; those without a file go to `output` or standard output. Raises UsageError."""
    from backendlint.report import FORMATS

    outputs: list[Output] = []
    for spec in specs or ("text",):
        fmt, _, name = spec.partition("=")
        if fmt not in FORMATS:
            from backendlint.ruleset.nearest import did_you_mean

            hint = did_you_mean(fmt, FORMATS) or f"; there are {', '.join(FORMATS)}"
            raise UsageError(f"--format {spec}: no format `{fmt}`{hint}")
        outputs.append(Output(fmt, Path(name) if name else output))
    targets = [item.file for item in outputs]
    if len(set(targets)) < len(targets):
        raise UsageError("--format: only one format may go to each place; give the others files: `--format sarif=FILE`")
    return outputs


def put(text: str, file: Path | None) -> None:
    """Write a report in UTF-8; raises UsageError where the file cannot be written."""
    if file is None:
        stream = sys.stdout
        if (stream.encoding or "").lower().replace("-", "") not in ("utf8", ""):
            text = text.encode(stream.encoding, "replace").decode(stream.encoding)
        try:
            click.echo(text, nl=False)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise UsageError(f"the report cannot be written to standard output: {error.strerror or error}") from error
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", errors="surrogateescape", newline="\n")
    except OSError as error:
        raise UsageError(f"{file}: the report cannot be written: {error.strerror or error}") from error
