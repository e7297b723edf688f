"""Alembic's migration scripts as operations, in the order in which they run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from backendlint.facts.model import Call, FileFacts, FunctionFacts
from backendlint.project.schema import operations as ops
from backendlint.project.schema.ddl import read_script
from backendlint.project.schema.executed import data_text, may_change_schema, row_change, sql_node
from backendlint.project.schema.model import Check, Constraint, ForeignKey, Table, Unique
from backendlint.project.schema.reading import CallNode, Links, Node, location_of, strings
from backendlint.project.schema.revisions import dialect_at, dialect_named, histories
from backendlint.project.schema.sa_columns import (
    Made,
    column_call,
    column_name,
    name_of,
    read_column,
    read_index,
    server_default,
    table_part,
)
from backendlint.project.schema.sa_types import enum_choices, type_of
from backendlint.project.schema.sqlalchemy_models import add_part, autoincrement, put

Bound = tuple[tuple[int, Node], ...]
_DEPTH = 3
"""Helpers of the same project that are followed from upgrade(), and loops in each other that are read round by round."""


def read_alembic(files: Sequence[FileFacts], links: Links, dialect: str) -> list[ops.Migration]:
    """All revisions, parents before children, copies for other databases among them."""
    found = [
        migration
        for file in files
        if (migration := read_revision(file, links, dialect_at(file.path, dialect))) is not None
    ]
    return histories(found)


def is_revision(file: FileFacts) -> bool:
    """True for an Alembic script, by the names that each must have."""
    return "revision" in file.names and "down_revision" in file.names


def read_revision(file: FileFacts, links: Links, dialect: str) -> ops.Migration | None:
    """The file's revision, or None when it is no Alembic script."""
    if not is_revision(file):
        return None
    upgrade, downgrade = _function(file, "upgrade"), _function(file, "downgrade")
    if not upgrade:
        return None
    revision = Node(file, 0, file.names["revision"], links).text()
    parents = strings(Node(file, 0, file.names["down_revision"], links))
    depends = strings(Node(file, 0, file.names["depends_on"], links)) if "depends_on" in file.names else ()
    migration = ops.Migration(
        revision, file.path, "alembic", (*parents, *depends), dialect=dialect,
        location=location_of(file.path, file.functions[upgrade].header),
    )  # fmt: skip
    migration.operations = list(_Script(file, links, dialect).read(upgrade))
    migration.hidden = _in_methods(file)
    if downgrade:
        migration.reverse = list(_Script(file, links, dialect).read(downgrade))
        migration.reverse_location = location_of(file.path, file.functions[downgrade].header)
        migration.reverse_kind = _downgrade_kind(file, downgrade)
    else:
        migration.reverse_kind = "missing"
    return migration


def _function(file: FileFacts, name: str) -> int:
    return next((index for index, item in enumerate(file.functions) if index and item.qualname == name), 0)


def _in_methods(file: FileFacts) -> bool:
    """Whether methods of the file's own classes call operations (`op.rename_table(self.old, self.new)`)."""
    funcs = (item.values[call.func] for item in file.functions if item.cls for call in item.calls)
    return any(value[0] == "name" and ".op." in str(value[1]) for value in funcs)


def _downgrade_kind(file: FileFacts, index: int) -> str:
    facts = file.functions[index]
    if facts.calls and not facts.raises:
        return "written"
    if facts.raises:
        return "raises"
    return "empty"


class _Script:
    """Reads one function's operations, helpers included."""

    def __init__(self, file: FileFacts, links: Links, dialect: str) -> None:
        self.file = file
        self.links = links
        self.dialect = dialect

    def read(self, index: int, around: tuple[int, ...] = (), bound: Bound = ()) -> Iterator[ops.Operation]:
        """The operations of a function in evaluation order, called from those `around`; `bound` is what its parameters are."""
        facts = self.file.functions[index]
        for call in facts.calls:
            view = CallNode(Node(self.file, index, call.value, self.links, bound), call)
            operations = list(self._call(view, (*around, index)))
            guarded, outside = _guarded(self.file, index, call), in_autocommit(self.file, index, call)
            for item in operations:
                alone = item.dialect or (_database_of(facts, call, self.dialect) if guarded else "")
                known = (
                    item if not (guarded or outside) else replace(item, guarded=guarded, outside_transaction=outside)
                )
                yield replace(known, dialect=alone) if alone else known

    def _call(self, view: CallNode, around: tuple[int, ...]) -> Iterator[ops.Operation]:
        value = view.func.value
        if view.name in _READERS and _is_operations(view):
            yield from self._operation(view)
        elif view.name in {"execute", "exec_driver_sql"} and view.args:
            for bound in _unrolled(view):
                yield from self._execute(bound)
        elif value[0] == "def":
            target = next((i for i, item in enumerate(self.file.functions) if i and item.qualname == value[1]), 0)
            if target:
                yield from self._helper(view, target, around)
        elif value[0] == "name":
            found = self.links.find_function(value[1], self.file.module)
            if found is not None and found[0] is self.file:
                yield from self._helper(view, found[1], around)
        elif view.name in {
            "add",
            "add_all",
            "bulk_save_objects",
            "bulk_insert_mappings",
            "bulk_update_mappings",
            "merge",
        }:
            yield ops.RunCode(name=view.name, location=view.location)

    def _helper(self, view: CallNode, index: int, around: tuple[int, ...]) -> Iterator[ops.Operation]:
        """The operations of a helper with what the call hands to it, once for each round of the loops that feed the call."""
        if index in around or len(around) > _DEPTH:
            return
        for bound in _unrolled(view):
            yield from self.read(index, around, _handed(bound, self.file.functions[index]))

    def _operation(self, view: CallNode) -> Iterator[ops.Operation]:
        table = _batch_table(view)
        for bound in _unrolled(view):
            for made in _READERS[view.name](bound, table):
                place = made.location or view.location
                yield replace(made, location=place)

    def _execute(self, view: CallNode) -> Iterator[ops.Operation]:
        node = sql_node(view.args[0])
        text = node.text() or data_text(node)
        place = node.location
        if not text:
            yield (
                ops.RunSQL(sql="", known=False, location=place)
                if may_change_schema(node)
                else ops.RunCode(name="execute", location=place)
            )
            change = row_change(node)
            if change is not None:
                yield ops.DataChange(kind=change[0], table=change[1], where=change[2], location=place)
            return
        script = read_script(text, self.dialect, node.where())
        yield ops.RunSQL(
            sql=text, operations=tuple(script.operations), known=not script.unread, location=place, text=text
        )


def _is_operations(view: CallNode) -> bool:
    """True for `op.x(...)` and `batch_op.x(...)`."""
    value = view.func.value
    if value[0] == "name":
        return str(value[1]).rpartition(".")[0].endswith(("alembic.op", ".op")) or str(value[1]).startswith("alembic.")
    return bool(value[0] == "attr")


def _guarded(file: FileFacts, index: int, call: Call) -> bool:
    """True under an `if`, a `try`'s handler or a loop whose rounds are not known, and beyond an `if ...: return`."""
    facts = file.functions[index]
    block, around = call.block, {0}
    while block > 0:
        item = facts.blocks[block]
        if item.kind in {"if", "else", "except", "while", "case"}:
            return True
        around.add(block)
        block = item.parent
    return any(
        item.kind == "if" and item.exits == "return" and item.parent in around and item.span[2:] <= call.span[:2]
        for item in facts.blocks
    )


def _database_of(facts: FunctionFacts, call: Call, dialect: str) -> str:
    """The other database for which alone a call is made: below `if dialect == "sqlite":`, or in the `else` of the project's own
    (of which nothing is known but that it is another one: as little is said of SQLite)."""
    block = call.block
    while block > 0:
        item = facts.blocks[block]
        if item.kind in {"if", "else"}:
            asked = _asked(facts, item.value if item.kind == "if" else facts.blocks[item.group].value)
            if asked and (asked == dialect) == (item.kind == "else"):
                return asked if item.kind == "if" else "sqlite"
        block = item.parent
    return ""


def _asked(facts: FunctionFacts, test: int) -> str:
    """The database that a test asks for: `bind.dialect.name == "postgresql"`, `url.startswith("mysql")`."""
    value = facts.values[test] if test >= 0 else ("unknown",)
    named = -1
    if value[0] == "compare" and value[1] == ("==",):
        named = value[2][1]
    elif value[0] == "call":
        call = facts.calls[value[1]]
        func = facts.values[call.func]
        named = call.args[0] if func[0] == "attr" and func[2] == "startswith" and len(call.args) == 1 else -1
    other = facts.values[named] if named >= 0 else ("unknown",)
    return dialect_named(other[1]) if other[0] == "const" else ""


def _handed(view: CallNode, helper: FunctionFacts) -> Bound:
    """What the helper's parameters are in this call."""
    given = ((view.argument(number, param.name), number) for number, param in enumerate(helper.params))
    handed = {("param", number): node for node, number in given if node is not None}
    return tuple((vid, handed[value]) for vid, value in enumerate(helper.values) if value in handed)


def _batch_table(view: CallNode) -> str:
    """The table of `with op.batch_alter_table("t") as batch_op`."""
    value = view.func.value
    base = view.func.at(value[1]) if value[0] == "attr" else None
    if base is None or base.value[0] != "enter":
        return ""
    call = base.at(base.value[1]).call()
    if call is None or call.name != "batch_alter_table":
        return ""
    table = call.argument(0, "table_name")
    return table.text() if table is not None else ""


def in_autocommit(file: FileFacts, index: int, call: Call) -> bool:
    """True inside `with op.get_context().autocommit_block()`."""
    facts = file.functions[index]
    block = call.block
    while block > 0:
        item = facts.blocks[block]
        if item.kind == "with" and item.value >= 0:
            value = facts.values[item.value]
            func = facts.values[facts.calls[value[1]].func] if value[0] == "call" else ("unknown",)
            if func[0] == "attr" and func[2] == "autocommit_block":
                return True
        block = item.parent
    return False


def _unrolled(view: CallNode, depth: int = _DEPTH) -> list[CallNode]:
    """The call once for each round of the loops over constant lists that feed it; else just itself."""
    loops = (found for arg in view.args for found in _looped(arg)) if depth else ()
    rounds = next((rounds for loop in loops if (rounds := _rounds(loop))), [])
    return [
        inner
        for bound in rounds
        for inner in _unrolled(CallNode(replace(view.node, bound=(*view.node.bound, *bound)), view.call), depth - 1)
    ] or [view]


def _rounds(loop: Node) -> list[Bound]:
    """What the loop's variables are in each round: over a list, the keys of a dict, or its `items()`."""
    container = loop.at(loop.value[1])
    call = container.call()
    if call is not None and call.name == "items":
        listed = _receiver(call.func)
        return [_unpacked(loop, pair) for pair in (listed.pairs() if listed is not None else None) or []]
    elements = container.elements()
    if elements is None:
        elements = [key for key, _ in container.pairs() or []]
    return [((loop.vid, element), *_unpacked(loop, element.elements() or [])) for element in elements]


def _receiver(func: Node) -> Node | None:
    """What a method is called on: a value, or a name of the module."""
    value = func.value
    if value[0] == "name":
        return func.links.find_value(str(value[1]).rpartition(".")[0], func.file.module)
    return func.at(value[1]) if value[0] == "attr" else None


def _looped(node: Node) -> Iterator[Node]:
    """The loop's variable that an argument is, or that is unpacked into it, or that a column or a text in it is made of."""
    value = node.value
    if value[0] == "elem":
        yield node
    elif value[0] in ("unpack", "guard"):
        yield from _looped(node.at(value[1]))
    elif value[0] == "call":
        for vid in node.facts.calls[value[1]].args:
            yield from _looped(node.at(vid))
    elif value[0] == "fmt":
        for vid in value[2]:
            yield from _looped(node.at(vid))


def _unpacked(loop: Node, parts: Sequence[Node]) -> Bound:
    """The loop's variables in a round whose element consists of these parts."""
    return tuple(
        (vid, parts[value[2]])
        for vid, value in enumerate(loop.facts.values)
        if value[0] == "unpack" and value[1] == loop.vid and 0 <= value[2] < len(parts)
    )


def _table(view: CallNode, batch: str, position: int, name: str = "table_name") -> str:
    if batch:
        return batch
    node = view.argument(position, name)
    return name_of(node)


def _qualified(view: CallNode, table: str) -> str:
    schema = view.kwarg("schema")
    text = schema.text() if schema is not None else ""
    return f"{text}.{table}" if text and text != "public" else table


def _shift(batch: str) -> int:
    """In batch mode the table's name is no argument."""
    return -1 if batch else 0


def _create_table(view: CallNode, batch: str) -> Iterator[ops.Operation]:
    name = name_of(view.args[0]) if view.args else name_of(view.kwarg("table_name"))
    schema = view.kwarg("schema")
    table = Table(name, namespace=schema.text() if schema else "", source="alembic", location=view.location)
    for member in view.args[1:]:
        call = column_call(member)
        if call is not None:
            made = _helped(member, read_column(name, "", call))
            table.complete = table.complete and bool(made.column.name)
            put(table, made)
        elif not _left_out(member):
            add_part(table, table_part(member))
    if any(
        view.node.at(vid).value[0] == "star" and view.node.at(view.node.at(vid).value[1]).elements() is None
        for vid in view.call.args
    ):
        table.complete = False
    table.primary_key = table.primary_key or tuple(
        column.name for column in table.columns.values() if column.primary_key
    )
    autoincrement(table)
    if name:
        yield ops.CreateTable(table=table, if_not_exists=view.flag("if_not_exists") is True)
    else:
        yield ops.Other(kind=ops.UNNAMED_TABLE)


def _helped(member: Node, made: Made) -> Made:
    """`_json_column("payload")` of a helper, whose first argument is the column's name."""
    outer = member.call()
    if not made.column.name and outer is not None and outer.args:
        made.column = replace(made.column, name=outer.args[0].text())
    return made


def _left_out(member: Node) -> bool:
    """Alembic leaves a foreign key with `use_alter` out of the table, and adds it nowhere."""
    call = member.call()
    return call is not None and call.name == "ForeignKeyConstraint" and call.flag("use_alter") is True


def _drop_table(view: CallNode, batch: str) -> Iterator[ops.Operation]:
    yield ops.DropTable(table=_qualified(view, _table(view, batch, 0)))


def _rename_table(view: CallNode, batch: str) -> Iterator[ops.Operation]:
    yield ops.RenameTable(
        table=_qualified(view, name_of(view.argument(0, "old_table_name"))),
        new=name_of(view.argument(1, "new_table_name")),
    )


def _add_column(view: CallNode, batch: str) -> Iterator[ops.Operation]:
    table = _table(view, batch, 0)
    node = view.argument(1 + _shift(batch), "column")
    call = column_call(node) if node is not None else None
    if call is not None:
        made = read_column(table, "", call)
        yield ops.AddColumn(table=_qualified(view, table), column=made.column, constraints=tuple(made.parts))


def _drop_column(view: CallNode, batch: str) -> Iterator[ops.Operation]:
    yield ops.DropColumn(
        table=_qualified(view, _table(view, batch, 0)), column=name_of(view.argument(1 + _shift(batch), "column_name"))
    )


def _alter_column(view: CallNode, batch: str) -> Iterator[ops.Operation]:
    table = _qualified(view, _table(view, batch, 0))
    column = name_of(view.argument(1 + _shift(batch), "column_name"))
    kind, default = view.kwarg("type_"), view.kwarg("server_default")
    old = view.kwarg("existing_type")
    type_text = type_of(kind) if kind is not None else None
    if type_text is not None and old is not None and type_of(old) == type_text and type_text:
        type_text = None
    using = view.kwarg("postgresql_using")
    nullable = view.flag("nullable")
    yield ops.AlterColumn(
        table=table, column=column, type=type_text,
        nullable=None if nullable is view.flag("existing_nullable") else nullable,
        default=server_default(default) if default is not None else None,
        drop_default=default is not None and server_default(default) is None,
        using=using.text() if using is not None else "", choices=enum_choices(kind) if kind is not None else (),
    )  # fmt: skip
    new = name_of(view.kwarg("new_column_name"))
    if new and new != column:
        yield ops.RenameColumn(table=table, column=column, new=new)


def _create_index(view: CallNode, batch: str) -> Iterator[ops.Operation]:
    table = _table(view, batch, 1)
    columns = view.argument(2 + _shift(batch), "columns")
    members = (columns.elements() or []) if columns is not None else []
    index = read_index(view, members, name_of(view.argument(0, "index_name")))
    unique = view.flag("unique", False) is True or any(arg.const() is True for arg in view.args[3 + _shift(batch) :])
    yield ops.CreateIndex(
        table=_qualified(view, table), index=replace(index, unique=unique),
        concurrently=view.flag("postgresql_concurrently") is True, if_not_exists=view.flag("if_not_exists") is True,
    )  # fmt: skip


def _drop_index(view: CallNode, batch: str) -> Iterator[ops.Operation]:
    yield ops.DropIndex(
        name=name_of(view.argument(0, "index_name")), table=_qualified(view, _table(view, batch, 1)),
        concurrently=view.flag("postgresql_concurrently") is True,
    )  # fmt: skip


def _names(node: Node | None) -> tuple[str, ...]:
    return tuple(column_name(item) for item in (node.elements() or [])) if node is not None else ()


def _add(view: CallNode, table: str, constraint: Constraint) -> ops.AddConstraint:
    not_valid = view.flag("postgresql_not_valid") is True
    return ops.AddConstraint(table=_qualified(view, table), constraint=constraint, validated=not not_valid)


def _unique(view: CallNode, batch: str) -> Iterator[ops.Operation]:
    columns = _names(view.argument(2 + _shift(batch), "columns"))
    yield _add(
        view,
        _table(view, batch, 1),
        Unique(name_of(view.argument(0, "constraint_name")), columns, location=view.location),
    )


def _check(view: CallNode, batch: str) -> Iterator[ops.Operation]:
    node = view.argument(2 + _shift(batch), "condition")
    text = sql_node(node).text() if node is not None else ""
    yield _add(view, _table(view, batch, 1), Check(name_of(view.argument(0, "constraint_name")), text, view.location))


def _foreign_key(view: CallNode, batch: str) -> Iterator[ops.Operation]:
    shift = _shift(batch)
    target = name_of(view.argument(2 + shift, "referent_table"))
    on_delete = view.kwarg("ondelete")
    key = ForeignKey(
        name_of(view.argument(0, "constraint_name")), _names(view.argument(3 + shift, "local_cols")), target,
        _names(view.argument(4 + shift, "remote_cols")), (on_delete.text() if on_delete else "").upper(),
        location=view.location,
    )  # fmt: skip
    source = view.kwarg("source_schema")
    made = _add(view, _table(view, batch, 1, "source_table"), key)
    yield (
        replace(made, table=f"{source.text()}.{made.table}")
        if source is not None and source.text() not in {"", "public"}
        else made
    )


def _primary_key(view: CallNode, batch: str) -> Iterator[ops.Operation]:
    columns = _names(view.argument(2 + _shift(batch), "columns"))
    yield ops.AddPrimaryKey(table=_qualified(view, _table(view, batch, 1)), columns=columns)


def _drop_constraint(view: CallNode, batch: str) -> Iterator[ops.Operation]:
    kind = view.kwarg("type_") or (view.args[2 + _shift(batch)] if len(view.args) > 2 + _shift(batch) else None)
    kinds = {"unique": "unique", "foreignkey": "foreign-key", "check": "check", "primary": "primary-key"}
    yield ops.DropConstraint(
        table=_qualified(view, _table(view, batch, 1)), name=name_of(view.argument(0, "constraint_name")),
        kind=kinds.get(kind.text() if kind is not None else "", ""),
    )  # fmt: skip


def _bulk_insert(view: CallNode, batch: str) -> Iterator[ops.Operation]:
    yield ops.RunCode(name="bulk_insert", location=view.location)


def _comment(view: CallNode, batch: str) -> Iterator[ops.Operation]:
    yield ops.Other(kind="COMMENT")


_READERS: dict[str, Callable[[CallNode, str], Iterator[ops.Operation]]] = {
    "create_table": _create_table, "drop_table": _drop_table, "rename_table": _rename_table, "add_column": _add_column,
    "drop_column": _drop_column, "alter_column": _alter_column, "create_index": _create_index, "drop_index": _drop_index,
    "create_unique_constraint": _unique, "create_check_constraint": _check, "create_foreign_key": _foreign_key,
    "create_primary_key": _primary_key, "drop_constraint": _drop_constraint, "bulk_insert": _bulk_insert,
    "create_table_comment": _comment, "drop_table_comment": _comment,
    # GeoAlchemy2's, which also keep the database's own list of geometries
    "create_geospatial_table": _create_table, "drop_geospatial_table": _drop_table, "add_geospatial_column": _add_column,
    "drop_geospatial_column": _drop_column, "create_geospatial_index": _create_index, "drop_geospatial_index": _drop_index,
}  # fmt: skip
