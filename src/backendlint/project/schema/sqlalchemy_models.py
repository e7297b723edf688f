"""Tables from SQLAlchemy: declarative classes (1.4 and 2.0), mixins, `Table`, Flask-SQLAlchemy and SQLModel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from backendlint.facts.model import ClassFacts, FileFacts
from backendlint.project.schema.model import Column, Constraint, ForeignKey, Index, Schema, Table
from backendlint.project.schema.reading import (
    CallNode,
    Links,
    Node,
    class_node,
    foreign_bases,
    lineage,
    location_of,
    returned,
)
from backendlint.project.schema.sa_columns import Made, column_call, read_column, read_index, table_part
from backendlint.project.schema.sa_names import is_mapped, namespace, own, table_name
from backendlint.project.schema.sa_sqlmodel import is_table_model, none_is_optional, read_fields
from backendlint.project.schema.sa_types import Annotation, annotation_of, python_type

_LIBRARIES = frozenset({"sqlalchemy", "sqlmodel", "flask_sqlalchemy", "sqlalchemy_utils", "advanced_alchemy"})
_NOT_COLUMNS = frozenset(
    "relationship dynamic_loader association_proxy hybrid_property synonym composite validates query_expression backref "
    "Relationship aggregated PrivateAttr ClassVar MetaData registry declared_attr contains_eager object_session".split()
)
_MAPPING = frozenset({"__mapper_cls__", "__declare_first__", "__declare_last__", "__init_subclass__"})
"""Names by which a class has a hand in how its subclasses are mapped: it may add columns."""


@dataclass(slots=True)
class _Model:
    file: FileFacts
    cls: ClassFacts
    table: str
    namespace: str = ""

    @property
    def dotted(self) -> str:
        return f"{self.file.module}.{self.cls.qualname}"


def read_sqlalchemy(files: Iterable[FileFacts], links: Links) -> Schema:
    """All tables that SQLAlchemy's metadata would hold once every module is imported."""
    files = list(files)
    schema = Schema()
    if not any(item.target.partition(".")[0] in _LIBRARIES for file in files for item in file.imports):
        return schema
    optional = none_is_optional(files)
    files = [file for file in files if _concerned(file)]
    owners: dict[str, str] = {}
    for file in files:
        for table in _plain_tables(file, links):
            schema.add(table)
    models = [model for file in files for model in _models(file, links, schema)]
    for model in models:
        owners[model.dotted] = model.table
        schema.add(_read_model(model, links, optional))
    for file in files:
        _single_table_children(file, links, owners, schema)
        _loose_indexes(file, links, owners, schema)
    _resolve_targets(schema, owners, links)
    return schema


def _concerned(file: FileFacts) -> bool:
    return any(
        item.target.partition(".")[0] in _LIBRARIES
        for item in file.imports
    ) or any("__tablename__" in cls.attributes for cls in file.classes.values()) or any(
        class_bases_model(cls, file) for cls in file.classes.values()
    )  # fmt: skip


def class_bases_model(cls: ClassFacts, file: FileFacts) -> bool:
    """True when a base is written `something.Model` or ends in Base, so that the file may hold models."""
    table = file.functions[cls.owner].values
    for base in cls.bases:
        value = table[base]
        if value[0] == "attr" and value[2] == "Model":
            return True
        if value[0] == "name" and str(value[1]).endswith(("Base", "Model", "Mixin")):
            return True
    return False


def _models(file: FileFacts, links: Links, schema: Schema) -> Iterator[_Model]:
    for cls in file.classes.values():
        chain = list(lineage(file, cls, links))
        if own(cls, file, "__abstract__", links) is True or not is_mapped(file, cls, links):
            continue
        name = table_name(file, cls, chain, links)
        if name:
            yield _Model(file, cls, name, namespace(chain, links))
        elif name is None:
            schema.complete = False


def _read_model(model: _Model, links: Links, optional: bool = False) -> Table:
    table = Table(
        model.table, namespace=model.namespace, source="sqlalchemy", owner=model.dotted,
        location=location_of(model.file.path, model.cls.header),
    )  # fmt: skip
    chain = list(lineage(model.file, model.cls, links))
    custom = _annotation_map(chain, links)
    taken: set[str] = set()
    elsewhere = _inherited(chain, links)
    for where, item in chain:
        if (where.path, item.qualname) in elsewhere:
            continue
        for made in _class_columns(where, item, table, custom, links, taken):
            put(table, made)
    _table_args(chain, table, links)
    if any(not _MAPPING.isdisjoint((*item.methods, *item.attributes)) for _, item in chain):
        table.complete = False  # its own mapper may add columns: one for the row's version, say
    if is_table_model(model.file, model.cls, links):
        for made in read_fields(chain, table.name, links, optional):
            put(table, made)
    table.primary_key = table.primary_key or tuple(col.name for col in table.columns.values() if col.primary_key)
    autoincrement(table)
    known = (
        "DeclarativeBase",
        "Model",
        "SQLModel",
        "object",
        "Generic",
        "ABC",
        "Protocol",
        "MappedAsDataclass",
    )
    if any(
        name.rpartition(".")[2] not in known and not name.startswith("builtins.")
        for name in foreign_bases(model.file, model.cls, links)
    ):
        table.complete = False
    return table


def _inherited(chain: list[tuple[FileFacts, ClassFacts]], links: Links) -> set[tuple[str, str]]:
    """Parents with tables of their own, and what they inherit from: their columns are there already."""
    return {
        (file.path, cls.qualname)
        for where, parent in chain[1:]
        if _own_table(where, parent, links)
        for file, cls in lineage(where, parent, links)
    }


def _own_table(file: FileFacts, cls: ClassFacts, links: Links) -> bool:
    """True for a parent with a table of its own (joined inheritance): its columns stay there."""
    return "__tablename__" in cls.attributes and is_mapped(file, cls, links)


def put(table: Table, made: Made) -> None:
    """Add a column with its constraints, unless a nearer class already defined it."""
    if made.column.name in table.columns:
        return
    table.columns[made.column.name] = made.column
    for part in made.parts:
        add_part(table, part)


def add_part(table: Table, part: Constraint | Index | tuple[str, ...] | None) -> None:
    """Put a constraint, an index or a primary key into the table."""
    from backendlint.project.schema.apply import add_part as add

    if isinstance(part, tuple):
        table.primary_key = part
        for name in part:
            if name in table.columns:
                table.columns[name] = replace(table.columns[name], primary_key=True, nullable=False)
    elif part is not None:
        add(table, part)


def autoincrement(table: Table) -> None:
    """SQLAlchemy makes a lone integer primary key without default and foreign key count up."""
    if len(table.primary_key) != 1:
        return
    column = table.columns.get(table.primary_key[0])
    if column is None or column.type not in {"INTEGER", "BIGINT", "SMALLINT"}:
        return
    if column.default is None and not any(column.name in key.columns for key in table.foreign_keys):
        table.columns[column.name] = replace(column, autoincrement=True)


def _annotation_map(chain: list[tuple[FileFacts, ClassFacts]], links: Links) -> dict[str, Node]:
    found: dict[str, Node] = {}
    for where, item in chain:
        vid = item.attributes.get("type_annotation_map", -1)
        if vid < 0:
            continue
        for key, value in class_node(where, item, vid, links).pairs() or []:
            found.setdefault(python_type(key), value)
    return found


def _class_columns(
    file: FileFacts, cls: ClassFacts, table: Table, custom: dict[str, Node], links: Links, taken: set[str]
) -> Iterator[Made]:
    names = dict.fromkeys([*cls.attributes, *cls.annotations])
    for name in sorted(names, key=lambda name: cls.field_spans.get(name, cls.span)):
        if name.startswith("__") or name in taken:
            continue
        taken.add(name)
        value = cls.attributes.get(name, -1)
        annotated = cls.annotations.get(name, -1)
        mapped = _mapped(class_node(file, cls, annotated, links), custom) if annotated >= 0 else None
        node = class_node(file, cls, value, links) if value >= 0 else None
        made = _attribute(table, name, node, mapped, file, cls)
        if made is not None:
            yield made
        elif node is not None and mapped is None and _mystery(node):
            table.complete = False
    for name, index in cls.methods.items():
        if name in taken or name.startswith("__") or not _declared(file, cls, index, links):
            continue
        taken.add(name)
        node = returned(file, index, links)
        call = column_call(node) if node is not None else None
        if call is not None:
            yield read_column(table.name, name, call)


def _attribute(
    table: Table, name: str, node: Node | None, mapped: Annotation | None, file: FileFacts, cls: ClassFacts
) -> Made | None:
    call = column_call(node) if node is not None else None
    extra = next(
        (found for item in (mapped.extras if mapped else []) if (found := column_call(item)) is not None), None
    )
    if call is not None:
        return _merge(table, name, call, extra, mapped)
    if node is not None or mapped is None or not (mapped.known or extra is not None):
        return None
    if extra is not None:
        annotated = read_column(table.name, name, extra, mapped)
        annotated.column = replace(annotated.column, nullable=mapped.nullable and not annotated.column.primary_key)
        return annotated
    return Made(Column(name, mapped.type, mapped.nullable, location=location_of(file.path, cls.field_spans[name])))


def _merge(table: Table, name: str, call: CallNode, extra: CallNode | None, mapped: Annotation | None) -> Made:
    """A `mapped_column()` whose annotation's `Annotated` carries another one: the nearer one's words win."""
    made = read_column(table.name, name, call, mapped)
    if extra is None:
        return made
    base = read_column(table.name, name, extra, mapped)
    column = made.column
    made.column = replace(
        column,
        type=base.column.type if mapped and column.type == mapped.type else column.type,
        primary_key=column.primary_key or base.column.primary_key,
        nullable=column.nullable and not base.column.primary_key,
        default=column.default if column.default is not None else base.column.default,
        client_default=column.client_default or base.column.client_default,
    )
    made.parts.extend(base.parts)
    return made


def _mapped(node: Node, custom: dict[str, Node]) -> Annotation | None:
    """The annotation when it is `Mapped[...]`, else None."""
    value = node.value
    if value[0] == "item" and node.at(value[1]).last() in {"Mapped", "MappedColumn"}:
        return annotation_of(node, custom)
    if value[0] == "const" and isinstance(value[1], str) and value[1].replace(" ", "").startswith("Mapped["):
        return annotation_of(node, custom)
    return None


def _mystery(node: Node) -> bool:
    """True for a call that may well make a column, by a function that cannot be seen."""
    call = node.call()
    if call is None or call.name in _NOT_COLUMNS:
        return False
    return "column" in call.name.lower() or call.name.endswith("Column")


def _declared(file: FileFacts, cls: ClassFacts, index: int, links: Links) -> bool:
    function = file.functions[index]
    parent = max(function.parent, 0)
    return any(
        Node(file, parent, vid, links).last() in {"declared_attr", "cascading", "directive"}
        for vid in function.decorators
    )


def _table_args(chain: list[tuple[FileFacts, ClassFacts]], table: Table, links: Links) -> None:
    for position, (where, item) in enumerate(chain):
        if position and _own_table(where, item, links):
            return
        vid = item.attributes.get("__table_args__", -1)
        node = class_node(where, item, vid, links) if vid >= 0 else None
        if node is None and "__table_args__" in item.methods:
            node = returned(where, item.methods["__table_args__"], links)
        if node is None:
            continue
        if node.pairs() is None:
            members = node.elements()
            if members is None:
                table.complete = False
            for member in members or []:
                add_part(table, table_part(member))
        return


def _plain_tables(file: FileFacts, links: Links) -> Iterator[Table]:
    """`Table("name", metadata, Column(...), ...)` anywhere at module level or in a class's body."""
    facts = file.functions[0]
    for index, call in enumerate(facts.calls):
        node = Node(file, 0, call.value, links)
        view = CallNode(node, facts.calls[index])
        if view.name != "Table" or len(call.args) < 2 or view.kwarg("autoload_with") is not None:
            continue
        name = view.args[0].text()
        if name:
            yield _plain_table(name, view)


def _plain_table(name: str, view: CallNode) -> Table:
    namespace = view.kwarg("schema")
    table = Table(name, namespace=namespace.text() if namespace else "", source="sqlalchemy", location=view.location)
    for member in view.args[1:]:  # the first may be the metadata, or be left to Flask-SQLAlchemy's Table
        call = column_call(member)
        if call is not None:
            put(table, read_column(name, "", call))
        elif member.value[0] == "star":
            table.complete = False
        else:
            add_part(table, table_part(member))
    table.primary_key = table.primary_key or tuple(col.name for col in table.columns.values() if col.primary_key)
    autoincrement(table)
    return table


def _single_table_children(file: FileFacts, links: Links, owners: dict[str, str], schema: Schema) -> None:
    """Classes without a table of their own put their columns into their parent's."""
    for cls in file.classes.values():
        if f"{file.module}.{cls.qualname}" in owners:
            continue
        for where, item in list(lineage(file, cls, links))[1:]:
            table = schema.tables.get(owners.get(f"{where.module}.{item.qualname}", ""))
            if table is None:
                continue
            for made in _class_columns(file, cls, table, {}, links, set()):
                if made.column.name not in table.columns:
                    made.column = replace(made.column, nullable=True)
                put(table, made)
            break


def _loose_indexes(file: FileFacts, links: Links, owners: dict[str, str], schema: Schema) -> None:
    """`Index("name", Model.column)` at module level."""
    facts = file.functions[0]
    for call in facts.calls:
        view = CallNode(Node(file, 0, call.value, links), call)
        if view.name != "Index" or len(call.args) < 2:
            continue
        owner = _owner_of(view.args[1], links)
        table = schema.tables.get(owners.get(owner, ""))
        if table is None or any(index.location == view.location for index in table.indexes):
            continue
        table.indexes.append(read_index(view, view.args[1:], view.args[0].text()))


def _owner_of(node: Node, links: Links) -> str:
    """The class whose attribute an index member is (`User.email`, `func.lower(User.email)`)."""
    call = node.call()
    if call is not None and call.args:
        return _owner_of(call.args[0], links)
    dotted = node.dotted()
    return dotted.rpartition(".")[0]


def _resolve_targets(schema: Schema, owners: dict[str, str], links: Links) -> None:
    """Give foreign keys that name classes their tables, and untyped columns their target's type. Where two classes map tables of
    one name (those of two services, say), neither says what the other's is."""
    mapped = Counter(owners.values())
    for table in schema.tables.values():
        table.complete = table.complete and mapped[table.name] < 2
        table.foreign_keys = [replace(key, target=_target(key, owners, links)) for key in table.foreign_keys]
    for _ in range(3):
        for table in schema.tables.values():
            for key in table.foreign_keys:
                if mapped[key.target] < 2:
                    _inherit_type(schema, table, key)


def _target(key: ForeignKey, owners: dict[str, str], links: Links) -> str:
    if not key.target.startswith("<"):
        return key.target
    dotted = key.target[1:-1]
    return owners.get(dotted) or owners.get(links.canonical(dotted)) or dotted.rpartition(".")[2]


def _inherit_type(schema: Schema, table: Table, key: ForeignKey) -> None:
    target = schema.find(key.target)
    if target is None or len(key.columns) != 1 or key.columns[0] not in table.columns:
        return
    column = table.columns[key.columns[0]]
    names = key.target_columns or target.primary_key
    found = target.columns.get(names[0]) if names else None
    if found is not None and not column.type:
        table.columns[column.name] = replace(column, type=found.type)
