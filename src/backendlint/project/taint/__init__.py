"""How values travel: from sources to sinks, through functions, objects, containers and strings."""

from backendlint.project.taint.flows import Flow, SinkSite, Taint
from backendlint.project.taint.labels import Labels, Mark, Origin

__all__ = ["Flow", "Labels", "Mark", "Origin", "SinkSite", "Taint"]
