from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial

from backendlint.api import (
    Call,
    Cls,
    Flow,
    Fn,
    Hit,
    Location,
    Project,
    Ref,
    Route,
    Vid,
    arguments,
    display,
    evident,
    flow_hit,
    for_development,
    held_whole,
    identifier_words,
    name_of_value,
    place_flows,
    sensitive,
    variable,
)

MANY = 3
NEAR = 2
HARM = "so every client gets it; answer with a schema that lists the public fields."
TOKEN = "whose content everybody can read who sees the token; leave it out."
MAILED = "so whoever asks has it and needs no mailbox: any account can be taken over. Send it by mail alone."
FORGOTTEN = re.compile(r"password|passwd|forgot|recover", re.IGNORECASE)
SET_ANEW = re.compile(r"confirm|verif|complete|validat|change|update|set_|/set|\{", re.IGNORECASE)
"""Words and parameters of routes to which the mail leads."""
ONE_TIME = re.compile(r"token_(urlsafe|hex|bytes)$|(reset|recovery|otp|one_?time)|make_token|^code$", re.IGNORECASE)
CLAIMED = frozenset({"password", "passwd", "pwd", "secret"})
ISSUED = re.compile(r"token|jwt|otp|csrf|nonce|state|ticket|recovery|backup|client_secret", re.IGNORECASE)
ISSUING = re.compile(
    r"create|issue|generate|rotate|refresh|log_?in|sign_?(in|up)|register|auth|token|reset|regenerate|new_|mint|enroll|setup|export|exchange|otp|mfa|2fa",
    re.IGNORECASE,
)
KEPT = frozenset({"credential", "secret", "key", "apikey"})
"""Words for secrets that services keep for others."""
GIVEN_OUT = frozenset({"credential", "secret"})
"""What routes end in that are there to give secrets out."""
STORED = re.compile(
    r"(hashed_?password|password_?(hash|digest)|secret_?(key|hash)|private_?key|(totp|otp|mfa|2fa)_?secret)$",
    re.IGNORECASE,
)

PASSWORD_HASH = re.compile(r"(hashed_?password|password_?(hash|digest)|secret_?hash)$", re.IGNORECASE)
SECOND = re.compile(r"(totp|otp|mfa|2fa)_?secret$", re.IGNORECASE)
"""What a user's other device is given once, when it is set up."""
MASKS = re.compile(r"mask|redact|hide|censor|scrub|sanitiz|strip|without|public", re.IGNORECASE)
"""Names of methods that make an object fit to be shown."""
MAKES = re.compile(r"^_?(make|generate|gen|new|random|create)_?|_generator$", re.IGNORECASE)
"""Functions that make a password up, when they are given nothing."""
SCHEMA, DUMPS, LEFT_OUT = "marshmallow.Schema", ("dump", "dumps"), ("load_only", "exclude")
USERS = tuple(f"django.contrib.auth.models.{name}" for name in ("User", "AbstractUser", "AbstractBaseUser"))
SERIALIZERS = ("field_serializer", "serializer")


def check(project: Project) -> Iterator[Hit]:
    by_source: dict[tuple[str, int], list[Flow]] = {}
    for flow in worst_flows(project):
        by_source.setdefault((flow.source.fn, flow.source.slot), []).append(flow)
    for flow, others in ((flow, len(flows) - 1) for flows in by_source.values() for flow in shown(flows)):
        hit = flow_hit(project, flow, TOKEN if flow.site.model.jwt is not None else HARM)
        if others >= MANY:
            hit = replace(hit, message=f"{hit.message.removesuffix('.')} ({others} other responses hold it too).")
        meant = is_issued(flow) or is_asked(project, flow) or far_from_token(flow) or sent_back(project, flow)
        meant = meant or for_development(flow.site.fn.path)
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


def environments(project: Project) -> Iterator[Hit]:
    """Responses that hold all variables of the environment, or all settings."""
    seen = set()
    sinks = project.taint.sinks("response")
    places = ((site.fn, site.vid, site.fn.location(site.call.span)) for site in sinks)
    for fn, vid, location in (item for place in places for item in handed_on(project, *place, NEAR)):
        whole = held_whole(project, fn, vid) if location not in seen else ""
        if whole and not by_schema(project, project.route_functions.get(fn.fqn, ())):
            seen.add(location)
            yield Hit(
                f"{whole} is in what `{fn.name}()` answers, so every client gets it; answer with the values that are needed.",
                location,
                function=fn.fqn,
            )


def handed_on(project: Project, fn: Fn, vid: Vid, place: Location, depth: int) -> Iterator[tuple[Fn, Vid, Location]]:
    """What is answered, with its place; of a helper that answers with what it is given what its callers pass."""
    yield fn, vid, place
    index = project.taint.forwarded(fn, vid) if depth else -1
    for edge in project.graph.callers(fn) if index >= 0 else ():
        for passed, path in project.taint.bound(edge).get(index, ()) if edge.call is not None else ():
            if not path:
                yield from handed_on(project, edge.caller, passed, edge.caller.location(edge.span), depth - 1)


def claims(project: Project) -> Iterator[Hit]:
    """Claims of a token that are called passwords, whatever their values are called."""
    for site in project.effects.sites:
        jwt = site.model.jwt
        for vid in arguments(site.call, jwt.claims) if jwt is not None and jwt.claims is not None else ():
            owner, shown = display(project, site.fn, vid)
            value = owner.facts.values[shown]
            for key, item in value[1] if value[0] == "dict" else ():
                name = owner.const(key) if key >= 0 else ...
                if (
                    not isinstance(name, str)
                    or not CLAIMED.intersection(identifier_words(name))
                    or sensitive(name) != "secret"
                ):
                    continue
                if any(origin.what == "secret" for origin in project.taint.labels(owner, item)):
                    continue  # a flow
                if identifier_words(name_of_value(owner, item))[-1:] in (("id",), ("pk",), ("uuid",)):
                    continue  # whose password it is about
                yield Hit(
                    f"A secret (`{name}`) reaches `{site.model.name.rpartition('.')[2]}()` in `{site.fn.name}()`, {TOKEN}",
                    site.fn.location(site.call.span),
                    flow=(
                        owner.step(owner.facts.span_of(item), f"the claim `{name}`"),
                        site.fn.step(site.call.span, "signs it"),
                    ),
                    function=site.fn.fqn,
                )


def worst_flows(project: Project) -> Iterable[Flow]:
    """One flow to each place: a stored secret rather than a token that the client is meant to get. None of what is sent
    elsewhere, where none is in a reviewed file."""
    worst = partial(place_flows, project, ("response",), ("secret",), doubt=lambda flow: (flow.weak, is_issued(flow)))
    near = list(worst())
    if project.focus is None or not any(project.counts(flow.location) for flow in near):
        return near
    return worst(everywhere=True)


def shown(flows: list[Flow]) -> list[Flow]:
    """One flow for many where a serializer that they share gives the secret away."""
    return flows if len(flows) <= MANY else [min(flows, key=lambda flow: flow.location)]


def far_from_token(flow: Flow) -> bool:
    """What goes into a token elsewhere than it was read: mostly another field of an object that also has the secret."""
    return flow.site.model.jwt is not None and flow.source.fn != flow.site.fn.fqn


def is_issued(flow: Flow) -> bool:
    """A token (or a new key) that the client is meant to get."""
    name = flow.source.path[0] if flow.source.path else ""
    if ISSUED.search(name):
        return True
    handler = flow.fn.name if not flow.chain else flow.chain[0].edge.caller.name
    handler = f"{flow.fn.cls.name}.{handler}" if flow.fn.cls is not None else handler
    return "password" not in name.lower() and bool(ISSUING.search(handler) or ISSUING.search(flow.fn.name))


def is_made_up(project: Project, flow: Flow) -> bool:
    """A password that is made here, for whoever is signed in and asks for one: an administrator passes it on."""
    routes = flow.routes(project)
    if not routes or not all(project.access.guarded(route) for route in routes):
        return False
    owner = project.functions[flow.source.fn]
    value = owner.unguarded(flow.source.slot)
    call = owner.calls[value[1]] if value[0] == "call" else None
    return call is not None and not call.passed and bool(MAKES.search(owner.callee_name(call)))


def for_mailbox(project: Project, flow: Flow) -> bool:
    """What somebody who has forgotten a password is sent by mail, in the answer to whoever asked for it."""
    name = flow.source.path[0] if flow.source.path else ""
    if not ONE_TIME.search(name) or not project.effects.has(flow.site.fn, "mail", "queue-publish"):
        return False
    routes = project.route_functions.get(flow.site.fn.fqn, ())
    return any(
        FORGOTTEN.search(f"{route.path} {route.name}")
        and not SET_ANEW.search(f"{route.path} {route.name}")
        and not project.access.guarded(route)
        for route in routes
    )


def is_stored(flow: Flow) -> bool:
    """Passwords, hashes, private keys, shared secrets; a key for callers (`api_key`) is often theirs."""
    name = flow.source.path[0] if flow.source.path else ""
    words = identifier_words(name)
    kept = {"password", "passwd", "passphrase", "secret", "pwd", "pin", "ssn", "connection", "pair", "pairs"}
    return STORED.search(name) is not None or not kept.isdisjoint(words) or not flow.source.path


def is_filled_in(project: Project, flow: Flow) -> bool:
    """A helper's parameter that is empty unless a form is shown once more: `render_login(name="", password="")`."""
    entered = flow.parameter(project)
    if entered is None:
        return False
    fn, index = entered
    return fn.parent is not None and fn.parent.const(fn.facts.params[index].default) in ("", None)


def sent_back(project: Project, flow: Flow) -> bool:
    """What the caller has just sent: a form that is shown once more."""
    owner = project.functions[flow.source.fn]
    found = project.taint.labels(owner, flow.source.slot)
    return any(origin.what == "request" and not mark.weak for origin, mark in found.items())


def has_schema(project: Project, flow: Flow) -> bool:
    """A route that answers with a declared schema, which is judged itself."""
    return by_schema(project, flow.routes(project))


def by_schema(project: Project, routes: Iterable[Route]) -> bool:
    models = [route.response_model for route in routes if route.response_model is not None]
    return any(any(schemas(project, named_types(project, item.fn, item.vid))) for item in models)


def is_asked(project: Project, flow: Flow) -> bool:
    """What the route is there to give: `/credentials/{id}` answers with the credentials that are kept for its callers."""
    name = flow.source.path[0] if flow.source.path else ""
    kept = KEPT.intersection(word.rstrip("s") for word in identifier_words(name))
    routes = flow.routes(project)
    named = [*(route.path for route in routes), *(fn.name for fn in flow.functions)]
    ends = [route.path.rstrip("/").rpartition("/")[2] for route in routes] + [
        fn.name.partition("_")[0] for fn in flow.functions
    ]
    if GIVEN_OUT.intersection(end.rstrip("s").lower() for end in ends) and not PASSWORD_HASH.search(name):
        return True
    paths = {word.rstrip("s") for text in named for word in identifier_words(text)}
    return bool(kept & paths) and not PASSWORD_HASH.search(name)


def response_models(project: Project) -> Iterator[Hit]:
    """Secret fields of the schemas that routes answer with, where they are declared."""
    seen = set()
    for route in project.routes:
        if route.handler is not None and route.handler.facts.blocks[0].exits == "raise":
            continue  # not there yet
        origin = route.response_model
        for cls in schemas(project, named_types(project, origin.fn, origin.vid) if origin is not None else ()):
            nearer: set[str] = set()
            for owner in project.hierarchy.mro(cls):
                for name in owner.facts.annotations:
                    if name in nearer:
                        continue
                    nearer.add(name)
                    span = owner.facts.field_spans.get(name)
                    secret = STORED.search(name) or (sensitive(name) == "secret" and not ISSUED.search(name))
                    if span is None or not secret or (owner.fqn, name) in seen or excluded(owner, name):
                        continue
                    kept = STORED.search(name) and not SECOND.search(name)
                    if ISSUING.search(route.handler.name if route.handler else "") and not kept:
                        continue
                    seen.add((owner.fqn, name))
                    stored = (STORED.search(name) or "password" in name) and not takes(project, route, cls)
                    if masked(project, cls, name):
                        continue
                    yield Hit(
                        f"`{cls.name}.{name}` goes to every client of `{route.label}`, whose response model is `{cls.name}`; "
                        "leave it out of the response schema.",
                        owner.owner.location(span),
                        profile=None if stored else "strict",
                        confidence=None if stored else "low",
                        function=route.handler.fqn if route.handler else None,
                    )


def masked(project: Project, cls: Cls, name: str) -> bool:
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


def takes(project: Project, route: Route, cls: Cls) -> bool:
    """Whether the caller sends such an object, and gets it back."""
    handler = route.handler
    if handler is None:
        return False
    indexes = range(len(handler.facts.params))
    return any(ref.name == cls.fqn for index in indexes for ref in project.resolver.param(handler, index))


def named_types(project: Project, fn: Fn, vid: int) -> tuple[Ref, ...]:
    """The types that an annotation names: `Account`, and in `Page[Account]` both."""
    value = fn.facts.values[vid] if vid >= 0 else ("unknown",)
    inner = named_types(project, fn, value[2]) if value[0] == "item" else ()
    return (*project.refs(fn, vid), *inner)


def schemas(project: Project, refs: tuple[Ref, ...]) -> Iterator[Cls]:
    for ref in refs:
        inner = ref.arg if ref.kind == "libinst" and ref.arg is not None else ref
        cls = project.classes.get(inner.name)
        if cls is not None:
            yield cls


def serializer_fields(project: Project) -> Iterator[Hit]:
    """Secret fields that serializers send: those that they list, then those of models of which they send all."""
    serializers = {cls.fqn: cls for cls in answering(project)}.values()
    for cls in serializers:
        yield from listed_fields(project, cls)
    for cls in serializers:
        yield from unlisted_fields(project, cls)


def listed_fields(project: Project, cls: Cls) -> Iterator[Hit]:
    """Secret fields that a serializer lists and does not make write-only, where they are listed."""
    meta = project.classes.get(f"{cls.fqn}.Meta")
    vid = meta.facts.attributes.get("fields", -1) if meta is not None else -1
    if meta is None or vid < 0 or ISSUING.search(cls.name):
        return
    value = meta.owner.facts.values[vid]
    for item in value[1] if value[0] in ("list", "tuple") else ():
        name = meta.owner.const(item)
        if not isinstance(name, str) or sensitive(name) != "secret" or ISSUED.search(name):
            continue
        if write_only(project, cls, meta, name) or replaces(project, cls, name):
            continue
        stored = STORED.search(name) or "password" in name
        yield Hit(
            f"`{cls.name}` sends `{name}` to every client that it answers; take it from `fields`, or make it write-only.",
            meta.owner.place(item),
            profile=None if stored else "strict",
            confidence=None if stored else "low",
        )


def unlisted_fields(project: Project, cls: Cls) -> Iterator[Hit]:
    """Secret columns of a model of which a serializer sends all (`fields = "__all__"`), or all but some (`exclude`)."""
    meta = project.classes.get(f"{cls.fqn}.Meta")
    if meta is None or ISSUING.search(cls.name):
        return
    key = "exclude" if "exclude" in meta.facts.attributes else "fields"
    vid = meta.facts.attributes.get(key, -1)
    if key == "fields" and meta.owner.const(vid) != "__all__":
        return
    value = meta.owner.value(vid)
    left = {meta.owner.const(item) for item in value[1]} if value[0] in ("list", "tuple") else set()
    if key == "exclude" and not left:
        return
    for model in project.refs(meta.owner, meta.facts.attributes.get("model", -1)):
        why = f"it sends all fields of `{model.name.rpartition('.')[2]}`" if key == "fields" else "`exclude` lacks it"
        for name in sorted(secret_columns(project, model) - left):
            if not (write_only(project, cls, meta, name) or replaces(project, cls, name)):
                yield Hit(
                    f"`{cls.name}` sends `{name}` to every client that it answers: {why}; list the fields that clients may see.",
                    meta.owner.place(vid),
                    profile=None if name == "password" or PASSWORD_HASH.search(name) else "strict",
                    fingerprint_key=f"{cls.fqn} {name}",
                )


def secret_columns(project: Project, model: Ref) -> set[str]:
    """Columns of a model that are called secret, and the password that every user of Django's has."""
    cls = project.classes.get(model.name)
    own = project.hierarchy.mro(cls) if cls is not None else ()
    users = (model.name, *(project.hierarchy.library_bases(cls) if cls is not None else ()))
    named = {name for owner in own for name in owner.facts.attributes if STORED.search(name)}
    return named | ({"password"} if any(name.startswith(USERS) for name in users) else set())


def schema_fields(project: Project) -> Iterator[Hit]:
    """Secret fields of marshmallow schemas that a handler dumps."""
    seen = set()
    for fn, call in project.graph.calls_written(*DUMPS):
        for cls in dumped(project, fn, call) if fn.fqn in project.route_functions else ():
            for owner, name in secret_fields(project, cls):
                place = owner.owner.place(owner.facts.attributes[name])
                if place not in seen:
                    seen.add(place)
                    yield Hit(
                        f"`{cls.name}` sends `{name}` to every client that it answers; take the field out, or make it `load_only`.",
                        place,
                        related=(fn.step(call.span, "dumped here"),),
                    )


def dumped(project: Project, fn: Fn, call: Call) -> Iterator[Cls]:
    """The schema of `AccountSchema().dump(...)`, where it was not made to show less: `AccountSchema(exclude=("password",))`."""
    func = fn.value(call.func)
    if func[0] == "attr":
        owner, vid = display(project, fn, func[1])
    else:
        owner, vid = variable(project, fn, str(func[-1]).rpartition(".")[0]) or (fn, call.func)
    made = owner.unguarded(vid)
    maker = owner.calls[made[1]] if made[0] == "call" else None
    if maker is None or any(key in ("exclude", "only") for key, _ in maker.kwargs):
        return
    for ref in project.callees(owner, maker):
        cls = project.classes.get(ref.name) if ref.kind == "class" else None
        if cls is not None and project.hierarchy.is_a(cls, SCHEMA) and not ISSUING.search(cls.name):
            yield cls


def secret_fields(project: Project, cls: Cls) -> Iterator[tuple[Cls, str]]:
    """Fields that a dump of the schema holds."""
    meta = project.classes.get(f"{cls.fqn}.Meta")
    left = set(left_out(meta)) if meta is not None else set()
    for owner in project.hierarchy.mro(cls):
        for name, vid in owner.facts.attributes.items():
            value = owner.owner.unguarded(vid)
            call = owner.owner.calls[value[1]] if value[0] == "call" else None
            if call is None or name in left or not (STORED.search(name) or "password" in name):
                continue
            if sensitive(name) == "secret" and owner.owner.const(call.kwarg("load_only")) is not True:
                yield owner, name


def left_out(meta: Cls) -> Iterator[object]:
    """The fields that the options of a schema keep out of its dumps."""
    for key in LEFT_OUT:
        value = meta.owner.value(meta.facts.attributes[key]) if key in meta.facts.attributes else ("",)
        if value[0] in ("tuple", "list"):
            yield from map(meta.owner.const, value[1])


def answering(project: Project) -> Iterator[Cls]:
    """Serializers that write responses: those of views, and those that are made of an object."""
    refs: list[Ref] = []
    for cls in project.classes.values():
        if project.hierarchy.role(cls) == "controller":
            refs += project.refs(cls.owner, cls.facts.attributes.get("serializer_class", -1))
            chosen = cls.methods.get("get_serializer_class")
            if chosen is not None:
                refs += [ref for item in chosen.facts.returns for ref in project.refs(chosen, item.value)]
    for ref in refs:
        if ref.kind == "class" and project.hierarchy.role(project.classes[ref.name]) == "serializer":
            yield project.classes[ref.name]
    for cls in project.classes.values():
        if project.hierarchy.role(cls) == "serializer":
            plain = ((fn, call) for fn, call in project.graph.calls_of(cls.fqn) if call.kwarg("fields") < 0)
            made = [(fn, call) for fn, call in plain if call.args and call.kwarg("data") < 0]
            if any(ref == Ref("class", cls.fqn) for fn, call in made for ref in project.callees(fn, call)):
                yield cls


def replaces(project: Project, cls: Cls, name: str) -> bool:
    """Whether the field only takes a new one (`ChangePasswordSerializer`), or what is shown in its place is made by code of the
    project."""
    if "password" in cls.name.lower():
        return True
    method = project.method(cls, "to_representation")
    if method is not None and any(method.const(vid) == name for vid in method.made_by("const")):
        return True
    owner = next((item for item in project.hierarchy.mro(cls) if name in item.facts.attributes), None)
    refs = project.refs(owner.owner, owner.facts.attributes[name]) if owner is not None else ()
    fields = [project.classes[ref.name] for ref in refs if ref.kind == "inst" and ref.name in project.classes]
    return any(project.method(item, "to_representation") is not None for item in fields)


def write_only(project: Project, cls: Cls, meta: Cls, name: str) -> bool:
    """A field that is only read from requests, or that a method of the serializer fills."""
    declared = next((owner for owner in project.hierarchy.mro(cls) if name in owner.facts.attributes), None)
    if declared is not None:
        value = declared.owner.facts.values[declared.facts.attributes[name]]
        call = declared.owner.facts.calls[value[1]] if value[0] == "call" else None
        return call is None or declared.owner.const(call.kwarg("write_only")) is True or not call.kwargs
    vid = meta.facts.attributes.get("extra_kwargs", -1)
    extra = meta.owner.facts.values[vid] if vid >= 0 else ("unknown",)
    options = [item for key, item in extra[1] if meta.owner.const(key) == name] if extra[0] == "dict" else []
    for option in options:
        shown = meta.owner.facts.values[option]
        if shown[0] == "dict" and any(meta.owner.const(key) == "write_only" for key, _ in shown[1]):
            return True
    return False


def excluded(owner: Cls, name: str) -> bool:
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
