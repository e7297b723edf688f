"""SQLAlchemy's types and Python annotations as normalised column types."""

from __future__ import annotations

from backendlint.facts.model import ClassFacts, FileFacts
from backendlint.project.schema.reading import CallNode, Node, class_node, lineage

_PLAIN = {
    "Integer": "INTEGER", "INTEGER": "INTEGER", "INT": "INTEGER", "BigInteger": "BIGINT", "BIGINT": "BIGINT",
    "SmallInteger": "SMALLINT", "SMALLINT": "SMALLINT", "TINYINT": "SMALLINT", "MEDIUMINT": "INTEGER",
    "String": "VARCHAR", "VARCHAR": "VARCHAR", "Unicode": "VARCHAR", "NVARCHAR": "VARCHAR", "AutoString": "VARCHAR",
    "CHAR": "CHAR", "NCHAR": "CHAR", "Text": "TEXT", "TEXT": "TEXT", "UnicodeText": "TEXT", "CLOB": "TEXT",
    "LONGTEXT": "TEXT", "MEDIUMTEXT": "TEXT", "CITEXT": "CITEXT", "Boolean": "BOOLEAN", "BOOLEAN": "BOOLEAN",
    "DateTime": "TIMESTAMP", "DATETIME": "TIMESTAMP", "TIMESTAMP": "TIMESTAMP", "Date": "DATE", "DATE": "DATE",
    "Time": "TIME", "TIME": "TIME", "Interval": "INTERVAL", "INTERVAL": "INTERVAL", "Numeric": "DECIMAL",
    "NUMERIC": "DECIMAL", "DECIMAL": "DECIMAL", "Float": "DOUBLE PRECISION", "FLOAT": "DOUBLE PRECISION",
    "REAL": "REAL", "Double": "DOUBLE PRECISION", "DOUBLE": "DOUBLE PRECISION", "DOUBLE_PRECISION": "DOUBLE PRECISION",
    "LargeBinary": "BYTEA", "BLOB": "BYTEA", "BYTEA": "BYTEA", "VARBINARY": "BYTEA", "BINARY": "BYTEA", "LONGBLOB": "BYTEA",
    "PickleType": "BYTEA", "JSON": "JSON", "JSONB": "JSONB", "UUID": "UUID", "Uuid": "UUID", "GUID": "UUID",
    "Enum": "ENUM", "ENUM": "ENUM", "INET": "INET", "CIDR": "CIDR", "MACADDR": "MACADDR", "TSVECTOR": "TSVECTOR",
    "HSTORE": "HSTORE", "OID": "OID", "MONEY": "DECIMAL", "Null": "", "NullType": "", "LtreeType": "LTREE", "Vector": "VECTOR",
    "INT4RANGE": "INT4RANGE", "INT8RANGE": "INT8RANGE", "NUMRANGE": "NUMRANGE", "TSRANGE": "TSRANGE",
    "TSTZRANGE": "TSTZRANGE", "DATERANGE": "DATERANGE", "Geometry": "GEOMETRY", "BIT": "BIT", "UUIDType": "UUID",
    "JSONType": "JSON", "EmailType": "VARCHAR(255)", "MutableList": "", "MutableDict": "",
}  # fmt: skip
_PYTHON = {
    "int": "INTEGER", "str": "VARCHAR", "float": "DOUBLE PRECISION", "bool": "BOOLEAN", "bytes": "BYTEA",
    "datetime": "TIMESTAMP", "date": "DATE", "time": "TIME", "timedelta": "INTERVAL", "Decimal": "DECIMAL", "UUID": "UUID",
    "EmailStr": "VARCHAR", "AnyUrl": "VARCHAR", "HttpUrl": "VARCHAR", "UUID4": "UUID",
}  # fmt: skip


def is_type(node: Node) -> bool:
    """True for a SQLAlchemy type or an instance of one."""
    call = node.call()
    name = call.name if call else node.last()
    if name in _PLAIN or name in {"ARRAY", "TypeDecorator"}:
        return True
    if name == "with_variant":
        return True
    found = node.links.find_class((call.dotted if call else node.dotted()) or "")
    return found is not None and any(
        base.endswith(("TypeDecorator", "UserDefinedType")) for base in _bases(*found, node)
    )


def _bases(file: FileFacts, cls: ClassFacts, node: Node) -> list[str]:
    return [
        class_node(where, item, base, node.links).dotted() or class_node(where, item, base, node.links).last()
        for where, item in lineage(file, cls, node.links)
        for base in item.bases
    ]


def type_of(node: Node, depth: int = 0) -> str:
    """The normalised type that a type expression means, "" where it is not known."""
    if depth > 5:
        return ""
    call = node.call()
    if call is None:
        name = node.last()
        return _PLAIN[name] if name in _PLAIN else _decorated(node.dotted(), node, depth)
    name = call.name
    if name in {"with_variant", "evaluates_none"} and call.func.value[0] == "attr":
        return type_of(call.func.at(call.func.value[1]), depth + 1)
    if name == "as_mutable" and call.args:
        return type_of(call.args[0], depth + 1)
    if name == "ARRAY":
        item = call.argument(0, "item_type")
        return f"{type_of(item, depth + 1)}[]" if item is not None else "[]"
    if name in _PLAIN:
        return _sized(name, call)
    return _decorated(call.dotted, node, depth)


def _sized(name: str, call: CallNode) -> str:
    kind = _PLAIN[name]
    if kind in {"VARCHAR", "CHAR"}:
        size = call.argument(0, "length")
        number = size.const() if size is not None else None
        return f"{kind}({number})" if isinstance(number, int) else kind
    if kind == "DECIMAL":
        sizes = [call.argument(0, "precision"), call.argument(1, "scale")]
        numbers = [str(node.const()) for node in sizes if node is not None and isinstance(node.const(), int)]
        return f"DECIMAL({', '.join(numbers)})" if numbers else kind
    if kind in {"TIMESTAMP", "TIME"}:
        zone = call.argument(0, "timezone")
        return f"{kind}TZ" if zone is not None and zone.const() is True else kind
    if name == "TINYINT":
        width = call.kwarg("display_width")
        return "BOOLEAN" if width is not None and width.const() == 1 else kind  # how MySQL gives back a boolean
    if kind == "ENUM" and call.flag("native_enum", True) is False:
        return "VARCHAR"
    return kind


def enum_choices(node: Node) -> tuple[str, ...]:
    """The values that an Enum type admits, as the database stores them; empty when they are not known."""
    call = node.call()
    if call is None or call.name not in {"Enum", "ENUM"}:
        return ()
    texts = tuple(text for item in call.args if (text := item.text()))
    if texts or not call.args or call.kwarg("values_callable") is not None:
        return texts
    found = node.links.find_class(call.args[0].dotted())
    return tuple(name for name in found[1].attributes if not name.startswith("_")) if found else ()


def _decorated(dotted: str, node: Node, depth: int) -> str:
    """A TypeDecorator's `impl`."""
    found = node.links.find_class(dotted) if dotted else None
    if found is None:
        return ""
    for file, cls in lineage(*found, node.links):
        vid = cls.attributes.get("impl", -1)
        if vid >= 0:
            return type_of(class_node(file, cls, vid, node.links), depth + 1)
        for base in cls.bases:
            name = class_node(file, cls, base, node.links).last()
            if name in _PLAIN and name != dotted.rpartition(".")[2]:
                return _PLAIN[name]
    return ""


class Annotation:
    """What `Mapped[...]` or a SQLModel annotation says: a column type, nullability, and `Annotated` extras."""

    def __init__(self) -> None:
        self.type = ""
        self.nullable = False
        self.extras: list[Node] = []
        self.known = False
        self.target = ""
        """Last part of a class that is no column type (a relationship's target)."""


def annotation_of(node: Node, custom: dict[str, Node] | None = None, text: str = "") -> Annotation:
    """Read an annotation; `custom` maps Python types (see `python_type`) to SQLAlchemy type expressions (`type_annotation_map`)."""
    found = Annotation()
    _annotate(node, found, custom or {}, 0)
    return found


def _annotate(node: Node, found: Annotation, custom: dict[str, Node], depth: int) -> None:
    if depth > 8:
        return
    value = node.value
    if value[0] == "const" and value[1] is None:
        found.nullable = True
    elif value[0] == "const" and isinstance(value[1], str):
        _from_text(value[1], found)
    elif value[0] == "binop" and value[1] == "|":
        _annotate(node.at(value[2]), found, custom, depth + 1)
        _annotate(node.at(value[3]), found, custom, depth + 1)
    elif value[0] == "item":
        _generic(node, found, custom, depth)
    else:
        _named(node, found, custom, depth)


def _generic(node: Node, found: Annotation, custom: dict[str, Node], depth: int) -> None:
    outer = node.at(node.value[1]).last()
    inner = node.at(node.value[2])
    parts = inner.elements() if inner.value[0] == "tuple" else [inner]
    parts = parts or [inner]
    if outer == "Optional":
        found.nullable = True
    if outer == "Annotated":
        _annotate(parts[0], found, custom, depth + 1)
        found.extras.extend(parts[1:])
    elif outer in {"Mapped", "Optional", "Union", "Final", "InstrumentedAttribute"}:
        for part in parts:
            _annotate(part, found, custom, depth + 1)
    elif outer == "Literal":
        found.type, found.known = "VARCHAR", True
    elif (mapped := custom.get(python_type(node)) or custom.get(outer.lower())) is not None:
        found.type, found.known = type_of(mapped), True
    else:
        found.target = outer


def python_type(node: Node) -> str:
    """The name by which a `type_annotation_map` tells types apart: `list[str]` is another one than `list[dict[str, Any]]`."""
    value = node.value
    if value[0] != "item":
        return node.last()
    inner = node.at(value[2])
    parts = (inner.elements() if inner.value[0] == "tuple" else None) or [inner]
    return f"{node.at(value[1]).last().lower()}[{', '.join(map(python_type, parts))}]"


def _named(node: Node, found: Annotation, custom: dict[str, Node], depth: int) -> None:
    name = node.last()
    if name in custom:
        found.type, found.known = type_of(custom[name]), True
        return
    resolved = node.resolve()
    if resolved is not node and resolved.value[0] in {"item", "binop"}:
        _annotate(resolved, found, custom, depth + 1)
        return
    if name in _PYTHON:
        found.type, found.known = _PYTHON[name], True
        return
    cls = node.links.find_class(node.dotted()) if node.dotted() else None
    if cls is not None and any(base.rpartition(".")[2].endswith("Enum") for base in _bases(*cls, node)):
        found.type, found.known = "ENUM", True
        return
    found.target = name


def _from_text(text: str, found: Annotation) -> None:
    """An annotation written as a text (or postponed): enough of it to tell types from targets."""
    bare = text.replace(" ", "")
    for wrapper in ("Mapped", "Optional", "Union"):
        if bare.startswith(f"{wrapper}[") and bare.endswith("]"):
            found.nullable = found.nullable or wrapper == "Optional"
            _from_text(bare[len(wrapper) + 1 : -1], found)
            return
    parts = [part for part in bare.replace(",", "|").split("|") if part]
    if "None" in parts:
        found.nullable = True
    for part in parts:
        last = part.rpartition(".")[2]
        if last in _PYTHON:
            found.type, found.known = _PYTHON[last], True
        elif part != "None":
            found.target = last
