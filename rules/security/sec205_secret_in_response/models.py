"""Secret fields of the schemas that routes answer with."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from backendlint.api import Cls, Flow, Fn, Hit, Project, Ref, Route, sensitive

from .names import ISSUED, ISSUING, STORED

SECOND = re.compile(r"(totp|otp|mfa|2fa)_?secret$", re.IGNORECASE)
"""What a user's other device is given once, when it is set up."""
MASKS = re.compile(r"mask|redact|hide|censor|scrub|sanitiz|strip|without|public", re.IGNORECASE)
"""Names of methods that make an object fit to be shown."""
SERIALIZERS = ("field_serializer", "serializer")


def has_schema(project: Project, flow: Flow) -> bool:
    """A route that answers with a declared schema, which is judged itself."""
    return by_schema(project, flow.routes(project))


def by_schema(project: Project, routes: Iterable[Route]) -> bool:
    models = [route.response_model for route in routes if route.response_model is not None]
    return any(any(_schemas(project, _named_types(project, item.fn, item.vid))) for item in models)


def response_models(project: Project) -> Iterator[Hit]:
    """Secret fields of the schemas that routes answer with, where they are declared."""
    seen = set()
    for route in project.routes:
        if route.handler is not None and route.handler.facts.blocks[0].exits == "raise":
            continue  # not there yet
        origin = route.response_model
        for cls in _schemas(project, _named_types(project, origin.fn, origin.vid) if origin is not None else ()):
            nearer: set[str] = set()
            for owner in project.hierarchy.mro(cls):
                for name in owner.facts.annotations:
                    if name in nearer:
                        continue
                    nearer.add(name)
                    span = owner.facts.field_spans.get(name)
                    secret = STORED.search(name) or (sensitive(name) == "secret" and not ISSUED.search(name))
                    if span is None or not secret or (owner.fqn, name) in seen or _excluded(owner, name):
                        continue
                    kept = STORED.search(name) and not SECOND.search(name)
                    if ISSUING.search(route.handler.name if route.handler else "") and not kept:
                        continue
                    seen.add((owner.fqn, name))
                    stored = (STORED.search(name) or "password" in name) and not _takes(project, route, cls)
                    if _masked(project, cls, name):
                        continue
                    yield Hit(
                        f"`{cls.name}.{name}` goes to every client of `{route.label}`, whose response model is `{cls.name}`; "
                        "leave it out of the response schema.",
                        owner.owner.location(span),
                        profile=None if stored else "strict",
                        confidence=None if stored else "low",
                        function=route.handler.fqn if route.handler else None,
                    )


def _masked(project: Project, cls: Cls, name: str) -> bool:
    """`def masked(self)`, which is called and puts something else in the field's place, or `@field_serializer("secret_key")`."""
    for method in (method for owner in project.hierarchy.mro(cls) for method in owner.methods.values()):
        spoken = any(method.const(vid) == name for vid in method.made_by("const"))
        if spoken and MASKS.search(method.name) and project.graph.callers(method):
            return True
        home = method.parent or method
        for vid in method.facts.decorators:
            value = home.value(vid)
            call = home.calls[value[1]] if value[0] == "call" else None
            if call is not None and home.callee_name(call) in SERIALIZERS and name in map(home.const, call.args):
                return True
    return False


def _takes(project: Project, route: Route, cls: Cls) -> bool:
    """Whether the caller sends such an object, and gets it back."""
    handler = route.handler
    if handler is None:
        return False
    indexes = range(len(handler.facts.params))
    return any(ref.name == cls.fqn for index in indexes for ref in project.resolver.param(handler, index))


def _named_types(project: Project, fn: Fn, vid: int) -> tuple[Ref, ...]:
    """The types that an annotation names: `Account`, and in `Page[Account]` both."""
    value = fn.facts.values[vid] if vid >= 0 else ("unknown",)
    inner = _named_types(project, fn, value[2]) if value[0] == "item" else ()
    return (*project.refs(fn, vid), *inner)


def _schemas(project: Project, refs: tuple[Ref, ...]) -> Iterator[Cls]:
    for ref in refs:
        inner = ref.arg if ref.kind == "libinst" and ref.arg is not None else ref
        cls = project.classes.get(inner.name)
        if cls is not None:
            yield cls


def _excluded(owner: Cls, name: str) -> bool:
    """`Field(exclude=True)`, also in `Annotated[...]`."""
    home = owner.owner
    todo = [owner.facts.attributes.get(name, -1), owner.facts.annotations.get(name, -1)]
    while todo:
        vid = todo.pop()
        value = home.facts.values[vid] if vid >= 0 else ("unknown",)
        if value[0] == "call":
            if home.const(home.facts.calls[value[1]].kwarg("exclude")) is True:
                return True
        elif value[0] == "item":
            todo.append(value[2])
        elif value[0] in ("tuple", "list"):
            todo += value[1]
    return False
