"""SQLModel's classes: annotated fields, with `Field(...)` where more is to be said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from backendlint.facts.model import ClassFacts, FileFacts
from backendlint.project.schema.model import Column, ForeignKey, Index, Unique
from backendlint.project.schema.reading import CallNode, Links, Node, class_node, foreign_bases, location_of
from backendlint.project.schema.sa_columns import Made, column_call, read_column
from backendlint.project.schema.sa_types import Annotation, annotation_of, type_of


def is_table_model(file: FileFacts, cls: ClassFacts, links: Links) -> bool:
    """True for `class X(SQLModel, table=True)` and what inherits it so."""
    flag = next((vid for name, vid in cls.keywords if name == "table"), -1)
    if flag < 0 or class_node(file, cls, flag, links).const() is not True:
        return False
    return any(name.endswith("SQLModel") for name in foreign_bases(file, cls, links)) or not foreign_bases(
        file, cls, links
    )


_FIRST = frozenset({"pydantic.validator", "pydantic.root_validator", "pydantic.BaseSettings", "pydantic.Extra"})
_SECOND = frozenset(
    {"pydantic.field_validator", "pydantic.model_validator", "pydantic.TypeAdapter", "pydantic.computed_field",
     "pydantic.field_serializer", "pydantic.RootModel"}
)  # fmt: skip
"""What only pydantic 1 offers without a warning, and what only pydantic 2 does."""


def none_is_optional(files: Iterable[FileFacts]) -> bool:
    """Whether the code is written for pydantic 1, for which `name: str = None` may be None, and so the column null."""
    targets = {item.target for file in files for item in file.imports}
    return not targets.isdisjoint(_FIRST) and targets.isdisjoint(_SECOND)


def read_fields(
    chain: list[tuple[FileFacts, ClassFacts]], table: str, links: Links, optional: bool = False
) -> Iterator[Made]:
    """The columns of the class and its bases, the nearest definition of a name first; `optional`: see `none_is_optional`."""
    taken: set[str] = set()
    for file, cls in chain:
        for name, annotated in cls.annotations.items():
            if name.startswith("__") or name in taken:
                continue
            taken.add(name)
            annotation = annotation_of(class_node(file, cls, annotated, links))
            value = cls.attributes.get(name, -1)
            node = class_node(file, cls, value, links) if value >= 0 else None
            made = _field(table, name, node, annotation, file, cls)
            if made is not None:
                if optional and _defaults_to_none(node) and not made.column.primary_key:
                    made.column = replace(made.column, nullable=True)
                yield made


def _defaults_to_none(node: Node | None) -> bool:
    """`= None`, or `= Field(default=None)` that says nothing of null itself."""
    call = node.call() if node is not None else None
    if node is None or call is None:
        return node is not None and node.const() is None and node.value[0] == "const"
    given = call.kwarg("default") or (call.args[0] if call.args else None)
    return (
        given is not None
        and given.value[0] == "const"
        and given.const() is None
        and call.kwarg("nullable") is None
        and call.kwarg("sa_column") is None
    )


def _field(
    table: str, name: str, node: Node | None, annotation: Annotation, file: FileFacts, cls: ClassFacts
) -> Made | None:
    call = node.call() if node is not None else None
    extra = next((item.call() for item in annotation.extras if item.call() is not None), None)
    if call is None or call.name != "Field":
        if call is not None and call.name in {"Relationship", "PrivateAttr"}:
            return None
        call = extra if extra is not None and extra.name == "Field" else None
    if call is not None:
        explicit = call.kwarg("sa_column")
        column = column_call(explicit) if explicit is not None else None
        if column is not None:
            return read_column(table, name, column)
    if not annotation.known and (call is None or call.kwarg("sa_type") is None):
        return None
    place = location_of(file.path, cls.field_spans[name]) if name in cls.field_spans else None
    made = Made(Column(name, annotation.type, annotation.nullable, location=place))
    if call is not None:
        _keywords(table, made, call)
    elif node is not None:
        made.column = replace(made.column, client_default=True)
    return made


def _keywords(table: str, made: Made, call: CallNode) -> None:
    column = made.column
    primary = call.flag("primary_key", False) is True
    size = call.kwarg("max_length")
    kind = call.kwarg("sa_type")
    type_text = type_of(kind) if kind is not None else column.type
    if size is not None and type_text == "VARCHAR" and isinstance(size.const(), int):
        type_text = f"VARCHAR({size.const()})"
    digits, places = call.kwarg("max_digits"), call.kwarg("decimal_places")
    if type_text == "DECIMAL" and digits is not None and places is not None:
        type_text = f"DECIMAL({digits.const()}, {places.const()})"
    nullable = call.flag("nullable")
    has_default = bool(call.args) or call.kwarg("default") is not None or call.kwarg("default_factory") is not None
    made.column = replace(
        column,
        type=type_text,
        primary_key=primary,
        nullable=(column.nullable and not primary) if nullable is None else nullable,
        client_default=has_default and not primary,
    )
    _extra(made, call)
    target = call.kwarg("foreign_key")
    if target is not None and target.text():
        owner, _, name = target.text().rpartition(".")
        on_delete = call.kwarg("ondelete")
        made.parts.append(
            ForeignKey("", (column.name,), owner, (name,), (on_delete.text() if on_delete else "").upper(),
                       location=call.location)
        )  # fmt: skip
    unique, index = call.flag("unique", False), call.flag("index", False)
    if index:
        made.parts.append(Index(f"ix_{table}_{column.name}", (column.name,), bool(unique), location=call.location))
    elif unique:
        made.parts.append(Unique("", (column.name,), location=call.location))


def _extra(made: Made, call: CallNode) -> None:
    """`sa_column_kwargs={"server_default": ..., "unique": ...}`."""
    options = call.kwarg("sa_column_kwargs")
    for key, value in (options.pairs() or []) if options is not None else []:
        if key.const() == "server_default":
            made.column = replace(made.column, default=value.text() or "?")
        elif key.const() == "unique" and value.const() is True:
            made.parts.append(Unique("", (made.column.name,), location=call.location))
        elif key.const() == "name":
            made.column = replace(made.column, name=value.text() or made.column.name, attribute=made.column.name)
