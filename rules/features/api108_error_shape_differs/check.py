from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from backendlint.api import (
    Answer,
    Call,
    Fn,
    Hit,
    Location,
    Project,
    Step,
    answers,
    here_and_in,
    is_api,
    is_plain,
    told_once,
)

FEWEST = 3
HABIT = 2
"""More forms than these besides the usual one are told once: there is no common form to keep to."""
PAGE = "text/html"
PART = "flask.Blueprint.errorhandler"
PROBE = re.compile(
    r"/_*(health\w*|live(ness|z)?|ready(z)?|readiness|ping|heartbeat|metrics)[_-]*[\w-]*(/|$)", re.IGNORECASE
)
PRESCRIBED = frozenset(
    """
    authorization_pending slow_down expired_token access_denied invalid_request invalid_client invalid_grant invalid_scope
    invalid_token insufficient_scope unauthorized_client unsupported_grant_type unsupported_response_type server_error
    temporarily_unavailable
    """.split()
)
"""Errors of OAuth (RFC 6749, 6750, 8628), whose clients read just `error`."""
TELLING = {"message", "error", "detail", "errors", "title", "msg"}
OUTCOMES = {"status", "code", "reason", "result", "description", "info", "success", "ok"}
"""Keys that are no field's name."""


def check(project: Project) -> Iterator[Hit]:
    found: dict[object, list[tuple[Fn, Answer, str]]] = {}
    translated = any(ref.name.endswith(".HTTPException") for refs in project.error_handlers.values() for ref in refs)
    for fn in project.all_functions():
        if project.layer(fn) not in ("controller", "middleware") or probes(project, fn) or gives_no_data(project, fn):
            continue
        for answer in answers(project, fn):
            form = shape_of(fn, answer)
            told_anew = answer.raised and translated
            elsewhere = (
                told_anew or judged_itself(project, fn, answer) or of_this_part(fn) or is_outcome(project, fn, answer)
            )
            if form and not elsewhere and not (answer.content == PAGE and for_people(project, fn)):
                found.setdefault(application(project, fn), []).append((fn, answer, form))
    raised = list(handled(project)) if found else []
    apps = [app for app in found if app]
    if len(apps) == 1 and None in found:  # routes of an application that a function is given
        found[apps[0]] += found.pop(None)
        raised = [(apps[0] if app is None else app, fn, place, form) for app, fn, place, form in raised]
    for app, errors in found.items():
        if app == "" and len(found) > 1:
            continue  # clients do not get these
        for kind in (True, False):
            own = [item for item in errors if of_api_library(project, item[0]) is kind]
            others = [item[2:] for item in raised if item[0] == app and of_api_library(project, item[1]) is kind]
            yield from differing(project, own, others)


def of_this_part(fn: Fn) -> bool:
    """An error handler of a blueprint, and not of the application: that part of the API has a form of its own, on purpose."""
    return any(ref.name == PART for ref in fn.decorators)


def is_outcome(project: Project, fn: Fn, answer: Answer) -> bool:
    """`{"status": "refused"}` beside `{"status": "agreed"}`: whoever reads the one reads the other."""
    said = set(answer.keys or ())
    good = (set(item.keys or ()) for item in answers(project, fn) if not item.failed)
    return bool(said) and said.isdisjoint(TELLING) and any(said <= keys for keys in good)


def of_api_library(project: Project, fn: Fn) -> bool:
    """Whether it answers for a library for APIs, whose errors have a form of their own beside those of Django's plain views."""
    routes = project.endpoints.leading_to(fn.fqn)
    return any(route.framework != "django" or not is_plain(project, route) for route in routes)


def probes(project: Project, fn: Fn) -> bool:
    """Whether it answers to what watches the service, which looks at the status alone, or in GraphQL's own form."""
    if "health" in fn.fqn or "graphql" in fn.fqn.lower():
        return True
    return any(PROBE.search(route.path) for route in project.route_functions.get(fn.fqn, ()))


def differing(
    project: Project, errors: list[tuple[Fn, Answer, str]], raised: list[tuple[Location, str]]
) -> Iterator[Hit]:
    """Errors of one application whose form is not that of most of them; of many forms the first."""
    counts = Counter([*(form for _, _, form in errors), *(form for _, form in raised)])
    usual, count = counts.most_common(1)[0] if counts else ("", 0)
    total = len(errors) + len(raised)
    if count < 2 or count * 3 < total * 2 or total < FEWEST or not tells(usual):
        return
    told: dict[str, dict[str, Hit]] = {}
    advice: list[Hit] = []
    places = [place for place, form in raised if form == usual]
    places += [fn.location(answer.span) for fn, answer, form in errors if form == usual]
    for fn, answer, form in errors:
        if form == usual or compatible(form, usual):
            continue
        hit = Hit(
            f"This error of `{fn.name}()` has {form}, while {count} of the application's {total} have {usual}: clients that read "
            "one cannot read the other. Use the common form.",
            fn.location(answer.span),
            related=(Step(places[0], f"an error with {usual}"),),
            function=fn.fqn,
        )
        if is_frameworks(project, fn, answer, form) or told.setdefault(form, {}).setdefault(fn.fqn, hit) is not hit:
            advice.append(replace(hit, profile="strict"))  # or the same slip once more
    once: list[Hit] = []
    for hits in told.values():
        for hit in told_once(hits.values(), partial(here_and_in, before=", while"), few=1, severity=None):
            (once.append if hit.profile != "strict" else advice.append)(hit)
    yield from advice
    yield from told_once(once, other_forms, HABIT, severity=None)


def tells(form: str) -> bool:
    """Whether it says what went wrong: keys that are names of fields say which field did."""
    return not form.startswith("the keys") or bool((TELLING | OUTCOMES).intersection(form.split("`")))


def other_forms(hit: Hit, others: str) -> str:
    """Where many forms are there."""
    return hit.message.replace(", while", f", and other forms are in {others}, while", 1)


def is_frameworks(project: Project, fn: Fn, answer: Answer, form: str) -> bool:
    """`detail`, as the framework itself writes its errors: clients have to read that anyway."""
    if form == "a text as detail":
        return True
    routes = project.endpoints.leading_to(fn.fqn)
    written = any(route.documented or not is_plain(project, route) for route in routes)
    bases = (fn.cls.owner.dotted(base) for base in fn.cls.facts.bases) if fn.cls is not None else ()
    written = written or any(name.startswith("rest_framework.") for name in bases)
    return "detail" in form.split("`") and not answer.raised and written


def judged_itself(project: Project, fn: Fn, answer: Answer) -> bool:
    """Whether another handler gives the answer (`return upload(request, draft=True)`), which is judged itself; not a helper
    that is told what to say (`return fail("unknown", 404)`)."""
    value = fn.facts.values[answer.body] if answer.body >= 0 else ("",)
    targets = project.targets(fn, fn.calls[value[1]]) if value[0] == "call" else []
    return any(
        project.layer(target) in ("controller", "middleware")
        and (
            target.fqn in project.route_functions or any(shape_of(target, given) for given in answers(project, target))
        )
        for target in targets
    )


def application(project: Project, fn: Fn) -> object:
    """The application whose route leads there; "" where none does."""
    return next((route.inner for route in project.endpoints.leading_to(fn.fqn)), "")


def handled(project: Project) -> Iterator[tuple[object, Fn, Location, str]]:
    """The project's own exceptions, in the form that an error handler gives them."""
    forms = {}
    for name, classes in project.error_handlers.items():
        handler = project.functions.get(name)
        said = (
            {form_of(project, handler, answer) for answer in answers(project, handler)}
            if handler is not None
            else set()
        )
        own = [ref.name for ref in classes if ref.name in project.classes]
        if len(said) == 1 and (form := said.pop()):
            forms.update(dict.fromkeys(own, form))
    for handler in project.error_paths.mapped.set_for_all():
        said = {form_of(project, handler, answer) for answer in answers(project, handler)} - {""} if handler else set()
        if handler is not None and len(said) == 1:
            forms.update(dict.fromkeys(asked_for(project, handler), said.pop()))
    for fn in project.all_functions() if forms else ():
        for item in fn.facts.raises:
            refs = project.refs(fn, item.exc) if item.exc >= 0 else ()
            names = (name for ref in refs for name in forms if project.hierarchy.subclass_of(ref.name, name))
            name = next(names, "")
            if name:
                yield application(project, fn), fn, fn.location(item.span), forms[name]


def asked_for(project: Project, handler: Fn) -> Iterator[str]:
    """The project's own exceptions for which a handler of all asks: `isinstance(exc, ShopError)`."""
    for call in handler.calls:
        if handler.callee_name(call) == "isinstance" and len(call.args) == 2:
            yield from (ref.name for ref in project.refs(handler, call.args[1]) if ref.name in project.classes)


def form_of(project: Project, fn: Fn, answer: Answer) -> str:
    """The keys of an error handler's answer, also where the exception puts them together (`exc.to_dict()`); a page has none."""
    if answer.special or answer.content == PAGE:
        return ""
    value = fn.facts.values[answer.body] if answer.body >= 0 else ("",)
    keys = set(answer.keys or ())
    for target in project.targets(fn, fn.calls[value[1]]) if value[0] == "call" and not keys else ():
        for item in target.facts.returns:
            inner = target.facts.values[item.value] if item.value >= 0 else ("",)
            texts = [target.const(key) for key, _ in inner[1] if key >= 0] if inner[0] == "dict" else []
            keys |= {text for text in texts if isinstance(text, str)}
    return f"the keys {', '.join(f'`{key}`' for key in sorted(keys)[:4])}" if keys else ""


def for_people(project: Project, fn: Fn) -> bool:
    """Whether no route of an API leads there: what a browser shows need not look like an API's errors."""
    return not any(is_api(project, route) for route in project.route_functions.get(fn.fqn, ()))


def gives_no_data(project: Project, fn: Fn) -> bool:
    """A handler of pages, or one whose successes are pages, files, texts and redirects: no client reads JSON there."""
    if fn.fqn not in project.route_functions:
        return False
    documented = any(route.documented for route in project.route_functions[fn.fqn])
    good = [answer for answer in answers(project, fn) if not answer.failed and (documented or is_known(answer))]
    plain = [answer for answer in good if answer.special or answer.content == PAGE or is_text(fn, answer)]
    return bool(good) and len(plain) == len(good)


def is_known(answer: Answer) -> bool:
    """Not what some function of the project's answers with: where any redirect is seen, it is another."""
    return bool(answer.special or answer.made or answer.shape or answer.content)


def is_text(fn: Fn, answer: Answer) -> bool:
    return answer.shape == "text" and bool(fn.const(answer.body))


def shape_of(fn: Fn, answer: Answer) -> str:
    """How an error's body looks, in words; "" where it is not written out."""
    if not answer.failed or answer.special or tells_nothing_usual(fn, answer):
        return ""
    if answer.keys:
        keys = ", ".join(f"`{key}`" for key in sorted(answer.keys)[:4])
        return f"a detail of {keys}" if answer.raised else f"the keys {keys}"
    if answer.shape == "text" and fn.const(answer.body) not in ("", b""):
        return "a text as detail" if answer.raised else "a bare text"
    return ""


def tells_nothing_usual(fn: Fn, answer: Answer) -> bool:
    """A list of messages for each field, which validation gives by itself beside other errors, an outcome (`valid=False`), or
    what a protocol prescribes."""
    value = fn.facts.values[answer.body] if answer.body >= 0 else ("",)
    parts = [(fn.const(key), item) for key, item in value[1]] if value[0] == "dict" else []
    if value[0] != "dict":  # `jsonify(valid=False)`
        parts = next((list(c.kwargs) for c in fn.calls if answer.span.holds(c.span) and _named(c) == answer.keys), [])
    if any(key == "error" and fn.const(item) in PRESCRIBED for key, item in parts):
        return True
    if not parts or any(key in TELLING for key, _ in parts):
        return False
    if any(key in ("__all__", "non_field_errors") for key, _ in parts):
        return True
    named = len(parts) == 1 and parts[0][0] not in OUTCOMES and isinstance(fn.const(parts[0][1]), str)
    if named and (answers_fields(fn) or asks_for(fn, str(parts[0][0]))):
        return True
    return all(fn.value(item)[0] == "list" for _, item in parts) or all(
        isinstance(fn.const(item), bool) for _, item in parts
    )


def asks_for(fn: Fn, name: str) -> bool:
    """`request.query_params.get("direction")`: the error stands under the name of what was sent."""
    asked = (call.args[0] for call in fn.calls if call.args and fn.callee_name(call) in ("get", "getlist"))
    return any(fn.const(vid) == name for vid in asked)


def answers_fields(fn: Fn) -> bool:
    """`Response(serializer.errors, status=400)`: what is wrong with a field, under its name, is a form that its clients read."""
    return any(fn.value(vid)[2] == "errors" for vid in fn.made_by("attr"))


def _named(call: Call) -> tuple[str, ...]:
    return tuple(name for name, _ in call.kwargs)


def compatible(form: str, usual: str) -> bool:
    """More keys than usual are no other form, nor is the one that tells what happened; a text as detail is sent as `detail`."""
    if form == "a text as detail" and usual.startswith("the keys") and "detail" in usual.split("`"):
        return True
    if usual == "a text as detail" and form.startswith("the keys") and "detail" in form.split("`"):
        return True
    ours, theirs = (set(text.split("`")[1::2]) if text.startswith("the keys") else set() for text in (form, usual))
    return bool(theirs) and (theirs <= ours or bool(ours & theirs & TELLING))
