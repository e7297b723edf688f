"""One-time codes that a function of the project makes up: whoever reads one in the log can use it."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Call, Flow, Fn, Hit, Project, Vid, identifier_words, name_of_value, operands

MAKES = frozenset({"new", "make", "generate", "create", "random", "gen", "issue"})
CODES = frozenset({"code", "pin", "otp", "passcode"})
OPENS = frozenset(
    "reset login sign signin otp mfa 2fa factor verification verify confirm confirmation recovery access door gate unlock locker "
    "boarding entry auth sms pairing pickup pin passcode".split()
)
"""Words of what a code lets somebody do; one of an order or a coupon only names it."""
SHOWS = ("fmt", "conv", "dict", "list", "tuple", "join", "binop")


def made_up(project: Project) -> Iterator[Hit]:
    """`code = new_reset_code()` and then `logger.info("sent %s", code)`."""
    for site in project.taint.reviewed_sinks("log"):
        for call in shown(site.fn, site.vid):
            maker = next((target for target in project.targets(site.fn, call) if makes_code(project, target)), None)
            if maker is not None:
                yield Hit(
                    f"What `{maker.name}()` makes goes to the log in `{site.fn.name}()`, and whoever reads it there can use it first; log "
                    "for whom it was made instead.",
                    site.fn.location(site.call.span),
                    confidence="medium",
                    function=site.fn.fqn,
                )


def is_code(flow: Flow) -> bool:
    """`code = secrets.token_hex(3)` in `start_recovery()`: what is random, called a code, and made to let somebody in."""
    fn = flow.site.fn
    named = identifier_words(name_of_value(fn, flow.site.vid))[-1:]
    made = flow.source.path[:1] in (("token_hex",), ("token_urlsafe",))
    return made and not CODES.isdisjoint(named) and not OPENS.isdisjoint(identifier_words(fn.facts.qualname))


def shown(fn: Fn, vid: Vid) -> Iterator[Call]:
    """The calls whose results a text or a mapping shows."""
    todo, seen = [vid], set[Vid]()
    while todo:
        part = todo.pop()
        value = fn.unguarded(part)
        if part not in seen and value[0] == "call":
            yield fn.calls[value[1]]
        elif part not in seen and value[0] in SHOWS:
            todo += operands(value)
        seen.add(part)


def makes_code(project: Project, fn: Fn) -> bool:
    """By its name, and because chance has a part in it."""
    words = identifier_words(fn.name)
    if not MAKES.intersection(words) or words[-1:] == () or words[-1] not in CODES or not OPENS.intersection(words):
        return False
    names = (ref.name for call in fn.calls for ref in project.callees(fn, call))
    return any(name.startswith(("random.", "secrets.")) for name in names)
