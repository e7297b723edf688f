from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from backendlint.api import (
    Call,
    Cls,
    Fn,
    Hit,
    Project,
    Site,
    Vid,
    arguments,
    for_development,
    here_and_in,
    identifier_words,
    ingredients,
    is_password,
    name_of_value,
    told_once,
    weak_hits,
)

CURE = "use argon2, scrypt or bcrypt with cost 12."
GUESSED = "so stolen hashes are guessed by the billion a second"


def check(project: Project) -> Iterator[Hit]:
    """A project that hashes its passwords so in several places has one thing to mend."""
    yield from weak_hits(project, ("password",), CURE)
    yield from preferred(project)
    told = partial(here_and_in, before=f", {GUESSED}")
    yield from told_once(fast(project), told, severity=None, each=lambda hit: GUESSED in hit.message or hit.location)


def fast(project: Project) -> Iterator[Hit]:
    """Hashes that are made too fast for a password."""
    seen = set()
    for site in project.effects.sites:
        what = fast_hash(project, site) or cheap(project, site)
        location = site.fn.location(site.call.span) if what else None
        if location is not None and location not in seen:
            seen.add(location)
            name = ".".join(site.model.name.rsplit(".", 2)[-2:])
            hit = Hit(f"`{name}` in `{site.fn.name}()` {what}; {CURE}", location, function=site.fn.fqn)
            yield replace(hit, profile="strict", confidence="low") if derives_from_key(project, site) else hit


def preferred(project: Project) -> Iterator[Hit]:
    """Django hashes new passwords with the first of its `PASSWORD_HASHERS`; the others only read old ones."""
    for file in project.files.values():
        fn, vid = project.module_function(file), file.names.get("PASSWORD_HASHERS", -1)
        value = fn.unguarded(vid) if vid >= 0 else ("",)
        first = value[1][0] if value[0] in ("list", "tuple") and value[1] else -1
        owner, _, name = str(fn.const(first)).rpartition(".") if first >= 0 else ("", "", "")
        if (
            owner == HASHERS
            and name in FAST
            and not for_development(fn.path)
            and project.counts(fn)
            and not project.literals.for_trial(fn, vid)
        ):
            yield Hit(
                f"`{name}` is the first of `PASSWORD_HASHERS`: new passwords are hashed with a fast hash, so stolen hashes are guessed "
                f"by the billion a second; {CURE}",
                fn.location(fn.facts.span_of(first)),
            )


def fast_hash(project: Project, site: Site) -> str:
    """A general hash of a password."""
    model = site.model
    if (model.returns not in HASHES and model.name not in UPDATES) or SIGNS.search(site.fn.name):
        return ""
    if hashed_again(project, site) or any(keyed(site.fn, vid) for vid in site.call.args):
        return ""
    if is_sent(project, site.fn, site.call.value):
        return ""  # another service says how its passwords are hashed, and nothing is stored here
    if hashes(project, site.fn):
        return ""  # an old hash, after whose check a better one takes its place; or what the better one is given
    for vid in site.call.args:
        if hashed_password(project, site, vid) and not shortened(site):
            return f"hashes a password with a fast hash, {GUESSED}"
    if stored_as_password(project, site) and not shortened(site):
        return f"hashes a password with a fast hash, {GUESSED}"
    return ""


def is_sent(project: Project, fn: Fn, vid: Vid, depth: int = 2) -> bool:
    """Whether a value goes into a request to another service, here or where callers take it."""
    for call in fn.calls:
        asks = any("http" in model.effect for model in project.models(fn, call))
        if asks and vid in ingredients(fn.facts, call.passed):
            return True
    if depth == 0 or vid not in ingredients(fn.facts, fn.returned):
        return False
    edges = (edge for edge in project.graph.callers(fn) if edge.kind == "call" and edge.call is not None)
    return any(is_sent(project, edge.caller, edge.call.value, depth - 1) for edge in edges if edge.call is not None)


def keyed(fn: Fn, vid: Vid) -> bool:
    """`":".join((user.password, settings.SECRET_KEY))`: a token that the server alone can make; the password in it is a hash."""
    made = [fn.value(item) for item in ingredients(fn.facts, (vid,))]
    names = {str(value[-1]).rpartition(".")[2].upper() for value in made if value[0] in ("attr", "name")}
    return "SECRET_KEY" in names


def hashed_again(project: Project, site: Site) -> bool:
    """`User(password=digest)`, where the class hashes what its `password` is set to: the digest is a password that was made up."""
    fn = site.fn
    for call in fn.calls:
        if any(made_of(fn, vid, site.call.value) for vid in passwords_given(fn, call)):
            made = [project.classes[ref.name] for ref in project.callees(fn, call) if ref.kind == "class"]
            if made and all(any(hashes(project, setter) for setter in setters(project, cls)) for cls in made):
                return True
    return False


def passwords_given(fn: Fn, call: Call) -> Iterator[Vid]:
    """The keyword, or the entry of a dict that is spread."""
    for key, vid in call.kwargs:
        value = fn.unguarded(vid)
        if key in PASSWORD:
            yield vid
        elif key == "**" and value[0] == "dict":
            yield from (item for entry, item in value[1] if fn.const(entry) in PASSWORD)


def setters(project: Project, cls: Cls) -> Iterator[Fn]:
    """`@password.setter def password(self, given)` of the class."""
    found = (fn for fn in project.functions_of(cls.file) if fn.cls is cls and fn.name in PASSWORD)
    return (fn for fn in found if len(fn.facts.params) == 2)


def hashes(project: Project, fn: Fn) -> bool:
    models = (site.model for below, _ in project.graph.below(fn, 2) for site in project.effects.direct(below))
    return any(model.password is not None and model.password.op == "hash" for model in models)


def stored_as_password(project: Project, site: Site) -> bool:
    """`self.password_hash = hashlib.md5(raw).hexdigest()`, or the result of `hash_password(raw)`."""
    fn = site.fn
    if site.model.name in UPDATES or told_at_update(project, site):
        return False
    stored = [store.value for store in fn.facts.stores if PASSWORD.intersection(identifier_words(store.name))]
    stored += [vid for call in fn.facts.calls for vid in kept(project, fn, call)]
    if {"hash", "password"} <= set(identifier_words(fn.name)) or {"make", "password"} <= set(identifier_words(fn.name)):
        stored += fn.returned
    return any(made_of(fn, vid, site.call.value) for vid in stored)


def told_at_update(project: Project, site: Site) -> bool:
    """Whether the digest is made empty, and the function then gives a password to `update()`."""
    if site.call.args[1:] if site.model.name == "hashlib.new" else site.call.args:
        return False
    updates = [other for other in project.effects.direct(site.fn) if other.model.name in UPDATES]
    return any(hashed_password(project, other, vid) for other in updates for vid in other.call.args)


def kept(project: Project, fn: Fn, call: Call) -> Iterator[Vid]:
    """What a call keeps as a password: `User(password=x)`, `user.set_password(x)`."""
    func = fn.facts.values[call.func]
    name = identifier_words(str(func[2])) if func[0] == "attr" else ()
    if name[:1] == ("set",) and PASSWORD.intersection(name):
        yield from call.args[:1]
    passed = [vid for key, vid in call.kwargs if PASSWORD.intersection(identifier_words(key))]
    made = passed and any(ref.kind == "class" for ref in project.callees(fn, call))
    if made or any(model.orm is not None and model.orm.op in KEEPS for model in project.models(fn, call)):
        yield from passed


def made_of(fn: Fn, vid: Vid, digest: Vid) -> bool:
    """Whether a value is the digest, or its text."""
    for _ in range(4):
        if vid == digest:
            return True
        value = fn.facts.values[vid]
        func = fn.facts.values[fn.facts.calls[value[1]].func] if value[0] == "call" else value
        if func[0] not in ("attr", "guard", "mut"):
            return False
        vid = func[1]
    return False


def shortened(site: Site) -> bool:
    """A few characters of the digest are all that is used: a lookup of leaked passwords by prefix."""
    return any(value[0] == "slice" and site.fn.const(value[3]) == PREFIX for value in site.fn.facts.values)


HASHERS = "django.contrib.auth.hashers"
FAST = frozenset(
    "MD5PasswordHasher SHA1PasswordHasher UnsaltedMD5PasswordHasher UnsaltedSHA1PasswordHasher CryptPasswordHasher".split()
)
PREFIX = 5
SIGNS = re.compile(r"(^|_)(sha|md5)?sign(ature|ing)?(_(?!up|in|on|out)|$)|hmac|checksum", re.IGNORECASE)
"""Functions that sign a message by a protocol's rules (`shasign`): the password is its key, and nothing stores the result."""
KEEPS = ("create", "update", "get_or_create", "update_or_create")
PASSWORD = frozenset({"password", "passwd", "pwd"})
DOCUMENT = frozenset("content contents body html rendered template page document file".split())
HASHES = ("hashlib._Hash",)
UPDATES = ("hashlib._Hash.update",)


def hashed_password(project: Project, site: Site, vid: Vid) -> bool:
    """A password, and no file or page in which one is written among other things."""
    return is_password(project, site.fn, vid) and not names_document(site.fn, vid)


def names_document(fn: Fn, vid: Vid) -> bool:
    """`content`, `force_bytes(content)`, `content.encode()`."""
    for _ in range(3):
        if DOCUMENT.intersection(identifier_words(name_of_value(fn, vid))):
            return True
        value = fn.unguarded(vid)
        call = fn.calls[value[1]] if value[0] == "call" else None
        if call is None:
            return False
        vid = call.args[0] if len(call.args) == 1 else text_of(fn, vid)
    return False


def text_of(fn: Fn, vid: Vid) -> Vid:
    """The text whose bytes a value is: `key.encode()`."""
    value = fn.facts.values[vid]
    func = fn.facts.values[fn.facts.calls[value[1]].func] if value[0] == "call" else value
    return int(func[1]) if value[0] == "call" and func[0] == "attr" else vid


def derives_from_key(project: Project, site: Site) -> bool:
    """`PBKDF2HMAC(...).derive(settings.SECRET_KEY)`: a key is made of a secret that nothing calls a password."""
    password = site.model.password
    if password is None or password.scheme != "pbkdf2":
        return False
    if password.op == "hash":
        given = arguments(site.call, password.password) if password.password is not None else []
        return bool(given) and not any(is_password(project, site.fn, text_of(site.fn, vid)) for vid in given)
    derived = [call for call in site.fn.calls if site.fn.callee_name(call) == "derive"]
    return not any(is_password(project, site.fn, vid) for call in derived for vid in call.passed)


def cheap(project: Project, site: Site) -> str:
    """A password hash whose cost is set too low."""
    password = site.model.password
    if password is None or password.cost is None or not password.min_cost:
        return ""
    cost = password.cost
    hashed = arguments(site.call, password.password) if password.password is not None else []
    if any("key" in identifier_words(name_of_value(site.fn, text_of(site.fn, vid))) for vid in hashed):
        return ""  # a key from which another is derived: long and random, not a password
    vids = [vid for key, vid in site.call.kwargs if key in cost.keywords]
    if not vids and 0 <= cost.position < len(site.call.args):
        vids = [site.call.args[cost.position]]
    for vid in vids:
        for value in project.constants(site.fn, vid) or ():
            if isinstance(value, int) and not isinstance(value, bool) and value < password.min_cost:
                guessed = "what it protects is guessed" if password.op == "context" else "stolen hashes are guessed"
                return f"sets the cost to {value}, below {password.min_cost}, so {guessed} quickly"
    return ""
