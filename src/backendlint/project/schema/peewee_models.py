"""Tables from peewee's models: fields, foreign keys, and what their Meta says of indexes and keys."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from backendlint.facts.model import ClassFacts, FileFacts
from backendlint.project.schema.model import Column, ForeignKey, Index, Schema, Table, Unique
from backendlint.project.schema.reading import (
    CallNode,
    Links,
    Node,
    class_node,
    foreign_bases,
    lineage,
    location_of,
    strings,
)

_LIBRARIES = ("peewee", "playhouse")
_TYPES = {
    "AutoField": "INTEGER", "BigAutoField": "BIGINT", "PrimaryKeyField": "INTEGER", "IdentityField": "INTEGER",
    "IntegerField": "INTEGER", "BigIntegerField": "BIGINT", "SmallIntegerField": "SMALLINT", "FloatField": "REAL",
    "DoubleField": "DOUBLE PRECISION", "DecimalField": "DECIMAL", "CharField": "VARCHAR", "FixedCharField": "CHAR",
    "TextField": "TEXT", "BlobField": "BYTEA", "BitField": "BIGINT", "BigBitField": "BYTEA", "UUIDField": "UUID",
    "BinaryUUIDField": "BYTEA", "DateTimeField": "TIMESTAMP", "DateTimeTZField": "TIMESTAMPTZ", "DateField": "DATE",
    "TimeField": "TIME", "TimestampField": "BIGINT", "BooleanField": "BOOLEAN", "IPField": "BIGINT", "JSONField": "JSON",
    "BinaryJSONField": "JSONB", "ArrayField": "", "HStoreField": "HSTORE", "TSVectorField": "TSVECTOR", "ForeignKeyField": "",
    "BareField": "",
}  # fmt: skip
_KEYS = frozenset({"AutoField", "BigAutoField", "PrimaryKeyField", "IdentityField"})
_LENGTH = 255
"""A `CharField`'s where none is given."""


def read_peewee(files: Iterable[FileFacts], links: Links) -> Schema:
    """The tables of all models from which no other derives: those are bases that hold what several have in common."""
    schema, files = Schema(), list(files)
    if not any(item.target.partition(".")[0] in _LIBRARIES for file in files for item in file.imports):
        return schema
    models = [
        (file, cls) for file in files for cls in file.classes.values() if cls.bases and _is_model(file, cls, links)
    ]
    bases = {_dotted(*base) for file, cls in models for base in lineage(file, cls, links)[1:]}
    read = [_read(file, cls, links) for file, cls in models if _dotted(file, cls) not in bases]
    names = {table.owner: table.name for table in read}
    for table in read:
        table.foreign_keys = [replace(key, target=names.get(key.target, "")) for key in table.foreign_keys]
        table.foreign_keys = [key for key in table.foreign_keys if key.target]
        known = schema.find(table.name)  # what a script defines for itself has the columns that it needs
        if known is None or len(known.columns) < len(table.columns):
            schema.add(table)
    for file in {file.path: file for file, _ in models}.values():
        _added(file, links, {table.owner: table for table in read})
    return schema


def _dotted(file: FileFacts, cls: ClassFacts) -> str:
    return f"{file.module}.{cls.qualname}"


def _is_model(file: FileFacts, cls: ClassFacts, links: Links) -> bool:
    names = foreign_bases(file, cls, links)
    return any(name.partition(".")[0] in _LIBRARIES and name.endswith(".Model") for name in names)


def _read(file: FileFacts, cls: ClassFacts, links: Links) -> Table:
    name = _meta(file, cls, links, "table_name", "db_table")
    table = Table(
        (name.text() if name is not None else "") or cls.name.lower(),
        source="peewee",
        owner=_dotted(file, cls),
        complete=all(item.partition(".")[0] in (*_LIBRARIES, "builtins") for item in foreign_bases(file, cls, links)),
        location=location_of(file.path, cls.header),
    )
    taken: set[str] = set()
    for where, item in lineage(file, cls, links):
        for attribute, vid in item.attributes.items():
            call = class_node(where, item, vid, links).call() if vid >= 0 and attribute not in taken else None
            kind = _kind(call) if call is not None else None
            taken.add(attribute)
            if call is not None and kind is not None:
                _put(table, attribute, kind, call, _dotted(where, item))
    _keys(table, _meta(file, cls, links, "primary_key"))
    _indexes(table, _meta(file, cls, links, "indexes"))
    return table


def _meta(file: FileFacts, cls: ClassFacts, links: Links, *names: str) -> Node | None:
    """An option of the class's Meta, or the nearest base's; a table's name is no base's."""
    for where, item in lineage(file, cls, links)[: 1 if "table_name" in names else None]:
        inner = where.classes.get(f"{item.qualname}.Meta")
        vids = [inner.attributes[name] for name in names if inner is not None and name in inner.attributes]
        if inner is not None and vids:
            return class_node(where, inner, vids[0], links)
    return None


def _kind(call: CallNode) -> str | None:
    """Peewee's class of a field; of the project's own its base; None for what is no column."""
    if call.name in _TYPES and call.dotted.partition(".")[0] in _LIBRARIES:
        return call.name
    found = call.node.links.find_class(call.dotted) if call.dotted else None
    for where, item in lineage(*found, call.node.links) if found is not None else ():
        for base in item.bases:
            name = class_node(where, item, base, call.node.links).last()
            if name in _TYPES or name == "Field":
                return name
    return "Field" if found is None and call.name.endswith("Field") else None


def _put(table: Table, attribute: str, kind: str, call: CallNode, owner: str) -> None:
    relation = kind == "ForeignKeyField"
    given = call.kwarg("column_name") or call.kwarg("db_column")
    name = (given.text() if given is not None else "") or (f"{attribute}_id" if relation else attribute)
    key = kind in _KEYS or call.flag("primary_key") is True
    defaults = call.kwarg("constraints")
    table.columns[name] = Column(
        name,
        _type(kind, call),
        nullable=call.flag("null") is True and not key,
        default="?" if defaults is not None else None,
        client_default=call.kwarg("default") is not None,
        primary_key=key,
        autoincrement=kind in _KEYS,
        attribute=attribute if attribute != name else "",
        location=call.location,
    )
    if key:
        table.primary_key = (name,)
    if call.flag("unique") is True:
        table.uniques.append(Unique("", (name,), location=call.location))
    elif call.flag("index") is True or (relation and call.flag("index") is None):
        table.indexes.append(Index("", (name,), location=call.location))
    target = call.argument(0, "model") or call.kwarg("rel_model")
    if relation and target is not None:
        dotted = owner if target.text() == "self" else target.dotted()
        table.foreign_keys.append(ForeignKey("", (name,), dotted, location=call.location))


def _type(kind: str, call: CallNode) -> str:
    text = _TYPES.get(kind, "")
    if text in ("VARCHAR", "CHAR"):
        size = call.argument(0, "max_length")
        number = size.const() if size is not None else _LENGTH
        return f"{text}({number})" if isinstance(number, int) else text
    if text == "DECIMAL":
        digits, places = call.argument(0, "max_digits"), call.argument(1, "decimal_places")
        return f"DECIMAL({_number(digits, 10)}, {_number(places, 5)})"
    return text


def _number(node: Node | None, usual: int) -> int:
    found = node.const() if node is not None else usual
    return found if isinstance(found, int) else usual


def _keys(table: Table, node: Node | None) -> None:
    """`primary_key = CompositeKey("tag", "post")`, or False; else peewee's own `id`."""
    call = node.call() if node is not None else None
    if call is not None and call.name == "CompositeKey":
        table.primary_key = _columns(table, [arg.text() for arg in call.args])
    elif not table.primary_key and (node is None or node.const(...) is not False):
        column = Column("id", "INTEGER", False, primary_key=True, autoincrement=True, location=table.location)
        table.columns = {"id": column, **table.columns}
        table.primary_key = ("id",)


def _indexes(table: Table, node: Node | None) -> None:
    """`indexes = ((("shop", "number"), True), ...)`: whether it is unique stands second."""
    for item in (node.elements() or []) if node is not None else []:
        parts = item.elements() or []
        columns = _columns(table, strings(parts[0])) if len(parts) == 2 else ()
        if columns:
            _index(table, columns, parts[1].const() is True, item)


def _added(file: FileFacts, links: Links, tables: dict[str, Table]) -> None:
    """`Order.add_index(Order.shop, Order.number, unique=True)`, written below the model."""
    for call in file.functions[0].calls:
        view = CallNode(Node(file, 0, call.value, links), call)
        owner, _, name = view.dotted.rpartition(".")
        table = tables.get(owner) if name == "add_index" else None
        if table is not None:
            columns = _columns(table, [arg.last() for arg in view.args])
            if columns and view.kwarg("where") is None:
                _index(table, columns, view.flag("unique") is True, view.node)


def _index(table: Table, columns: tuple[str, ...], unique: bool, node: Node) -> None:
    if unique:
        table.uniques.append(Unique("", columns, location=node.location))
    else:
        table.indexes.append(Index("", columns, location=node.location))


def _columns(table: Table, attributes: Iterable[str]) -> tuple[str, ...]:
    """The columns of fields; none where one of them is not known."""
    named = {name: column.name for column in table.columns.values() for name in (column.name, column.attribute) if name}
    found = [named.get(name, "") for name in attributes]
    return tuple(found) if all(found) else ()
