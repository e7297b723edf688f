"""Playing operations on a schema, the way a database would."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from backendlint.project.schema import operations as ops
from backendlint.project.schema.model import (
    Check,
    Column,
    Constraint,
    ForeignKey,
    Index,
    Schema,
    Table,
    Unique,
    key_of,
)


def apply(schema: Schema, operation: ops.Operation) -> None:
    """Change `schema` as `operation` says; what names unknown tables or columns leaves it alone."""
    if operation.state_only:
        return
    _doubt(schema, operation)
    if not _apply_to_table(schema, operation):
        _apply_to_parts(schema, operation)


def _doubt(schema: Schema, operation: ops.Operation) -> None:
    """What changes a table or column that was never made tells that something made it which was not read."""
    name = getattr(operation, "table", "")
    if (
        not isinstance(name, str)
        or not name
        or isinstance(operation, ops.DropTable | ops.DropConstraint | ops.DropIndex)
    ):
        return
    table = schema.find(name)
    if table is None:
        schema.complete = False
        for other in schema.named(name.rpartition(".")[2]) if "." in name else ():
            other.complete = False  # it may well be that one, in a namespace that was not read
        return
    named: tuple[str, ...] = ()
    if isinstance(operation, ops.CreateIndex):
        index = operation.index
        named = tuple(column for i, column in enumerate(index.columns) if i not in index.expressions)
    elif isinstance(operation, ops.AlterColumn | ops.RenameColumn | ops.DropColumn):
        named = (operation.column,)
    if any(table.column(column) is None for column in named):
        table.complete = False


def _apply_to_table(schema: Schema, operation: ops.Operation) -> bool:
    """Operations on tables and columns; False for others."""
    match operation:
        case ops.CreateTable():
            _create_table(schema, operation)
        case ops.DropTable():
            _drop_table(schema, operation)
        case ops.RenameTable():
            _rename_table(schema, operation)
        case ops.AddColumn():
            _add_column(schema, operation)
        case ops.DropColumn():
            _drop_column(schema, operation)
        case ops.RenameColumn():
            _rename_column(schema, operation)
        case ops.AlterColumn():
            _alter_column(schema, operation)
        case _:
            return False
    return True


def _apply_to_parts(schema: Schema, operation: ops.Operation) -> None:
    """Operations on constraints and indexes, and SQL."""
    match operation:
        case ops.AddConstraint():
            _add_constraint(schema, operation)
        case ops.AddPrimaryKey():
            _add_primary_key(schema, operation)
        case ops.DropConstraint():
            _drop_constraint(schema, operation)
        case ops.CreateIndex():
            _create_index(schema, operation)
        case ops.DropIndex():
            _drop_index(schema, operation)
        case ops.RenameIndex():
            _rename_index(schema, operation)
        case ops.RunSQL():
            _run_sql(schema, operation)
        case _:
            pass


def bring(schema: Schema, operation: ops.Operation, *around: Schema) -> None:
    """Put the table that an operation is about into the schema, where that lacks it and one of those around has it."""
    name = getattr(operation, "table", None)
    if isinstance(name, str) and name and schema.find(name) is None:
        known = next(filter(None, (other.find(name) for other in around)), None)
        if known is not None:
            schema.add(known.copy())


def apply_all(schema: Schema, operations: Iterable[ops.Operation]) -> Schema:
    """Play all operations in order, on the schema itself."""
    for operation in operations:
        apply(schema, operation)
    return schema


def _create_table(schema: Schema, op: ops.CreateTable) -> None:
    known = schema.find(op.table.name)
    if known is None or key_of(known.name, known.namespace) != key_of(op.table.name, op.table.namespace):
        schema.add(op.table.copy())
    elif not op.if_not_exists:  # made twice: for another database, or on another way through the history
        known.complete = False
        known.columns = {**op.table.columns, **known.columns}


def _drop_table(schema: Schema, op: ops.DropTable) -> None:
    schema.remove(op.table)


def _rename_table(schema: Schema, op: ops.RenameTable) -> None:
    table = schema.remove(op.table)
    if table is None:
        return
    old = table.name
    table.name = op.new
    schema.add(table)
    for other in schema.tables.values():
        other.foreign_keys = [
            replace(key, target=op.new) if key.target.lower() == old.lower() else key for key in other.foreign_keys
        ]


def _add_column(schema: Schema, op: ops.AddColumn) -> None:
    table = schema.find(op.table)
    if table is None:
        return
    column = op.column
    if not column.name:
        table.complete = False
        return
    if op.one_off_default:
        column = replace(column, default=None, client_default=False)
    table.columns[column.name] = column
    if column.primary_key and not table.primary_key:
        table.primary_key = (column.name,)
    for part in op.constraints:
        add_part(table, part)


def add_part(table: Table, part: Constraint | Index) -> None:
    """Put a constraint or index into its list."""
    if isinstance(part, Index):
        table.indexes.append(part)
    elif isinstance(part, Unique):
        table.uniques.append(part)
    elif isinstance(part, ForeignKey):
        table.foreign_keys.append(part)
    else:
        table.checks.append(part)


def _drop_column(schema: Schema, op: ops.DropColumn) -> None:
    table = schema.find(op.table)
    if table is None:
        return
    column = table.column(op.column)
    if column is None:
        return
    del table.columns[column.name]
    _forget_column(table, column.name)


def _forget_column(table: Table, name: str) -> None:
    table.primary_key = tuple(column for column in table.primary_key if column != name)
    table.indexes = [index for index in table.indexes if name not in index.columns]
    table.uniques = [unique for unique in table.uniques if name not in unique.columns]
    table.foreign_keys = [key for key in table.foreign_keys if name not in key.columns]
    table.checks = [check for check in table.checks if not re.search(rf"\b{re.escape(name)}\b", check.text)]


def _rename_column(schema: Schema, op: ops.RenameColumn) -> None:
    table = schema.find(op.table)
    if table is None:
        return
    column = table.column(op.column)
    if column is None:
        return
    old, new = column.name, op.new
    table.columns = {
        (new if name == old else name): (replace(item, name=new) if name == old else item)
        for name, item in table.columns.items()
    }

    def renamed(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(new if name == old else name for name in names)

    table.primary_key = renamed(table.primary_key)
    table.indexes = [replace(index, columns=renamed(index.columns)) for index in table.indexes]
    table.uniques = [replace(unique, columns=renamed(unique.columns)) for unique in table.uniques]
    table.foreign_keys = [replace(key, columns=renamed(key.columns)) for key in table.foreign_keys]
    for other in schema.tables.values():
        other.foreign_keys = [
            replace(key, target_columns=renamed(key.target_columns)) if key.target == table.name else key
            for key in other.foreign_keys
        ]


def _alter_column(schema: Schema, op: ops.AlterColumn) -> None:
    table = schema.find(op.table)
    column = table.column(op.column) if table else None
    if table is None or column is None:
        return
    changed: Column = column
    if op.type is not None:
        changed = replace(changed, type=op.type, choices=op.choices)
    if op.nullable is not None:
        changed = replace(changed, nullable=op.nullable)
    if op.default is not None or op.drop_default:
        changed = replace(changed, default=op.default)
    table.columns[column.name] = changed
    for part in op.constraints:
        add_part(table, part)


def _add_constraint(schema: Schema, op: ops.AddConstraint) -> None:
    table = schema.find(op.table)
    if table is None:
        return
    if op.using_index:
        index = next((item for item in table.indexes if item.name == op.using_index), None)
        if index is not None:
            table.indexes.remove(index)
            table.uniques.append(Unique(op.constraint.name, index.columns, index.where, op.location))
        return
    add_part(table, op.constraint)


def _add_primary_key(schema: Schema, op: ops.AddPrimaryKey) -> None:
    table = schema.find(op.table)
    if table is None:
        return
    columns = op.columns
    if op.using_index:
        index = next((item for item in table.indexes if item.name == op.using_index), None)
        if index is not None:
            table.indexes.remove(index)
            columns = index.columns
    table.primary_key = columns
    for name in columns:
        column = table.column(name)
        if column is not None:
            table.columns[column.name] = replace(column, primary_key=True, nullable=False)


def _drop_constraint(schema: Schema, op: ops.DropConstraint) -> None:
    table = schema.find(op.table)
    if table is None:
        return
    if op.kind == "primary-key" or (op.name and op.name == f"{table.name}_pkey"):
        table.primary_key = ()
        return

    def stays(part: Unique | ForeignKey | Check) -> bool:
        if op.name and part.name:
            return part.name.lower() != op.name.lower()
        if op.columns and not isinstance(part, Check):
            return part.columns != op.columns
        return not (op.name and _default_name(table, part) == op.name)

    if op.kind in {"", "unique"}:
        table.uniques = [part for part in table.uniques if stays(part)]
    if op.kind in {"", "foreign-key"}:
        table.foreign_keys = [part for part in table.foreign_keys if stays(part)]
    if op.kind in {"", "check"}:
        table.checks = [part for part in table.checks if stays(part)]


def _default_name(table: Table, part: Constraint) -> str:
    """The name that PostgreSQL gives an unnamed constraint."""
    if isinstance(part, Unique):
        return f"{table.name}_{'_'.join(part.columns)}_key"
    if isinstance(part, ForeignKey):
        return f"{table.name}_{'_'.join(part.columns)}_fkey"
    return ""


def _create_index(schema: Schema, op: ops.CreateIndex) -> None:
    table = schema.find(op.table)
    if table is None:
        return
    if op.if_not_exists and any(index.name == op.index.name for index in table.indexes):
        return
    table.indexes.append(op.index)


def _drop_index(schema: Schema, op: ops.DropIndex) -> None:
    tables = [schema.find(op.table)] if op.table else list(schema.tables.values())
    for table in tables:
        if table is None:
            continue
        table.indexes = [
            index
            for index in table.indexes
            if not (index.name.lower() == op.name.lower() if op.name else index.columns == op.columns)
        ]


def _rename_index(schema: Schema, op: ops.RenameIndex) -> None:
    for table in schema.tables.values():
        if op.table and table.name.lower() != op.table.lower():
            continue
        table.indexes = [replace(index, name=op.new) if _is_meant(index, op) else index for index in table.indexes]


def _is_meant(index: Index, op: ops.RenameIndex) -> bool:
    return index.name == op.name if op.name else index.columns == op.columns


def _run_sql(schema: Schema, op: ops.RunSQL) -> None:
    for inner in op.operations:
        apply(schema, inner)
    if not op.known:
        schema.complete = False
