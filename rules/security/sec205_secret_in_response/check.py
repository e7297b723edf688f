"""SEC205: secrets in what is answered: by their way, by claims of tokens, and by the fields of schemas and serializers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from backendlint.api import Flow, Hit, Project, evident, flow_hit, for_development

from .claims import TOKEN, claims
from .dumps import schema_fields
from .environments import environments
from .flows import (
    MANY,
    far_from_token,
    for_mailbox,
    is_asked,
    is_filled_in,
    is_issued,
    is_made_up,
    is_stored,
    is_told,
    sent_back,
    shown,
    worst_flows,
)
from .models import has_schema, response_models
from .serializers import serializer_fields

HARM = "so every client gets it; answer with a schema that lists the public fields."
MAILED = "so whoever asks has it and needs no mailbox: any account can be taken over. Send it by mail alone."


def check(project: Project) -> Iterator[Hit]:
    by_source: dict[tuple[str, int], list[Flow]] = {}
    for flow in worst_flows(project):
        by_source.setdefault((flow.source.fn, flow.source.slot), []).append(flow)
    for flow, others in ((flow, len(flows) - 1) for flows in by_source.values() for flow in shown(flows)):
        hit = flow_hit(project, flow, TOKEN if flow.site.model.jwt is not None else HARM)
        if others >= MANY:
            hit = replace(hit, message=f"{hit.message.removesuffix('.')} ({others} other responses hold it too).")
        meant = is_issued(flow) or is_asked(project, flow) or far_from_token(flow) or sent_back(project, flow)
        meant = meant or is_told(project, flow) or for_development(flow.site.fn.path)
        meant = meant or (flow.site.model.name == "response" and has_schema(project, flow))
        meant = meant or not is_stored(flow) or is_filled_in(project, flow) or is_made_up(project, flow)
        if not flow.weak and not evident(project, flow):
            hit = replace(hit, profile="strict", confidence="low")
        if meant and not flow.weak and for_mailbox(project, flow):
            meant, hit = False, replace(hit, message=f"{hit.message.partition(', so ')[0]}, {MAILED}")
        yield replace(hit, profile="strict") if meant else hit
    yield from claims(project)
    yield from environments(project)
    yield from response_models(project)
    yield from serializer_fields(project)
    yield from schema_fields(project)
