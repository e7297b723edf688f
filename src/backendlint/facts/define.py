"""Definitions: functions, lambdas and classes, each function with a table of its own."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Protocol

from backendlint.facts.expr import Expressions
from backendlint.facts.model import ClassFacts, FunctionFacts, Param, Span, Vid
from backendlint.facts.scope import traits
from backendlint.facts.table import Env

_ACCESSORS = ("setter", "deleter")
MAX_DOCSTRING = 500


class _Body(Protocol):
    def __call__(self, statements: Sequence[ast.stmt]) -> None: ...


class Definitions(Expressions):
    """Reads `def`, `lambda` and `class`."""

    pending: list[tuple[FunctionFacts, int, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, Env]]
    """Nested functions, read when the enclosing body has ended so that they see all of its names."""
    body: _Body

    def qualify(self, name: str) -> str:
        """The qualified name of what is defined here."""
        prefix = self.class_prefix or self.facts.qualname
        return f"{prefix}.{name}" if prefix else name

    def define_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """A `def`: its decorators, annotations and defaults are values of this table."""
        decorators = self._decorators(node.decorator_list)
        name = node.name
        suffix = next(
            (d.attr for d in node.decorator_list if isinstance(d, ast.Attribute) and d.attr in _ACCESSORS), ""
        )
        facts = self._new_function(node, name, f"{name}.{suffix}" if suffix else name)
        facts.decorators = decorators
        facts.returns_annotation = -1 if node.returns is None else self.visit(node.returns)
        facts.docstring = docstring(node.body)
        index = self._register(facts, node)
        if self.class_prefix and not suffix:
            self.file.facts.classes[self.class_prefix].methods[name] = index
        self.env[name] = self.add(("def", facts.qualname), node)

    def _decorators(self, nodes: Sequence[ast.expr]) -> tuple[Vid, ...]:
        """Their values; a plain name's too stands where the decorator does, not where the name was bound."""
        vids = zip(self.visit_all(nodes), nodes, strict=True)
        return tuple([self.add(self.value(vid), node) if isinstance(node, ast.Name) else vid for vid, node in vids])

    def function(self, node: ast.Lambda) -> Vid:
        """A lambda is a function with one return."""
        name = f"<lambda@{node.lineno}:{node.col_offset}>"
        facts = self._new_function(node, name, name)
        self._register(facts, node)
        return self.add(("def", facts.qualname), node)

    def _new_function(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, name: str, local: str
    ) -> FunctionFacts:
        span = self.file.source.span(node)
        header = span
        body: Sequence[ast.AST] = [node.body] if isinstance(node, ast.Lambda) else node.body
        is_async = isinstance(node, ast.AsyncFunctionDef)
        if not isinstance(node, ast.Lambda):
            start = span.column + (len("async def ") if is_async else len("def "))
            header = Span(span.line, start, span.line, start + len(name))
        facts = FunctionFacts(
            qualname=self.qualify(local),
            name=name,
            parent=self.index,
            cls=self.class_prefix,
            is_async=is_async,
            is_generator=self.file.source.may_yield(span) and traits(body).is_generator,
            span=span,
            header=header,
        )
        facts.params = self._params(node.args)
        return facts

    def _register(self, facts: FunctionFacts, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> int:
        functions = self.file.facts.functions
        index = len(functions)
        taken = self.file.taken
        if facts.qualname in taken:
            facts.qualname += f"#{index}"
        taken.add(facts.qualname)
        functions.append(facts)
        self.pending.append((facts, index, node, self.env))
        return index

    def _params(self, args: ast.arguments) -> tuple[Param, ...]:
        positional = [*((arg, "pos") for arg in args.posonlyargs), *((arg, "any") for arg in args.args)]
        defaults: list[ast.expr | None] = [None] * (len(positional) - len(args.defaults)) + list(args.defaults)
        params = [self._param(arg, kind, default) for (arg, kind), default in zip(positional, defaults, strict=True)]
        if args.vararg:
            params.append(self._param(args.vararg, "args", None))
        params += [self._param(arg, "kw", d) for arg, d in zip(args.kwonlyargs, args.kw_defaults, strict=True)]
        if args.kwarg:
            params.append(self._param(args.kwarg, "kwargs", None))
        return tuple(params)

    def _param(self, arg: ast.arg, kind: str, default: ast.expr | None) -> Param:
        annotation = -1 if arg.annotation is None else self.visit(arg.annotation)
        return Param(arg.arg, kind, annotation, -1 if default is None else self.visit(default))

    def define_class(self, node: ast.ClassDef) -> None:
        """A `class`: its body runs here, in this table."""
        bases, decorators = self.visit_all(node.bases), self._decorators(node.decorator_list)
        keywords = tuple([(word.arg or "**", self.visit(word.value)) for word in node.keywords])
        qualname = self.qualify(node.name)
        span = self.file.source.span(node)
        start = span.column + len("class ")
        facts = ClassFacts(
            qualname=qualname,
            name=node.name,
            owner=self.index,
            bases=bases,
            keywords=keywords,
            decorators=decorators,
            span=span,
            header=Span(span.line, start, span.line, start + len(node.name)),
            docstring=docstring(node.body),
        )
        self.file.facts.classes[qualname] = facts
        outside, prefix = self.env, self.class_prefix
        self.env, self.class_prefix = dict(outside), qualname
        first = len(self.facts.bindings)
        block = self.open_block("class", node)
        self.body(node.body)
        self.close_block(block)
        self._attributes(facts, node, first)
        self.env, self.class_prefix, self.dead = outside, prefix, False
        self.env[node.name] = self.add(("def", qualname), node)

    def _attributes(self, facts: ClassFacts, node: ast.ClassDef, first: int) -> None:
        statements = {target: stmt for stmt in node.body for target in _target_names(stmt)}
        for binding in self.facts.bindings[first:]:
            if binding.name not in statements:
                continue
            if binding.value >= 0:
                facts.attributes[binding.name] = self.env.get(binding.name, binding.value)
            if binding.annotation >= 0:
                facts.annotations[binding.name] = binding.annotation
            facts.field_spans[binding.name] = self.file.source.span(statements[binding.name])


def _target_names(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.Assign):
        targets = [
            part
            for target in statement.targets
            for part in (target.elts if isinstance(target, ast.Tuple) else [target])
        ]
        return [target.id for target in targets if isinstance(target, ast.Name)]
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return [statement.target.id]
    return []


def docstring(body: Sequence[ast.stmt]) -> str:
    """The docstring of a body, cut to MAX_DOCSTRING characters."""
    if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        text = body[0].value.value
        if isinstance(text, str):
            return text.strip()[:MAX_DOCSTRING]
    return ""
