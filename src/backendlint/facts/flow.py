"""Statements: how control and names flow through a body."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from backendlint.facts.define import Definitions
from backendlint.facts.model import Binding, Import, Raise, Return, Statement, Store, Vid
from backendlint.facts.scope import bound_names
from backendlint.facts.table import Env

_CONVERTS = frozenset(
    "builtins.int builtins.float uuid.UUID decimal.Decimal ipaddress.ip_address ipaddress.ip_network datetime.date.fromisoformat "
    "datetime.datetime.fromisoformat".split()
)
"""Calls that raise for a text of any other kind: `int(text)` on a line of its own is a check."""
_CHECKS = re.compile(
    r"_*(check|validate|ensure|verify|assert|require|must|guard|raise_if|reject|forbid|enforce|"
    r"refuse|deny|prevent|disallow|abort_if|raise_)|(\w+_)?validator$",
    re.IGNORECASE,
)
"""What functions are called that raise on bad input."""


@dataclass(slots=True)
class _Loop:
    breaks: list[Env] = field(default_factory=list)
    continues: list[Env] = field(default_factory=list)


class Flow(Definitions):
    """Reads a body statement by statement, keeping `env` (names to values) as control flows."""

    loops: list[_Loop]
    last_exit = ""

    def body(self, statements: Sequence[ast.stmt]) -> None:
        """Read statements until control leaves."""
        for statement in statements:
            if self.dead:
                return
            method = _METHODS.get(type(statement))
            if method is not None:
                method(self, statement)

    def leave(self, kind: str) -> None:
        """Control goes elsewhere: what follows in this body is never reached."""
        self.dead = True
        self.last_exit = kind

    def arm(
        self, kind: str, node: ast.AST, body: Sequence[ast.stmt], env: Env, value: Vid = -1, group: int = -1
    ) -> Env | None:
        """Read one arm of a branch from `env`; its final environment, None if control never leaves at its end."""
        index = self.open_block(kind, node, value, group)
        return self._run(index, body, env)

    def _run(self, index: int, body: Sequence[ast.stmt], env: Env) -> Env | None:
        self.env, self.dead = dict(env), False
        self.body(body)
        self.close_block(index, self.last_exit if self.dead else "")
        return None if self.dead else self.env

    def resume(self, env: Env | None, fallback: Env) -> None:
        """Go on with the joined environment, or stay dead where no path arrives."""
        self.dead = env is None
        self.env = fallback if env is None else env

    # simple statements

    def _expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Constant):
            return
        vid = self.visit(node.value)
        self.facts.statements.append(Statement("expr", vid, self.block, self.file.source.span(node)))
        value = self.facts.values[vid]
        if value[0] == "await":
            vid = value[1]
            value = self.facts.values[vid]
        if value[0] == "call":
            func = self.facts.values[self.facts.calls[value[1]].func]
            if func[0] == "name" and func[1] in self.file.leaving:
                self.leave("raise")
            elif func[0] == "attr" and func[2] == "relative_to":  # raises for a path outside
                self.env = {name: self._guarded(known, vid) for name, known in self.env.items()}
            elif _CHECKS.match(str(func[-1]).rpartition(".")[2]) or func[-1] in _CONVERTS:
                self._passed(value[1], vid)

    def _passed(self, index: int, test: Vid) -> None:
        """After `validate(x)` has returned, x is guarded by it (truth None)."""
        arguments = self.facts.calls[index].args
        for name, known in list(self.env.items()):
            if known in arguments and self.facts.values[known][0] != "const":
                self.env[name] = self.derive(("guard", known, test, None), known)

    def _guarded(self, known: Vid, test: Vid) -> Vid:
        """A value of which a test that has returned speaks."""
        spoken: set[Vid] = set()
        self._mentioned(test, spoken, 6)
        return self.derive(("guard", known, test, None), known) if known in spoken else known

    def _assign(self, node: ast.Assign) -> None:
        vid = self.visit(node.value)
        for target in node.targets:
            self.assign(target, vid)

    def _annassign(self, node: ast.AnnAssign) -> None:
        annotation = self.visit(node.annotation)
        if node.value is not None:
            self.assign(node.target, self.visit(node.value), annotation)
        elif isinstance(node.target, ast.Name):
            span = self.file.source.span(node)
            self.facts.bindings.append(Binding(node.target.id, -1, self.block, span, annotation))

    def _augassign(self, node: ast.AugAssign) -> None:
        from backendlint.facts.expr import _OPERATORS

        target = node.target
        load: ast.expr = ast.copy_location(_as_load(target), target)
        left = self.visit(load)
        vid = self.combine(_OPERATORS[type(node.op)], left, self.visit(node.value), node)
        self.assign(target, vid, augmented=True)

    def assign(self, target: ast.expr, vid: Vid, annotation: Vid = -1, *, augmented: bool = False) -> None:
        """Bind a target: a name, an attribute, an item, or a sequence of targets."""
        span = self.file.source.span(target)
        if isinstance(target, ast.Name):
            self.env[target.id] = vid
            self.facts.bindings.append(Binding(target.id, vid, self.block, span, annotation, augmented))
            if target.id in self.globals_declared:
                base = self.add(("name", self.dotted(target.id)), target)
                self.facts.stores.append(Store(base, "", -1, vid, self.block, span, augmented))
        elif isinstance(target, ast.Attribute):
            base = self.visit(target.value)
            self.facts.stores.append(Store(base, target.attr, -1, vid, self.block, span, augmented))
            self._rebind(target.value, ("setattr", base, target.attr, vid), vid)
        elif isinstance(target, ast.Subscript):
            base = self.visit(target.value)
            key = (
                self.add(("unknown",), target.slice)
                if isinstance(target.slice, ast.Slice)
                else self.visit(target.slice)
            )
            self.facts.stores.append(Store(base, "", key, vid, self.block, span, augmented))
            self._rebind(target.value, ("store", base, key, vid), vid)
        elif isinstance(target, ast.Tuple | ast.List):
            self._unpack(target.elts, vid)
        elif isinstance(target, ast.Starred):
            self.assign(target.value, vid)

    def _rebind(self, base: ast.expr, value: tuple[object, ...], like: Vid) -> None:
        if isinstance(base, ast.Name) and base.id in self.env and self.facts.values[self.env[base.id]][0] != "name":
            self.env[base.id] = self.derive(value, like)

    def _unpack(self, targets: Sequence[ast.expr], vid: Vid) -> None:
        value = self.facts.values[vid]
        exact = value[0] in ("tuple", "list") and len(value[1]) == len(targets)
        starred = any(isinstance(target, ast.Starred) for target in targets)
        if exact and not starred and not any(self.facts.values[v][0] == "star" for v in value[1]):
            for target, item in zip(targets, value[1], strict=True):
                self.assign(target, item)
            return
        for index, target in enumerate(targets):
            position = -1 if starred else index
            self.assign(target, self.add(("unpack", vid, position), target))

    def _return(self, node: ast.Return) -> None:
        vid = -1 if node.value is None else self.visit(node.value)
        self.facts.returns.append(Return(vid, self.block, self.file.source.span(node)))
        self.leave("return")

    def _raise(self, node: ast.Raise) -> None:
        exc = -1 if node.exc is None else self.visit(node.exc)
        cause = -1 if node.cause is None else self.visit(node.cause)
        self.facts.raises.append(Raise(exc, cause, self.block, self.file.source.span(node)))
        self.leave("raise")

    def _assert(self, node: ast.Assert) -> None:
        test = self.visit(node.test)
        self.facts.statements.append(Statement("assert", test, self.block, self.file.source.span(node)))
        self.env = self.refine(test, True)

    def _delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            if isinstance(target, ast.Name):
                self.env.pop(target.id, None)
            else:
                vid = self.visit(_as_load(target))
                self.facts.statements.append(Statement("delete", vid, self.block, self.file.source.span(node)))

    def _break(self, _node: ast.stmt) -> None:
        if self.loops:
            self.loops[-1].breaks.append(dict(self.env))
        self.leave("break")

    def _continue(self, _node: ast.stmt) -> None:
        if self.loops:
            self.loops[-1].continues.append(dict(self.env))
        self.leave("continue")

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        for name, target in import_targets(node, self.file.facts.module, self.file.facts.is_package):
            if name != "*":
                self.env[name] = self.add(("name", target), node)
            span = self.file.source.span(node)
            self.file.facts.imports.append(Import(name, target, span, self.index, self._type_checking()))

    def _type_checking(self) -> bool:
        block = self.facts.blocks[self.block]
        if block.kind != "if" or block.value < 0:
            return False
        value = self.facts.values[block.value]
        return bool(value[0] == "name" and str(value[1]).endswith("TYPE_CHECKING"))

    # branches

    def _if(self, node: ast.If) -> None:
        test = self.visit(node.test)
        known, value = self.const(test)
        if known:
            self.body(node.body if value else node.orelse)
            return
        start = self.env
        then_env, else_env = dict(self.refine(test, True)), self.refine(test, False)
        after = self.arm("if", node, node.body, then_env, test)
        other: Env | None = else_env
        if node.orelse:
            group = self._last_block("if", test)
            other = self.arm("else", node.orelse[0], node.orelse, else_env, test, group)
        self.resume(self.join(after, other), start)

    def _last_block(self, kind: str, value: Vid) -> int:
        blocks = self.facts.blocks
        return next(i for i in range(len(blocks) - 1, -1, -1) if blocks[i].kind == kind and blocks[i].value == value)

    def _match(self, node: ast.Match) -> None:
        subject = self.visit(node.subject)
        start, after = self.env, None
        rest: Env | None = dict(start)
        for case in node.cases:
            if rest is None:
                break
            self.env = dict(rest)
            if isinstance(node.subject, ast.Name):  # what the cases before have said of it
                subject = self.env.get(node.subject.id, subject)
            test = self.pattern(case.pattern, subject)
            known, value = (False, None) if test < 0 else self.const(test)
            if known and not value:
                continue
            guard = -1 if case.guard is None else self.visit(case.guard)
            entry = dict(self.refine(test, True)) if test >= 0 and not known else self.env
            left = self.refine(test, False) if test >= 0 and not known else rest
            after = self.join(after, self.arm("case", case.pattern, case.body, entry, test if test >= 0 else subject))
            certain = (test < 0 or known) and guard < 0 and _irrefutable(case.pattern, known=known)
            rest = None if certain else left
        self.resume(self.join(after, rest), start)

    def pattern(self, pattern: ast.pattern, subject: Vid) -> Vid:
        """Bind a pattern's names; the value of its test where it compares with constants, else -1."""
        if isinstance(pattern, ast.MatchValue):
            value = self.visit(pattern.value)
            known, left = self.const(subject)
            right_known, right = self.const(value)
            if known and right_known:
                return self.add(("const", left == right), pattern)
            return self.add(("compare", ("==",), (subject, value)), pattern)
        if isinstance(pattern, ast.MatchOr):
            tests = [self.pattern(part, subject) for part in pattern.patterns]
            if min(tests) < 0:
                return -1
            constants = [self.const(test) for test in tests]
            if all(known for known, _ in constants):
                return self.add(("const", any(value for _, value in constants)), pattern)
            return self.add(("bool", "or", tuple(tests)), pattern)
        if isinstance(pattern, ast.MatchAs):
            test = -1 if pattern.pattern is None else self.pattern(pattern.pattern, subject)
            if pattern.name:
                self.env[pattern.name] = subject
            return test
        for part in ast.walk(pattern):
            name = getattr(part, "name", None) or getattr(part, "rest", None)
            if isinstance(name, str):
                self.env[name] = self.derive(("elem", subject), subject)
        return -1

    # loops

    def _for(self, node: ast.For | ast.AsyncFor) -> None:
        iterable = self.visit(node.iter)
        index = self.open_block("for", node, iterable, is_async=isinstance(node, ast.AsyncFor))
        self._loop(node, index, lambda: self.assign(node.target, self.add(("elem", iterable), node.target)))

    def _while(self, node: ast.While) -> None:
        index = self.open_block("while", node)

        def test() -> None:
            vid = self.visit(node.test)
            self.facts.blocks[index] = self.facts.blocks[index]._replace(value=vid)
            self.env = dict(self.refine(vid, True))

        endless = isinstance(node.test, ast.Constant) and bool(node.test.value)
        self._loop(node, index, test, endless=endless)

    def _loop(
        self, node: ast.For | ast.AsyncFor | ast.While, index: int, enter: Callable[[], None], *, endless: bool = False
    ) -> None:
        start = self.env
        self.env = dict(start)
        changed = sorted(bound_names([*node.body, *([node.test] if isinstance(node, ast.While) else [])]))
        phis = {name: self.derive(("phi", (start[name],)), start[name]) for name in changed if name in start}
        self.env.update(phis)
        head = dict(self.env)
        loop = _Loop()
        self.loops.append(loop)
        enter()
        self.body(node.body)
        self.close_block(index, self.last_exit if self.dead else "")
        self.loops.pop()
        back: Env | None = None if self.dead else self.env
        for env in loop.continues:
            back = self.join(back, env)
        for name, phi in phis.items():
            again = phi if back is None else back.get(name, phi)
            if again != phi:
                self.facts.values[phi] = ("phi", (start[name], again))
        after: Env | None = None if endless else head if back is None else {**back, **head}
        if node.orelse and after is not None:
            after = self.arm("loop-else", node.orelse[0], node.orelse, after, group=index)
        for env in loop.breaks:
            after = self.join(after, env)
        self.resume(after, start)

    # with and try

    def _with(self, node: ast.With | ast.AsyncWith) -> None:
        opened = []
        for item in node.items:
            vid = self.visit(item.context_expr)
            opened.append(self.open_block("with", node, vid, is_async=isinstance(node, ast.AsyncWith)))
            if item.optional_vars is not None:
                self.assign(item.optional_vars, self.add(("enter", vid), item.optional_vars))
        self.body(node.body)
        for index in reversed(opened):
            self.close_block(index, self.last_exit if self.dead else "")

    def _try(self, node: ast.Try) -> None:
        start, known = dict(self.env), len(self.facts.bindings)
        group = self.open_block("try", node)
        self._run(group, node.body, start)
        entry = self._anywhere(self.join(start, self.env) or start, known)
        after: Env | None = None if self.dead else self.env
        if node.orelse and after is not None:
            after = self.arm("try-else", node.orelse[0], node.orelse, after, group=group)
        for handler in node.handlers:
            after = self.join(after, self._handler(handler, entry, group))
        if node.finalbody:
            last = self.join(entry, after) or entry
            ended = self.arm("finally", node.finalbody[0], node.finalbody, last, group=group)
            changed = {name: vid for name, vid in (ended or {}).items() if last.get(name) != vid}
            after = None if after is None or ended is None else {**after, **changed}
        self.resume(after, start)

    def _anywhere(self, env: Env, known: int) -> Env:
        """The environment that a failure leaves, wherever it comes: a name that is bound several times may be any of these."""
        bound: dict[str, set[Vid]] = {}
        for binding in self.facts.bindings[known:]:
            bound.setdefault(binding.name, set()).add(binding.value)
        merged = dict(env)
        for name, vids in bound.items():
            for vid in sorted(vids - {-1}) if len(vids) > 1 and name in env else ():
                merged[name] = self.phi(merged[name], vid)
        return merged

    def _handler(self, handler: ast.ExceptHandler, entry: Env, group: int) -> Env | None:
        self.env = dict(entry)
        types = -1 if handler.type is None else self.visit(handler.type)
        index = self.open_block("except", handler, types, group)
        env = dict(self.env)
        if handler.name:
            self.facts.blocks[index] = self.facts.blocks[index]._replace(name=handler.name)
            env[handler.name] = self.add(("exc", index), handler)
        return self._run(index, handler.body, env)


def import_targets(node: ast.Import | ast.ImportFrom, module: str, is_package: bool) -> list[tuple[str, str]]:
    """Bound names and their dotted targets; relative imports are made absolute by the module's own name."""
    if isinstance(node, ast.Import):
        return [(a.asname, a.name) if a.asname else (a.name.split(".")[0], a.name.split(".")[0]) for a in node.names]
    base = node.module or ""
    if node.level:
        parts = module.split(".") if module else []
        drop = node.level - 1 if is_package else node.level
        parts = parts[: len(parts) - drop] if drop else parts
        base = ".".join([*parts, *([base] if base else [])])
    return [(a.asname or a.name, base if a.name == "*" else f"{base}.{a.name}" if base else a.name) for a in node.names]


def _as_load(target: ast.expr) -> ast.expr:
    if isinstance(target, ast.Name):
        return ast.Name(id=target.id, ctx=ast.Load(), **_place(target))
    if isinstance(target, ast.Attribute):
        return ast.Attribute(value=target.value, attr=target.attr, ctx=ast.Load(), **_place(target))
    if isinstance(target, ast.Subscript):
        return ast.Subscript(value=target.value, slice=target.slice, ctx=ast.Load(), **_place(target))
    return target


def _place(node: ast.expr) -> dict[str, int]:
    return {
        "lineno": node.lineno,
        "col_offset": node.col_offset,
        "end_lineno": node.end_lineno or node.lineno,
        "end_col_offset": node.end_col_offset or node.col_offset,
    }


def _irrefutable(pattern: ast.pattern, *, known: bool) -> bool:
    return known or (isinstance(pattern, ast.MatchAs) and pattern.pattern is None)


_METHODS: dict[type[ast.stmt], Callable[[Flow, ast.stmt], None]] = {
    kind: method  # type: ignore[misc]
    for kinds, method in (
        ((ast.Expr,), Flow._expr),
        ((ast.Assign,), Flow._assign),
        ((ast.AnnAssign,), Flow._annassign),
        ((ast.AugAssign,), Flow._augassign),
        ((ast.Return,), Flow._return),
        ((ast.Raise,), Flow._raise),
        ((ast.Assert,), Flow._assert),
        ((ast.Delete,), Flow._delete),
        ((ast.Break,), Flow._break),
        ((ast.Continue,), Flow._continue),
        ((ast.Import, ast.ImportFrom), Flow._import),
        ((ast.If,), Flow._if),
        ((ast.Match,), Flow._match),
        ((ast.For, ast.AsyncFor), Flow._for),
        ((ast.While,), Flow._while),
        ((ast.With, ast.AsyncWith), Flow._with),
        ((ast.Try, getattr(ast, "TryStar", ast.Try)), Flow._try),
        ((ast.FunctionDef, ast.AsyncFunctionDef), Flow.define_function),
        ((ast.ClassDef,), Flow.define_class),
    )
    for kind in kinds
}
