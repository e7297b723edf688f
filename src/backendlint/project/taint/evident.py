"""Whether what a flow of a secret shows is surely the secret: followed back by names, texts and calls.

A label says that a value may be made of a secret. Of a mapping, an object or a parsed text that holds one, other parts are
labelled too; here a part counts only where it is called a secret itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Value, Vid
from backendlint.project.entities import Fn
from backendlint.project.linking.binding import bind, receiver
from backendlint.project.linking.variables import variable
from backendlint.project.loops.loops import plain
from backendlint.project.taint.flows import Flow, Hop
from backendlint.project.taint.naming import identifier_words, place_words, sensitive, speaks_about
from backendlint.project.values.literals import name_of_value

if TYPE_CHECKING:
    from backendlint.project.model import Project

_DEPTH = 24
_FAR = 3
"""Functions whose results are looked into, one below the other."""
_SAME = frozenset({"conv", "guard", "await", "star", "yield", "enter", "elem", "unpack"})
_PARTS = {"fmt": 2, "list": 1, "tuple": 1, "set": 1, "phi": 1, "bool": 2}
"""Where values that are made of several keep them."""
_CALLED = ("param", "attr", "name", "item")
"""Values that are told by their names."""
_PIECES = frozenset({"items", "keys", "values", "split", "partition", "rpartition", "splitlines"})
"""Methods that give parts of an object, of which one may be the secret."""
_GETTERS = frozenset({"get", "pop", "getlist", "setdefault"})
_MATCHED = frozenset({"group", "groups", "groupdict"})
"""Methods that give what a pattern has found in a text."""
_LOOKUPS = frozenset({"get", "fetch", "read", "load", "lookup", "retrieve", "find", "resolve"})
_FINDS = frozenset({"get", "filter", "filter_by", "get_or_none", "find_one", "first_or_404", "get_object_or_404"})
"""Calls that look up the one who has the `token=`."""
_VAGUE = frozenset({"credential", "credentials"})
"""Words that mean the rows in which secrets are kept as often as one of them."""
_NOBODYS = (("account", "number"), ("secrets",))
"""Names of accounts, and of what holds secrets."""
_WHOLE = frozenset("value values data text content raw body payload".split())
"""Keys of parts that hold what the whole holds."""
_OPENING = frozenset(
    "auth authenticate authentication authenticator authorize authorization login oauth oauth2 oidc saml sso session sessions "
    "invite invites invitation invitations reset verify verification confirm confirmation password passwords credentials "
    "bearer jwt api apikey access secret webhook bot user users account accounts signup register registration mfa otp "
    "totp two factor connect remote challenge validate decode telegram slack github gitlab discord upload".split()
)
"""Words of functions, classes and files in which a bare `token` opens something."""


def evident(project: Project, flow: Flow) -> bool:
    """Whether the sink surely shows the flow's secret."""
    if any(_is_lookup(hop) for hop in flow.chain):
        return False
    site = flow.site
    return _Search(project, flow).shows(site.fn, site.vid, flow.chain, _DEPTH, _FAR)


def _is_lookup(hop: Hop) -> bool:
    """`get_secret(name)` is given the name of a secret."""
    first, *others = identifier_words(hop.edge.callee.name) or ("",)
    return first in _LOOKUPS and any(word.rstrip("s") in ("secret", "parameter") for word in others)


def opens(fn: Fn, name: str) -> bool:
    """Whether a value of that name is a secret by itself: a bare `token` is one only among words that say what it opens."""
    parts = identifier_words(name)
    if parts in _NOBODYS:
        return False
    plain = [part for part in parts if part not in _VAGUE]
    if len(plain) < len(parts) and plain[-1:] not in (["pair"], ["pairs"]) and not sensitive("_".join(plain)):
        return False
    if parts not in (("token",), ("tokens",)):
        return True
    if not _OPENING.isdisjoint(place_words(fn)):
        return True
    return any(call.kwarg("token") >= 0 and fn.callee_name(call) in _FINDS for call in fn.calls)


_Place = tuple[Fn, Vid, tuple[Hop, ...], int]
"""A value, the calls that lead to its function, and how many results may still be looked into."""


def _inside(fn: Fn, value: Value) -> list[Vid]:
    """What a value of the function is made of that may be all of it."""
    op = value[0]
    if op in _SAME:
        return [value[1]]
    if op in _PARTS:
        return list(value[_PARTS[op]])
    if op == "dict":
        return [part for _, part in value[1]]
    if op == "slice":  # a beginning of fixed length is meant to give nothing away
        return [] if isinstance(fn.const(value[3]), int) else [value[1]]
    if op == "item":
        key = fn.const(value[2])
        return [value[1]] if isinstance(key, int) or key in _WHOLE else []
    if op in ("join", "comp"):
        return [value[2]]
    if op == "binop":
        return [value[2], value[3]]
    if op in ("store", "setattr"):
        return [value[3], value[1]]
    return [value[1], *value[3]] if op == "mut" else []


def _is_entry(fn: Fn, vid: Vid, name: str) -> bool:
    """`session[session_key]`, `session.get(session_key)`: the name under which something is kept there."""
    *holder, last = identifier_words(name) or ("",)
    if last != "key" or not holder:
        return False
    named = [(value[1], value[2]) for value in fn.facts.values if value[0] == "item"]
    named += [(receiver(fn, call), call.args[0]) for call in fn.calls if call.args and fn.callee_name(call) in _GETTERS]
    return any(
        key == vid and list(identifier_words(name_of_value(fn, base))[-len(holder) :]) == holder for base, key in named
    )


def _is_key(fn: Fn, vid: Vid) -> bool:
    """`secret = str(group.id).replace("-", "")`: the key of a row, which many see, whatever its text is called."""
    for _ in range(_FAR * 2):
        value = fn.unguarded(vid)
        if value[0] == "attr":
            return value[2] in ("id", "pk", "uuid")
        call = fn.facts.calls[value[1]] if value[0] == "call" else None
        func = fn.facts.values[call.func] if call is not None else ("",)
        if call is not None and func == ("name", "builtins.str") and call.args:
            vid = call.args[0]
        elif func[0] == "attr" and func[2] in ("replace", "lower", "upper", "strip"):
            vid = func[1]
        else:
            return False
    return False


def _picked(fn: Fn, vid: Vid, index: int) -> Vid:
    """The part of a tuple or list with that index, where one is written; else the whole."""
    value = fn.unguarded(vid) if vid >= 0 else ("unknown",)
    parts = value[1] if value[0] in ("tuple", "list") else ()
    whole = any(fn.facts.values[part][0] == "star" for part in parts) or not 0 <= index < len(parts)
    return vid if whole else parts[index]


class _Search:
    """Follows what one flow's sink shows."""

    def __init__(self, project: Project, flow: Flow) -> None:
        self.project = project
        self.source = flow.source
        self._seen: set[tuple[str, Vid, int]] = set()

    def shows(self, fn: Fn, vid: Vid, up: tuple[Hop, ...], depth: int, far: int) -> bool:
        """Whether the value shows the secret; `up` are the calls that lead to the function."""
        key = (fn.fqn, vid, len(up))
        if vid < 0 or depth == 0 or key in self._seen or not self._carries(fn, vid, up):
            return False
        self._seen.add(key)
        value, name = fn.facts.values[vid], name_of_value(fn, vid)
        if self.project.taint.reader.identifiers.in_address(name) or _is_entry(fn, vid, name):
            return False
        if _is_key(fn, vid) or (value[0] in _CALLED and speaks_about(name)):
            return False
        own = bool(self.source.path) and (fn.fqn, vid) == (self.source.fn, self.source.slot)
        if own and (opens(fn, self.source.path[0]) or self._issues(fn, vid, far)):
            return not self._is_number(fn, vid)
        if value[0] == "call" and self._makes(fn, value[1]):
            return True
        if value[0] not in (*_SAME, "slice") and self._named(fn, name):
            return not self._is_number(fn, vid)
        if value[0] == "dict" and any(self._entry(fn, key, item, up) for key, item in value[1]):
            return True
        return any(
            self.shows(owner, part, hops, depth - 1, left)
            for owner, part, hops, left in self._parts(fn, vid, value, up, far)
        )

    def _named(self, fn: Fn, name: str) -> bool:
        kind = sensitive(name)
        return kind in ("secret", "personal") and opens(fn, name)

    def _is_number(self, fn: Fn, vid: Vid) -> bool:
        """`ROLE_PASSWORD = 1 << 4`."""
        value = fn.facts.values[vid]
        found = variable(self.project, fn, value[1]) if value[0] == "name" else None
        made = found[0].facts.values[found[1]] if found is not None else value
        if made[0] == "binop":
            return made[1] in ("<<", "|", "&", "-")
        return made[0] == "const" and isinstance(made[1], int | float)

    def _entry(self, fn: Fn, key: Vid, vid: Vid, up: tuple[Hop, ...]) -> bool:
        """`{"password": row[3]}`."""
        name = fn.const(key) if key >= 0 else ...
        return isinstance(name, str) and self._named(fn, name) and self._carries(fn, vid, up) and not _is_key(fn, vid)

    def _makes(self, fn: Fn, index: int) -> bool:
        """A library's call whose result is a secret: random text, what a vault gives."""
        return any(model.source == "secret" for model in self.project.models(fn, fn.facts.calls[index]))

    def _issues(self, fn: Fn, vid: Vid, far: int) -> bool:
        """Whether the value is made as a secret: random text or a signed token, also by functions of the project."""
        value = fn.value(plain(fn, vid)) if vid >= 0 else ("",)
        if value[0] != "call":
            return False
        call = fn.facts.calls[value[1]]
        signs = (model.jwt for model in self.project.models(fn, call))
        if self._makes(fn, value[1]) or any(jwt is not None and jwt.op == "encode" for jwt in signs):
            return True
        made = [(target, item.value) for target in self.project.targets(fn, call) for item in target.facts.returns]
        return far > 0 and bool(made) and all(self._issues(owner, given, far - 1) for owner, given in made)

    def _carries(self, fn: Fn, vid: Vid, up: tuple[Hop, ...]) -> bool:
        """Whether the flow may come through the value."""
        return any(
            origin == self.source or (origin.what == "param" and bool(up))
            for origin in self.project.taint.labels(fn, vid)
        )

    def _parts(self, fn: Fn, vid: Vid, value: Value, up: tuple[Hop, ...], far: int) -> list[_Place]:
        op = value[0]
        if op == "param":
            return self._passed(value[1], up, far)
        if op == "attr":
            return self._attribute(fn, value, far)
        if op == "call":
            return self._result(fn, fn.facts.calls[value[1]], up, far)
        if op == "unpack":
            return self._unpacked(fn, value, up, far)
        if op == "outer":
            owner = fn.outer(value)
            return [(owner, value[1], up, far)] if owner else []
        if op == "name":
            found = variable(self.project, fn, value[1])
            return [(*found, (), far)] if found is not None and not self._is_number(*found) else []
        return [(fn, part, up, far) for part in _inside(fn, value) if part != vid]

    def _passed(self, index: int, up: tuple[Hop, ...], far: int) -> list[_Place]:
        """What the call that led here passes for a parameter, each of the keywords for one that collects them."""
        if not up:
            return []
        edge = up[-1].edge
        given = self.project.taint.bound(edge).get(index, ()) if edge.call is not None else ()
        return [(edge.caller, vid, up[:-1], far) for vid, _ in given]

    def _attribute(self, fn: Fn, value: Value, far: int) -> list[_Place]:
        """What a property gives, or what methods store in the attribute."""
        found: list[_Place] = []
        for ref in self.project.refs(fn, value[1]) if far else ():
            cls = self.project.classes.get(ref.name) if ref.kind == "inst" else None
            if cls is None:
                continue
            method = self.project.method(cls, value[2])
            if method is not None:
                found += self._returned(method, far)
                continue
            for owner in self.project.hierarchy.mro(cls):
                stores = self.project.hierarchy.stores(owner, value[2])
                found += [(item, stored, (), far - 1) for item, stored in stores]
        return found

    def _returned(self, fn: Fn, far: int, index: int = -1) -> list[_Place]:
        return [(fn, _picked(fn, vid, index), (), far - 1) for vid in fn.returned] if far else []

    def _unpacked(self, fn: Fn, value: Value, up: tuple[Hop, ...], far: int) -> list[_Place]:
        """The one of several that was unpacked, where a display or a function of the project says which."""
        base = fn.untested(value[1])
        while fn.facts.values[base][0] in ("await", "guard"):
            base = fn.facts.values[base][1]
        made = fn.facts.values[base]
        if made[0] == "call" and self.project.targets(fn, fn.facts.calls[made[1]]):
            return self._result(fn, fn.facts.calls[made[1]], up, far, value[2])
        return [(fn, _picked(fn, value[1], value[2]), up, far)]

    def _result(self, fn: Fn, call: Call, up: tuple[Hop, ...], far: int, index: int = -1) -> list[_Place]:
        """What a call gives, or the part of it with that index: what the project's function returns, or a library's makes
        of what it is given."""
        targets = self.project.targets(fn, call)
        if targets:
            found = [part for target in targets for part in self._returned(target, far, index)]
            handed = [vid for target in targets for vid in self._through(fn, call, target, index)] if far else []
            return [*found, *((fn, vid, up, far) for vid in handed)]
        func = fn.facts.values[call.func]
        method = str(func[2]) if func[0] == "attr" else ""
        if method in _PIECES and fn.unguarded(func[1])[0] in ("dict", "list", "store"):
            return [(fn, func[1], up, far)]
        if method in _PIECES or method in _MATCHED or (method in _GETTERS and call.args):
            return []
        return [(fn, vid, up, far) for vid in (*call.passed, receiver(fn, call)) if vid >= 0]

    def _through(self, fn: Fn, call: Call, target: Fn, index: int) -> list[Vid]:
        """Arguments that the function gives back, or a text with them."""
        carried = {
            origin.slot
            for item in target.facts.returns
            for origin in (self.project.taint.labels(target, item.value) if item.value >= 0 else ())
            if origin.what == "param" and origin.fn == target.fqn and not origin.path
            if self._gives(target, _picked(target, item.value, index), origin.slot)
        }
        bound = bind(fn, call, target)
        return [vid for index in carried for vid, path in bound.get(index, ()) if not path]

    def _gives(self, fn: Fn, vid: Vid, slot: int) -> bool:
        """Whether a value of the function is its parameter, or a text with it, and no piece of that."""
        todo, seen = [vid], {vid}
        for part in todo:
            value = fn.facts.values[part] if part >= 0 else ("unknown",)
            if value == ("param", slot):
                return True
            inner = self._parts(fn, part, value, (), 0) if value[0] != "param" else ()
            fresh = {item for owner, item, _, _ in inner if owner is fn and item >= 0} - seen
            seen |= fresh
            todo += fresh
        return False
