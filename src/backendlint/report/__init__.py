"""Stage 7: one file a format. A format is a pure function of the Report; a new one is a new module in this folder."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from backendlint.report.parts.options import RenderOptions

if TYPE_CHECKING:
    from backendlint.findings.model import Report

__all__ = ["FORMATS", "RenderOptions", "render"]

FORMATS: tuple[str, ...] = tuple(sorted(module.name for module in iter_modules(__path__) if not module.ispkg))
"""Names of the formats: the modules here, each with `render(report, options) -> str`."""


def render(fmt: str, report: Report, *, options: RenderOptions | None = None) -> str:
    """The report in one of FORMATS, ending with a newline unless empty; raises KeyError for an unknown format."""
    if fmt not in FORMATS:
        raise KeyError(fmt)
    text: str = import_module(f"{__name__}.{fmt}").render(report, options or RenderOptions())
    return text
