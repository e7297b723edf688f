"""Routes that are open by their nature, as their own paths and names say."""

from __future__ import annotations

import re

from backendlint.api import SAFE, Route

PUBLIC = re.compile(
    r"log_?in|log_?out|sign_?(in|up|out)|register|registration|password|passwd|forgot|recover|reset|(^|_)tokens?($|_)|refresh|oauth|sso|saml|openid|jwks|"
    r"health|heart_?beat|live(ness)?|ready|readiness|(^|_)ping|(^|_)status|metrics|version|docs|redoc|openapi|swagger|schema|favicon|robots|sitemap|well_known|"
    r"web_?hooks?|(^|_)hooks?|callback|public|anonymous|guest|verify|verification|confirm|(?<!de)activate|(un)?subscribe|(^|_)shared?($|_)|otp|captcha|csrf|static|assets|media|"
    r"(^|_)root$|(^|_)index$|home|landing|welcome|contact|about|terms|privacy|impressum|imprint|legal|opensearch|embed(ded)?($|_)|invite|invitation|(^|_)badges?($|_)|agreement|widget|two_?factor|2fa|mfa|resend|set_?up|set_?lang|i18n|(^|_)(rss|atom)($|_)|(^|_)(google|github|gitlab|gitea|facebook|apple|azure|okta|oidc|discord|linkedin|keycloak)($|_)|install|bootstrap|(^|_)init(iali[sz]e)?(_|$)|authenticate|authorize|(^|_)auth(_(types?|methods?|providers?|config))?$|session",
    re.IGNORECASE,
)
SIGNING_IN = re.compile(
    r"(^|_)(log_?in|log_?out|sign_?(in|up)|register|password_?reset|reset_?password|forgot(ten)?_?password|two_?factor_?login|"
    r"(resend_)?confirm_?email)", re.IGNORECASE,
)  # fmt: skip
"""Names of classes of views for those who have not signed in yet."""
SNAKE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
READABLE = re.compile(
    r"(^|_)(plans|pricing)($|_)|(^|_)tags($|_)|categories|countries|currenc|languages|time_?zones|locales|(^|_)config($|_)|features|feature_?flags|(^|_)(logo|icon|avatar|thumb(nail)?|picture)s?($|_)|about|(^|_)info($|_)",
    re.IGNORECASE,
)
"""What anybody may read; who changes it is another question."""
PASSWORD = re.compile(r"passw(or)?d", re.IGNORECASE)
OF_ONE = re.compile(r"\{(\w+_)?(id|pk)\}/(set|change)?[-_]?passw(or)?d/?$", re.IGNORECASE)
"""`/users/{user_id}/password`: somebody's, which whoever calls sets; not that of a link in a mail."""
MARKED = re.compile(r"/(?:public|anonymous|guest)(?:/|$)", re.IGNORECASE)
"""Prefixes that say so of all routes below them."""
PUBLISHED = re.compile(r"[/_-]published(?:[/_-]|$)", re.IGNORECASE)
SAID = re.compile(r"\bpublic(ly)?\b|\b(no|without) (login|authentication|account)\b", re.IGNORECASE)
"""What a handler's text says of it."""
BY_LINK = re.compile(r"verify|verification|confirm|activate", re.IGNORECASE)
"""What a link in a mail asks for, or whoever works with a row."""
PARAMETER = re.compile(r"\{(\w+)\}")
NUMBER = re.compile(r"(\w+_)?(id|pk)", re.IGNORECASE)
BY_MAIL = re.compile(r"(\w+_)?(token|code|key|otp|pin|secret|signature|hash|uid|uidb64)", re.IGNORECASE)
"""What such a link has in it."""


def of_numbered(route: Route) -> bool:
    """`/moorings/{id}/activate`: a row that anybody can name by its number, and no code out of a mail beside it."""
    names = PARAMETER.findall(route.path)
    if not names or not all(NUMBER.fullmatch(name) or route.converters.get(name) == "int" for name in names):
        return False
    fn = route.handler
    if fn is None:
        return False
    read = [param.name for param in fn.facts.params]
    read += [text for vid in fn.made_by("const") if isinstance(text := fn.value(vid)[1], str)]
    read += [str(fn.value(vid)[2]) for vid in fn.made_by("attr")]
    return not any(BY_MAIL.fullmatch(name) for name in read)


def public(route: Route, signs_up: bool) -> bool:
    """Open by its nature, judging by its own path and name (prefixes such as /auth say nothing)."""
    words, name = re.sub(r"[-./]+", "_", route.own_path.strip("/")), route.name
    last = route.path.rstrip("/").rpartition("/")[2]
    if (
        not signs_up
        and "POST" in route.methods
        and last in ("users", "accounts", "members", "customers", "sessions", "registrations")
    ):
        return True  # registration and sign-in
    if route.cls is not None and SIGNING_IN.search(SNAKE.sub("_", route.cls.name)):
        return True
    if OF_ONE.search(route.own_path):
        words, name = PASSWORD.sub("", words), PASSWORD.sub("", name)
    if of_numbered(route):
        words, name = BY_LINK.sub("", words), BY_LINK.sub("", name)
    named = PUBLIC.search(words) or PUBLIC.search(name) or MARKED.search(route.path)
    if SAFE.issuperset(route.methods):
        named = named or READABLE.search(words) or READABLE.search(route.name) or PUBLISHED.search(route.path)
        if said_to_be_public(route) or for_every_site(route):
            return True
    return bool(named) or not route.path.strip("/")


def said_to_be_public(route: Route) -> bool:
    """`\"\"\"Search for public playlists.\"\"\"`"""
    fn = route.handler
    return fn is not None and SAID.search(fn.facts.docstring.partition("\n\n")[0]) is not None


def for_every_site(route: Route) -> bool:
    """`@cors(origin="*")`: the pages of any site may read it, and no cookie comes with that."""
    fn = route.handler
    home = fn.parent if fn is not None else None
    values = [home.value(vid) for vid in fn.facts.decorators] if fn is not None and home is not None else []
    calls = [home.calls[value[1]] for value in values if home is not None and value[0] == "call"]
    return home is not None and any(home.const(vid) == "*" for call in calls for vid in call.passed)
