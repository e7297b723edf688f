"""What a rule's check.py may import: the project model, the facts, and what a check yields.

Kept free of heavy imports: libcst and sqlglot come with the sites that engines hand over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.engines.heavy import given_out
from backendlint.engines.site import SyntaxSite
from backendlint.facts.model import (
    Block,
    Call,
    FileFacts,
    FunctionFacts,
    Import,
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
    clause,
    clause_text,
    log_call,
    name_of,
    only_for_types,
    siblings,
)
from backendlint.findings.model import Edit, Fix, Hit, Location, Profile, Step
from backendlint.findings.once import FEW, SLIPS, by_style, here_and_in, told_once
from backendlint.project.clocks.clocks import Clocks
from backendlint.project.clocks.kepttimes import KeptTimes
from backendlint.project.clocks.naivetimes import (
    CALENDAR,
    LOCAL,
    declares_date,
    into_dates,
    kept,
    measures,
    only_calendar,
    only_claims,
)
from backendlint.project.entities import Cls, Fn, Ref
from backendlint.project.errors.badinput import BadInput, bad_inputs
from backendlint.project.errors.conversions import asks_nobody, only_converts
from backendlint.project.errors.exception_kinds import ErrorClass, error_classes, inherits_any
from backendlint.project.errors.failures import Unmapped, Unwrapped, says_missing, waits_there
from backendlint.project.errors.lookups import sent
from backendlint.project.errors.owncodes import failure_status
from backendlint.project.graph.applications import concerned, served_applications
from backendlint.project.graph.calls import Edge, argument_of, arguments
from backendlint.project.graph.certain import Given, certain, given, ruled_out
from backendlint.project.graph.effects import BLOCKING, Site, called, waits
from backendlint.project.graph.eventloops import runs_alone
from backendlint.project.graph.feasible import happens
from backendlint.project.graph.jobs import EarlyJob, left_to_worker
from backendlint.project.graph.programs import (
    SERVING,
    fills_database,
    for_developers,
    for_development,
    for_tests,
    in_main_block,
    only_by_hand,
    only_from_main,
    only_planned,
    runs_by_hand,
)
from backendlint.project.libraries.model import CallModel
from backendlint.project.libraries.weak import WeakUse, weak_hits, weak_uses
from backendlint.project.linking.allocations import Made
from backendlint.project.linking.binding import bind, object_root, receiver, slots, unchanged
from backendlint.project.linking.decorators import decorator_models, is_job
from backendlint.project.linking.variables import display, of_all_modules, variable
from backendlint.project.loops.caches import CacheUse
from backendlint.project.loops.dumps import Serialized, dumped_schemas, serialized
from backendlint.project.loops.filled import filled_fields
from backendlint.project.loops.loops import block_at, depends, grows, loop_at, loops_around, stops_early
from backendlint.project.loops.memos import asked, bounded, few, keeps_client, keeps_result
from backendlint.project.loops.once import first_time_only, once_a_process
from backendlint.project.loops.repeated import Repeated, repeated
from backendlint.project.loops.resolvers import resolved
from backendlint.project.loops.responsemodels import responded
from backendlint.project.model import Project
from backendlint.project.places import calls_at, comment_above, comments_in, functions_in, lines_of
from backendlint.project.resources.percall import MadePerCall
from backendlint.project.resources.resources import Leak
from backendlint.project.resources.running import RUNNING, runs
from backendlint.project.routes import SAFE, UNKNOWN, Route, status_of
from backendlint.project.routes.params import public_name
from backendlint.project.routes.paths import is_parameter, segments, shape, subject, versions
from backendlint.project.rows.associations import Relation, is_django
from backendlint.project.rows.cartesian import unconnected
from backendlint.project.rows.growth import accumulates, stays_small
from backendlint.project.rows.lazyreads import LazyRead
from backendlint.project.rows.lost import read_modify_writes, sql_read_modify_writes, stale_updates
from backendlint.project.rows.queries import Query
from backendlint.project.rows.races import Raced
from backendlint.project.rows.rowlocks import locks_rows
from backendlint.project.rows.saved import stored_by_itself
from backendlint.project.rows.selected import selected
from backendlint.project.rows.setters import handed_updates
from backendlint.project.rows.sought import shared_row
from backendlint.project.rows.steps import Durable, closed_steps, durable_steps, related
from backendlint.project.rows.transactions import before, exclusive, openings
from backendlint.project.rows.unbounded import Unbounded, doubtful, unbounded
from backendlint.project.rows.uniqueness import (
    by_range,
    never_violated,
    of_others,
    one_row,
    stopped_by,
    table_of,
    unique_keys,
)
from backendlint.project.rows.writes import Write, stored_entity
from backendlint.project.schema import operations as ops
from backendlint.project.schema import types as sqltypes
from backendlint.project.schema.history import Moment
from backendlint.project.schema.model import Column, Schema, Table
from backendlint.project.schema.usage import users_of
from backendlint.project.sqltext.orm import Use as ColumnUse
from backendlint.project.sqltext.statements import Statement as SqlStatement
from backendlint.project.taint import Flow, Origin
from backendlint.project.taint.evident import evident
from backendlint.project.taint.labels import PUT_IN
from backendlint.project.taint.naming import asks_to_show, identifier_words, names_key, place_words, sensitive, snake
from backendlint.project.taint.report import advice_hits, flow_hit, flow_hits, place_flows
from backendlint.project.taint.sinks import sink_arguments
from backendlint.project.taint.whole import held_whole, whole_request
from backendlint.project.templates.lazy import TemplateRead, template_reads
from backendlint.project.values.literals import NamedLiteral, name_of_value, written
from backendlint.project.values.regexes import slow_part
from backendlint.project.values.secrets import (
    Shaped,
    is_password,
    issued_key,
    known_shape,
    place_kind,
    publishable,
    secret_like,
    shape_of,
)
from backendlint.project.values.stages import develops, develops_in, in_stage_body, on_own_machine
from backendlint.project.values.uses import aliases, ingredients, is_used, of_caught, operands
from backendlint.project.waiting.fanout import Fanout
from backendlint.project.waiting.longwork import LongWork, at_once
from backendlint.project.waiting.retry_settings import Policy
from backendlint.project.waiting.sums import Part, Sum, duration, terms
from backendlint.project.waiting.trials import tries_out
from backendlint.project.waiting.wait import Wait
from backendlint.project.web.answers import Answer, answers, refusals
from backendlint.project.web.attempts import forms_of, limited_inside
from backendlint.project.web.credentials import HEADER, SESSION
from backendlint.project.web.requests import (
    derived,
    request_reads,
    serialized_by_decorator,
    validated_by_decorator,
    validates,
)
from backendlint.project.web.webapi import among_pages, for_admins, is_api, is_plain, is_signed, rendered_as
from backendlint.ruleset.options import listed

if TYPE_CHECKING:
    from backendlint.project.sqltext import judge as sql

__all__ = [
    "BLOCKING",
    "CALENDAR",
    "FEW",
    "HEADER",
    "LOCAL",
    "PUT_IN",
    "RUNNING",
    "SAFE",
    "SERVING",
    "SESSION",
    "SLIPS",
    "UNKNOWN",
    "Answer",
    "BadInput",
    "Block",
    "CacheUse",
    "Call",
    "CallModel",
    "Clocks",
    "Cls",
    "Column",
    "ColumnUse",
    "Durable",
    "EarlyJob",
    "Edge",
    "Edit",
    "ErrorClass",
    "Fanout",
    "FileFacts",
    "Fix",
    "Flow",
    "Fn",
    "FunctionFacts",
    "Given",
    "Hit",
    "Import",
    "KeptTimes",
    "LazyRead",
    "Leak",
    "Location",
    "LogCall",
    "LongWork",
    "Made",
    "MadePerCall",
    "Moment",
    "NamedLiteral",
    "Origin",
    "Part",
    "Policy",
    "Profile",
    "Project",
    "Query",
    "Raced",
    "Raise",
    "Ref",
    "Relation",
    "Repeated",
    "Return",
    "Route",
    "Schema",
    "Serialized",
    "Shaped",
    "Site",
    "Span",
    "SqlStatement",
    "Statement",
    "Step",
    "Store",
    "Sum",
    "SyntaxSite",
    "Table",
    "TemplateRead",
    "Unbounded",
    "Unmapped",
    "Unwrapped",
    "Value",
    "Vid",
    "Wait",
    "WeakUse",
    "Write",
    "accumulates",
    "advice_hits",
    "aliases",
    "among_pages",
    "answers",
    "argument_of",
    "arguments",
    "around",
    "asked",
    "asks_nobody",
    "asks_to_show",
    "at_once",
    "bad_inputs",
    "before",
    "below",
    "bind",
    "block_at",
    "bounded",
    "by_range",
    "by_style",
    "called",
    "called_name",
    "calls_at",
    "calls_in",
    "caught",
    "certain",
    "clause",
    "clause_text",
    "closed_steps",
    "comment_above",
    "comments_in",
    "concerned",
    "declares_date",
    "decorator_models",
    "depends",
    "derived",
    "develops",
    "develops_in",
    "display",
    "doubtful",
    "dumped_schemas",
    "durable_steps",
    "duration",
    "error_classes",
    "evident",
    "exclusive",
    "failure_status",
    "few",
    "filled_fields",
    "fills_database",
    "first_time_only",
    "flow_hit",
    "flow_hits",
    "for_admins",
    "for_developers",
    "for_development",
    "for_tests",
    "forms_of",
    "functions_in",
    "given",
    "grows",
    "handed_updates",
    "happens",
    "held_whole",
    "here_and_in",
    "identifier_words",
    "in_main_block",
    "in_stage_body",
    "ingredients",
    "inherits_any",
    "into_dates",
    "is_api",
    "is_django",
    "is_job",
    "is_parameter",
    "is_password",
    "is_plain",
    "is_signed",
    "is_used",
    "issued_key",
    "keeps_client",
    "keeps_result",
    "kept",
    "known_shape",
    "left_to_worker",
    "limited_inside",
    "lines_of",
    "listed",
    "locks_rows",
    "log_call",
    "loop_at",
    "loops_around",
    "measures",
    "name_of",
    "name_of_value",
    "names_key",
    "never_violated",
    "object_root",
    "of_all_modules",
    "of_caught",
    "of_others",
    "on_own_machine",
    "once_a_process",
    "one_row",
    "only_by_hand",
    "only_calendar",
    "only_claims",
    "only_converts",
    "only_for_types",
    "only_from_main",
    "only_planned",
    "openings",
    "operands",
    "ops",
    "place_flows",
    "place_kind",
    "place_words",
    "public_name",
    "publishable",
    "read_modify_writes",
    "receiver",
    "refusals",
    "related",
    "rendered_as",
    "repeated",
    "request_reads",
    "resolved",
    "responded",
    "ruled_out",
    "runs",
    "runs_alone",
    "runs_by_hand",
    "says_missing",
    "secret_like",
    "segments",
    "selected",
    "sensitive",
    "sent",
    "serialized",
    "serialized_by_decorator",
    "served_applications",
    "shape",
    "shape_of",
    "shared_row",
    "siblings",
    "sink_arguments",
    "slots",
    "slow_part",
    "snake",
    "sql",
    "sql_read_modify_writes",
    "sqltypes",
    "stale_updates",
    "status_of",
    "stays_small",
    "stopped_by",
    "stops_early",
    "stored_by_itself",
    "stored_entity",
    "subject",
    "table_of",
    "template_reads",
    "terms",
    "told_once",
    "tries_out",
    "unbounded",
    "unchanged",
    "unconnected",
    "unique_keys",
    "users_of",
    "validated_by_decorator",
    "validates",
    "variable",
    "versions",
    "waits",
    "waits_there",
    "weak_hits",
    "weak_uses",
    "whole_request",
    "written",
]

__getattr__ = given_out
