"""What is known of a value: where its parts come from, and what they were cleaned of on the way."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from backendlint.facts.model import Span
from backendlint.project.taint.naming import identifier_words, sensitive

Path = tuple[str, ...]
"""An access path: attribute names, `[key]` with the key's repr, `[*]` for any item."""
KEYS = "[keys]"
"""In a path, the keys of a mapping."""
MAX_PATH = 4
MOST = 24
"""Origins that are remembered of one value."""
INJECTION = frozenset(
    "sql command code path ssrf redirect xss template xml deserialize ldap ldap-dn xpath nosql javascript log header regex trust "
    "mail-header archive".split()
)
"""Kinds that "all" stands for: what an attacker's text can do; secrets stay secret when they are made of digits."""


HIDDEN = frozenset({"secret", "personal", "exception"})
"""Kinds of sources that must not get out, in whatever form."""
CLEAN_TYPES = frozenset(
    "builtins.int builtins.float builtins.bool builtins.complex uuid.UUID decimal.Decimal datetime.date datetime.datetime "
    "datetime.time datetime.timedelta ipaddress.IPv4Address ipaddress.IPv6Address zoneinfo.ZoneInfo".split()
)
"""Types whose text holds nothing that an attacker chose freely."""
LOCAL = "begins with a slash"
ONE_SLASH = "does not begin with two"
"""Two halves of a test: a text for which both hold names a place on this host."""


NO_TEXT = "is no text"
NO_PARTS = "is neither a list nor a dict"
"""And two: what was sent is a number then, true, false or nothing."""
_NEITHER = frozenset({NO_TEXT, NO_PARTS})
DOUBLED = "its quotes are doubled"
TEXT = "is a text"
"""Of a parameter, on the way behind `isinstance(x, str)`: a list that a caller passes does not go it."""
PUT_IN = "becomes part of a string"
"""What a step says where a value is put into a text."""


UPLOAD = "upload"
"""Of a source: it is a file that was sent, and opening that reads it. Of a parameter: it is still what was passed."""
WHOLE = frozenset({UPLOAD})


BEHIND = "stands behind a part of the program's own"
"""Of a text: it does not begin with what was sent, so that the host most often is not its to choose."""


_OF_ALL = INJECTION | {LOCAL, ONE_SLASH, NO_TEXT, NO_PARTS, DOUBLED, BEHIND}
"""What holds of a value that is clean of everything."""


class Origin(NamedTuple):
    """Where (a part of) a value comes from."""

    what: str
    """`param`, or a source's kind: request, queue, secret, personal, exception, env, file, database, response."""
    fn: str
    """Fqn of the function in which it enters."""
    slot: int
    """The parameter's index, or the vid of the source's value."""
    path: Path = ()
    """For parameters, the part of the argument that is meant; for sources what names it (`args`, `password`)."""


PASSED = "passes through "
"""How the note of a step begins that went into a function of the project and came back."""


class Trail(NamedTuple):
    """A step that a value took; `before` is the step before."""

    fn: str
    span: Span
    note: str
    before: Trail | None


_NOTHING: frozenset[str] = frozenset()
_CONVERTED = frozenset({"all", "trust", *HIDDEN})
"""What decoding does not undo."""


class Mark(NamedTuple):
    """What happened to a value on its way from an origin."""

    cleared: frozenset[str] = frozenset()
    """Kinds of sinks for which it is harmless now."""
    weak: bool = False
    """True where a step was a guess: a function of which nothing is known was passed through."""
    trail: Trail | None = None
    decoded: bool = False
    """True where an encoding was undone: what protected it before does no longer."""
    doubtful: frozenset[str] = frozenset()
    """Kinds of sinks for which all ways but those that are guesses leave it harmless."""

    def after(self, before: Mark, trail: Trail | None) -> Mark:
        """What happened to a value in all, of which `before` is what happened first."""
        kept = before.cleared & _CONVERTED if self.decoded else before.cleared
        cleared = kept | (self.cleared - {TEXT})
        if UPLOAD in cleared and not (UPLOAD in before.cleared and UPLOAD in self.cleared):
            cleared -= WHOLE
        doubtful = (before.doubtful | self.doubtful) - cleared if before.doubtful or self.doubtful else _NOTHING
        return Mark(cleared, before.weak or self.weak, trail, before.decoded or self.decoded, doubtful)

    def is_guess(self, kind: str) -> bool:
        """Whether nothing but a guess says that it is not harmless at a sink of this kind."""
        return self.weak or kind in self.doubtful or ("all" in self.doubtful and kind in INJECTION)

    def clean_for(self, kind: str, what: str = "") -> bool:
        """Whether the value may reach a sink of this kind; `what` is the source's kind, of which it may be cleaned too."""
        if what in HIDDEN and kind != "xss":  # escaping does not hide it
            return what in self.cleared
        if what in self.cleared or kind in self.cleared or ("all" in self.cleared and kind in INJECTION):
            return True
        if kind == "path" and UPLOAD in self.cleared and what not in ("", "param"):
            return True
        return kind == "redirect" and LOCAL in self.cleared and ONE_SLASH in self.cleared

    def stops(self, kind: str, what: str, sources: Collection[str]) -> bool:
        """The same on the way up to sources of these kinds: what is cleaned for a log still gives a parameter's secret away."""
        if what != "param" or HIDDEN.isdisjoint(sources):
            return self.clean_for(kind, what)
        return all(self.clean_for(kind, source if source in HIDDEN else what) for source in sources)


_WHOLE_PARTS = frozenset("value values data text content contents raw body payload result string str bytes".split())
"""Words in the names of parts that hold what the whole holds."""
Labels = dict[Origin, Mark]
NONE: Labels = {}


def merge(parts: Iterable[Labels]) -> Labels:
    """All origins; one that arrives by two ways is clean only of what both ways clear."""
    result: Labels = {}
    for part in parts:
        if not part:
            continue
        if not result:
            result = dict(part)
            continue
        for origin, mark in part.items():
            add(result, origin, mark)
    return result


def add(labels: Labels, origin: Origin, mark: Mark) -> None:
    """Add one origin in place, as `merge` would."""
    known = labels.get(origin)
    labels[origin] = mark if known is None else weaker(known, mark)


def nearest(labels: Labels) -> Labels:
    """At most MOST origins: sources first, then the parameters of which the largest parts are meant.

    Objects that refer to each other are reached in as many ways as there are ways around them.
    """
    if len(labels) <= MOST:
        return labels
    ranked = sorted(labels, key=lambda origin: (origin.what == "param", len(origin.path)))
    return {origin: labels[origin] for origin in ranked[:MOST]}


def weaker(left: Mark, right: Mark) -> Mark:
    """The mark of a value that is one or the other."""
    if left.cleared == right.cleared and (left.weak, left.decoded, left.doubtful) == (
        right.weak,
        right.decoded,
        right.doubtful,
    ):
        return left
    cleared, weak = left.cleared & right.cleared, left.weak and right.weak
    if ("all" in left.cleared) != ("all" in right.cleared):
        cleared |= (left.cleared ^ right.cleared) & _OF_ALL
    better = left if len(left.cleared) <= len(right.cleared) else right
    doubtful = _NOTHING
    if not weak and (left.weak or right.weak or left.doubtful or right.doubtful):
        kinds = (left.cleared | right.cleared | left.doubtful | right.doubtful) - cleared
        doubtful = frozenset(
            kind for kind in kinds if _no_more_than_guess(left, kind) and _no_more_than_guess(right, kind)
        )
    return Mark(cleared, weak, better.trail, left.decoded or right.decoded, doubtful)


def _no_more_than_guess(mark: Mark, kind: str) -> bool:
    return mark.weak or kind in mark.cleared or kind in mark.doubtful


def clear(labels: Labels, kinds: Iterable[str]) -> Labels:
    """The labels of a value that was cleaned of these kinds."""
    added = frozenset(kinds)
    if not added or not labels:
        return labels
    if added.isdisjoint(_NEITHER):
        return {origin: mark._replace(cleared=mark.cleared | added) for origin, mark in labels.items()}
    result = {}
    for origin, mark in labels.items():
        cleared = mark.cleared | added
        result[origin] = mark._replace(cleared=cleared | {"all"} if cleared >= _NEITHER else cleared)
    return result


def sure(labels: Labels) -> Labels:
    """The labels of a value of which it is known after all what was made of it."""
    return {origin: mark._replace(weak=False) for origin, mark in labels.items()}


def reopen(labels: Labels, kinds: Iterable[str]) -> Labels:
    """The labels of a value that is no longer clean of these kinds, unless it is of everything."""
    taken = frozenset((*kinds, LOCAL, ONE_SLASH, BEHIND))
    return {origin: mark._replace(cleared=mark.cleared - taken) for origin, mark in labels.items()}


def read_out(labels: Labels) -> Labels:
    """The labels of what a call makes of a value: it is no longer the object that was sent."""
    if not any(UPLOAD in mark.cleared for mark in labels.values()):
        return labels
    return {origin: mark._replace(cleared=mark.cleared - WHOLE) for origin, mark in labels.items()}


def soil(labels: Labels) -> Labels:
    """The labels of a value that was decoded: escaping no longer protects it, conversions still do."""
    return {
        origin: Mark(mark.cleared & _CONVERTED, mark.weak, mark.trail, True, mark.doubtful & _CONVERTED)
        for origin, mark in labels.items()
    }


def weaken(labels: Labels, kinds: Iterable[str] | None = None) -> Labels:
    """The labels of a value that passed through something unknown; `kinds` are those of the sources that it concerns (None: all)."""
    return {
        origin: mark._replace(weak=True) if kinds is None or origin.what in kinds else mark
        for origin, mark in labels.items()
    }


def step(labels: Labels, fn: str, span: Span, note: str) -> Labels:
    """The labels with one more step on their trail."""
    return {origin: mark._replace(trail=Trail(fn, span, note, mark.trail)) for origin, mark in labels.items()}


def part(labels: Labels, path: Path) -> Labels:
    """Labels of the part at `path` of what was made of these: `json.loads(token)["host"]` is no secret by its name."""
    if not labels or not path:
        return labels
    own = set(identifier_words(path[0])) - _WHOLE_PARTS
    if not own or all(word.isdigit() for word in own) or sensitive(path[0]):
        return labels
    return {origin: mark for origin, mark in labels.items() if origin.what not in ("secret", "personal")}


def item(key: object) -> str:
    """The path element for a constant key."""
    return f"[{key!r}]"


def extend(path: Path, element: str) -> Path:
    """`element` in front of a path, cut to MAX_PATH."""
    return (element, *path)[:MAX_PATH]
