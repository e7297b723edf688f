"""SEC308: what is left of the patterns' hits where options come from elsewhere: the application's configuration (flask-cors),
or a table that the call spreads; and where the origin is compared before the test."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from backendlint.api import Call, Fn, Hit, Project, Vid, calls_at, functions_in, of_all_modules, slow_part

FLASK = "`supports_credentials` with any origin"
"""How the message about flask-cors begins."""
LATER = "in `init_app()`."
"""How it ends where the extension is made in one place and set up in another."""
EXTENSION = "flask_cors.CORS"
CONFIGURED = "`CORS_SUPPORTS_CREDENTIALS` with any origin"
SPREAD = "These CORS options"
REFLECTED = "The caller's own origin"
ENDLESS = "A pattern of these origins"
PATTERNS = ("CORS_ALLOWED_ORIGIN_REGEXES", "CORS_ORIGIN_REGEX_WHITELIST")
"""Settings of django-cors-headers 4.9, which holds them against the beginning of an origin (`re.match`)."""
ENDS = re.compile(r"(?:\$|\\Z)\)*$")
CREDENTIALS_HEADER = "Access-Control-Allow-Credentials"
ORIGIN = frozenset({"origin", "http_origin"})
SETTINGS = ("CORS_ORIGINS", "CORS_RESOURCES")
"""Keys of the configuration that flask-cors reads where its call says nothing."""
CREDENTIALS = ("CORS_SUPPORTS_CREDENTIALS",)
EVERY = (
    "A pattern of these origins matches all of them, so every website can act as the signed-in user and read the answers; "
    "list the origins."
)
STRANGERS = ("https://q7.example", "https://www.harbour-9.test")
ANY = ("*", ".*", "^.*$", r"https?://.*", "https://.*")


def check(project: Project, hit: Hit) -> Iterator[Hit]:
    if hit.message.startswith(SPREAD):
        if any(spreads_open(project, fn, call) for fn, call in calls_at(project, hit.location)):
            yield hit
    elif hit.message.startswith(CONFIGURED):
        allowed = [fn.const(vid) for fn, vid in settings(project, CREDENTIALS)]
        if any(value is True for value in allowed) and unlisted(project):
            yield hit
    elif hit.message.startswith(ENDLESS):
        patterns = [(fn, vid) for fn, vid in settings(project, PATTERNS) if fn.path == hit.location.path]
        if any(open_to_all(project, fn, vid) for fn, vid in patterns):
            yield replace(hit, message=EVERY)
        elif any(endless(project, fn, vid) for fn, vid in patterns):
            yield hit
    elif hit.message.startswith(REFLECTED):
        around = [fn for fn in functions_in(project, hit.location) if encloses(fn, hit)]
        if not any(compares_origin(fn) or never_credentials(project, fn) for fn in around):
            yield hit
    elif hit.message.startswith(FLASK) and hit.message.endswith(LATER) and not is_extension(project, hit):
        return
    elif not hit.message.startswith(FLASK) or says_itself(project, hit) or unlisted(project):
        yield hit


def endless(project: Project, fn: Fn, vid: int) -> bool:
    """Whether one of the patterns says how an origin begins, and not how it ends (`^https://.*\\.ferries\\.example`)."""
    value = fn.unguarded(vid)
    if value[0] in ("list", "tuple", "set"):
        return any(endless(project, fn, item) for item in value[1])
    if value[0] == "call":  # `re.compile(...)`
        return any(endless(project, fn, item) for item in fn.calls[value[1]].args[:1])
    texts = [item for item in project.constants(fn, vid) or () if isinstance(item, str)]
    return any("://" in text and not ENDS.search(text) for text in texts)


def encloses(fn: Fn, hit: Hit) -> bool:
    return not fn.is_module and fn.facts.span.line <= hit.location.line <= fn.facts.span.end_line


def never_credentials(project: Project, fn: Fn) -> bool:
    """Whether credentials are allowed only below a setting that nothing switches on, or never at all (`"false"`)."""
    given = [(item.value, item.block) for item in fn.facts.stores if fn.const(item.key) == CREDENTIALS_HEADER]
    calls = (call for call in fn.calls if len(call.args) > 1)
    given += [(call.args[1], call.block) for call in calls if fn.const(call.args[0]) == CREDENTIALS_HEADER]
    return bool(given) and all(
        is_off(project, fn, vid) or any(outcome and is_off(project, fn, test) for test, outcome in fn.tests_of(block))
        for vid, block in given
    )


def is_off(project: Project, fn: Fn, vid: Vid) -> bool:
    known = project.constants(fn, vid) or ()
    return bool(known) and all(item is None or str(item).lower() in ("", "false", "0") for item in known)


def compares_origin(fn: Fn) -> bool:
    """`allow = origin in settings.origins`, by which a test goes later."""
    for vid in fn.made_by("compare"):
        _, operators, sides = fn.value(vid)
        if operators in (("in",), ("not in",)) and is_origin(fn, sides[0]) and fn.const(sides[1]) is ...:
            return True
    return False


def is_origin(fn: Fn, vid: int) -> bool:
    """`request.headers.get("Origin")`, `request.META["HTTP_ORIGIN"]`."""
    return str(fn.const(fn.key_of(vid))).lower() in ORIGIN


def spreads_open(project: Project, fn: Fn, call: Call) -> bool:
    """Whether what a call spreads, where it is known, allows any origin with credentials."""
    origins = [call.kwarg(key) for key in ("allow_origins", "allow_origin_regex")]
    return fn.const(call.kwarg("allow_credentials")) is True and any(
        vid >= 0 and open_to_all(project, fn, vid) for vid in origins
    )


def unlisted(project: Project) -> bool:
    """Whether the configuration of flask-cors leaves its origins open."""
    found = list(settings(project, SETTINGS))
    return not found or any(open_to_all(project, fn, vid) for fn, vid in found)


def is_extension(project: Project, hit: Hit) -> bool:
    """Whether what the application is given to is flask-cors, wherever that was made."""
    refs = (ref for fn, call in calls_at(project, hit.location) for ref in project.callees(fn, call))
    return any(ref.name.startswith(EXTENSION) for ref in refs)


def says_itself(project: Project, hit: Hit) -> bool:
    """Whether the call names origins."""
    calls = calls_at(project, hit.location)
    return any(call.kwarg(key) >= 0 for _, call in calls for key in ("origins", "resources"))


def settings(project: Project, names: tuple[str, ...]) -> Iterator[tuple[Fn, int]]:
    """Where the configuration is given a key: names of modules and classes, `app.config[...] = ...`, keywords and keys."""
    for name in names:
        yield from of_all_modules(project, name)
    for cls in project.classes.values():
        attributes = cls.facts.attributes
        yield from ((cls.owner, attributes[name]) for name in names if attributes.get(name, -1) >= 0)
    for name in names:
        yield from ((fn, call.kwarg(name)) for fn, call in project.graph.calls_with(name))
    for fn in project.all_functions():
        yield from ((fn, item.value) for item in fn.facts.stores if item.key >= 0 and fn.const(item.key) in names)
        for vid in fn.made_by("dict"):
            yield from ((fn, item) for key, item in fn.value(vid)[1] if key >= 0 and fn.const(key) in names)


def open_to_all(project: Project, fn: Fn, vid: int) -> bool:
    """Whether one of the origins is any; what the code does not tell is taken for a list."""
    value = fn.unguarded(vid)
    if value[0] in ("list", "tuple", "set"):
        return any(open_to_all(project, fn, item) for item in value[1])
    if value[0] == "dict":
        return any(open_to_all(project, fn, item) for _, item in value[1])
    if value[0] == "call" and fn.callee_name(fn.calls[value[1]]) == "compile":
        return any(open_to_all(project, fn, item) for item in fn.calls[value[1]].args[:1])
    return any(item in ANY or takes_all(item) for item in project.constants(fn, vid) or () if isinstance(item, str))


def takes_all(pattern: str) -> bool:
    """Whether a regular expression (one that cannot take for ever) matches the origins of two sites that have nothing in common."""
    try:
        return "://" in pattern and not slow_part(pattern) and all(re.fullmatch(pattern, site) for site in STRANGERS)
    except re.error:
        return False
