"""Routes: from decorators, calls and URL lists of all frameworks to one table."""

from __future__ import annotations

from backendlint.project.routes.build import RouteTable
from backendlint.project.routes.model import SAFE, UNKNOWN, Application, Entry, Origin, Route, RouteParam
from backendlint.project.routes.reach import Endpoints
from backendlint.project.routes.status import status_of

__all__ = [
    "SAFE",
    "UNKNOWN",
    "Application",
    "Endpoints",
    "Entry",
    "Origin",
    "Route",
    "RouteParam",
    "RouteTable",
    "status_of",
]
