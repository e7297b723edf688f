"""What a test says about a value: where it holds, the value is clean for some kinds of sinks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Return, Vid
from backendlint.project.entities import Fn
from backendlint.project.graph import leaving
from backendlint.project.graph.calls import arguments
from backendlint.project.libraries.model import Guard
from backendlint.project.taint import labels as lb
from backendlint.project.taint.addresses import Addresses
from backendlint.project.taint.asked import columns_sought, sought_by
from backendlint.project.taint.instances import are_harmless, classes_asked, otherwise, tell_their_own
from backendlint.project.taint.paths import RESOLVERS, compared, resolved
from backendlint.project.taint.patterns import cleans, common, removes
from backendlint.project.taint.same import asked_by_bool, beginning, element_of, ordered_among_numbers, same, stripped
from backendlint.project.taint.substitutions import LINES, written_pattern
from backendlint.project.taint.tried import ends, raises_on, went_well
from backendlint.project.taint.urls import written_origin

if TYPE_CHECKING:
    from backendlint.project.model import Project

Kinds = frozenset[str]
NOTHING: Kinds = frozenset()
EVERYTHING: Kinds = frozenset({"all"})
_HOST: Kinds = frozenset({"ssrf", "redirect"})
_PATH: Kinds = frozenset({"path", "archive"})
_SAME_METHODS = frozenset({"strip", "lstrip", "rstrip", "lower", "upper", "casefold", "title", "capitalize"})
_SHAPE_METHODS = frozenset({"isdigit", "isdecimal", "isnumeric", "isalnum", "isalpha", "isidentifier"})
_HOST_PARTS = frozenset({"hostname", "netloc", "host"})
_PARTS: dict[str, Kinds] = {"parent": _PATH, **dict.fromkeys(_HOST_PARTS, _HOST)}
_JOINS = frozenset({"ParseResult", "SplitResult", "urlunparse", "urlunsplit", "geturl"})
"""What puts the parts of a URL together again: its host is that of the one that was taken apart."""
_LITERAL: Kinds = frozenset({"code"})
"""A text without a quote between its quotes is a literal."""
_LINES: Kinds = frozenset(LINES)
_WITHOUT: dict[str, Kinds] = {
    "..": _PATH, "/": _PATH | {"redirect"}, "../": _PATH, "'": frozenset({"xpath"}), '"': frozenset({"xpath"}), "\n": _LINES, "\r": _LINES,
    "://": frozenset(), "<": frozenset({"xss"}),
}  # fmt: skip
"""What a text is clean of that does not hold this."""
_SEARCHES = frozenset({"re.search", "re.Pattern.search"})
_TRUSTS = re.compile(r"safe|allow|valid|trust|permit|internal|local", re.IGNORECASE)
_OF_HOST = re.compile(r"url|uri|host|redirect|next|target|domain|origin|link|callback", re.IGNORECASE)
_OF_PATH = re.compile(r"path|file|dir", re.IGNORECASE)
MAX_DEPTH = 6


class Guards:
    """Answers `cleared(fn, subject, test, truth)`."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.addresses = Addresses(project)
        self._validators: dict[tuple[str, int, int], Kinds] = {}

    def cleared(self, fn: Fn, subject: Vid, test: Vid, truth: bool | None, depth: int = 0) -> Kinds:
        """Kinds of which `subject` is clean where the value `test` is truthy (`truth`) or falsy."""
        if depth > MAX_DEPTH:
            return NOTHING
        value = fn.facts.values[test]
        op = value[0]
        if truth is False and stripped(fn, test) == stripped(fn, subject):
            return EVERYTHING  # nothing, or empty
        if truth is None:
            if op != "call":
                return NOTHING
            call = fn.facts.calls[value[1]]
            return (
                self._checked(fn, subject, call)
                | self._by_address(fn, subject, call)
                | self._converts(fn, subject, call)
            )
        if op in ("not", "guard", "await"):
            return self.cleared(fn, subject, value[1], truth != (op == "not"), depth + 1)
        if (asked := asked_by_bool(fn, value)) >= 0:
            return self.cleared(fn, subject, asked, truth, depth + 1)
        if op == "bool":
            parts = [self.cleared(fn, subject, item, truth, depth + 1) for item in value[2]]
            together = (value[1] == "and") == truth
            return frozenset().union(*parts) if together else common(parts)
        if op == "compare" and value[1] in (("is",), ("is not",)) and fn.const(value[2][1]) is None:
            return self.cleared(fn, subject, value[2][0], truth == (value[1] == ("is not",)), depth + 1)
        if op == "compare" and len(value[1]) == 1:
            return self._compare(fn, subject, value[1][0], value[2], truth)
        if op == "call":
            call = fn.facts.calls[value[1]]
            found = self._call(fn, subject, call, depth) if truth else self._refuted(fn, subject, call)
            return found | self._converts(fn, subject, call)  # it came back, whatever it said
        if op == "unpack" and truth and fn.unguarded(value[1])[0] == "call":
            return self._validated(fn, subject, fn.facts.calls[fn.unguarded(value[1])[1]], depth, value[2])
        if op == "attr" and not truth and value[2] in _HOST_PARTS:
            return _HOST if self._relation(fn, value[1], subject) else NOTHING  # a URL without a host
        return NOTHING

    # comparisons

    def _compare(self, fn: Fn, subject: Vid, op: str, operands: tuple[Vid, ...], truth: bool) -> Kinds:
        left, right = operands
        if op in ("in", "not in"):
            if (op == "in") == truth:
                inside = fn.facts.values[right]
                if inside[0] == "attr" and inside[2] == "parents" and self._relation(fn, inside[1], subject):
                    return _PATH
                return self._relation(fn, left, subject) if self._closed(fn, right) else NOTHING
            return self._excluded(fn, left, right, subject)
        if op in ("==", "!=", "is") and (op != "!=") == truth:
            return self._equal(fn, subject, left, right)
        numbers = ordered_among_numbers(fn, op, operands)
        return EVERYTHING if any(self._relation(fn, vid, subject) == EVERYTHING for vid in numbers) else NOTHING

    def _equal(self, fn: Fn, subject: Vid, left: Vid, right: Vid) -> Kinds:
        """What is known of the subject where both are the same, tuples element by element."""
        kinds: Kinds = NOTHING
        todo, seen = [(left, right)], set[tuple[Vid, Vid]]()
        while todo:
            pair = todo.pop()
            if pair in seen:
                continue
            seen.add(pair)
            one, two = fn.facts.values[pair[0]], fn.facts.values[pair[1]]
            if one[0] == two[0] == "tuple" and len(one[1]) == len(two[1]):
                todo += zip(one[1], two[1], strict=True)
                continue
            for side, other in (pair, pair[::-1]):
                start = beginning(fn, side) if fn.const(other) == "/" else -1
                if start >= 0 and self._relation(fn, start, subject) == EVERYTHING:
                    kinds |= {lb.LOCAL}
                found = self._relation(fn, side, subject)
                if found and self._closed(fn, other):
                    kinds |= found
                    break
        return kinds

    def _excluded(self, fn: Fn, needle: Vid, container: Vid, subject: Vid) -> Kinds:
        """`".." not in path`."""
        text = fn.const(needle)
        if not isinstance(text, str):
            return NOTHING
        value = fn.facts.values[container]
        if value[0] == "item" and fn.facts.values[value[2]][0] == "slice":
            value = fn.facts.values[value[2]]
        if value[0] == "slice" and self._relation(fn, value[1], subject) == EVERYTHING:
            return _LITERAL if text in ("'", '"') else NOTHING
        if value[0] == "attr" and value[2] == "parts" and text == ".." and self._relation(fn, value[1], subject):
            return _PATH
        if self._relation(fn, container, subject) != EVERYTHING:
            return NOTHING
        return _WITHOUT.get(text, NOTHING)

    def _closed(self, fn: Fn, vid: Vid) -> bool:
        """True for what the attacker does not decide: constants, collections, settings; not another request value."""
        value = fn.facts.values[vid]
        if value[0] in ("const", "list", "tuple", "set", "dict", "name", "comp"):
            return True
        if value[0] in ("guard", "attr", "call", "mut", "store", "item", "phi", "outer", "param", "enter", "bool"):
            labels = self.project.taint.labels(fn, vid)
            return not any(origin.what in ("request", "queue") for origin in labels)
        return False

    def _relation(self, fn: Fn, vid: Vid, subject: Vid, depth: int = 0) -> Kinds:
        """What a test of `vid` says about `subject`: all where they are the same text, hosts for a URL's host ..."""
        target, found = stripped(fn, subject), stripped(fn, vid)
        if target == found or same(fn, target, found):
            return EVERYTHING
        if depth > MAX_DEPTH:
            return NOTHING
        value = fn.facts.values[found]
        if value[0] == "attr":
            inner = self._relation(fn, value[1], subject, depth + 1)
            return _PARTS.get(str(value[2]), NOTHING) if inner else NOTHING
        if value[0] == "bool" and value[1] == "or" and fn.const(value[2][-1]) == "":  # `str(name or "")`
            return self._relation(fn, value[2][0], subject, depth + 1)
        if value[0] != "call":
            return NOTHING
        call = fn.facts.calls[value[1]]
        func = fn.facts.values[call.func]
        name = fn.callee_name(call)
        operands = [func[1]] if func[0] == "attr" else []
        operands += call.passed if name in _JOINS else call.args
        operands += compared(fn, call)
        inner = NOTHING
        for operand in operands:
            inner = inner or self._relation(fn, operand, subject, depth + 1)
        if not inner:
            return NOTHING
        if name in _SAME_METHODS or name in ("str", "Path", "PurePath", "urlparse", "urlsplit", "URL", "yarl"):
            return inner
        if name in _JOINS:
            return _HOST if inner else NOTHING
        return _PATH if name in RESOLVERS else self._given_back(fn, call, subject, depth)

    def _given_back(self, fn: Fn, call: Call, subject: Vid, depth: int) -> Kinds:
        """What a function of the project gives of the subject: `domain(url)`, which returns `urlparse(url).netloc`."""
        return common(
            [
                self._relation(target, item.value, index, depth + 1)
                for target, index in self._targets(fn, subject, call)
                for item in target.facts.returns
                if item.value >= 0 and target.const(item.value) is ...
            ]
        )

    # calls

    def _refuted(self, fn: Fn, subject: Vid, call: Call) -> Kinds:
        """What holds where a call gave something falsy: `not url.startswith("//")`, `not is_private(host)`."""
        func = fn.facts.values[call.func]
        if func[0] == "attr" and func[2] == "startswith" and call.args:
            texts = self.project.constants(fn, call.args[0]) or ()
            same = self._relation(fn, func[1], subject) == EVERYTHING
            return frozenset({lb.ONE_SLASH}) if same and "//" in texts else NOTHING
        if func == ("name", "builtins.isinstance") and len(call.args) == 2:
            whole = self._relation(fn, call.args[0], subject) == EVERYTHING
            return otherwise(classes_asked(self.project, fn, call)) if whole else NOTHING
        return self._unmatched(fn, subject, call) or self._by_address(fn, subject, call)

    def _unmatched(self, fn: Fn, subject: Vid, call: Call) -> Kinds:
        """`not re.search("[^a-z]", text)`: none of these characters is in it."""
        guards = [model.guard for model in self.project.models(fn, call) if model.name in _SEARCHES]
        if not guards or not any(
            self._relation(fn, vid, subject) == EVERYTHING
            for guard in guards
            if guard
            for vid in arguments(call, guard.arg)
        ):
            return NOTHING
        return common([removes(text, "") for text in self._patterns(fn, call, guards[0])])

    def _converts(self, fn: Fn, subject: Vid, call: Call) -> Kinds:
        """`int(text)`, `path.relative_to(base)` or `validate_email(text)` whose result nobody wants."""
        if (func := fn.facts.values[call.func])[0] == "attr" and func[2] == "relative_to":
            return _PATH if self._relation(fn, func[1], subject) else NOTHING
        if not call.args or self._relation(fn, call.args[0], subject) != EVERYTHING:
            return NOTHING
        models = [model for model in self.project.models(fn, call) if model.raises]
        return frozenset().union(*(model.sanitizes for model in models))

    def _by_address(self, fn: Fn, subject: Vid, call: Call) -> Kinds:
        """A function of the project that looks at the address of the subject's host."""
        targets = self.project.targets(fn, call)
        if not targets or not any(self._relation(fn, vid, subject) for vid in call.args):
            return NOTHING
        return frozenset({"ssrf"}) if any(self.addresses.tested(target) for target in targets) else NOTHING

    def _call(self, fn: Fn, subject: Vid, call: Call, depth: int) -> Kinds:
        func = fn.facts.values[call.func]
        if self._found_in_table(fn, call):
            return self._relation(fn, call.args[0], subject)
        if (sought := sought_by(fn, call)) >= 0:
            return self.cleared(fn, subject, sought, True, depth + 1)
        if func[0] == "attr":
            kinds = self._method(fn, subject, call, func)
            if kinds:
                return kinds
        elif func == ("name", "builtins.isinstance") and len(call.args) == 2:
            whole = self._relation(fn, call.args[0], subject) == EVERYTHING
            return self._of_class(classes_asked(self.project, fn, call)) if whole else NOTHING
        elif func[0] == "name" and str(func[1]) in ("builtins.all", "builtins.any") and call.args:
            return self._all_characters(fn, subject, call)
        for model in self.project.models(fn, call):
            if model.guard is not None:
                vids = arguments(call, model.guard.arg)
                if model.guard.arg.receiver and func[0] == "attr":
                    vids.append(func[1])
                if any(self._relation(fn, vid, subject) for vid in vids):
                    return self._matched(fn, call, model.guard)
        return (
            self._validated(fn, subject, call, depth)
            | self._registered(fn, subject, call)
            | self._by_address(fn, subject, call)
            | self._named(fn, subject, call, func)
        )

    def _of_class(self, classes: set[str]) -> Kinds:
        """What holds of an object of one of the classes."""
        if are_harmless(classes):
            return EVERYTHING
        if classes == {"builtins.str"}:
            return frozenset({lb.TEXT})
        return frozenset({"exception"}) if tell_their_own(self.project, classes) else NOTHING

    def _found_in_table(self, fn: Fn, call: Call) -> bool:
        """`BERTHS.get(name)` of what no caller has filled: what is found there is one of its keys."""
        func = fn.facts.values[call.func]
        if func[0] not in ("attr", "name") or fn.callee_name(call) != "get" or len(call.args) != 1 or call.kwargs:
            return False
        if any(model.name != "builtins.dict.get" for model in self.project.models(fn, call)):
            return False
        return (func[0] == "attr" and self._closed(fn, func[1])) or self._is_variable(fn, func)

    def _registered(self, fn: Fn, subject: Vid, call: Call) -> Kinds:
        """`ReturnAddress.objects.filter(client=client, uri=uri).first()`: somebody has entered that very address before."""
        if not any(self._relation(fn, vid, subject) == EVERYTHING for vid in columns_sought(fn, call)):
            return NOTHING
        return _HOST if "db-read" in self.project.effects.call_effects(fn, call) else NOTHING

    def _is_variable(self, fn: Fn, func: tuple[object, ...]) -> bool:
        owner = str(func[1]).rpartition(".")[0] if func[0] == "name" else ""
        return bool(owner) and self.project.modules.resolve(owner, fn.file.module).kind == "variable"

    def _matched(self, fn: Fn, call: Call, guard: Guard) -> Kinds:
        """What the guard's pattern leaves clean; everything where nobody knows the pattern."""
        found = self._patterns(fn, call, guard)
        if not found:
            return frozenset(guard.kinds)
        cleared = common([cleans(text, guard.anchors or "") for text in found])
        kinds = frozenset(guard.kinds)
        return kinds if "all" in cleared else cleared if "all" in kinds else kinds & cleared

    def _patterns(self, fn: Fn, call: Call, guard: Guard | None) -> list[str]:
        """The regular expressions that decide, where they are written in the code."""
        if guard is None or guard.pattern is None:
            return []
        vids = arguments(call, guard.pattern)
        func = fn.facts.values[call.func]
        if guard.pattern.receiver:
            vids.append(func[1] if func[0] == "attr" else call.func)
        return written_pattern(self.project, fn, vids[0]) if vids else []

    def _named(self, fn: Fn, subject: Vid, call: Call, func: tuple[object, ...]) -> Kinds:
        """`is_safe_url(url)`, `host_is_allowed(url)`: what a test says whose body nobody can follow, by its name."""
        owner = fn.outer(func) if func[0] == "outer" else None
        func = owner.facts.values[int(func[1])] if owner is not None else func  # type: ignore[call-overload]
        name = str(func[-1]).rpartition(".")[2]
        if func[0] not in ("attr", "name", "def") or not _TRUSTS.search(name):
            return NOTHING
        if not any(self._relation(fn, vid, subject) for vid in call.passed):
            return NOTHING
        return (_HOST if _OF_HOST.search(name) else NOTHING) | (_PATH if _OF_PATH.search(name) else NOTHING)

    def _method(self, fn: Fn, subject: Vid, call: Call, func: tuple[object, ...]) -> Kinds:
        receiver, name = int(func[1]), str(func[2])  # type: ignore[call-overload]
        relation = self._relation(fn, receiver, subject)
        if not relation:
            return NOTHING
        if name in _SHAPE_METHODS:
            return relation
        if name in ("is_relative_to", "samefile"):
            return _PATH
        if name == "startswith" and call.args:
            return self._prefix(fn, receiver, relation, call)
        return NOTHING

    def _prefix(self, fn: Fn, receiver: Vid, relation: Kinds, call: Call) -> Kinds:
        prefixes = self.project.constants(fn, call.args[0])
        if resolved(fn, receiver):
            return _PATH
        texts = [text for text in prefixes or () if isinstance(text, str)]
        if texts == ["/"] and relation == EVERYTHING:
            return frozenset({lb.LOCAL})
        host = texts and all("://" in text and text.count("/") >= 3 for text in texts)
        host = host or written_origin(fn, call.args[0])
        return _HOST if host and relation == EVERYTHING else NOTHING

    def _all_characters(self, fn: Fn, subject: Vid, call: Call) -> Kinds:
        """`all(c in ALLOWED for c in text)`, `all(c.isalnum() for c in text)`."""
        value = fn.facts.values[call.args[0]]
        if value[0] != "comp":
            return NOTHING
        iterable = fn.facts.blocks[value[4]].value
        if iterable < 0 or self._relation(fn, iterable, subject) != EVERYTHING:
            return NOTHING
        test = fn.facts.values[value[2]]
        closed = test[0] == "compare" and test[1] == ("in",) and self._closed(fn, test[2][1])
        return EVERYTHING if closed or test[0] in ("call", "bool") else NOTHING

    # the project's own validators

    def checked_before(self, fn: Fn, subject: Vid, block: int, line: int) -> Kinds:
        """What calls that have come back (`validate(plan.url)`, `berth = find_berth(name)`) have said of the subject on the
        way to a place."""
        kinds: Kinds = NOTHING
        for call in (call for call in fn.facts.calls if call.span.end_line < line):
            asked = any(self._relation(fn, vid, subject) == EVERYTHING for vid in call.passed)
            if asked and went_well(fn, call, block, line):
                kinds |= self.cleared(fn, subject, call.value, None)
        return kinds

    def _targets(self, fn: Fn, subject: Vid, call: Call) -> list[tuple[Fn, int]]:
        """The project functions that are called with the subject, and at which parameter."""
        found = []
        for target in self.project.targets(fn, call):
            offset = 1 if target.kind in ("method", "classmethod") and target.cls is not None else 0
            for position, vid in enumerate(call.args):
                if self._relation(fn, vid, subject) == EVERYTHING and position + offset < len(target.facts.params):
                    found.append((target, position + offset))
            names = [param.name for param in target.facts.params] if call.kwargs else []
            for key, vid in call.kwargs:
                if key in names and self._relation(fn, vid, subject) == EVERYTHING:
                    found.append((target, names.index(key)))
        return found

    def _validated(self, fn: Fn, subject: Vid, call: Call, depth: int, part: int = -1) -> Kinds:
        """A test by a function of the project: what holds wherever it (or that part of what it gives) is something truthy."""
        for target, index in self._targets(fn, subject, call):
            key = (target.fqn, index, part)
            if key not in self._validators:
                self._validators[key] = NOTHING
                answers = [
                    (item, element_of(target, item.value, part)) for item in target.facts.returns if item.value >= 0
                ]
                kinds = [
                    self.around(target, index, item.block, item.span.line, depth)
                    | self.cleared(target, index, vid, True, depth + 1)
                    | self._converted(target, index, item)
                    for item, vid in answers
                    if target.const(vid) not in (False, None)
                ]
                self._validators[key] = common(kinds)
            return self._validators[key]
        return NOTHING

    def _checked(self, fn: Fn, subject: Vid, call: Call) -> Kinds:
        """A call that raises on bad input: what holds where it ends."""
        for target, index in self._targets(fn, subject, call):
            key = (target.fqn, ~index, -1)
            if key not in self._validators:
                self._validators[key] = NOTHING
                found = [self._at_end(target, index, *end) for end in ends(target)]
                kinds = common(found)
                self._validators[key] = kinds | self._tried(target, index)
            return self._validators[key]
        return NOTHING

    def _at_end(self, fn: Fn, index: int, block: int, line: int) -> Kinds:
        """What is known of a parameter at one end of its function: whichever way an `if` has gone that let it go on."""
        kinds = self.around(fn, index, block, line) | self.checked_before(fn, index, block, line)
        enclosing = {number for number, _ in fn.blocks_of(block)}
        alternatives = {item.group for item in fn.facts.blocks if item.kind == "else"}
        for number, item in enumerate(fn.facts.blocks):
            passed = item.kind == "if" and not item.exits and item.value >= 0 and number not in alternatives
            if passed and item.parent in enclosing and number not in enclosing and item.span.line < line:
                otherwise = self.cleared(fn, index, item.value, False, 1)
                kinds |= otherwise and otherwise & self.checked_before(fn, index, number, item.span.end_line + 1)
        return kinds

    def _converted(self, fn: Fn, index: int, answer: Return) -> Kinds:
        """Conversions of the parameter that went well where a function answers: `try: UUID(text); return True`."""
        kinds = NOTHING
        for call in fn.facts.calls:
            found = self._converts(fn, index, call) if call.args else NOTHING
            refuses = found and any(model.raises for model in self.project.models(fn, call))  # `len()` takes all
            if refuses and went_well(fn, call, answer.block, answer.span.line):
                kinds |= found
        return kinds

    def _tried(self, fn: Fn, index: int) -> Kinds:
        """Conversions of the parameter that a function tries, and raises where they fail."""
        kinds = NOTHING
        for call in fn.facts.calls:
            if call.args and self._relation(fn, call.args[0], index) == EVERYTHING and raises_on(fn, call.block):
                kinds |= self._converts(fn, index, call)
        return kinds

    def around(
        self, fn: Fn, index: int, block: int, line: int, depth: int = 0, exits: tuple[str, ...] = ("return", "raise")
    ) -> Kinds:
        """What tests on the way to a place say of value `index` (a parameter's vid is its index)."""
        kinds: Kinds = NOTHING
        enclosing = {number for number, _ in fn.blocks_of(block)}
        for number, item in enumerate(fn.facts.blocks):
            if item.value < 0 or item.kind not in ("if", "else"):
                continue
            if number in enclosing:
                kinds |= self.cleared(fn, index, item.value, item.kind == "if", depth + 1)
            elif (
                item.parent in enclosing and item.span.line < line and leaving.exits(self.project, fn, number) in exits
            ):
                kinds |= self.cleared(fn, index, item.value, item.kind != "if", depth + 1)
        return kinds
