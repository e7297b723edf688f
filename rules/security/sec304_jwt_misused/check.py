from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import (
    CallModel,
    Cls,
    Fn,
    Hit,
    Project,
    Site,
    Vid,
    arguments,
    display,
    identifier_words,
    ingredients,
    only_by_hand,
    operands,
)

OFF = ("verify_signature", "verify_exp", "verify_aud", "verify_iss", "verify_nbf", "verify_iat")
ROUTING = frozenset({"iss", "kid", "alg", "typ", "aud", "exp", "nbf", "iat"})
"""Claims that choose the key, or say whether a token of one's own is worth sending: who the caller is they do not say."""
NAMING = frozenset(
    "sub subject user username uid email name role roles scope scopes group groups admin superuser tenant org permission permissions "
    "client azp account customer".split()
)
"""Words of claims that say who the caller is, or what is allowed."""
ENDS = frozenset({"expires", "expiry", "expiration", "expired", "expire"})
"""Words of what says when a row ends."""
OUT_OF_USE = frozenset(
    "blacklist blacklisted denylist denylisted blocklist blocklisted revoke revoked revocation logout expired".split()
)
"""Words of functions about tokens that are no longer to be used."""
NEAR, FAR = 3, 12
WHY = {
    "verify_signature": "anybody can make a token that it accepts; verify the signature",
    "verify_exp": "tokens are valid for ever; check `exp`",
    "verify_aud": "tokens made for other services are accepted; pass `audience`",
    "verify_iss": "tokens of other issuers are accepted; pass `issuer`",
    "verify_nbf": "tokens are accepted before they are valid; check `nbf`",
    "verify_iat": "tokens from the future are accepted; check `iat`",
}


def check(project: Project) -> Iterator[Hit]:
    for site in project.effects.sites:
        if site.model.jwt is None:
            continue
        for what, profile in problems(project, site):
            name = ".".join(site.model.name.rsplit(".", 2)[-2:])
            where = f" in `{site.fn.name}()`" if not site.fn.is_module else ""
            yield Hit(
                f"`{name}`{where} {what}.",
                site.fn.location(site.call.span),
                profile="strict" if profile == "strict" else None,
                confidence="low" if profile == "strict" else None,
                function=site.fn.fqn,
            )
            break


def problems(project: Project, site: Site) -> Iterator[tuple[str, str]]:
    jwt = site.model.jwt
    assert jwt is not None
    if jwt.op == "unverified":
        yield "reads claims without checking the signature, so anybody can write them; decode with a key", "default"
    elif jwt.op == "decode":
        yield from decoding(project, site)
    elif jwt.op == "encode":
        yield from encoding(project, site)


def decoding(project: Project, site: Site) -> Iterator[tuple[str, str]]:
    jwt = site.model.jwt
    assert jwt is not None
    switched = list(switched_off(project, site))
    for option in OFF:
        if option in switched:
            excuse = excused(project, site) if option == "verify_signature" else ""
            if excuse:
                yield f"does not check the signature{excuse}", "strict"
                continue
            if option == "verify_exp" and OUT_OF_USE.intersection(identifier_words(site.fn.facts.qualname)):
                yield "does not look at `exp`, since what is out of use anyway may be named too", "strict"
                continue
            if option == "verify_exp" and checks_expiry(project, site):
                yield "leaves `exp` to code of its own: let the library check it", "strict"
                continue
            yield (
                f"does not check what `{option}` stands for, so {WHY[option]}",
                ("default" if option in OFF[:2] else "strict"),
            )
    if "verify_signature" in switched:
        return
    for vid in arguments(site.call, jwt.algorithms) if jwt.algorithms is not None else ():
        if any(str(item).lower() == "none" for item in constants(project, site, vid)):
            yield "accepts unsigned tokens (algorithm `none`); name the one algorithm that you use", "default"
        if chosen_by_token(project, site, vid):
            yield "lets the token choose its algorithm; name the one that you use", "default"
    missing = jwt.algorithms is not None and not arguments(site.call, jwt.algorithms) and not site.call.open_ended
    if missing and not has_key_object(project, site, site.model):
        yield "does not say which algorithms it accepts, so the token chooses; pass `algorithms=[...]`", "default"


def excused(project: Project, site: Site) -> str:
    """Why nobody gets in by a token whose signature is not checked here, as the message goes on; or ""."""
    if said_unverified(site):
        return f", as its name says: {WHY['verify_signature']}"
    if refused_anyway(site):
        return ", after the check has failed: use what it reads for the log only"
    if fetched(project, site):
        return " of a token that it fetched itself: only the connection vouches for it; verify it"
    if in_session(site.fn, site.call.args[0] if site.call.args else -1, FAR):
        return " of a token that the session keeps: only what put it there vouches for it; verify it there"
    if checked_by_class(project, site):
        return ", but by another method of its class: let nobody read the claims before that has run"
    if signed_here(project, site):
        return " of a token that it has just made: take the claims from where they were put together"
    if only_by_hand(project, site.fn):
        return ", for whoever runs the command: nothing else may rest on it"
    read = claims_read(site.fn, site.call.value)
    if read and read <= ROUTING:
        shown = "`, `".join(sorted(read))
        return f", and only `{shown}` is read: verify the token before anything rests on it"
    if read and behind_a_check(project, site) and not any(NAMING.intersection(identifier_words(key)) for key in read):
        return " again, where the caller has been checked: read the claims that the check has verified"
    return ""


def behind_a_check(project: Project, site: Site) -> bool:
    """In the handler of a route that something guards."""
    routes = project.route_functions.get(site.fn.fqn, ())
    return bool(routes) and all(project.access.guarded(route) for route in routes)


def checked_by_class(project: Project, site: Site) -> bool:
    """`self._token = token`, whose claims are read to learn whose key it is, where a method of the class, or of one that derives
    from it, decodes the same token with a key."""
    cls = site.fn.cls
    names = kept_as(site) if cls is not None else set()
    if cls is None or not names:
        return False
    family = (cls, *cls.subclasses)
    return any(other.fn.cls in family and checks_own(project, other, names) for other in project.effects.sites)


def kept_as(site: Site) -> set[str]:
    """The attributes of the object that keep the token."""
    fn, args = site.fn, site.call.args
    stores = (item for item in fn.facts.stores if args and item.value >= 0 and is_own(fn, item.base))
    return {item.name for item in stores if fn.unguarded(item.value) == fn.unguarded(args[0])}


def checks_own(project: Project, site: Site, names: set[str]) -> bool:
    """`jwt.decode(self._token, KEY, ...)`."""
    jwt, args = site.model.jwt, site.call.args
    if jwt is None or jwt.op != "decode" or jwt.key is None or not args:
        return False
    token = site.fn.unguarded(args[0])
    kept = token[0] == "attr" and token[2] in names and is_own(site.fn, token[1])
    return kept and bool(arguments(site.call, jwt.key)) and "verify_signature" not in switched_off(project, site)


def is_own(fn: Fn, vid: Vid) -> bool:
    """`self` of a method."""
    return vid >= 0 and fn.unguarded(vid) == ("param", 0)


def signed_here(project: Project, site: Site) -> bool:
    """`token, expires = issue(user)`: what functions of the project give that sign tokens."""
    fn, vid = site.fn, site.call.args[0] if site.call.args else -1
    signing = {item.fn.fqn for item in project.effects.sites if item.model.jwt and item.model.jwt.op == "encode"}
    for _ in range(FAR):
        value = fn.facts.values[vid] if vid >= 0 else ("",)
        if value[0] in ("item", "attr", "guard", "await", "unpack"):
            vid = value[1]
        elif value[0] == "call":
            call = fn.facts.calls[value[1]]
            if any(model.jwt is not None and model.jwt.op == "encode" for model in project.models(fn, call)):
                return True
            callees = [project.functions[ref.name] for ref in project.callees(fn, call) if ref.kind == "func"]
            return any(fn.fqn in signing for callee in callees for fn, _ in project.graph.below(callee, NEAR))
        else:
            return False
    return False


def checks_expiry(project: Project, site: Site) -> bool:
    """Whether the function, what it calls or who calls it reads when the token ends, or the row that stands for it."""
    starts = [site.fn, *(edge.caller for edge in project.graph.callers(site.fn))]
    if any(map(asks_row, starts)):
        return True
    reached = {fn.fqn: fn for start in starts for fn, _ in project.graph.below(start, 1)}
    return any(reads_expiry(fn) for fn in reached.values())


def reads_expiry(fn: Fn) -> bool:
    keys = [fn.value(vid)[2] for vid in fn.made_by("attr")]
    keys += [fn.const(fn.value(vid)[2]) for vid in fn.made_by("item")]
    keys += [fn.const(call.args[0]) for call in fn.calls if call.args and fn.callee_name(call) == "get"]
    return "exp" in keys


def asks_row(fn: Fn) -> bool:
    """The end that a row says is compared: `session.expires_at < now`."""
    sides = (fn.unguarded(side) for vid in fn.made_by("compare") for side in fn.value(vid)[2])
    return any(side[0] == "attr" and ENDS.intersection(identifier_words(str(side[2]))) for side in sides)


def kept_in_a_row(project: Project, site: Site) -> bool:
    """`Invite(token=jwt.encode(...))`: it is valid as long as the row is; or `Session(id=jti, expires_at=...)`, where the row
    that the claims name has the end."""
    jwt = site.model.jwt
    claimed = ingredients(site.fn.facts, arguments(site.call, jwt.claims)) if jwt and jwt.claims is not None else set()
    holders = (
        call
        for call in site.fn.calls
        if site.call.value in call.passed
        or (
            claimed.intersection(call.passed)
            and any(ENDS.intersection(identifier_words(key)) for key, _ in call.kwargs)
        )
    )
    classes = (project.classes.get(ref.name) for call in holders for ref in project.callees(site.fn, call))
    return any(cls is not None and is_stored(project, cls) for cls in classes)


def is_stored(project: Project, cls: Cls) -> bool:
    """A model, also of a base that is not to be seen but takes the table's name."""
    named = any("__tablename__" in owner.facts.attributes for owner in project.hierarchy.mro(cls))
    return named or project.hierarchy.role(cls) == "model"


def chosen_by_token(project: Project, site: Site, vid: Vid) -> bool:
    """`algorithms=[jwt.get_unverified_header(token)["alg"]]`, or what a function of the project reads out of the token."""
    fn, vid = display(project, site.fn, vid)
    value = fn.facts.values[vid]
    todo = list(value[1]) if value[0] in ("list", "tuple", "set") else [vid]
    for part in todo:
        inner = fn.facts.values[part]
        if inner[0] == "phi":
            todo += [item for item in inner[1] if item not in todo]
            continue
        keys = []
        while inner[0] in ("item", "attr", "guard"):
            keys += [fn.const(inner[2])] if inner[0] == "item" else []
            inner = fn.facts.values[inner[1]]
        call = fn.facts.calls[inner[1]] if inner[0] == "call" else None
        if call is None:
            continue
        models = project.models(fn, call)
        if any(model.jwt is not None and model.jwt.op in ("header", "unverified") for model in models):
            return True
        token = [fn.unguarded(item) for item in site.call.args[:1] if fn is site.fn]
        if "alg" in keys and project.targets(fn, call) and any(fn.unguarded(item) in token for item in call.args):
            return True
    return False


def said_unverified(site: Site) -> bool:
    """`unverified_claims = jwt.decode(...)`: read to learn which key to verify it with."""
    names = [item.name for item in site.fn.facts.bindings if item.value == site.call.value]
    return any("unverified" in name.lower() for name in (*names, site.fn.name))


def refused_anyway(site: Site) -> bool:
    """In the handler of a check that failed, out of which nothing but a refusal leads."""
    around = [(number, block) for number, block in site.fn.blocks_of(site.call.block) if block.kind == "except"]
    if not around or around[0][1].exits not in ("return", "raise"):
        return False
    inside = [item for item in site.fn.facts.returns if around[0][0] in dict(site.fn.blocks_of(item.block))]
    return all(item.value < 0 or site.fn.const(item.value) in (None, False) for item in inside)


def fetched(project: Project, site: Site) -> bool:
    """Whether the token is out of the answer to a request of our own (`requests.post(...).json()["id_token"]`)."""
    return answered(project, site.fn, site.call.args[0] if site.call.args else -1, FAR)


def in_session(fn: Fn, vid: Vid, depth: int) -> bool:
    """Whether the token is a part of what `session` or `request.session` holds, which is signed or kept by the server."""
    value = fn.unguarded(vid) if vid >= 0 and depth else ("",)
    if value[0] in ("param", "name", "attr"):
        named = fn.facts.params[value[1]].name if value[0] == "param" else str(value[-1]).rpartition(".")[2]
        if named == "session":
            return True
        return bool(value[0] == "attr") and in_session(fn, value[1], depth - 1)
    if value[0] in ("item", "elem", "unpack"):
        return in_session(fn, value[1], depth - 1)
    if value[0] == "outer":
        owner = fn.outer(value)
        return owner is not None and in_session(owner, value[1], depth - 1)
    func = fn.func_of(value)
    if func[0] == "name":
        return str(func[1]).split(".")[-2:] in (["session", "get"], ["session", "pop"])
    return bool(func[0] == "attr" and func[2] in ("get", "pop")) and in_session(fn, func[1], depth - 1)


def answered(project: Project, fn: Fn, vid: Vid, depth: int) -> bool:
    """Whether it is a part of what a request gave; of several requests in branches, of whichever was made."""
    value = fn.facts.values[vid] if vid >= 0 and depth else ("",)
    if value[0] in ("item", "attr", "guard", "await"):
        return answered(project, fn, value[1], depth - 1)
    if value[0] == "phi":
        return all(answered(project, fn, part, depth - 1) for part in value[1] if part != vid)
    if value[0] != "call":
        return False
    call = fn.facts.calls[value[1]]
    asked = any("http" in model.effect for model in project.models(fn, call))
    return asked or answered(project, fn, call.func, depth - 1)


def claims_read(fn: Fn, vid: Vid) -> set[str] | None:
    """The claims that the function reads; None where the claims go somewhere as a whole."""
    values = fn.facts.values
    same = {vid}
    for number, value in enumerate(values):
        if value[0] in ("guard", "await") and value[1] in same:
            same.add(number)
    keys = [value[2] for value in values if value[0] == "item" and value[1] in same]
    getters = {n for n, value in enumerate(values) if value[0] == "attr" and value[1] in same and value[2] == "get"}
    for call in fn.calls:
        if call.func in getters and call.args:
            keys.append(call.args[0])
        elif same.intersection(call.passed):
            return None
    for number, value in enumerate(values):
        harmless = number in same or number in getters or value[0] in ("item", "compare", "not")
        if not harmless and same.intersection(operands(value)):
            return None
    ends = [item.value for item in fn.facts.returns] + [item.value for item in fn.facts.stores]
    known = {fn.const(key) for key in keys}
    if same.intersection(ends) or any(not isinstance(key, str) for key in known):
        return None
    return {str(key) for key in known}


def has_key_object(project: Project, site: Site, model: CallModel) -> bool:
    """A key object that fixes the algorithm itself."""
    jwt = model.jwt
    vids = arguments(site.call, jwt.key) if jwt is not None and jwt.key is not None else []
    return any(ref.kind == "libinst" and "Key" in ref.name for vid in vids for ref in project.refs(site.fn, vid))


def switched_off(project: Project, site: Site) -> Iterator[str]:
    jwt = site.model.jwt
    assert jwt is not None
    for vid in arguments(site.call, jwt.verify) if jwt.verify is not None else ():
        if project.constants(site.fn, vid) == [False]:
            yield "verify_signature"
    for vid in arguments(site.call, jwt.options) if jwt.options is not None else ():
        fn, shown = display(project, site.fn, vid)
        value = fn.facts.values[shown]
        for key, item in value[1] if value[0] == "dict" else ():
            if fn.const(key) in OFF and project.constants(fn, item) == [False]:
                yield str(fn.const(key))


def constants(project: Project, site: Site, vid: Vid) -> list[object]:
    fn, vid = display(project, site.fn, vid)
    value = fn.facts.values[vid]
    if value[0] in ("list", "tuple", "set"):
        return [item for part in value[1] for item in project.constants(fn, part) or ()]
    return list(project.constants(fn, vid) or ())


def encoding(project: Project, site: Site) -> Iterator[tuple[str, str]]:
    jwt = site.model.jwt
    assert jwt is not None
    for vid in arguments(site.call, jwt.algorithms) if jwt.algorithms is not None else ():
        if any(item is None or str(item).lower() == "none" for item in constants(project, site, vid)):
            yield "makes a token without a signature; name an algorithm", "default"
    for vid in arguments(site.call, jwt.claims) if jwt.claims is not None else ():
        if claims(project, site, vid) == "unlimited":
            kept = kept_in_a_row(project, site) or not names_caller(site.fn, vid)
            yield "makes a token that never expires; add an `exp` claim", "strict" if kept else "default"


def names_caller(fn: Fn, vid: Vid) -> bool:
    """Whether the claims, whose keys are all known, say who somebody is or what is allowed; a token of a project's webhook is
    set up once, and meant to last."""
    made = (fn.value(item) for item in (vid, *ingredients(fn.facts, (vid,))))
    keys = [fn.const(key) for value in made if value[0] == "dict" for key, _ in value[1] if key >= 0]
    keys += [fn.const(fn.value(item)[2]) for item in ingredients(fn.facts, (vid,)) if fn.value(item)[0] == "store"]
    return any(key in ("name", "iss") or (NAMING - {"name"}).intersection(identifier_words(str(key))) for key in keys)


def claims(project: Project, site: Site, vid: Vid) -> str:
    """`unlimited` where all keys of the claims are known and `exp` is none of them."""
    keys = set()
    fn = site.fn
    value = fn.facts.values[vid]
    while value[0] in ("store", "mut", "guard"):
        if value[0] == "store":
            keys.add(fn.const(value[2]))
        elif value[0] == "mut":
            changes = [fn.facts.values[item] for item in value[3]]
            if value[2] != "update" or any(item[0] != "dict" for item in changes):
                return ""
            keys |= {fn.const(key) for item in changes for key, _ in item[1] if key >= 0}
        value = fn.facts.values[value[1]]
    if value[0] != "dict" or any(key < 0 for key, _ in value[1]):
        return ""
    keys |= {fn.const(key) for key, _ in value[1]}
    return "" if "exp" in keys or ... in keys else "unlimited"
