"""REL306: UPDATE and DELETE without WHERE, in SQL texts and by ORMs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

from sqlglot import exp

from backendlint.api import Call, Fn, Hit, Project, SqlStatement, sql

_MEANT = re.compile(
    r"(?:^|_)(?:clear|reset|truncate|purge|wipe|flush|empty|delete_all|remove_all|drop|teardown|clean_?up|seed|populate)(?:_|$)",
    re.IGNORECASE,
)
_TEMPORARY = re.compile(r"^(?:tmp|temp|staging|scratch)_|_(?:tmp|temp|staging|scratch)$|^#", re.IGNORECASE)
_SINGLE = re.compile(
    r"(?:version|ordering|position|counter|sequence|settings?|config|metadata|lock|cursor|checkpoint|watermark)$",
    re.IGNORECASE,
)
"""Tables that by their names hold one row."""
_NARROWING = frozenset({"where", "filter", "filter_by", "with_only_columns", "limit"})
_SQL = frozenset({"sqlalchemy.delete", "sqlalchemy.update", "sqlmodel.delete", "sqlmodel.update"})


def check(project: Project) -> Iterator[Hit]:
    """SQL texts outside of migrations, then ORM calls."""
    for statement in project.data.statements:
        if (
            statement.verb() in {"UPDATE", "DELETE", "WITH"}
            and not statement.in_migration
            and statement.source.role != "file"
        ):
            yield from _statement(statement)
    models = {table.owner for table in project.data.sqlalchemy.tables.values() if table.owner}
    written = chain(project.graph.calls_written("update", "delete"), project.graph.calls_of(*_SQL))
    for fn, call in {(fn.fqn, call.value): (fn, call) for fn, call in written}.values():
        if (
            fn.path in project.data.migration_paths
            or _MEANT.search(fn.name)
            or "/management/commands/" in f"/{fn.path}"
        ):
            continue
        hit = _django(project, fn, call) or _sqlalchemy(project, models, fn, call)
        if hit is not None:
            yield hit


def _statement(statement: SqlStatement) -> Iterator[Hit]:
    tree = statement.tree
    if not isinstance(tree, exp.Update | exp.Delete) or statement.partial:
        return
    fn = statement.function
    if (
        tree.args.get("where") is not None
        or tree.args.get("limit") is not None
        or (fn is not None and _MEANT.search(fn.name))
    ):
        return
    table = tree.this.name if isinstance(tree.this, exp.Table) else ""
    if not table or _TEMPORARY.search(table) or tree.args.get("using") or tree.find(exp.Join) is not None:
        return
    if (
        statement.is_hole(table)
        or _SINGLE.search(table)
        or any("WHERE" in text.upper() for text in statement.source.others)
    ):
        return
    if isinstance(tree, exp.Delete) and _refilled(statement, table):
        return
    shown = f"`{table}`"
    what = (
        f"`UPDATE` without WHERE{sql.within(statement)} changes"
        if isinstance(tree, exp.Update)
        else f"`DELETE` without WHERE{sql.within(statement)} removes"
    )
    yield statement.hit(
        f"{what} every row of {shown}, and no backup but the last one brings them back; add the condition, "
        "or, if all rows are meant, "
        "say so in the function's name."
    )


def _refilled(statement: SqlStatement, table: str) -> bool:
    """True where the same function inserts into the table: its contents are replaced as a whole."""
    wanted = re.compile(rf"\bINTO\s+[\"`]?{re.escape(table)}\b", re.IGNORECASE)
    return any(text.fn is statement.function and wanted.search(text.text) for text in statement.project.data.texts)


def _django(project: Project, fn: Fn, call: Call) -> Hit | None:
    """`Model.objects.all().delete()` and `Model.objects.update(...)`; related managers belong to one object and are fine."""
    func = fn.value(call.func)
    name = str(func[2]) if func[0] == "attr" else str(func[1]).rpartition(".")[2] if func[0] == "name" else ""
    if name not in {"delete", "update"} or (name == "update" and not call.kwargs):
        return None
    if name == "delete" and call.args:
        return None
    chain = _chain(fn, call.func)
    if chain is None:
        return None
    model, methods = chain
    if "objects" not in methods[:1] or any(step not in {"objects", "all"} for step in methods):
        return None
    if name == "delete" and "all" not in methods:
        return None
    found = _model(project, fn, model)
    if found is None:
        return None
    did = "removes" if name == "delete" else "changes"
    return Hit(
        f"`{found}.objects{'.all()' if 'all' in methods else ''}.{name}()` in `{fn.name}()` {did} every "
        "row of the table, and no backup but the last one "
        "brings them back; filter first, or, if all rows are meant, say so in the function's name.",
        fn.location(call.span),
        function=fn.fqn,
    )


def _chain(fn: Fn, func: int) -> tuple[str, list[str]] | None:
    """(dotted base, methods up to before the last) of `a.B.objects.all().delete`."""
    methods: list[str] = []
    value = fn.value(func)
    for _ in range(8):
        if value[0] == "attr":
            methods.insert(0, str(value[2]))
            value = fn.value(value[1])
        elif value[0] == "call":
            inner = fn.calls[value[1]]
            if inner.args or inner.kwargs:
                return None
            value = fn.value(inner.func)
        elif value[0] == "name":
            dotted = str(value[1])
            if ".objects" not in dotted and "objects" not in methods:
                return None
            base, _, rest = dotted.partition(".objects")
            tail = ["objects", *[part for part in rest.split(".") if part]] if ".objects" in dotted else []
            return base, [*tail, *methods][:-1]
        else:
            return None
    return None


def _model(project: Project, fn: Fn, dotted: str) -> str | None:
    for ref in project.resolver.dotted(dotted, fn.file.module):
        if ref.kind == "class" and ref.name in project.data.django_state.classes:
            return ref.name.rpartition(".")[2]
    return None


def _sqlalchemy(project: Project, models: set[str], fn: Fn, call: Call) -> Hit | None:
    """`session.execute(delete(Model))` and `session.query(Model).delete()` without a condition anywhere on the way."""
    for ref in project.callees(fn, call):
        if ref.kind == "lib" and ref.name in _SQL and len(call.args) == 1 and not _narrowed(fn, call.value):
            model = _class(project, fn, call.args[0], models)
            if model is not None and _executed(fn, call.value):
                return _orm_hit(fn, call, ref.name.rpartition(".")[2], model)
    func = fn.value(call.func)
    if func[0] == "attr" and func[2] in {"delete", "update"} and fn.value(func[1])[0] == "call":
        inner = fn.calls[fn.value(func[1])[1]]
        inner_func = fn.value(inner.func)
        name = (
            str(inner_func[2])
            if inner_func[0] == "attr"
            else str(inner_func[1]).rpartition(".")[2]
            if inner_func[0] == "name"
            else ""
        )
        if name == "query" and len(inner.args) == 1:
            model = _class(project, fn, inner.args[0], models)
            if model is not None:
                return _orm_hit(fn, call, str(func[2]), model)
    if func[0] == "name" and str(func[1]).endswith((".query.delete", ".query.update")):
        for ref in project.resolver.dotted(str(func[1]).rsplit(".query.", 1)[0], fn.file.module):
            if ref.kind == "class" and ref.name in models:
                return _orm_hit(fn, call, str(func[1]).rpartition(".")[2], ref.name.rpartition(".")[2])
    return None


def _orm_hit(fn: Fn, call: Call, verb: str, model: str) -> Hit:
    did = "removes" if verb == "delete" else "changes"
    return Hit(
        f"The {verb} of `{model}` in `{fn.name}()` has no condition, so it {did} every row of the table, "
        "and no backup but the last one brings them "
        "back; add `.where(...)`, or, if all rows are meant, say so in the function's name.",
        fn.location(call.span),
        function=fn.fqn,
    )


def _class(project: Project, fn: Fn, vid: int, models: set[str]) -> str | None:
    return next(
        (ref.name.rpartition(".")[2] for ref in project.refs(fn, vid) if ref.kind == "class" and ref.name in models),
        None,
    )


def _family(fn: Fn, vid: int) -> set[int]:
    """The value and what is made of it by method calls and branches."""
    family = {vid}
    for number, value in enumerate(fn.facts.values):
        if (
            (value[0] == "attr" and value[1] in family)
            or (value[0] == "phi" and family & set(value[1]))
            or (value[0] == "guard" and value[1] in family)
            or (value[0] == "call" and fn.calls[value[1]].func in family)
        ):
            family.add(number)
    return family


def _narrowed(fn: Fn, vid: int) -> bool:
    family = _family(fn, vid)
    return any(value[0] == "attr" and value[1] in family and value[2] in _NARROWING for value in fn.facts.values)


def _executed(fn: Fn, vid: int) -> bool:
    family = _family(fn, vid)
    return any(family & set(call.args) for call in fn.calls)
