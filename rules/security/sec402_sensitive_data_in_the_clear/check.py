from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from backendlint.api import (
    Call,
    Cls,
    Fn,
    Hit,
    Location,
    Project,
    Vid,
    WeakUse,
    here_and_in,
    identifier_words,
    ingredients,
    name_of_value,
    sensitive,
    sink_arguments,
    sqltypes,
    told_once,
    weak_hits,
    written,
)

LOCAL = re.compile(
    r"(localhost|127\.|0\.0\.0\.0|\[?::1|10\.|192\.168\.|169\.254\.|metadata\.google\.|172\.(1[6-9]|2\d|3[01])\.|host\.docker|.*\.(local|internal|svc|test|example|localhost)\b|[\w-]+(:\d+)?(/|$))"
)
CLEAR = ("http", "ftp")
SCHEMES = frozenset({"ftp", "telnet", "ldap", "imap", "pop3", "smtp"})
CARD = ("card", "number")
SHORTEST_CARD = 15
ACCOUNT = ("account", "number")
BANK = frozenset("bank routing iban bic swift payout payouts payee beneficiary holder branch ifsc sort debit".split())
"""Words of what is kept of an account at a bank."""
TAX = ("tax", "id")
BIRTH = frozenset({("birth", "date"), ("date", "birth")})
"""What tells people apart, and opens nothing by itself."""
PERSON = frozenset(
    "person people employee employees worker contractor patient applicant driver citizen resident firstname lastname birth birthday "
    "birthdate dob ssn gender surname nationality".split()
)
NAMES = (("first", "name"), ("last", "name"), ("full", "name"), ("given", "name"))
"""Words of what is kept of a person."""
OTHER_CARDS = frozenset(
    "sim library member membership loyalty gift graphics video network memory badge access id student".split()
)
"""Words of classes whose cards pay nothing."""
FEW_OF_ONE = 2
"""So many columns of one table are told one by one."""
KEPT = re.compile(
    r"(^|_)((totp|otp|mfa|2fa|client|webhook|hook|hmac|signing|consumer|shared|app|api|oauth2?)_?secret|private_?key|"
    r"signing_?key|(smtp|imap|ldap|ftp|sftp|proxy|db|database|bind|mail|email)_?(password|passwd))$"
    r"|^(?!totp|otp|mfa|client)([a-z0-9]+_)?((live|test|sandbox)_)?secret_?key$",
    re.IGNORECASE,
)
"""Secrets that have to be read again, and that outlast whoever copies the database; tokens are short-lived as often."""
CRYPTO = re.compile(r"crypt|fernet|cipher|vault", re.IGNORECASE)
HASHED = re.compile(r"hash|digest|sha\d|encrypt|last_?(four|4)|cipher|_enc$", re.IGNORECASE)


def check(project: Project) -> Iterator[Hit]:
    kept = (*columns(project), *ddl_columns(project))
    yield from told_once(kept, like_others, FEW_OF_ONE, None, each=lambda hit: hit.message.partition(".")[0])
    yield from weak_hits(
        project, ("transport",), "use the encrypted protocol.", lambda use: is_asked_for(use) or is_nobody(project, use)
    )
    yield from plain_http(project)


def like_others(hit: Hit, others: str) -> str:
    if "a secret" in hit.message:
        return here_and_in(hit, others, before=" keeps a secret")
    return f"{hit.message} So do {others}."


def is_asked_for(use: WeakUse) -> bool:
    """`if address.scheme == "ftp":`: whoever gave the address has chosen the protocol."""
    return any(outcome and names_scheme(use.fn, test) for test, outcome in use.fn.tests_of(use.call.block))


def is_nobody(project: Project, use: WeakUse) -> bool:
    """`ftp = FTP(host)` and `ftp.login()`: what everybody may fetch, for which no password goes over the line."""
    fn = use.fn
    if use.name != "ftplib.FTP" or len(use.call.passed) > 1:
        return False
    near = [fn] if fn.cls is None else [item for item in project.functions_of(fn.file) if item.cls is fn.cls]
    logins = [call for item in near for call in item.calls if item.callee_name(call) == "login"]
    return bool(logins) and not any(call.passed for call in logins)


def names_scheme(fn: Fn, test: Vid) -> bool:
    value = fn.unguarded(test)
    if value[0] == "bool" and value[1] == "and":
        return any(names_scheme(fn, item) for item in value[2])
    if value[0] == "compare" and value[1] == ("==",):
        return any(fn.const(side) in SCHEMES for side in value[2])
    if value[0] != "call" or fn.callee_name(fn.calls[value[1]]) != "startswith":
        return False
    return any(str(fn.const(vid)).removesuffix("://") in SCHEMES for vid in fn.calls[value[1]].args[:1])


def columns(project: Project) -> Iterator[Hit]:
    """Identity and payment data, and passwords, in plain text columns."""
    for cls in project.classes.values():
        if project.hierarchy.role(cls) != "model":
            continue
        for name, vid in cls.facts.attributes.items():
            kind = sensitive(name)
            value = cls.owner.facts.values[vid]
            if kind not in ("personal", "secret") or value[0] != "call" or HASHED.search(name):
                continue
            if identifier_words(name)[-2:] == CARD and not OTHER_CARDS.isdisjoint(identifier_words(cls.name)):
                continue
            call = cls.owner.facts.calls[value[1]]
            if not is_plain_text(project, cls, call) or (identifier_words(name)[-2:] == CARD and holds_none(cls, call)):
                continue
            span = cls.facts.field_spans.get(name) or cls.owner.facts.span_of(vid)
            hit = _told(name, kind, cls.owner.location(span), (cls.name, *cls.facts.attributes))
            told = kind == "secret" and hit.profile is None
            encrypts = told and (_encrypts(project, cls.path) or _is_encrypted(project, name))
            yield _advice(hit) if encrypts else hit


def holds_none(cls: Cls, call: Call) -> bool:
    """Whether a column for the number of a card is too short for one that pays, or is what its holder is known by."""
    length = cls.owner.const(call.kwarg("max_length"))
    short = isinstance(length, int) and length < SHORTEST_CARD
    return short or cls.owner.const(call.kwarg("unique")) is True


def ddl_columns(project: Project) -> Iterator[Hit]:
    """The same in tables that SQL files make."""
    for table in project.data.schema.tables.values():
        for column in table.columns.values() if table.source == "ddl" and table.kind == "table" else ():
            kind = sensitive(column.name)
            if kind not in ("personal", "secret") or HASHED.search(column.name) or column.location is None:
                continue
            if sqltypes.family(column.type) == "text":
                yield _told(column.name, kind, column.location, (table.name, *table.columns))


def is_of_bank(name: str, beside: Sequence[str]) -> bool:
    """Whether an account's number is one of a bank, by what stands beside it, and not of a customer, a cloud or a ledger."""
    if identifier_words(name)[-2:] != ACCOUNT:
        return True
    return any(not BANK.isdisjoint(identifier_words(item)) for item in (name, *beside))


def is_of_person(name: str, beside: Sequence[str]) -> bool:
    """Whether a tax number is a person's, by what stands beside it: a company's is public."""
    if identifier_words(name)[-2:] != TAX:
        return True
    words = [identifier_words(item) for item in beside]
    return any(not PERSON.isdisjoint(item) or item[-2:] in NAMES for item in words)


def _encrypts(project: Project, path: str) -> bool:
    """Whether something of a module may put into its columns what nobody else can read."""
    return any(
        CRYPTO.search(fn.callee_name(call)) for fn in project.functions_of(project.files[path]) for call in fn.calls
    )


def _is_encrypted(project: Project, name: str) -> bool:
    """Whether what is put into the column has been through something that encrypts: `row.mfa_secret = encrypted`."""
    given = [(fn, call.kwarg(name)) for fn, call in project.graph.calls_with(name)]
    given += [(fn, item.value) for fn in project.all_functions() for item in fn.facts.stores if item.name == name]
    return any(_speaks_of_crypto(fn, part) for fn, vid in given for part in ingredients(fn.facts, (vid,)))


def _speaks_of_crypto(fn: Fn, vid: Vid) -> bool:
    value = fn.value(vid)
    called = fn.callee_name(fn.calls[value[1]]) if value[0] == "call" else name_of_value(fn, vid)
    return CRYPTO.search(called) is not None


def _told(name: str, kind: str, place: Location, beside: Sequence[str]) -> Hit:
    """`beside`: the table or class, and its columns."""
    hit = Hit(
        f"`{beside[0]}.{name}` keeps {'a secret' if kind == 'secret' else 'personal data'} in plain text, so a copy of the "
        "database gives it away; encrypt the column, or store a hash.",
        place,
    )
    sure = (
        KEPT.search(name) is not None or is_bare_beside_hashed(name, beside)
        if kind == "secret"
        else is_of_bank(name, beside) and is_of_person(name, beside) and identifier_words(name)[-2:] not in BIRTH
    )
    return hit if sure else _advice(hit)


def is_bare_beside_hashed(name: str, beside: Sequence[str]) -> bool:
    """`door_token` beside `calendar_token_sha256`: of the same kind, and somebody knew how to keep one."""
    last = identifier_words(name)[-1]
    return last == "token" and any(HASHED.search(other) and last in identifier_words(other) for other in beside)


def _advice(hit: Hit) -> Hit:
    return replace(hit, profile="strict", confidence="low")


def is_plain_text(project: Project, cls: Cls, call: Call) -> bool:
    """A text column, by its own type or by the type that it is given; encrypted types are none."""
    if any(model.column == "text" for model in project.models(cls.owner, call)):
        return True
    for vid in call.args:
        value = cls.owner.facts.values[vid]
        func = cls.owner.facts.calls[value[1]].func if value[0] == "call" else vid
        for ref in project.refs(cls.owner, func):
            model = project.libraries.call(ref.name)
            if model is not None and model.column == "text":
                return True
    return False


def plain_http(project: Project) -> Iterator[Hit]:
    """Calls of addresses without encryption outside the own network; one for each address that is written down."""
    seen = set()
    for site in project.effects.sites:
        for sink in site.model.sinks:
            for vid in sink_arguments(site.fn, site.call, sink.arg) if sink.kind == "ssrf" else ():
                place = written(project, *default_of(site.fn, vid))
                text = place[0].const(place[1]) if place is not None else ...
                if place is None or place in seen or not isinstance(text, str) or not in_the_clear(text):
                    continue
                seen.add(place)
                where, written_at = site.fn.location(site.call.span), place[0].facts.span_of(place[1])
                flow = (place[0].step(written_at, "the address"), site.fn.step(site.call.span, "is called"))
                yield Hit(
                    f"`{site.model.name.rpartition('.')[2]}` in `{site.fn.name}()` talks to `{text[:60]}` without encryption, so "
                    "everybody on the way can read and change it; use https.",
                    where,
                    related=flow[:1] if place[0] is not site.fn or written_at.line != site.call.span.line else (),
                    flow=flow,
                    function=site.fn.fqn,
                )


def in_the_clear(text: str) -> bool:
    scheme, found, address = text.partition("://")
    return bool(found and address) and scheme in CLEAR and not LOCAL.match(address)


def default_of(fn: Fn, vid: Vid) -> tuple[Fn, Vid]:
    """The default of a parameter in its place: `def fetch(url="http://...")`."""
    value = fn.facts.values[vid]
    default = fn.facts.params[value[1]].default if value[0] == "param" else -1
    return (fn.parent, default) if default >= 0 and fn.parent is not None else (fn, vid)
