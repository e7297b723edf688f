"""Redirects that are written as a header: `headers={"Location": url}` beside a status of 3xx."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Fn
from backendlint.project.graph.calls import argument_of, arguments
from backendlint.project.routes.status import status_of

if TYPE_CHECKING:
    from backendlint.project.model import Project

_STATUSES = frozenset({301, 302, 303, 307, 308})
_HEADER = "location"


def located(project: Project) -> Iterator[tuple[Fn, Call, Vid, str]]:
    """Calls (or what stands for them), the address that is sent, and what sends it."""
    for site in project.effects.sites:
        response = site.model.response
        if response is None or response.headers is None or response.status is None:
            continue
        status = argument_of(site.call, response.status)
        if status >= 0 and status_of(project, site.fn, status) in _STATUSES:
            for vid in arguments(site.call, response.headers):
                for address in _addresses(site.fn, vid):
                    yield site.fn, site.call, address, site.model.name
    for fn in project.all_functions():
        yield from _assigned(project, fn)
    for fqn in project.route_functions:
        yield from _returned(project, project.functions[fqn])


def _addresses(fn: Fn, vid: Vid) -> Iterator[Vid]:
    value = fn.unguarded(vid)
    for key, item in value[1] if value[0] == "dict" else ():
        if key >= 0 and str(fn.const(key)).lower() == _HEADER:
            yield item


def _assigned(project: Project, fn: Fn) -> Iterator[tuple[Fn, Call, Vid, str]]:
    """`response.headers["Location"] = url`, in a function that names such a status."""
    for store in fn.facts.stores:
        if store.key < 0 or str(fn.const(store.key)).lower() != _HEADER:
            continue
        given = {vid for call in fn.calls for vid in call.passed} | {item.value for item in fn.facts.stores}
        if any(vid >= 0 and status_of(project, fn, vid) in _STATUSES for vid in given):
            call = Call(store.base, (store.value,), (), store.value, store.block, False, store.span)
            yield fn, call, store.value, "Location"


def _returned(project: Project, fn: Fn) -> Iterator[tuple[Fn, Call, Vid, str]]:
    """`return "", 302, {"Location": url}`"""
    for item in fn.facts.returns:
        value = fn.unguarded(item.value) if item.value >= 0 else ("",)
        if value[0] == "tuple" and len(value[1]) == 3 and status_of(project, fn, value[1][1]) in _STATUSES:
            for address in _addresses(fn, value[1][2]):
                yield fn, Call(address, (address,), (), address, item.block, False, item.span), address, "return"
