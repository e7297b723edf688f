"""SQLAlchemy's `Column`, `mapped_column` and SQLModel's `Field` as columns with their keys and indexes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from backendlint.project.schema.model import Check, Column, Constraint, ForeignKey, Index, Unique
from backendlint.project.schema.reading import CallNode, Node, strings
from backendlint.project.schema.sa_types import Annotation, enum_choices, is_type, type_of

COLUMN_CALLS = frozenset({"Column", "mapped_column"})
_WRAPPERS = frozenset({"deferred", "column_property"})


@dataclass(slots=True)
class Made:
    """A column and the constraints and indexes that its definition carries. A foreign key's type may come from its target."""

    column: Column
    parts: list[Constraint | Index] = field(default_factory=list)


def column_call(node: Node, depth: int = 0) -> CallNode | None:
    """The `Column(...)`-like call that this value is, wrappers and project helpers looked through."""
    call = node.call()
    if call is None or depth > 3:
        return None
    if call.name in COLUMN_CALLS:
        return call
    if call.name in _WRAPPERS and call.args:
        return column_call(call.args[0], depth + 1)
    found = node.links.find_function(call.dotted) if call.dotted else None
    if found is not None:
        file, index = found
        for item in file.functions[index].returns:
            if item.value >= 0:
                made = column_call(Node(file, index, item.value, node.links), depth + 1)
                if made is not None:
                    return made
    return None


def read_column(table: str, attribute: str, call: CallNode, annotation: Annotation | None = None) -> Made:
    """The column that the call makes; `attribute` is the class's name for it ("" in a `Table`)."""
    args = call.args
    name = call.kwarg("name")
    shown = name.text() if name is not None else ""
    if args and (text := args[0].text()):
        shown = text
        args = args[1:]
    column = Column(
        shown or attribute, attribute=attribute if shown not in {"", attribute} else "", location=call.location
    )
    column = replace(
        column, type=annotation.type if annotation else "", nullable=annotation.nullable if annotation else True
    )
    made = Made(column)
    for argument in args:
        _argument(made, argument)
    if annotation and made.column.type == annotation.type and any(isinstance(part, ForeignKey) for part in made.parts):
        made.column = replace(made.column, type="")  # the target's type: the annotation does not count then
    kind = call.kwarg("type_") or call.kwarg("sa_type")
    if kind is not None:
        made.column = replace(made.column, type=type_of(kind), choices=enum_choices(kind))
    _keywords(table, made, call)
    return made


def _argument(made: Made, node: Node) -> None:
    """A positional argument: a type, a foreign key, an identity, a check."""
    call = node.call()
    name = call.name if call else node.last()
    if name == "ForeignKey" and call is not None:
        key = _foreign_key(made.column.name, call)
        if key is not None:
            made.parts.append(key)
    elif name in {"Identity", "Sequence"}:
        made.column = replace(
            made.column, autoincrement=True, nullable=False if name == "Identity" else made.column.nullable
        )
    elif name in {"Computed", "FetchedValue"}:
        made.column = replace(made.column, default=f"GENERATED ({call.args[0].text() if call and call.args else ''})")
    elif name == "CheckConstraint" and call is not None:
        made.parts.append(read_check(call))
    elif is_type(node) or (name and name[0].isupper()):
        made.column = replace(made.column, type=type_of(node), choices=enum_choices(node))


def _foreign_key(column: str, call: CallNode) -> ForeignKey | None:
    if not call.args:
        return None
    target, target_columns = reference(
        call.args[0]
    )  # "" where it is computed: the column refers to something all the same
    on_delete = call.kwarg("ondelete")
    name = call.kwarg("name")
    return ForeignKey(
        name.text() if name else "", (column,), target, target_columns, (on_delete.text() if on_delete else "").upper(),
        location=call.location,
    )  # fmt: skip


def reference(node: Node | None) -> tuple[str, tuple[str, ...]]:
    """(table, columns) of a foreign key's target: `"users.id"`, `User.id`, or `"users"`. Classes are given as `<Class>`."""
    if node is None:
        return "", ()
    text = node.text()
    if text:
        table, _, column = text.rpartition(".")
        return (table, (column,)) if table else (text, ())
    value = node.value
    if value[0] == "attr":
        owner = node.at(value[1])
        base = owner.at(owner.value[1]) if owner.value[0] == "attr" and owner.value[2] in {"c", "columns"} else owner
        return f"<{base.dotted()}>", (str(value[2]),)
    if value[0] == "name" and "." in value[1]:
        owner_name, _, column = value[1].rpartition(".")
        return f"<{node.links.canonical(owner_name)}>", (column,)
    return "", ()


def _keywords(table: str, made: Made, call: CallNode) -> None:
    column = made.column
    primary = call.flag("primary_key", False) is True
    nullable = call.flag("nullable")
    if nullable is None:
        nullable = column.nullable and not primary
    default = call.kwarg("server_default")
    identity = call.flag("autoincrement")
    client = any(call.kwarg(key) is not None for key in ("default", "default_factory", "insert_default", "onupdate"))
    only_update = call.kwarg("onupdate") is not None and not any(
        call.kwarg(key) is not None for key in ("default", "default_factory", "insert_default")
    )
    comment = call.kwarg("comment")
    made.column = replace(
        column,
        primary_key=primary,
        nullable=nullable,
        default=server_default(default) if default is not None else column.default,
        client_default=client and not only_update,
        autoincrement=column.autoincrement or bool(identity),
        comment=comment.text() if comment else "",
    )
    unique, index = call.flag("unique", False), call.flag("index", False)
    if index:
        made.parts.append(Index(f"ix_{table}_{column.name}", (column.name,), bool(unique), location=call.location))
    elif unique:
        made.parts.append(Unique("", (column.name,), location=call.location))


def server_default(node: Node) -> str | None:
    """The text of a server default: None for None and False (none), `text()` and `func.x()` as SQL."""
    value = node.const(...)
    if value is None or value is False:
        return None
    if isinstance(value, str):
        return f"'{value}'"
    call = node.call()
    if call is None:
        return "?"
    if call.name in {"text", "literal_column", "TextClause"} and call.args:
        return call.args[0].text() or "?"
    if call.name in {"Identity", "Sequence"}:
        return "GENERATED BY DEFAULT AS IDENTITY"
    return f"{call.name}()"


def read_check(call: CallNode) -> Check:
    """`CheckConstraint("sql", name=...)`."""
    name = call.argument(1, "name")
    return Check(name_of(name), call.args[0].text() if call.args else "", call.location)


def name_of(node: Node | None) -> str:
    """A name, `op.f("name")` included."""
    if node is None:
        return ""
    call = node.call()
    if call is not None and call.name == "f" and call.args:
        return call.args[0].text()
    return node.text()


def table_part(node: Node) -> Constraint | Index | tuple[str, ...] | None:
    """A member of `__table_args__` or `Table(...)`: a constraint, an index, or a primary key's columns."""
    call = node.call()
    if call is None:
        return None
    name_node = call.kwarg("name")
    if call.name == "Index":
        return read_index(call, call.args[1:], name_of(call.args[0] if call.args else None))
    if call.name == "UniqueConstraint":
        return Unique(name_of(name_node), tuple(column_name(arg) for arg in call.args), location=call.location)
    if call.name == "PrimaryKeyConstraint":
        return tuple(column_name(arg) for arg in call.args)
    if call.name == "CheckConstraint":
        return read_check(call)
    if call.name == "ForeignKeyConstraint":
        return _composite(call, name_of(name_node))
    return None


def _composite(call: CallNode, name: str) -> ForeignKey | None:
    local, remote = call.argument(0, "columns"), call.argument(1, "refcolumns")
    targets = [reference(item) for item in (remote.elements() or [])] if remote is not None else []
    if not targets or not targets[0][0]:
        return None
    columns = tuple(column[0] for _, column in targets if column)
    on_delete = call.kwarg("ondelete")
    local_names = tuple(column_name(item) for item in (local.elements() or [])) if local is not None else ()
    return ForeignKey(
        name,
        local_names,
        targets[0][0],
        columns,
        (on_delete.text() if on_delete else "").upper(),
        location=call.location,
    )


def column_name(node: Node) -> str:
    """The column that an index or constraint member names: a text, `Class.column`, or a column of the class's body."""
    text = node.text()
    if text:
        return text
    value = node.value
    if value[0] == "attr":
        return str(value[2])
    if value[0] == "name":
        return str(value[1]).rpartition(".")[2]
    if value[0] == "call":
        body = column_call(node)
        if body is not None:
            return _bound_name(node)
    return ""


def _bound_name(node: Node) -> str:
    """The class attribute that holds this very value."""
    for cls in node.file.classes.values():
        for name, vid in cls.attributes.items():
            if cls.owner == node.function and vid == node.vid:
                return name
    return ""


def read_index(call: CallNode, members: list[Node], name: str) -> Index:
    """`Index("name", columns or expressions, unique=, postgresql_where=, postgresql_using=)`."""
    columns: list[str] = []
    expressions: set[int] = set()
    opclasses: list[str] = []
    for position, member in enumerate(members):
        shown, is_expression = _member(member)
        columns.append(shown)
        if is_expression:
            expressions.add(position)
    where = call.kwarg("postgresql_where") or call.kwarg("sqlite_where")
    using = call.kwarg("postgresql_using") or call.kwarg("mysql_prefix")
    ops = call.kwarg("postgresql_ops")
    for _, value in (ops.pairs() or []) if ops is not None else []:
        opclasses.append(value.text())
    include = strings(call.kwarg("postgresql_include"))
    return Index(
        name, tuple(columns), call.flag("unique", False) is True, using.text().lower() if using else "",
        _where(where), frozenset(expressions), include, tuple(opclasses), call.location,
    )  # fmt: skip


def _where(node: Node | None) -> str:
    if node is None:
        return ""
    call = node.call()
    if call is not None and call.name == "text" and call.args:
        return call.args[0].text() or "?"
    return node.text() or "?"


def _member(node: Node) -> tuple[str, bool]:
    """(column or expression text, whether it is an expression)."""
    call = node.call()
    if call is not None and column_call(node) is None:
        if call.name in {"desc", "asc", "nullslast", "nullsfirst", "nulls_last", "nulls_first", "collate"}:
            inner = call.func.at(call.func.value[1]) if call.func.value[0] == "attr" else None
            column = column_name(inner) if inner is not None else ""
            return (column or (column_name(call.args[0]) if call.args else ""), False)
        if call.name in {"text", "literal_column"} and call.args:
            text = call.args[0].text()
            plain = text.removesuffix(" DESC").removesuffix(" ASC").removesuffix(" desc").strip()
            return (plain, not plain.isidentifier())
        inner_text = ", ".join(_member(arg)[0] for arg in call.args)
        return f"{call.name}({inner_text})", True
    return column_name(node), False
