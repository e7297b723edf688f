"""How values travel: from sources to sinks, through functions, objects, containers and strings."""

from backendlint.project.taint.flows import Flow, Taint
from backendlint.project.taint.labels import Labels, Mark, Origin
from backendlint.project.taint.sinks import SinkSite

__all__ = ["Flow", "Labels", "Mark", "Origin", "SinkSite", "Taint"]
