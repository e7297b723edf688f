"""Expressions to values."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence

from backendlint.facts import fold
from backendlint.facts.model import Binding, Call, Return, Vid
from backendlint.facts.percent import PERCENT
from backendlint.facts.scope import MUTATORS
from backendlint.facts.table import Table

_OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**",
    ast.LShift: "<<", ast.RShift: ">>", ast.BitOr: "|", ast.BitXor: "^", ast.BitAnd: "&", ast.MatMult: "@",
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Is: "is",
    ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in", ast.And: "and", ast.Or: "or", ast.Not: "not",
    ast.USub: "-", ast.UAdd: "+", ast.Invert: "~",
}  # fmt: skip
_FIELD = re.compile(r"\{\{|\}\}|\{(?P<name>[^{}!:]*)(?P<conv>![rsa])?(?::(?P<spec>[^{}]*))?\}")
_TEXT = ("const", "fmt", "join")
_MENTIONS = 8
"""Steps from a test to a name that it speaks of: `allowed(ParseResult(netloc=urlparse(url).hostname, ...).geturl())`."""


class Expressions(Table):
    """Reads expressions; statements are read by `facts.flow`."""

    def visit(self, node: ast.expr) -> Vid:
        """The value of an expression."""
        method = _METHODS.get(type(node))
        return self.add(("unknown",), node) if method is None else method(self, node)

    def function(self, node: ast.Lambda) -> Vid:
        """A nested lambda's value (read by `facts.flow`)."""
        return self.add(("unknown",), node)

    # names, constants, access

    def _name(self, node: ast.Name) -> Vid:
        return self.lookup(node.id, node)

    def _constant(self, node: ast.Constant) -> Vid:
        return self.add(("const", node.value) if fold.ordinary(node.value) else ("unknown",), node)

    def _attribute(self, node: ast.Attribute) -> Vid:
        base = self.visit(node.value)
        value = self.facts.values[base]
        if value[0] == "name":
            return self.add(("name", f"{value[1]}.{node.attr}"), node)
        if value[0] == "setattr":
            found = self._stored_attribute(base, node.attr)
            if found is not None:
                return found
        return self.add(("attr", base, node.attr), node)

    def _stored_attribute(self, base: Vid, name: str) -> Vid | None:
        value = self.facts.values[base]
        while value[0] == "setattr":
            if value[2] == name:
                return int(value[3])
            value = self.facts.values[value[1]]
        return None

    def _subscript(self, node: ast.Subscript) -> Vid:
        base = self.visit(node.value)
        if isinstance(node.slice, ast.Slice):
            parts = (node.slice.lower, node.slice.upper, node.slice.step)
            bounds = tuple(-1 if part is None else self.visit(part) for part in parts)
            return self.add(("slice", base, *bounds), node)
        key = self.visit(node.slice)
        known, text = self.const(base)
        key_known, index = self.const(key)
        if known and key_known:
            result = fold.item(text, index)
            if result is not fold.NOTHING:
                return self.add(("const", result), node)
        return self.add(("item", base, key), node)

    # operators

    def _binop(self, node: ast.BinOp) -> Vid:
        left, right = self.visit(node.left), self.visit(node.right)
        return self.combine(_OPERATORS[type(node.op)], left, right, node)

    def combine(self, op: str, left: Vid, right: Vid, node: ast.AST) -> Vid:
        """`left op right`: folded, a string that is built, or a plain operation."""
        left_known, a = self.const(left)
        right_known, b = self.const(right)
        if left_known and right_known and not (op == "+" and isinstance(a, str) and isinstance(b, str)):
            result = fold.binary(op, a, b)
            if result is not fold.NOTHING:
                return self.add(("const", result), node)
        if op == "+" and (self._is_text(left) or self._is_text(right)):
            return self.add(("fmt", "+", (*self._concatenated(left), *self._concatenated(right)), -1), node)
        if op == "%" and left_known and isinstance(a, str):
            return self._percent(left, a, right, node)
        return self.add(("binop", op, left, right), node)

    def _is_text(self, vid: Vid) -> bool:
        value = self.facts.values[vid]
        return value[0] in _TEXT and (value[0] != "const" or isinstance(value[1], str | bytes))

    def _concatenated(self, vid: Vid) -> tuple[Vid, ...]:
        value = self.facts.values[vid]
        return tuple(value[2]) if value[0] == "fmt" and value[1] == "+" else (vid,)

    def _percent(self, template: Vid, text: str, right: Vid, node: ast.AST) -> Vid:
        value = self.facts.values[right]
        args = list(value[1]) if value[0] == "tuple" else [right]
        keyed = {}
        if value[0] == "dict":
            keyed = {self.facts.values[k][1]: v for k, v in value[1] if k >= 0 and self.facts.values[k][0] == "const"}
        parts: list[Vid] = []
        end = 0
        for match in PERCENT.finditer(text):
            self._literal(parts, text[end : match.start()], template)
            end = match.end()
            if match["spec"].endswith("%"):
                self._literal(parts, "%", template)
                continue
            key = match["key"]
            argument = keyed.get(key, right) if key is not None else (args.pop(0) if args else right)
            parts.append(self.derive(("conv", argument, "%" + match["spec"]), argument))
        self._literal(parts, text[end:], template)
        return self.add(("fmt", "%", tuple(parts), template), node)

    def _literal(self, parts: list[Vid], text: str, like: Vid) -> None:
        if text:
            parts.append(self.derive(("const", text), like))

    def _unaryop(self, node: ast.UnaryOp) -> Vid:
        op, vid = _OPERATORS[type(node.op)], self.visit(node.operand)
        known, value = self.const(vid)
        if known:
            result = fold.unary(op, value)
            if result is not fold.NOTHING:
                return self.add(("const", result), node)
        return self.add(("not", vid) if op == "not" else ("unary", op, vid), node)

    def _boolop(self, node: ast.BoolOp) -> Vid:
        is_and = isinstance(node.op, ast.And)
        saved = self.env
        vids: list[Vid] = []
        for operand in node.values:
            vid = self.visit(operand)
            known, value = self.const(vid)
            if known and bool(value) != is_and:  # decides the whole: what follows is never evaluated
                vids.append(vid)
                break
            if not (known and operand is not node.values[-1]):
                vids.append(vid)
            self.env = self.refine(vid, is_and)
        walruses = {name: vid for name, vid in self.env.items() if name not in saved}
        self.env = {**saved, **walruses} if walruses else saved
        if len(vids) == 1:
            return vids[0]
        return self.add(("bool", "and" if is_and else "or", tuple(vids)), node)

    def _compare(self, node: ast.Compare) -> Vid:
        vids = (self.visit(node.left), *(self.visit(part) for part in node.comparators))
        ops = tuple(_OPERATORS[type(op)] for op in node.ops)
        if len(ops) == 1:
            left_known, a = self.const(vids[0])
            right_known, b = self.const(vids[1])
            if left_known and right_known:
                result = fold.compare(ops[0], a, b)
                if result is not fold.NOTHING:
                    return self.add(("const", result), node)
        return self.add(("compare", ops, vids), node)

    def _ifexp(self, node: ast.IfExp) -> Vid:
        test = self.visit(node.test)
        known, value = self.const(test)
        if known:
            return self.visit(node.body if value else node.orelse)
        saved = self.env
        block = self.open_block("if", node.body, test)
        self.env = self.refine(test, True)
        body = self.visit(node.body)
        self.close_block(block)
        self.env = saved
        other = self.open_block("else", node.orelse, test, group=block)
        self.env = self.refine(test, False)
        orelse = self.visit(node.orelse)
        self.close_block(other)
        self.env = saved
        return body if body == orelse else self.add(("phi", (body, orelse)), node)

    # guards

    def refine(self, test: Vid, truth: bool) -> dict[str, Vid]:
        """The environment in which `test` is known to be true (or false): names that it speaks of are guarded."""
        nothing = self._nothing(test, truth)
        if nothing < 0 and self.facts.values[test][0] not in ("compare", "call", "bool", "not", "attr", "await"):
            return self.env
        spoken = {nothing} if nothing >= 0 else set[Vid]()
        self._mentioned(test, spoken, _MENTIONS)
        if not spoken:
            return self.env
        refined = None
        for name, vid in self.env.items():
            if vid in spoken:
                refined = refined or dict(self.env)
                refined[name] = self.derive(("guard", vid, test, truth), vid)
        return refined or self.env

    def _nothing(self, test: Vid, truth: bool) -> Vid:
        """The value that is None, or empty, where the test came out so; -1 where it says no such thing."""
        value = self.facts.values[test]
        if value[0] == "compare" and value[1] in (("is",), ("is not",)) and self.const(value[2][1]) == (True, None):
            return int(value[2][0]) if truth == (value[1] == ("is",)) else -1
        return test if value[0] == "param" and not truth else -1

    def _mentioned(self, vid: Vid, into: set[Vid], depth: int) -> None:
        value = self.facts.values[vid]
        op = value[0]
        if depth == 0 or op in ("const", "name"):
            return
        if op == "compare":
            operands = value[2]
            if len(operands) == 2 and value[1][0] in ("is", "is not"):
                tested = self.facts.values[operands[0]]
                if tested[0] != "call":
                    return
                operands = self.facts.calls[tested[1]].passed  # `pattern.fullmatch(text) is None` speaks of the text
        elif op == "bool":
            into.add(vid)
            operands = value[2]
        elif op == "call":
            into.add(vid)
            call = self.facts.calls[value[1]]
            operands = (call.func, *call.passed)
        elif op in ("not", "attr", "item", "await", "guard"):
            into.add(vid)
            operands = (value[1],)
        else:
            into.add(vid)
            return
        for operand in operands:
            self._mentioned(operand, into, depth - 1)

    # strings

    def _joinedstr(self, node: ast.JoinedStr) -> Vid:
        parts: list[Vid] = []
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                parts.append(self._formatted(part))
            elif isinstance(part, ast.Constant):  # placed at the whole text, as CPython before 3.12 does
                parts.append(self.add(("const", part.value), node))
            else:
                parts.append(self.visit(part))
        if len(parts) == 1 and self.facts.values[parts[0]][0] == "const":
            whole = isinstance(node.values[0], ast.Constant)  # `f"SELECT 1"` is one text, not two
            return parts[0] if whole else self.add(self.facts.values[parts[0]], node)
        return self.add(("fmt", "f", tuple(parts), -1), node)

    def _formatted(self, node: ast.FormattedValue) -> Vid:
        vid = self.visit(node.value)
        spec = f"!{chr(node.conversion)}" if node.conversion > 0 else ""
        if isinstance(node.format_spec, ast.JoinedStr):
            texts = [part.value for part in node.format_spec.values if isinstance(part, ast.Constant)]
            spec += ":" + "".join(map(str, texts))
        return self.add(("conv", vid, spec), node) if spec else vid

    def _format_call(self, node: ast.Call, template: Vid, text: str) -> Vid:
        args = [self.visit(arg) for arg in node.args]
        named = {word.arg or "**": self.visit(word.value) for word in node.keywords}
        parts: list[Vid] = []
        end = count = 0
        for match in _FIELD.finditer(text):
            self._literal(parts, text[end : match.start()], template)
            end = match.end()
            if match[0] in ("{{", "}}"):
                self._literal(parts, match[0][0], template)
                continue
            field = re.split(r"[.\[]", match["name"], maxsplit=1)[0]
            if field == "":
                field, count = str(count), count + 1
            known = args[int(field)] if field.isdigit() and int(field) < len(args) else named.get(field)
            spec = (match["conv"] or "") + (":" + match["spec"] if match["spec"] else "")
            if known is None:
                known = args[0] if args else named.get("**", template)
            for part in match["name"].split(".")[1:] if "[" not in match["name"] else ():
                known = self.derive(("attr", known, part), known)
            parts.append(self.derive(("conv", known, spec), known) if spec else known)
        self._literal(parts, text[end:], template)
        return self.add(("fmt", "format", tuple(parts), template), node)

    def _join_call(self, node: ast.Call, separator: Vid) -> Vid:
        items = self.visit(node.args[0])
        value = self.facts.values[items]
        if value[0] in ("list", "tuple") and not any(self.facts.values[v][0] == "star" for v in value[1]):
            parts: list[Vid] = []
            for vid in value[1]:
                if parts:
                    parts.append(separator)
                parts.append(vid)
            return self.add(("fmt", "join", tuple(parts), -1), node)
        return self.add(("join", separator, items), node)

    # calls

    def _call(self, node: ast.Call) -> Vid:
        return self.call(node)

    def call(self, node: ast.Call, *, awaited: bool = False) -> Vid:
        """Record a call; its value."""
        func = self.visit(node.func)
        value = self.facts.values[func]
        if value[0] == "attr" and self._is_text(value[1]) and not awaited:
            text = self.facts.values[value[1]]
            if value[2] == "format" and text[0] == "const" and isinstance(text[1], str):
                return self._format_call(node, value[1], text[1])
            if value[2] == "join" and len(node.args) == 1 and not node.keywords and text[0] == "const":
                return self._join_call(node, value[1])
        args = tuple([self.visit(arg) for arg in node.args])
        kwargs = tuple([(word.arg or "**", self.visit(word.value)) for word in node.keywords])
        facts = self.facts
        index = len(facts.calls)
        vid = self.add(("call", index), node)
        facts.calls.append(Call(func, args, kwargs, vid, self.block, awaited, self.file.source.span(node)))
        if (
            isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.attr in MUTATORS
        ):
            name = node.func.value.id
            base = self.env.get(name)
            if base is not None and facts.values[base][0] != "name":
                operands = args + tuple([vid for _, vid in kwargs])
                self.env[name] = self.derive(("mut", base, node.func.attr, operands), vid)
        return vid

    def _await(self, node: ast.Await) -> Vid:
        if isinstance(node.value, ast.Call):
            return self.add(("await", self.call(node.value, awaited=True)), node)
        return self.add(("await", self.visit(node.value)), node)

    def _starred(self, node: ast.Starred) -> Vid:
        return self.add(("star", self.visit(node.value)), node)

    def _yield(self, node: ast.Yield | ast.YieldFrom) -> Vid:
        vid = -1 if node.value is None else self.visit(node.value)
        if isinstance(node, ast.YieldFrom) and vid >= 0:
            vid = self.derive(("elem", vid), vid)
        self.facts.returns.append(Return(vid, self.block, self.file.source.span(node), True))
        return self.add(("yield", vid), node)

    def _namedexpr(self, node: ast.NamedExpr) -> Vid:
        vid = self.visit(node.value)
        self.env[node.target.id] = vid
        self.facts.bindings.append(Binding(node.target.id, vid, self.block, self.file.source.span(node)))
        return vid

    # containers

    def _sequence(self, node: ast.List | ast.Tuple | ast.Set) -> Vid:
        kind = type(node).__name__.lower()
        return self.add((kind, tuple([self.visit(item) for item in node.elts])), node)

    def _dict(self, node: ast.Dict) -> Vid:
        pairs = [
            (-1 if key is None else self.visit(key), self.visit(value))
            for key, value in zip(node.keys, node.values, strict=True)
        ]
        return self.add(("dict", tuple(pairs)), node)

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> Vid:
        kind = {ast.ListComp: "list", ast.SetComp: "set", ast.GeneratorExp: "gen", ast.DictComp: "dict"}[type(node)]
        saved, home = self.env, self.block
        self.env = dict(saved)
        for generator in node.generators:
            iterable = self.visit(generator.iter)
            self.open_block("comp", node, iterable, is_async=bool(generator.is_async))
            self.assign(generator.target, self.derive(("elem", iterable), iterable))
            for condition in generator.ifs:
                self.env = dict(self.refine(self.visit(condition), True))
        inner = self.block
        if isinstance(node, ast.DictComp):
            key, element = self.visit(node.key), self.visit(node.value)
        else:
            key, element = -1, self.visit(node.elt)
        self.env, self.block = saved, home
        return self.add(("comp", kind, element, key, inner), node)

    def assign(self, target: ast.expr, vid: Vid) -> None:
        """Bind a target (see `facts.flow`)."""

    def visit_all(self, nodes: Sequence[ast.expr]) -> tuple[Vid, ...]:
        """The values of several expressions."""
        return tuple([self.visit(node) for node in nodes])


_METHODS: dict[type[ast.expr], Callable[[Expressions, ast.expr], Vid]] = {
    kind: method  # type: ignore[misc]
    for kinds, method in (
        ((ast.Name,), Expressions._name),
        ((ast.Constant,), Expressions._constant),
        ((ast.Attribute,), Expressions._attribute),
        ((ast.Subscript,), Expressions._subscript),
        ((ast.BinOp,), Expressions._binop),
        ((ast.UnaryOp,), Expressions._unaryop),
        ((ast.BoolOp,), Expressions._boolop),
        ((ast.Compare,), Expressions._compare),
        ((ast.IfExp,), Expressions._ifexp),
        ((ast.JoinedStr,), Expressions._joinedstr),
        ((ast.Call,), Expressions._call),
        ((ast.Await,), Expressions._await),
        ((ast.Starred,), Expressions._starred),
        ((ast.Yield, ast.YieldFrom), Expressions._yield),
        ((ast.NamedExpr,), Expressions._namedexpr),
        ((ast.List, ast.Tuple, ast.Set), Expressions._sequence),
        ((ast.Dict,), Expressions._dict),
        ((ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp), Expressions._comprehension),
        ((ast.Lambda,), lambda table, node: table.function(node)),
    )
    for kind in kinds
}
