from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from backendlint.api import (
    Flow,
    Fn,
    Hit,
    Project,
    Vid,
    advice_hits,
    flow_hit,
    for_development,
    object_root,
    operands,
    place_flows,
    weak_hits,
)

from .markup import PUT_TOGETHER, SHOWS, may_hold_markup

MAIL = re.compile(r"mail", re.IGNORECASE)
PREVIEW = re.compile(r"preview|render|draft", re.IGNORECASE)
OPERATOR = re.compile(r"(?<![a-z])(admins?|super_?users?|staff|editors?)(?![a-z])", re.IGNORECASE)
HTML = "so a caller's script runs in other users' browsers; render it with an auto-escaping template."
OPEN = "so it may hold markup of others; let an auto-escaping template render it."
ESCAPE = "pass `autoescape=True`, or `select_autoescape()`, where it renders HTML."
UNSENT = frozenset(
    "headers META json get_json body data get_data exception host_url read cleaned_data validated_data".split()
)
"""What no link and no form of another site sends as it likes to a visitor's browser."""
FAR = 2
"""More turns than this, from function to function and back, and markup has most often been escaped or refused on the way."""
SAFE_TEXTS = ("django.utils.safestring.mark_safe", "markupsafe.Markup", "flask.Markup")
QUERIES = frozenset({"all", "filter", "exclude", "order_by", "select_related", "prefetch_related"})
PROSE = frozenset(
    "name title label description comment comments text message body subject content note notes first_name last_name full_name bio "
    "summary reason answer question caption headline".split()
)
"""Columns that hold what people have written."""
TYPES = ("content_type", "mimetype", "media_type")
TYPED = 2
"""Elements of an answer, after which its headers follow, a content type among them."""
TEMPLATE = "so a caller's template code runs on the server; pass it as a variable to a fixed template."


def check(project: Project) -> Iterator[Hit]:
    known = set()
    for kind, harm in (("xss", HTML), ("template", TEMPLATE)):
        for flow in place_flows(project, (kind,)):
            known.add(flow.location)
            if is_data(project, flow):
                continue
            hit = flow_hit(project, flow, harm)
            doubtful = for_development(flow.site.fn.path) or (
                kind == "xss" and (not is_sure(project, flow) or is_typed(project, flow) or previews(project, flow))
            )
            yield replace(hit, profile="strict", confidence="low") if doubtful else hit
    for hit in advice_hits(project, ("xss", "template"), OPEN, known):
        if "response" not in hit.message.split("`")[1]:
            yield replace(hit, profile="audit")
    for hit in weak_hits(project, ("template",), ESCAPE):
        yield replace(hit, profile="strict", confidence="low", severity="warning")
    yield from switched_off(project)
    for hit in (*put_together_before(project), *fields_marked_safe(project)):
        if hit.location not in known:
            known.add(hit.location)
            yield hit


def previews(project: Project, flow: Flow) -> bool:
    """What only those who run the site may send, to see how it looks: they write its pages anyway."""
    routes = flow.routes(project)
    return bool(routes) and all(
        PREVIEW.search(route.path) and any(map(OPERATOR.search, project.access.authentication(route)))
        for route in routes
    )


def is_sure(project: Project, flow: Flow) -> bool:
    """Sent by a link or a form, and shown where browsers look: not in a mail, not as JSON."""
    if not UNSENT.isdisjoint(flow.source.path) or flow.turns > FAR or MAIL.search(flow.site.printed):
        return False
    fn, vid = flow.site.fn, flow.site.vid
    answers = (fn.facts.values[vid] for vid in fn.returned)
    if any(answer[0] == "tuple" and answer[1][:1] == (vid,) and len(answer[1]) > TYPED for answer in answers):
        return False
    value = fn.facts.values[vid]
    made = fn.facts.calls[value[1]] if value[0] == "call" else None
    if made is not None and flow.turns and flow.site.model.name == "response" and project.targets(fn, made):
        return False  # what a function of the project made of it is sent
    return made is None or all(model.name != "json.dumps" for model in project.models(fn, made))


def is_typed(project: Project, flow: Flow) -> bool:
    """A response whose content type is given, and not known here."""
    fn, call = flow.site.fn, flow.site.call
    if has_other_type(fn, flow.site.vid):
        return True
    made = [(fn, call), *project.allocations.of(fn, call.func)]
    return any(
        item.kwarg(key) >= 0 and not isinstance(owner.const(item.kwarg(key)), str)
        for owner, item in made
        for key in TYPES
    )


def has_other_type(fn: Fn, vid: Vid) -> bool:
    """`response.mimetype = "application/xml"`, of the response that is given the text."""
    held = {object_root(fn, item.base) for item in fn.facts.stores if item.value == vid}
    types = (item for item in fn.facts.stores if item.name in TYPES and object_root(fn, item.base) in held)
    return any("html" not in str(fn.const(item.value)) for item in types)


def is_data(project: Project, flow: Flow) -> bool:
    """A JSON body that is returned as it came: frameworks send everything but texts as JSON."""
    site = flow.site
    if site.model.name != "response" or flow.source.path[:1] not in (("json",), ("get_json",)):
        return False
    text = site.fn.facts.values[site.vid][0] in ("fmt", "binop", "join")
    return not text and not any(ref.name == "builtins.str" for ref in project.refs(site.fn, site.vid))


def switched_off(project: Project) -> Iterator[Hit]:
    """`TEMPLATES = [{"OPTIONS": {"autoescape": False}}]` in Django's settings."""
    for file in project.files.values():
        owner = project.module_function(file)
        for value in owner.facts.values if "TEMPLATES" in file.names else ():
            for key, item in value[1] if value[0] == "dict" else ():
                if owner.const(key) == "autoescape" and owner.const(item) is False:
                    yield Hit(
                        "Templates do not escape what they print, so a caller's script runs in other users' browsers; leave "
                        "`autoescape` on.",
                        owner.location(owner.facts.span_of(item)),
                    )


def put_together_before(project: Project) -> Iterator[Hit]:
    """`format_html(f"<a href='{url}'>{name}</a>")`: there is nothing left for it to escape."""
    for fn, call in project.graph.calls_of("django.utils.html.format_html"):
        given = fn.unguarded(call.args[0]) if len(call.args) == 1 and not call.kwargs else ("",)
        if given[0] not in (*PUT_TOGETHER, "phi") or not project.counts(fn):
            continue
        if may_hold_markup(project, fn, call.args[0]):
            yield Hit(
                f"`format_html()` in `{fn.name}()` is given a text that is already put together, so nothing in it is escaped and markup "
                "in its parts runs in other users' browsers; give it the parts as arguments.",
                fn.location(call.span),
                confidence="medium",
                function=fn.fqn,
            )


def fields_marked_safe(project: Project) -> Iterator[Hit]:
    """`mark_safe(f"<b>{boat.name}</b>")`: what somebody has written into a column is no markup of ours."""
    calls = [
        (fn, call)
        for fn, call in project.graph.calls_of(*SAFE_TEXTS)
        if call.args and project.counts(fn) and not for_development(fn.path)
    ]
    written = text_columns(project) if calls else set()
    for fn, call in calls:
        for owner, name in fields_in(fn, call.args[0]):
            if name in written and is_row(project, fn, owner):
                yield Hit(
                    f"`{fn.callee_name(call)}()` in `{fn.name}()` shows `{name}` of a row as it was written, so markup in it runs in the "
                    "browsers of those who look; build the text with `format_html()`, or escape its parts.",
                    fn.location(call.span),
                    confidence="medium",
                    function=fn.fqn,
                )
                break


def text_columns(project: Project) -> set[str]:
    """Columns with text that people write as they like."""
    found: set[str] = set()
    for cls in project.classes.values():
        if PROSE.isdisjoint(cls.facts.attributes) or project.hierarchy.role(cls) != "model":
            continue
        for name in PROSE & cls.facts.attributes.keys():
            value = cls.owner.unguarded(cls.facts.attributes[name])
            call = cls.owner.calls[value[1]] if value[0] == "call" else None
            models = project.models(cls.owner, call) if call is not None and call.kwarg("choices") < 0 else ()
            if any(model.column == "text" for model in models):
                found.add(name)
    return found


def fields_in(fn: Fn, vid: Vid) -> Iterator[tuple[Vid, str]]:
    """The attributes that a text shows as they are, each with its object."""
    todo, seen = [vid], set[Vid]()
    while todo:
        vid = todo.pop()
        if vid in seen or vid < 0:
            continue
        seen.add(vid)
        value = fn.facts.values[vid]
        if value[0] == "attr":
            yield value[1], value[2]
        elif value[0] in (*PUT_TOGETHER, "conv", "guard", "phi", "bool", "comp", "list", "tuple"):
            todo += operands(value)
        elif value[0] == "call":
            call = fn.calls[value[1]]
            func = fn.facts.values[call.func]
            todo += (*call.passed, func[1]) if func[0] == "attr" and func[2] in SHOWS else ()


def is_row(project: Project, fn: Fn, owner: Vid) -> bool:
    """An object of a model, or one of a query's, of which nothing else is known."""
    refs = project.refs(fn, owner)
    if refs:
        classes = [project.classes[ref.name] for ref in refs if ref.kind == "inst" and ref.name in project.classes]
        return bool(classes) and all(project.hierarchy.role(cls) == "model" for cls in classes)
    value = fn.unguarded(owner)
    made = fn.unguarded(value[1]) if value[0] == "elem" else ("",)
    return made[0] == "call" and fn.callee_name(fn.calls[made[1]]) in QUERIES
