from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from backendlint.api import (
    Call,
    Fn,
    Hit,
    NamedLiteral,
    Project,
    Shaped,
    Vid,
    below,
    develops,
    develops_in,
    for_development,
    identifier_words,
    in_stage_body,
    issued_key,
    known_shape,
    name_of_value,
    on_own_machine,
    only_by_hand,
    secret_like,
    sensitive,
)

EXAMPLE = re.compile(r"(x[-_])?examples?", re.IGNORECASE)
"""What a schema shows of a value."""
WARNS = re.compile(r"warn(ing)?|write|error|exception|echo|secho|style|add_error|append|flash", re.IGNORECASE)
"""Calls that say what is wrong."""
HEX = re.compile(r"[0-9a-f]{24,}", re.IGNORECASE)
ENTRY = re.compile(r"[A-Za-z]+(?:[-_.:][A-Za-z0-9]+)+")
"""Words, as the names of entries are written."""
OWN = frozenset({"secret", "signing", "session", "jwt", "encryption"})
"""Words of keys with which a service signs by itself."""
LOOKS_UP = frozenset({"get", "pop", "setdefault", "getlist", "get_cookie", "set_cookie", "delete_cookie"})
SETTINGS = frozenset({"settings", "config", "conf"})
WORDS = re.compile(r"[a-z]+([ _-][a-z]+)*", re.IGNORECASE)
ADDRESSES = frozenset({"base_url", "api_base", "endpoint", "azure_endpoint", "server_url", "host", "url"})
SAME_TWICE = re.compile(r"://([\w-]+):\1@[\w-]+(?=[:/]|$)")
"""`postgres:postgres@db`: a container beside it, with the user's name as the password."""
OWN_MACHINE = ("localhost", "127.0.0.1")
HOW = {"compared": "is compared with", "argument": "is passed", "default": "defaults to", "fallback": "falls back to"}


def check(project: Project) -> Iterator[Hit]:
    defaults = {
        literal.location
        for literal in project.literals.named
        if literal.how == "environment" or is_setting(project, literal) or EXAMPLE.fullmatch(literal.name)
    }
    shaped = set()
    for found in known_shape(project):
        if found.location in defaults:
            continue  # the default of a setting: SEC203
        shaped.add(found.location)
        hit = Hit(
            f"{found.what} is written in the source, so everybody who can read the code has it; read it from the environment "
            "or a secret store, and change it.",
            found.location,
            function=found.fn.fqn,
        )
        yield replace(hit, profile="strict", confidence="low") if is_local(project, found) else hit
    examples: dict[str, set[int]] = {}
    entries: frozenset[str] | None = None
    for literal in project.literals.named:
        if literal.how == "environment" or is_setting(project, literal) or literal.location in shaped:
            continue
        named = sensitive(literal.name) == "secret" and secret_like(literal.name, literal.text)
        named = named or signs(project, literal)
        if (named or issued_key(literal.name, literal.text)) and not stands_in(literal):
            if literal.fn.fqn not in examples:
                examples[literal.fn.fqn] = shown_as_examples(literal.fn)
            if literal.vid in examples[literal.fn.fqn]:
                continue
            if literal.how in ("field", "assigned") and ENTRY.fullmatch(literal.text):
                entries = entry_names(project) if entries is None else entries
                if literal.name in entries:
                    continue
            soft = (
                for_development(literal.fn.path)
                or develops(project, literal.fn.file, literal.name)
                or (literal.cls is not None and develops_in(project, literal.cls, literal.name))
                or is_by_hand(project, literal)
                or is_beside_own_machine(literal)
                or is_hash_of_old(project, literal)
                or is_stand_in(literal)
                or project.literals.for_trial(literal.fn, literal.vid)
            )
            yield replace(report(literal), profile="strict") if soft else report(literal)


def entry_names(project: Project) -> frozenset[str]:
    """Constants under which something is looked up or kept: `config[Bank.CONFIG_SECRET]`, `session.get(TOKEN_KEY)`,
    `{Bank.CONFIG_SECRET: given}`. What they hold is a name."""
    named = (fn.unguarded(vid) for fn, vid in keys_of(project))
    return frozenset(str(value[-1]).rpartition(".")[2] for value in named if value[0] in ("name", "attr"))


def keys_of(project: Project) -> Iterator[tuple[Fn, Vid]]:
    """Under what something is looked up or kept, anywhere."""
    for fn, call in project.graph.calls_written(*LOOKS_UP):
        if call.args:
            yield fn, call.args[0]
    for fn in project.all_functions():
        yield from ((fn, fn.value(vid)[2]) for vid in fn.made_by("item"))
        yield from ((fn, key) for vid in fn.made_by("dict") for key, _ in fn.value(vid)[1] if key >= 0)
        yield from ((fn, item.key) for item in fn.facts.stores if item.key >= 0)


def signs(project: Project, literal: NamedLiteral) -> bool:
    """Words that a library signs with: `add_middleware(SessionMiddleware, secret_key="some-words")`."""
    call, fn = literal.call, literal.fn
    if call is None or literal.name not in ("secret_key", "signing_key") or not ENTRY.fullmatch(literal.text):
        return False
    known = any(model.secret is not None or model.jwt is not None for model in project.models(fn, call))
    return known or fn.callee_name(call) == "add_middleware"


def is_stand_in(literal: NamedLiteral) -> bool:
    """`Client(api_key="not-needed")`, `Caller(api_key="health-probe")`: words where a key is asked for; nobody issues such keys.
    A `secret_key` nobody issues: whatever stands there is signed with."""
    words = identifier_words(literal.name)
    key = words[-1:] in (("key",), ("token",)) and OWN.isdisjoint(words)
    return literal.how == "argument" and key and ENTRY.fullmatch(literal.text) is not None and literal.text.islower()


def is_hash_of_old(project: Project, literal: NamedLiteral) -> bool:
    """The hash of a password, in a migration that set it once."""
    return project.layer(literal.fn) == "migration" and HEX.fullmatch(literal.text) is not None


def is_by_hand(project: Project, literal: NamedLiteral) -> bool:
    """Of a script or command that somebody runs, and no key that looks like an issued one."""
    fn = literal.fn
    if issued_key("key", literal.text) or HEX.fullmatch(literal.text):
        return False
    if project.layer(fn) == "command" or literal.below_main:
        return True
    return (literal.how == "argument" or not fn.is_module) and only_by_hand(project, fn)


def is_beside_own_machine(literal: NamedLiteral) -> bool:
    """`{"PASSWORD": "postgres", "HOST": "localhost"}`: a word that opens nothing elsewhere."""
    fn = literal.fn
    for made in fn.made_by("dict") if literal.how == "item" and WORDS.fullmatch(literal.text) else ():
        entries = {str(fn.const(key)).lower(): item for key, item in fn.facts.values[made][1] if key >= 0}
        if literal.vid in entries.values() and fn.const(entries.get("host", -1)) in OWN_MACHINE:
            return True
    return False


def is_local(project: Project, found: Shaped) -> bool:
    """A test's key, by its file, its function or the class of settings, a database of the developer's own machine or of a container
    beside it, or a URL in a longer text that shows how to write one."""
    trial = for_development(found.fn.path) or in_stage_body(project, found.fn, found.fn.facts.span_of(found.vid))
    if found.what != "A URL with a password":
        return found.what == "A private key" and trial
    longer = any(char.isspace() for char in found.text.strip())
    return longer or trial or on_own_machine(found.text) or SAME_TWICE.search(found.text) is not None


def shown_as_examples(fn: Fn) -> set[int]:
    """What is below `example={...}`, `examples=[...]`, `{"example": {...}}`."""
    todo = [vid for call in fn.calls for key, vid in call.kwargs if "example" in key.lower()]
    for made in fn.made_by("dict"):
        entries = fn.facts.values[made][1]
        todo += [vid for key, vid in entries if key >= 0 and EXAMPLE.fullmatch(str(fn.const(key)))]
    found: set[int] = set()
    while todo:
        vid = todo.pop()
        if vid in found:
            continue
        found.add(vid)
        value = fn.facts.values[vid]
        if value[0] == "dict":
            todo += [item for _, item in value[1]]
        elif value[0] in ("list", "tuple"):
            todo += value[1]
    return found


def stands_in(literal: NamedLiteral) -> bool:
    """What opens nothing: refused values, marks, masks, dummies."""
    return (
        is_refused(literal)
        or is_marker(literal)
        or is_mask(literal)
        or is_dummy(literal)
        or is_beside_key(literal)
        or is_id_too(literal)
    )


def is_beside_key(literal: NamedLiteral) -> bool:
    """`auth=(self.api_key, "unused")`: the key is the user's name, and whatever stands for the password is not looked at."""
    fn = literal.fn
    pairs = (fn.value(vid)[1] for vid in fn.made_by("tuple") if literal.how == "argument")
    return any(len(pair) == 2 and pair[1] == literal.vid and is_key(fn, pair[0]) for pair in pairs)


def is_key(fn: Fn, vid: int) -> bool:
    return fn.const(vid) is ... and sensitive(name_of_value(fn, vid)) == "secret"


def is_id_too(literal: NamedLiteral) -> bool:
    """`{"client_id": "nobody", "client_secret": "nobody"}`: a mark where nothing is asked for."""
    fn = literal.fn
    entries = [fn.value(vid)[1] for vid in fn.made_by("dict") if literal.how == "item"]
    own = [items for items in entries if any(item == literal.vid for _, item in items)]
    named = [(str(fn.const(key)), item) for items in own for key, item in items if key >= 0]
    return any(key.endswith("_id") and item != literal.vid and fn.const(item) == literal.text for key, item in named)


def is_mask(literal: NamedLiteral) -> bool:
    """`changes["password"] = "updated"`, over the one that was read there before."""
    fn = literal.fn
    if literal.how != "item" or not WORDS.fullmatch(literal.text):
        return False
    stores = [item for item in fn.facts.stores if item.value == literal.vid and fn.const(item.key) == literal.name]
    reads = [vid for vid in fn.made_by("item") if fn.const(fn.value(vid)[2]) == literal.name]
    return any(fn.facts.span_of(vid)[2:] <= item.span[:2] for item in stores for vid in reads)


def is_dummy(literal: NamedLiteral) -> bool:
    """`Client(base_url=url, api_key="local-model")`: words, where a client wants a key that the server at that address
    does not ask for; keys that a service issues are no words."""
    call = literal.call
    if call is None or identifier_words(literal.name)[-2:] != ("api", "key") or not WORDS.fullmatch(literal.text):
        return False
    return any(key in ADDRESSES and literal.fn.value(vid)[0] != "const" for key, vid in call.kwargs)


def is_marker(literal: NamedLiteral) -> bool:
    """A text with control characters stands for something in a text; bytes may be random."""
    value = literal.fn.facts.values[literal.vid][1]
    return isinstance(value, str) and any("\x7f" <= char <= "\x9f" for char in value)


def is_refused(literal: NamedLiteral) -> bool:
    """`if password == "password": raise ...`: what nobody may use, or is warned about."""
    fn = literal.fn
    if literal.how == "compared" and asks_a_setting(fn, literal.vid):
        return True
    for number, block in enumerate(fn.facts.blocks) if literal.how == "compared" else ():
        test = fn.unguarded(block.value) if block.kind == "if" and block.value >= 0 else ("unknown",)
        if test[0] != "compare" or test[1] != ("==",) or literal.vid not in test[2]:
            continue
        inside = below(fn.facts, number)
        calls = [call for call in fn.calls if call.block in inside]
        changed = any(item.block in inside for item in fn.facts.stores)
        changed = changed or any(item.block in inside for item in fn.facts.returns)
        if block.exits == "raise" or (calls and not changed and all(warns(fn, call) for call in calls)):
            return True
    return False


def asks_a_setting(fn: Fn, vid: int) -> bool:
    """`settings.SECRET_KEY == "change-me"`: whether a default was left."""
    for made in fn.made_by("compare"):
        sides = fn.facts.values[made][2]
        for other in sides if vid in sides else ():
            value = fn.unguarded(other)
            while value[0] == "attr":
                value = fn.unguarded(value[1])
            if value[0] == "name" and not SETTINGS.isdisjoint(str(value[1]).lower().split(".")):
                return True
    return False


def warns(fn: Fn, call: Call) -> bool:
    """Whether the call says what is wrong; a `print` to standard output may as well say that somebody is in."""
    name = fn.callee_name(call)
    return WARNS.fullmatch(name) is not None or (name == "print" and call.kwarg("file") >= 0)


def is_setting(project: Project, literal: NamedLiteral) -> bool:
    """A default in a settings class, which fills no private attributes, is SEC203; members of an enumeration are names."""
    cls = literal.cls
    if cls is None:
        return False
    filled = project.hierarchy.role(cls) == "settings" and not literal.name.startswith("_")
    return filled or project.hierarchy.is_a(cls, "enum.Enum")


def report(literal: NamedLiteral) -> Hit:
    how = HOW.get(literal.how, "is")
    return Hit(
        f"`{literal.name}` {how} a literal in the source, so everybody who can read the code has it; read it from the "
        "environment or a secret store, and change it.",
        literal.location,
        function=literal.fn.fqn,
    )
