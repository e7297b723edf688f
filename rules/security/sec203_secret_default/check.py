from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from backendlint.api import (
    Fn,
    Hit,
    NamedLiteral,
    Project,
    Vid,
    arguments,
    develops,
    develops_in,
    for_development,
    identifier_words,
    ingredients,
    on_own_machine,
    only_by_hand,
    publishable,
    sensitive,
    shape_of,
    told_once,
)

NOTHING = ("", "true", "false", "yes", "no", "on", "off", "0", "1", "none", "null", "not found", "unknown", "undefined")
EMPTY = re.compile(r"[\s{}\[\]()\"',;:]*|\d+\s*/\s*\d*[a-z]+", re.IGNORECASE)
"""No text, an empty object, or how often something may be done (`100/5m`)."""
DUMMIES = frozenset({"dummy", "fake", "demo", "none", "unset", "placeholder", "foo", "bar", "disabled", "your", "here"})
ABSENT = frozenset(
    {
        "missing",
        "unknown",
        "unset",
        "undefined",
        "none",
        "no",
        "not",
        "invalid",
        "empty",
        "todo",
        "fixme",
        "placeholder",
        "dummy",
    }
)
MASK = re.compile(r"\*+|x{3,}|\.{3,}|-{3,}", re.IGNORECASE)
OWN = frozenset({"secret", "jwt", "session", "signing", "csrf", "flask", "django", "app", "cookie", "token"})
"""First words of settings with which a service signs by itself: whatever stands there, everybody can sign with it."""
OTHERS = frozenset({"api", "aws"})
SHORTEST = 4
"""Of a key that another service has given: what is shorter is there for the client's sake."""
FORMS = frozenset({"encode", "get_secret_value"})
FEW_OF_ONE = 2
BLANK = re.compile(r"\s*<[^<>]*>\s*")
"""`<set this>`, to be filled in."""
NAMES = re.compile(r"[A-Z][A-Z0-9_]*(,\s*[A-Z][A-Z0-9_]*)+")
"""A list of settings."""


def check(project: Project) -> Iterator[Hit]:
    """The settings of one class are a habit: beyond a few they are told with the first."""
    classes: dict[str, list[Hit]] = {}
    for owner, hit in hits(project):
        if owner and hit.profile is None:
            classes.setdefault(owner, []).append(hit)
        else:
            yield hit
    for alike in classes.values():
        yield from told_once(alike, told, few=FEW_OF_ONE, severity=None)


def told(hit: Hit, others: str) -> str:
    return f"{hit.message.removesuffix('require it instead.')}require it instead, as in {others} of the class."


def hits(project: Project) -> Iterator[tuple[str, Hit]]:
    """Each default, with the class of settings that has it."""
    signing = signed_with(project)
    for literal in project.literals.named:
        setting = literal.cls is not None and project.hierarchy.role(literal.cls) == "settings"
        setting = setting and not literal.name.startswith("_")  # nothing fills a private attribute
        shaped = shape_of(literal.text) if literal.how == "environment" or setting else ""
        secret = shaped or literal.secret or sensitive(literal.name) == "secret"
        secret = secret or (setting and literal.name in signing)
        if not secret or is_nothing(literal.text) or stands_in(literal):
            continue
        if literal.how == "environment" and not refused(project, literal):
            said = f"`{literal.name}` falls back to a literal where the environment lacks it"
            yield "", report(project, literal, said)
        elif literal.cls is not None and setting and not refused(project, literal):
            said = f"`{literal.cls.name}.{literal.name}` has a literal as its default"
            yield literal.cls.fqn, report(project, literal, said)


def signed_with(project: Project) -> frozenset[str]:
    """Attributes that are given to what signs or encrypts: `link_key` of `hmac.new(settings.link_key.encode(), ...)`."""
    signing = ((site, site.model.secret) for site in project.effects.sites if site.model.secret is not None)
    return frozenset(attribute(site.fn, vid) for site, arg in signing for vid in arguments(site.call, arg))


def attribute(fn: Fn, vid: Vid) -> str:
    """The last name of a value, whatever its form; "" for one that has none."""
    value = fn.unguarded(vid)
    while value[0] == "call" and fn.callee_name(fn.calls[value[1]]) in FORMS:
        func = fn.value(fn.calls[value[1]].func)
        value = fn.unguarded(func[1]) if func[0] == "attr" else ("name", str(func[-1]).rpartition(".")[0])
    return str(value[-1]).rpartition(".")[2] if value[0] in ("attr", "name") else ""


def of_stage(project: Project, literal: NamedLiteral) -> bool:
    """Set by a class for development, over one that production uses and that has no default for it."""
    return any(
        literal.vid in ingredients(literal.fn.facts, (vid,)) and develops_in(project, cls, name)
        for cls in project.classes.values()
        if cls.owner is literal.fn
        for name, vid in cls.facts.attributes.items()
    )


def is_nothing(text: str) -> bool:
    """Nothing, an empty object to parse (`{}`), or a rate."""
    return text.strip().lower() in NOTHING or EMPTY.fullmatch(text) is not None


def refused(project: Project, literal: NamedLiteral) -> bool:
    """`if self.signing_key.startswith("replace-me"): raise ...`: with the default nothing starts."""
    text = literal.text.strip().lower()
    for fn, vid, other in project.literals.all:
        start = other.strip().lower()
        if (fn, vid) == (literal.fn, literal.vid):
            continue
        if len(start) >= SHORTEST and text.startswith(start) and fn.facts.raises and reads(fn, literal.name):
            starts = any(fn.callee_name(call) == "startswith" and vid in call.args for call in fn.calls)
            if (starts or start == text) and raises_for(fn, vid):
                return True
    return False


def raises_for(fn: Fn, vid: Vid) -> bool:
    """Whether a test of the literal leads to a `raise`."""
    tests = {test for item in fn.facts.raises for test, outcome in fn.tests_of(item.block) if outcome}
    return any(vid in ingredients(fn.facts, (test,)) for test in tests)


def reads(fn: Fn, name: str) -> bool:
    """Whether the function speaks of a setting: by its attribute, its name or a text."""
    spoken = [fn.value(vid)[2] for vid in fn.made_by("attr")] + [fn.const(vid) for vid in fn.made_by("const")]
    return name in spoken or any(str(fn.value(vid)[1]).rpartition(".")[2] == name for vid in fn.made_by("name"))


def stands_in(literal: NamedLiteral) -> bool:
    """A dummy for another service's key, with which calls fail but nobody gets in; what is no secret."""
    if not OTHERS.isdisjoint(identifier_words(literal.name)) and len(literal.text.strip()) < SHORTEST:
        return True
    words = identifier_words(literal.name)
    if ("password" in words or OWN.isdisjoint(words[:1])) and (says_missing(literal) or is_mask(literal)):
        return True
    if publishable(literal.name, literal.text) or NAMES.fullmatch(literal.text.strip()):
        return True
    dummy = not DUMMIES.isdisjoint(identifier_words(literal.text)) or BLANK.fullmatch(literal.text) is not None
    return "api" in identifier_words(literal.name) and dummy


def says_missing(literal: NamedLiteral) -> bool:
    """`MISSING_BANK_API_KEY`, `unknown_api_key`: the setting's own name or its end, and that it is not there."""
    said, own = set(identifier_words(literal.text)), set(identifier_words(literal.name))
    rest = said - ABSENT
    return said != rest and (own <= said or (len(rest) > 1 and rest <= own))


def is_mask(literal: NamedLiteral) -> bool:
    """`***`, with which nothing lets anybody in."""
    return MASK.fullmatch(literal.text.strip()) is not None


def report(project: Project, literal: NamedLiteral, what: str) -> Hit:
    hit = Hit(
        f"{what}, so a deployment that forgets it runs with a secret that everybody knows; require it instead.",
        literal.location,
        function=literal.fn.fqn,
    )
    by_hand = project.layer(literal.fn) == "command" or literal.below_main
    by_hand = by_hand or (not literal.fn.is_module and only_by_hand(project, literal.fn))
    soft = (
        for_development(literal.fn.path)
        or develops(project, literal.fn.file)
        or by_hand
        or of_stage(project, literal)
        or project.literals.for_trial(literal.fn, literal.vid)
    )
    nothing = on_own_machine(literal.text)  # where the setting is missing, nothing is reached
    return replace(hit, profile="strict") if soft or nothing else hit
