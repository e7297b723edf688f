from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from backendlint.api import (
    Fn,
    Hit,
    Origin,
    Project,
    Vid,
    for_development,
    here_and_in,
    identifier_words,
    ingredients,
    name_of_value,
    sensitive,
    told_once,
)

DIGESTS = frozenset({"hexdigest", "digest"})
ENCODERS = re.compile(r"base64\.\w*encode\w*|binascii\.(hexlify|b2a_\w+)|builtins\.str")
"""Functions whose result says the same in other letters."""
HASHED = frozenset({"hash", "hashed", "digest", "sha256", "sha512"})
"""Words in the name of a value whose every bit changes with the guess: what its comparison tells is of no use."""
IDS = frozenset({"id", "ids", "pk", "uuid", "uid", "jti"})
"""What something is called by: compared with it, the other side is no secret either."""
COLLECTIONS = frozenset(
    {"pairs", "map", "mapping", "dict", "list", "set", "credentials", "secrets", "passwords", "keys"}
)
WRAPPED = "get_secret_value"
FORMS = frozenset({WRAPPED, "decode", "encode", "strip"})
"""Methods whose result is the same secret in another form."""
TOKEN_VALUE = ("token", "value")
SESSION = "session"
SIGNERS = ("itsdangerous.", "django.core.signing.")
GETTERS = frozenset({"get", "pop"})
PLAIN = frozenset({"key", "apikey"})
"""Names that say little: a secret, where they are compared with a header for one."""
CREDENTIAL = re.compile(r"(^|[-_])(api-?)?(key|token|secret)$", re.IGNORECASE)
MACS = frozenset({"signature", "sig", "hmac", "mac", "digest", "checksum_signature", "x_hub_signature"})


def check(project: Project) -> Iterator[Hit]:
    """Comparisons; one secret that a file compares again and again is told once."""
    yield from told_once(
        compared(project), alike, severity=None, each=lambda hit: (hit.location.path, hit.message.split(" in ")[0])
    )


def alike(hit: Hit, others: str) -> str:
    return here_and_in(hit, others, before=", whose time")


def compared(project: Project) -> Iterator[Hit]:
    for fn in project.reviewed():
        for vid in fn.made_by("compare"):
            _, operators, sides = fn.facts.values[vid]
            if operators not in (("==",), ("!=",)):
                continue
            left, right = sides
            if is_column(project, fn, left) or is_column(project, fn, right):
                continue
            if fn.const(left) is not ... or fn.const(right) is not ...:
                continue
            found = judged(project, fn, left, right) or handed(project, fn, left, right)
            if not found or refuses_same(fn, vid) or keeps_other(fn, vid) or only_noted(project, fn, vid):
                continue
            if all(is_setting(project, fn, side) or project.constants(fn, side) is None for side in sides):
                name, sure = found
                hit = Hit(
                    f"`{name}` in `{fn.name}()` is compared with `{operators[0]}`, whose time tells how much of a guess is right; use "
                    "`hmac.compare_digest`.",
                    fn.location(fn.facts.span_of(vid)),
                    function=fn.fqn,
                )
                yield hit if sure and not for_development(fn.path) else replace(hit, profile="strict", confidence="low")


def refuses_same(fn: Fn, test: Vid) -> bool:
    """`if channel.token == given: raise ...`: there is one already; nobody gets in by being right."""
    return fn.value(test)[1] == ("==",) and any(fn.facts.blocks[n].exits == "raise" for n in below_test(fn, test))


def keeps_other(fn: Fn, test: Vid) -> bool:
    """`if row.token != token: row.token = token`: whether it has changed."""
    _, operators, sides = fn.value(test)
    if operators != ("!=",):
        return False
    same = {fn.unguarded(side) for side in sides}
    below = below_test(fn, test)
    return any(item.block in below and fn.unguarded(item.value) in same for item in fn.facts.stores)


def only_noted(project: Project, fn: Fn, test: Vid) -> bool:
    """`if old.key != new.key: logger.warning(...)`: nobody who asks is told how it came out."""
    below = below_test(fn, test)
    goes_on = any(item.exits if number in below else item.group in below for number, item in enumerate(fn.facts.blocks))
    kept = {item.block for item in fn.facts.stores} | {item.block for item in fn.facts.bindings}
    if goes_on or not below.isdisjoint(kept):
        return False
    calls = [call for call in fn.calls if call.block in below]
    notes = [call.span for call in calls if any(model.log is not None for model in project.models(fn, call))]
    return bool(notes) and all(any(note.holds(call.span) for note in notes) for call in calls)


def below_test(fn: Fn, test: Vid) -> set[int]:
    """The blocks of code for which the test, alone or with others, is asked."""
    asked = [(n, block.value) for n, block in enumerate(fn.facts.blocks) if block.kind == "if" and block.value >= 0]
    values = ((number, vid, fn.unguarded(vid)) for number, vid in asked)
    return {n for n, vid, value in values if vid == test or (value[:2] == ("bool", "and") and test in value[2])}


def judged(project: Project, fn: Fn, left: Vid, right: Vid) -> tuple[str, bool] | None:
    """The secret's name, and whether a caller certainly chooses the other side."""
    if any(in_path(fn, side) or in_session(fn, side) or was_signed(project, fn, side) for side in (left, right)):
        return None
    sides = ((left, right), (right, left))
    for own, other in sorted(sides, key=lambda side: not is_mac(project, fn, side[0])):
        name, wrapped = unwrapped(fn, own)
        mac = is_mac(project, fn, own) or (is_keyed(fn, own) and name_in(fn, other).lower() in MACS)
        secret = mac or wrapped or sensitive(name) == "secret" or name.lower() in MACS
        secret = secret or identifier_words(name)[-2:] == TOKEN_VALUE
        secret = secret or (name.lower() in PLAIN and in_credential_header(fn, other))
        if not secret or (not mac and (from_request(project, fn, own) or is_many(project, fn, own, name))):
            continue
        if confirms(name, name_in(fn, other)) or (
            not mac and IDS.intersection(identifier_words(name_in(fn, other))[-1:])
        ):
            return None
        if not mac and is_digest(fn, other):
            return None
        hashed = HASHED.intersection((*identifier_words(name_in(fn, other)), *identifier_words(name)))
        if not mac and (hashed or IDS.intersection(identifier_words(name)[-1:])):
            return None
        if mac and hashed and is_guess(project, fn, own, other):
            return None
        return name or "the digest", mac or from_request(project, fn, other)
    return None


def in_credential_header(fn: Fn, vid: Vid) -> bool:
    """`request.headers.get("X-Key")`, `request.headers["X-Token"]`: by its name what lets a caller in."""
    value = fn.unguarded(vid)
    call = fn.calls[value[1]] if value[0] == "call" else None
    if call is not None and fn.callee_name(call) == "get" and call.args:
        func = fn.value(call.func)
        name, owner = fn.const(call.args[0]), fn.dotted(call.func) if func[0] == "name" else str(fn.value(func[1])[-1])
    elif value[0] == "item":
        name, owner = fn.const(value[2]), str(fn.value(value[1])[-1])
    else:
        return False
    return isinstance(name, str) and "headers" in owner and CREDENTIAL.search(name) is not None


def is_setting(project: Project, fn: Fn, vid: Vid) -> bool:
    """A field of a settings object: its constant is a default only."""
    value = fn.unguarded(vid)
    if value[0] == "attr":
        refs = project.refs(fn, value[1])
    elif value[0] == "name":  # of an imported object
        refs = project.resolver.dotted(str(value[1]).rpartition(".")[0], fn.file.module)
    else:
        return False
    owners = [project.classes.get(ref.name) for ref in refs if ref.kind == "inst"]
    return bool(owners) and all(cls is not None and project.hierarchy.role(cls) == "settings" for cls in owners)


def handed(project: Project, fn: Fn, left: Vid, right: Vid) -> tuple[str, bool] | None:
    """The same of what callers pass to a function that only compares: `def same(given, stored): return given == stored`."""
    sides = fn.unguarded(left), fn.unguarded(right)
    if any(value[0] != "param" for value in sides):
        return None
    for edge in project.graph.callers(fn):
        if edge.call is None or edge.kind != "call":
            continue
        bound = project.taint.bound(edge)
        passed = [[vid for vid, part in bound.get(value[1], ()) if not part] for value in sides]
        if all(len(vids) == 1 for vids in passed):
            found = judged(project, edge.caller, passed[0][0], passed[1][0])
            if found is not None:
                return found
    return None


def in_path(fn: Fn, vid: Vid) -> bool:
    """`self.kwargs["key"]`: whether a row lies below what the path names."""
    value = fn.unguarded(vid)
    return value[0] == "item" and fn.unguarded(value[1])[2:] == ("kwargs",)


def in_session(fn: Fn, vid: Vid) -> bool:
    """`session["hash"]`, `request.session.get("state")`: signed, or kept by the server, so nobody can guess there."""
    value = fn.unguarded(vid)
    func = fn.func_of(value)
    if func[0] == "name":
        owner, _, method = str(func[1]).rpartition(".")
        return method in GETTERS and owner.rpartition(".")[2] == SESSION
    if func[0] == "attr":
        return func[2] in GETTERS and is_session(fn, func[1])
    if value[0] == "attr":  # `request.session.session_key`: the caller's own
        return is_session(fn, value[1])
    return bool(value[0] == "item" and is_session(fn, value[1]))


def was_signed(project: Project, fn: Fn, vid: Vid) -> bool:
    """`signer.loads(code)["digest"]`: nobody can send another one."""
    value = fn.unguarded(vid)
    made = fn.unguarded(value[1]) if value[0] == "item" else value
    if made[0] != "call":
        return False
    call = fn.facts.calls[made[1]]
    returned = [(owner, item.value) for owner in project.targets(fn, call) for item in owner.facts.returns]
    inner = [(owner, owner.unguarded(vid)) for owner, vid in returned if vid >= 0]
    calls = [(fn, call), *((owner, owner.facts.calls[value[1]]) for owner, value in inner if value[0] == "call")]
    return any(model.name.startswith(SIGNERS) for owner, each in calls for model in project.models(owner, each))


def is_session(fn: Fn, vid: Vid) -> bool:
    value = fn.unguarded(vid)
    return value[0] in ("name", "attr") and str(value[-1]).rpartition(".")[2] == SESSION


def name_in(fn: Fn, vid: Vid) -> str:
    """The name of a value, whatever its form: `key` of `settings.key.get_secret_value().encode()`."""
    return unwrapped(fn, vid)[0]


def unwrapped(fn: Fn, vid: Vid) -> tuple[str, bool]:
    """The name of a value, whatever its form, and whether a `SecretStr` is asked for it, which says that it is a secret."""
    value, wrapped = fn.unguarded(vid), False
    while value[0] == "bool" and value[1] == "or":  # `row.token or ""`
        vid, value = value[2][0], fn.unguarded(value[2][0])
    while value[0] == "call":
        func = fn.unguarded(fn.facts.calls[value[1]].func)
        owner, _, method = str(func[-1]).rpartition(".") if func[0] == "name" else ("", "", func[-1])
        if method not in FORMS:
            break
        wrapped = wrapped or method == WRAPPED
        if func[0] == "name":
            return owner.rpartition(".")[2], wrapped
        vid, value = func[1], fn.unguarded(func[1])
    return name_of_value(fn, vid), wrapped


def is_many(project: Project, fn: Fn, vid: Vid, name: str) -> bool:
    """A collection of secrets: whether stored ones have changed is asked, not whether somebody knows them."""
    kinds = ("builtins.dict", "builtins.list", "builtins.set", "builtins.tuple")
    return not COLLECTIONS.isdisjoint(identifier_words(name)[-1:]) or project.is_instance(fn, vid, *kinds)


def is_column(project: Project, fn: Fn, vid: Vid) -> bool:
    """An attribute of a class: the comparison builds a query."""
    value = fn.facts.values[vid]
    if value[0] == "name":
        head = str(value[1]).rpartition(".")[0].rpartition(".")[2]
        return head[:1].isupper() and not head.isupper()
    return value[0] == "attr" and any(ref.kind == "class" for ref in project.refs(fn, value[1]))


def is_mac(project: Project, fn: Fn, vid: Vid, depth: int = 3) -> bool:
    """The result of an HMAC, also of a function that returns one, or its beginning."""
    value = fn.facts.values[vid]
    if value[0] in ("fmt", "conv", "guard", "binop", "slice"):
        parts = value[2] if value[0] == "fmt" else value[2:4] if value[0] == "binop" else value[1:2]
        return any(is_mac(project, fn, part, depth) for part in parts)
    if value[0] != "call":
        return False
    call = fn.facts.calls[value[1]]
    if any(
        model.name.startswith("hmac.") and model.name.rpartition(".")[2] in DIGESTS
        for model in project.models(fn, call)
    ):
        return True
    func = fn.facts.values[call.func]
    if func[0] == "attr" and func[2] in ("decode", "hex") and is_mac(project, fn, func[1], depth):
        return True
    encodes = any(ENCODERS.fullmatch(model.name) for model in project.models(fn, call))
    if encodes and call.args and is_mac(project, fn, call.args[0], depth):
        return True
    made = (
        [(target, item.value) for target in project.targets(fn, call) for item in target.facts.returns] if depth else []
    )
    return any(value >= 0 and is_mac(project, target, value, depth - 1) for target, value in made)


def is_keyed(fn: Fn, vid: Vid) -> bool:
    """`sha256(secret + body).hexdigest()`: a hash over a secret, which stands in for an HMAC."""
    if not is_digest(fn, vid):
        return False
    func = fn.func_of(fn.unguarded(vid))
    made = fn.unguarded(func[1])
    parts = ingredients(fn.facts, fn.calls[made[1]].passed) if made[0] == "call" else ()
    return any(sensitive(name_in(fn, part)) == "secret" for part in parts)


def is_digest(fn: Fn, vid: Vid) -> bool:
    """A hash that is made here: the time tells of it, not of the guess that went into it."""
    func = fn.func_of(fn.unguarded(vid))
    return bool(func[0] == "attr" and func[2] in DIGESTS)


def from_request(project: Project, fn: Fn, vid: Vid) -> bool:
    return any(is_sent(project, origin) for origin in project.taint.labels(fn, vid))


def is_sent(project: Project, origin: Origin) -> bool:
    if origin.what == "request":
        return True
    if origin.what != "param" or origin.path != ():
        return False
    return param_from_request(project, project.functions[origin.fn], origin.slot, 3)


def is_guess(project: Project, fn: Fn, made: Vid, other: Vid) -> bool:
    """A digest of what was sent that is compared with one that was kept, not with one that was sent beside: every bit changes
    with the guess."""
    beside = (origin for origin, mark in project.taint.labels(fn, other).items() if not mark.weak)
    return from_request(project, fn, made) and not any(is_sent(project, origin) for origin in beside)


def param_from_request(project: Project, fn: Fn, index: int, depth: int) -> bool:
    if depth == 0:
        return False
    for edge in project.graph.callers(fn):
        if edge.call is None:
            continue
        for vid, _ in project.taint.bound(edge).get(index, ()):
            for origin in project.taint.labels(edge.caller, vid):
                if origin.what == "request":
                    return True
                if origin.what == "param" and param_from_request(
                    project, project.functions[origin.fn], origin.slot, depth - 1
                ):
                    return True
    return False


def confirms(left: str, right: str) -> bool:
    """`password == password_confirm`: both typed by the same person; or whether a new one is the default."""
    return any(
        word in name.lower()
        for name in (left, right)
        for word in ("confirm", "repeat", "again", "2", "new", "old", "last", "previous", "default", "initial")
    )
