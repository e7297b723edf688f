"""What is stored beside the main write, and may be lost without harm: journals, figures, and audit records as a rule."""

from __future__ import annotations

import re
from collections import Counter

from backendlint.api import Durable, Fn, Project, below, called_name, identifier_words, openings

_ASIDE = re.compile(
    r"rate_?limit|throttl|log(?!in)|audit|event|history|session|notification|metric|stat(?!us|e|ion|ic(?!s))|search|dirty|cache|vector|visit"
    r"|favou?rite|bookmark|sync_?(record|run)"
    r"|(user|track|record)_?activit|errors?$|last_?(activity|seen|used|access|login)",
    re.IGNORECASE,
)
"""Entities whose loss beside the main write is bearable, and what is computed anew anyway."""
_AUDITS = re.compile(r"audit", re.IGNORECASE)
"""What is no longer aside where the project stores it in the transaction of what it tells of."""
_JOURNALS = frozenset("log logs audit audits journal history metrics notifications".split())


def audit_trails(project: Project) -> frozenset[str]:
    """Audit records that the project stores together with the change: two functions at least, in one transaction of theirs."""
    names = {cls.name for cls in project.classes.values()} | {write.entity for write in project.writes.all()}
    if not any(map(_AUDITS.search, names)):
        return frozenset()
    found: Counter[str] = Counter()
    for fn, block, _ in openings(project):
        inside = below(fn.facts, block)
        opener = fn.facts.blocks[block].value
        stored = {
            write.entity
            for write in project.writes.direct(fn)
            if write.call.block in inside or (opener >= 0 and fn.value(write.call.value) == fn.unguarded(opener))
        }
        stored |= {
            write.entity
            for edge in project.graph.callees(fn)
            if edge.call is not None and edge.block in inside
            for write, _ in project.writes.reached(edge.callee)
        }
        records = {entity for entity in stored if _AUDITS.search(entity.rpartition(".")[2])}
        found.update(records if stored - records else ())
    return frozenset(entity for entity, times in found.items() if times > 1)


def is_aside(fn: Fn, step: Durable, trails: frozenset[str]) -> bool:
    """By the entity's name, by the names of the functions that store it, or by those of their modules (`logs.service`)."""
    if step.write.entity in trails:
        return False
    names = [step.write.entity.rpartition(".")[2], *(edge.callee.name for edge in step.edges)]
    names += [edge.callee.cls.name for edge in step.edges if edge.callee.cls is not None]
    owner = called_name(fn.file, fn.facts, step.call).rpartition(".")[0].rpartition(".")[2]
    names += [owner] if not step.write.entity and owner[:1].isupper() else []  # `AuditLog.create(...)`
    modules = {word for edge in step.edges for word in identifier_words(edge.callee.file.module.replace(".", "_"))}
    return any(_ASIDE.search(name) for name in names) or not modules.isdisjoint(_JOURNALS)
