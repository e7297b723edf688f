"""What a rule's check.py may import: the project model, the facts, and what a check yields.

Kept free of heavy imports: libcst and sqlglot come with the sites that engines hand over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.engines.site import SyntaxSite
from backendlint.facts.model import (
    Binding,
    Block,
    Call,
    ClassFacts,
    FileFacts,
    FunctionFacts,
    Import,
    Param,
    Raise,
    Return,
    Span,
    Statement,
    Store,
    Value,
    Vid,
)
from backendlint.facts.within import (
    LogCall,
    around,
    below,
    called_name,
    calls_in,
    caught,
    log_call,
    name_of,
    siblings,
)
from backendlint.findings.model import Edit, Fix, Hit, Location, Step
from backendlint.project.allocations import Made
from backendlint.project.answers import Answer, answers
from backendlint.project.applications import Served, served_applications
from backendlint.project.calls import Edge, arguments
from backendlint.project.conditions import holds
from backendlint.project.effects import BLOCKING, Reason, Site, waits
from backendlint.project.entities import Cls, Fn, Ref
from backendlint.project.exceptions import Escape
from backendlint.project.libraries_model import CallModel
from backendlint.project.model import Project
from backendlint.project.programs import in_main_block, runs_by_hand
from backendlint.project.requests import RequestRead, derived, request_reads, validates
from backendlint.project.retries import Policy
from backendlint.project.routes import UNKNOWN, Application, Route, RouteParam, status_of
from backendlint.project.routes.paths import is_parameter, parameters, segments, shape
from backendlint.project.schema import operations as ops
from backendlint.project.schema import types as sqltypes
from backendlint.project.schema.history import Moment
from backendlint.project.schema.model import Column, Index, Schema, Table
from backendlint.project.schema.usage import users_of
from backendlint.project.sqltext.statements import Statement as SqlStatement
from backendlint.project.taint import Flow, Labels, Mark, Origin, SinkSite
from backendlint.project.taint.naming import sensitive
from backendlint.project.taint.report import ATTACKER, describe_source, flow_hit, flow_hits, open_text_hits, place_flows
from backendlint.project.timeouts import Wait
from backendlint.project.weak import WeakUse, weak_hits, weak_uses
from backendlint.project.writes import Write

if TYPE_CHECKING:
    from backendlint.project.sqltext import judge as sql

__all__ = [
    "ATTACKER",
    "BLOCKING",
    "UNKNOWN",
    "Answer",
    "Application",
    "Binding",
    "Block",
    "Call",
    "CallModel",
    "ClassFacts",
    "Cls",
    "Column",
    "Edge",
    "Edit",
    "Escape",
    "FileFacts",
    "Fix",
    "Flow",
    "Fn",
    "FunctionFacts",
    "Hit",
    "Import",
    "Index",
    "Labels",
    "Location",
    "LogCall",
    "Made",
    "Mark",
    "Moment",
    "Origin",
    "Param",
    "Policy",
    "Project",
    "Raise",
    "Reason",
    "Ref",
    "Return",
    "Route",
    "RequestRead",
    "RouteParam",
    "derived",
    "request_reads",
    "Schema",
    "Served",
    "SinkSite",
    "Site",
    "Span",
    "SqlStatement",
    "Statement",
    "Step",
    "Store",
    "SyntaxSite",
    "Table",
    "Value",
    "Vid",
    "Wait",
    "WeakUse",
    "Write",
    "answers",
    "arguments",
    "around",
    "below",
    "called_name",
    "calls_in",
    "caught",
    "describe_source",
    "flow_hit",
    "flow_hits",
    "holds",
    "in_main_block",
    "is_parameter",
    "log_call",
    "name_of",
    "open_text_hits",
    "ops",
    "parameters",
    "place_flows",
    "runs_by_hand",
    "segments",
    "sensitive",
    "served_applications",
    "shape",
    "siblings",
    "sql",
    "sqltypes",
    "status_of",
    "validates",
    "users_of",
    "waits",
    "weak_hits",
    "weak_uses",
]


def __getattr__(name: str) -> object:
    """`sql` (helpers over sqlglot trees) is imported with sqlglot, when a SQL rule first asks for it."""
    if name == "sql":
        from backendlint.project.sqltext import judge

        return judge
    raise AttributeError(name)
