"""What a project keeps an audit record with."""

from __future__ import annotations

import re

from backendlint.api import Call, Cls, Fn, Project

AUDIT = re.compile(
    r"audit|activity_?log|log_?activity|(log|record|track|save|write)_?(action|event|change|history|activity)|LogEntry|history_?(entry|record)|event_?log|journal(?!is[tm])",
    re.IGNORECASE,
)
SENSITIVE = re.compile(
    r"delete|remove|destroy|purge|ban|block|role|permission|password|grant|revoke|transfer|refund|withdraw|payout|charge|approve|reject|disable|"
    r"enable|suspend|deactivate|activate|promote|demote|impersonate|reset|cancel|close|lock|owner|limit|price|credit|salary|(change|update|set)[_-]?email|email[_-]?change|(^|_)void(_|$)|write_?off|waive",
    re.IGNORECASE,
)
PASSING = re.compile(
    r"session|token|cache|draft|notification|filter|bookmark|favou?rite|(blob|chunk\w*|multipart|pending|te?mp\w*)_?upload",
    re.IGNORECASE,
)
"""What comes and goes anyway: its deletion is no matter for an audit."""
DEPTH = 6


def audit(project: Project, start: Fn, journals: frozenset[str], depth: int = DEPTH) -> Fn | None:
    """The audit function that a function reaches, or the function that stores an audit entity; `journals` are files all of
    whose functions count."""
    for fn, level in project.graph.below(start, depth, ("call", "task", "inject")):
        own = AUDIT.search(fn.name) or (fn.cls is not None and AUDIT.search(fn.cls.name))
        if level and fn.name != "__init__" and (own or fn.path in journals):
            return fn
        for ref in (ref for call in fn.facts.calls for ref in project.callees(fn, call)):
            if ref.kind == "class" and is_record(project, project.classes[ref.name]):
                return project.method(project.classes[ref.name], "__init__") or fn
        written = (write for write in project.writes.direct(fn) if write.op != "delete")
        if any(AUDIT.search(write.entity.rpartition(".")[2]) for write in written) or calls_record(project, fn):
            return fn
    for ref in start.decorators:
        if AUDIT.search(ref.name.rpartition(".")[2]):
            return project.functions.get(ref.name) or start
    return None


def calls_record(project: Project, fn: Fn) -> bool:
    """`logs.log_action(...)` of what is chosen when the program starts, so that the name is all that tells."""
    named = (call for call in fn.facts.calls if AUDIT.search(fn.callee_name(call)))
    return any(not project.targets(fn, call) for call in named)


def is_record(project: Project, cls: Cls) -> bool:
    """Whether an object is the record itself; a `JournalWriter` has written none when it is made."""
    serves = any(not name.startswith("_") for name in cls.methods) and project.hierarchy.role(cls) != "model"
    return AUDIT.search(cls.name) is not None and not serves


def makes_missing(project: Project, fn: Fn, call: Call) -> bool:
    """Whether the call inserts what was looked for and not found."""
    return any(raced.insert.value == call.value for raced in project.checked_inserts(fn))
