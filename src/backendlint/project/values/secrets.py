"""Literals that are secrets: by their shape, or by the name that they are given."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Vid
from backendlint.findings.model import Location
from backendlint.project.entities import Fn
from backendlint.project.taint.naming import identifier_words, sensitive

if TYPE_CHECKING:
    from backendlint.project.model import Project

_SHAPES = (
    ("An AWS access key id", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("A private key", re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----\s*[\w+/=\\]{20,}")),
    ("A GitHub token", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{40,})\b")),
    ("A GitLab token", re.compile(r"\bglpat-[A-Za-z0-9_-]{18,}")),
    ("A Slack token", re.compile(r"\bxox[abeoprs]-[A-Za-z0-9-]{15,}")),
    ("A Slack webhook", re.compile(r"https://hooks\.slack\.com/services/T\w+/B\w+/\w{16,}")),
    ("A Stripe key", re.compile(r"\b(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{10,}")),
    ("A Google API key", re.compile(r"\bAIza[0-9A-Za-z_-]{35}\b")),
    ("A SendGrid key", re.compile(r"\bSG\.[\w-]{16,}\.[\w-]{16,}")),
    ("A Twilio key", re.compile(r"\bSK[0-9a-f]{32}\b")),
    ("An OpenAI key", re.compile(r"\bsk-(?:proj-)?[A-Za-z0-9_-]{32,}")),
    ("A package registry token", re.compile(r"\b(?:pypi-AgEIcHlwaS5vcmc[\w-]{20,}|npm_[A-Za-z0-9]{36})\b")),
    ("An authorization header", re.compile(r"^(?:Bearer|Basic|Token) (?=\S*\d)[A-Za-z0-9+/=._-]{20,}$")),
    ("A signed token (JWT)", re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{16,}")),
)
_HINT = re.compile(
    r"AKIA|ASIA|PRIVATE KEY|gh[pousr]_|github_pat_|glpat-|xox|hooks\.slack|[sr]k_|AIza|SG\.|SK|sk-|pypi-|npm_|eyJ|://|Bearer |"
    r"Basic |Token "
)
"""Without any of these no shape can match."""
_URL_PASSWORD = re.compile(r"[a-z][a-z0-9+.-]*://[^\s:/@?#{}%]*:([^\s@/{}%<>$*]{3,})@[\w.-]+", re.IGNORECASE)
_STANDS_FOR = re.compile(
    r"://(?:test_?)?(?:user(?:name)?|login):(?:test_?)?(?:pass(?:word)?|passwd|pwd)@(?!localhost|127\.)|@(?:[\w-]+\.)*example\.(?:com|org|net)\b|@[\w.-]+\.(?:example|invalid)\b",
    re.IGNORECASE,
)
"""A URL in which words stand for what is to be filled in, or whose host is reserved for examples."""
_PLACEHOLDER = re.compile(
    r"""^(?:
        __\w+__ | x+ | \*+ | \.+ | -+ | _+ | \s* | <.*> | \[.*\] | \{.*\} | \(\(.*\)\) | \$.* | %.* | .*\{\w*\}.* |
        [!*][a-z_]* |
        (?:your|some|insert|enter|put|add|replace|provide)[-_ ].* | (?-i:your[A-Z]\w*) |
        .*(?:change[-_ ]?(?:me|this|it)|replace[-_ ]?(?:me|this)|placeholder|redacted|example|dummy|fake|masked|to[-_ ]?be[-_ ]?set).* |
        mock(?:ed)?[-_ ].* |
        (?:.*[-_ ])?(?:set|fill|edit|put|insert)[-_ ]?(?:me|this|it|here)(?:[-_ !].*)? |
        (?:un)?set | none | null | nil | undefined | default | optional | required | missing | empty | unknown | invalid | hidden | n/a |
        .*[-_](?:in)?valid | (?:in)?valid[-_].* | (?:not|un)[-_ ]?(?:active|used|configured|available|found) | input | field | guest |
        value | key | name | content | data | payload | infected |
        test(?:ing)? | sample | foo | bar | baz | string | str | text | bytes | varchar | true | false | yes | no | on | off | \d{1,3}
    )$""",
    re.IGNORECASE | re.VERBOSE,
)
"""`infected` is the password with which samples of malware are packed, so that nobody opens one by mistake; what begins
with `!` or `*` stands, instead of a hash, for an account into which no password leads."""
_IDENTIFIER = re.compile(
    r"^(?:[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|_*[a-z][a-z0-9]*(?:_[a-z0-9]+)*|[A-Z][a-z]+(?:[A-Z][a-z]+)*)$"
)
_REFERENCE = re.compile(
    r"^(?:/|\./|\.\./|~/|https?://|file:|arn:|vault:|env:|secret:|ssm:|op://|urn:)|^[\w.-]+\.(?:pem|key|crt|json|ya?ml|txt|env|html|py|js|css)$"
    r"|^[a-z_]+(?:\.[a-zA-Z_]+)+$|^[a-z][a-z-]*(?::[a-z][a-z-]*)+$|^\d+/\w+(?:[/,].*)?$"
    r"|^[a-z][a-z0-9+.-]*://[^@\s]*$|^[a-z_]+=[a-z_-]+$|^[a-z_]\w*(?:\.\w+)+:[A-Za-z_]\w*$|^(?:X|Content|Accept|Authorization|Proxy)(?:-[A-Z][A-Za-z]+)*$|^(?:Bearer|Basic|Token|JWT|Digest)\s*$"
)
_PATTERN = re.compile(r"\\[sSdDwWbB]|\[\^?[^\]]+\][+*{]|\(\?[:P=!<]|(?:^|[:./_-])%(?:\(\w+\))?[sd]")
"""A regular expression, which tells what a secret looks like, or a text with a place to be filled (`session:user.%s`)."""
_ISSUED = re.compile(
    r"[A-Za-z]{2,6}[-_](?:live[-_]|prod[-_])?(?=(?:\D*\d){4})(?=(?:[^A-Za-z]*[A-Za-z]){4})[A-Za-z0-9]{16,}"
)
_PUBLISHED = re.compile(r"(?:phc|pk)_\w+")
_OF_TABLE = frozenset(
    "public publishable site cache idempotency partition sort primary foreign index map dom test".split()
)
_KIND = re.compile(r"[A-Z]{2,8}")
"""`password = "LDAP"`: who keeps it, not what it is."""
_SETTING = re.compile(
    r"(?:[A-Z]+_)*(?:SECRET|TOKEN|PASSWORD|API|PRIVATE|SIGNING|ACCESS)(?:_[A-Z]+)*_(?:SECRET|TOKEN|PASSWORD|KEY)"
)
"""`fallback = "SECRET_KEY"`: the name of a setting that holds one."""
_ENTRY = re.compile(r"_?[a-z]+(?:[-_:. ][a-z0-9]+)*", re.IGNORECASE)
"""`CART_SESSION_KEY = "shop:cart"`: under which name something is kept in a session; the key of one is issued at run time."""
_UPPER = re.compile(r"[A-Z]+(?:_[A-Z]+)+")
_PASSWORD = frozenset({"password", "passwd", "passphrase", "pwd"})
_KEY_WORDS = frozenset({"key", "secret", "signing", "jwt", "token"})


_HOST = re.compile(
    r"^(?:localhost|(?:\d{1,3}\.){3}\d{1,3}|(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}|[a-z0-9-]+(?=:\d+))(?::\d+)?(?:,.*)?$",
    re.IGNORECASE,
)
_URL = re.compile(r"^[a-z][a-z0-9+.-]*://[^\s/{}%<>]", re.IGNORECASE)
_DSN = re.compile(r"(?:^|[\s;])(?:host|server|data source|addr)\s*=\s*[\w.-]+", re.IGNORECASE)
_PATH = re.compile(
    r"^(?:/(?!dev/|proc/|sys/|tmp\b|etc/(?:ssl|hosts|resolv|os-release|localtime|timezone|passwd|mime))[\w.-]+/[\w./{}-]*|[A-Z]:\\\\?\w.*)$"
)
_NOT_HOST = ("0.0.0.0", "::", "")
_FILES = re.compile(
    r"\.(?:py|txt|json|ya?ml|toml|cfg|ini|html?|csv|xml|log|md|css|js|sql|pem|key|crt|db|sqlite3?|zip|pdf|png|jpe?g)$",
    re.IGNORECASE,
)


def place_kind(text: str) -> str:
    """What a literal locates: `url`, `host`, `dsn`, an absolute `path`, or ""."""
    if _URL.match(text):
        memory = text.startswith(("sqlite://", "data:", "file:", "memory://", "about:", "urn:"))
        return "" if memory or "://example." in text else "url"
    if text not in _NOT_HOST and _HOST.match(text) and not _FILES.search(text):
        return "host"
    if _DSN.search(text):
        return "dsn"
    return "path" if _PATH.match(text) else ""


class Shaped(NamedTuple):
    """A literal whose shape says what it is."""

    fn: Fn
    location: Location
    what: str
    text: str
    vid: Vid = -1


def known_shape(project: Project) -> Iterator[Shaped]:
    """Literals of reviewed files that have the shape of a well-known secret."""
    for fn, vid, text in project.literals.all:
        what = shape_of(text) if len(text) >= 12 and project.counts(fn) else ""
        if what:
            yield Shaped(fn, fn.location(fn.facts.span_of(vid)), what, text, vid)


def shape_of(text: str) -> str:
    """What the text is by its shape, or ""."""
    if _HINT.search(text) is None:
        return ""
    for what, pattern in _SHAPES:
        match = pattern.search(text)
        if (
            match
            and not _PLACEHOLDER.match(match.group())
            and "EXAMPLE" not in match.group()
            and _varied(match.group())
        ):
            return what
    match = _URL_PASSWORD.search(text) if "://" in text and "@" in text else None
    if match and _STANDS_FOR.search(match.group()):
        return ""
    if match and not _PLACEHOLDER.match(match.group(1)) and match.group(1).lower() not in ("pass", "pwd", "pw", "port"):
        return "A URL with a password"
    return ""


def _varied(text: str) -> bool:
    return len(set(text[-16:])) > 5


def publishable(name: str, text: str) -> bool:
    """A key that its service calls public, as whoever has it may only send; not where something is said to be secret."""
    words = identifier_words(name)
    return _PUBLISHED.fullmatch(text) is not None and words[-1:] != ("token",) and "secret" not in words


def secret_like(name: str, text: str) -> bool:
    """Whether a text, as the value of something with a secret's name, is one: no placeholder, prose, name or reference."""
    stripped = text.strip()
    for prefix in ("Bearer ", "Basic ", "Token "):
        stripped = stripped.removeprefix(prefix)
    if (
        len(stripped) < 4
        or publishable(name, stripped)
        or _PLACEHOLDER.match(stripped)
        or _REFERENCE.match(stripped)
        or _PATTERN.search(stripped)
        or _SETTING.fullmatch(stripped)
        or (_UPPER.fullmatch(stripped) and sensitive(stripped) == "secret")
        or (":" in stripped and all(_PLACEHOLDER.match(part) for part in stripped.split(":")))
        or (any(c.isspace() for c in stripped) and not _random(stripped))
    ):
        return False
    if _KIND.fullmatch(stripped):
        return False
    parts = identifier_words(name)
    if parts[-2:] == ("session", "key") and _ENTRY.fullmatch(stripped):
        return False
    own = identifier_words(stripped)
    if own == parts:
        return stripped == "password" == name
    if parts[-1:] == ("salt",) and _ENTRY.fullmatch(stripped):
        return False  # what a signature is for
    if ":" in stripped and own[-len(parts) :] == parts:
        return False  # `{"privateKey": "sec:privateKey"}`: the same name, in some vocabulary
    if set(own) <= set(parts) | {"auth", "user", "the"} and not any(c.isdigit() for c in stripped):
        return "password" in parts and stripped == "password" and parts[-1] == "password" and name == "password"
    if _PASSWORD.intersection(parts) or parts[-2:] == ("pass", "word") or (parts[-1:] == ("pass",) and len(parts) > 1):
        return not _IDENTIFIER.match(stripped) or ("_" not in stripped and (stripped.islower() or stripped.isalnum()))
    if len(stripped) < 8:
        return (
            bool(_KEY_WORDS & set(parts))
            and (
                parts[-1:] != ("token",) or any(c.isdigit() for c in stripped)
            )  # `"token": "upload"` says of what kind
            and len(stripped) >= 5
            and stripped == stripped.lower()
            and "_" not in stripped
        )
    if _IDENTIFIER.match(stripped) and not any(c.isdigit() for c in stripped):
        return bool(_KEY_WORDS & set(parts)) and "secret" in own
    return _entropy(stripped) >= 2.7 or "secret" in own


def issued_key(name: str, text: str) -> bool:
    """Whether a text, as the value of some key, has the shape of one that a service has issued: `cst-7f3a91c0...`."""
    issued = _ISSUED.fullmatch(text.strip()) is not None and not publishable(name, text.strip())
    parts = identifier_words(name) if issued else ()
    return parts[-1:] == ("key",) and _OF_TABLE.isdisjoint(parts)


def _random(text: str) -> bool:
    """Bytes of a generator, written with escapes, among which line breaks may be; no prose."""
    return " " not in text and len(text) >= 8 and sum(not c.isalnum() for c in text) > len(text) // 4


def _entropy(text: str) -> float:
    """Bits a character."""
    counts = Counter(text)
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts.values())


_DIGEST = frozenset({"hash", "hashed", "digest"})
_SHORT = frozenset({"pin", "passcode"})
"""Passwords of a few digits, the first to be guessed."""


def is_password(project: Project, fn: Fn, vid: Vid) -> bool:
    """Whether the value is (made of) a password, by what it is called where it comes from."""
    for origin, mark in project.taint.labels(fn, vid).items():
        if origin.what != "secret" or "secret" in mark.cleared or mark.weak or not origin.path:
            continue
        parts = identifier_words(origin.path[0])
        named = not _PASSWORD.isdisjoint(parts) or not _SHORT.isdisjoint(parts[-1:])
        if named and _DIGEST.isdisjoint(parts):
            return True
    return False
