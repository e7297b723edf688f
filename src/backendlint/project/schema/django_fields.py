"""Django's model fields, indexes and constraints as plain data, from models and migrations alike."""

from __future__ import annotations

from dataclasses import dataclass, field

from backendlint.facts.model import ClassFacts, FileFacts, FunctionFacts
from backendlint.findings.model import Location
from backendlint.project.schema.model import Check, Constraint, Index, Unique
from backendlint.project.schema.reading import CallNode, Links, Node, class_node, lineage, strings

TYPES = {
    "AutoField": "INTEGER", "BigAutoField": "BIGINT", "SmallAutoField": "SMALLINT", "IntegerField": "INTEGER",
    "BigIntegerField": "BIGINT", "SmallIntegerField": "SMALLINT", "PositiveIntegerField": "INTEGER",
    "PositiveBigIntegerField": "BIGINT", "PositiveSmallIntegerField": "SMALLINT", "CharField": "VARCHAR",
    "EmailField": "VARCHAR", "SlugField": "VARCHAR", "URLField": "VARCHAR", "FileField": "VARCHAR", "ImageField": "VARCHAR",
    "FilePathField": "VARCHAR", "CommaSeparatedIntegerField": "VARCHAR", "TextField": "TEXT", "BooleanField": "BOOLEAN",
    "NullBooleanField": "BOOLEAN", "DateField": "DATE", "DateTimeField": "TIMESTAMPTZ", "TimeField": "TIME",
    "DurationField": "INTERVAL", "DecimalField": "DECIMAL", "FloatField": "DOUBLE PRECISION", "BinaryField": "BYTEA",
    "UUIDField": "UUID", "JSONField": "JSONB", "GenericIPAddressField": "INET", "IPAddressField": "INET",
    "HStoreField": "HSTORE", "CICharField": "CITEXT", "CIEmailField": "CITEXT", "CITextField": "CITEXT",
    "SearchVectorField": "TSVECTOR", "IntegerRangeField": "INT4RANGE", "BigIntegerRangeField": "INT8RANGE",
    "DecimalRangeField": "NUMRANGE", "DateTimeRangeField": "TSTZRANGE", "DateRangeField": "DATERANGE",
    "PointField": "GEOMETRY", "PolygonField": "GEOMETRY", "MultiPolygonField": "GEOMETRY", "GeometryField": "GEOMETRY",
    "StreamField": "JSONB", "RichTextField": "TEXT", "AutoSlugField": "VARCHAR", "PhoneNumberField": "VARCHAR",
    "CountryField": "VARCHAR", "OrderedModelField": "INTEGER",
}  # fmt: skip
_LENGTHS = {
    "EmailField": 254, "SlugField": 50, "URLField": 200, "FileField": 100, "ImageField": 100, "FilePathField": 100,
    "AutoSlugField": 50, "PhoneNumberField": 128, "CountryField": 2,
}  # fmt: skip
RELATIONS = frozenset({"ForeignKey", "OneToOneField", "ParentalKey", "TreeForeignKey", "TreeOneToOneField"})
MANY = frozenset({"ManyToManyField", "ParentalManyToManyField", "SortedManyToManyField", "TreeManyToManyField"})
_COLUMNLESS = frozenset(
    {"GenericRelation", "GenericForeignKey", "TaggableManager", "ClusterTaggableManager", "GeneratedField"}
)
GENERATED = "GENERATED (...)"
"""The default of a column that is computed from others."""
_MODULES = ("django.db.models.", "django.contrib.gis.db.models.", "django.contrib.postgres.fields.")
"""Where Django keeps its fields."""
NO_MODELS = ("builtins.", "abc.", "typing.", "enum.", "django.")
"""Where no base lies that could make a model of a class without being known."""
_SWAPPED = "swapper.get_model_name"
"""Names the model that the settings put in the place of an app's own, which is that one unless they do."""
_POSITIVE = frozenset({"PositiveIntegerField", "PositiveBigIntegerField", "PositiveSmallIntegerField"})


@dataclass(frozen=True, slots=True)
class Field:
    """A model field. `kind` is Django's class; `target` is "" or `Model`, `app.Model`, `self`, or a dotted class."""

    name: str
    kind: str
    type: str = ""
    column: str = ""
    null: bool = False
    primary_key: bool = False
    unique: bool = False
    index: bool = False
    default: bool = False
    blank: bool = False
    db_default: str | None = None
    target: str = ""
    to_field: str = ""
    """The field of the target that it refers to; "" for its key, "?" where the settings say which."""
    parent_link: bool = False
    constraint: bool = True
    through: str = ""
    db_table: str = ""
    choices: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    """The options as text, for telling definitions apart."""
    location: Location | None = None

    @property
    def many(self) -> bool:
        """True for a many-to-many field, which has no column."""
        return self.kind in MANY

    @property
    def relation(self) -> bool:
        """True for a foreign key."""
        return self.kind in RELATIONS

    @property
    def positive(self) -> bool:
        """True for the fields that Django gives a CHECK of their own."""
        return self.kind in _POSITIVE


@dataclass(slots=True)
class Options:
    """What a model's Meta says."""

    abstract: bool = False
    proxy: bool = False
    managed: bool = True
    db_table: str = ""
    app_label: str = ""
    unique_together: tuple[tuple[str, ...], ...] = ()
    index_together: tuple[tuple[str, ...], ...] = ()
    indexes: list[Index] = field(default_factory=list)
    constraints: list[Constraint | Index] = field(default_factory=list)


def field_kind(call: CallNode) -> str:
    """Django's name of the field class that is called; custom ones by their base; "" for what is no column."""
    name = call.name
    if name in TYPES or name in RELATIONS or name in MANY or name == "ArrayField" or name == "GeneratedField":
        return name
    if name in _COLUMNLESS:
        return ""
    found = call.node.links.find_class(call.dotted) if call.dotted else None
    if found is not None:
        return _base_kind(*found, call.node.links)
    if not name.endswith(("Field", "ForeignKey")):
        return ""
    return next(
        (known for known in TYPES if name.endswith(known)), "ForeignKey" if name.endswith("ForeignKey") else name
    )


def _base_kind(file: FileFacts, cls: ClassFacts, links: Links) -> str:
    """Django's field class behind a custom one; a direct heir of `Field` has a column if it says of which type."""
    typed = False
    for where, item in lineage(file, cls, links):
        typed = typed or bool({"db_type", "get_internal_type"} & item.methods.keys())
        for base in item.bases:
            name = class_node(where, item, base, links).last()
            if name in TYPES or name in RELATIONS or name in MANY:
                return name
            if name == "Field":
                return name if typed else ""
    return ""


def declares_fields(function: FunctionFacts, cls: ClassFacts) -> bool:
    """Whether the class, which the function holds, has attributes that are model fields of Django's own."""
    for vid in cls.attributes.values():
        value = function.values[vid] if vid >= 0 else ("",)
        func = function.values[function.calls[value[1]].func] if value[0] == "call" else ("",)
        name = str(func[1]) if func[0] == "name" else ""
        if name.startswith(_MODULES) and name.endswith(("Field", "ForeignKey")):
            return True
    return False


def read_field(name: str, node: Node) -> Field | None:
    """The field that a value is, or None."""
    call = node.call()
    kind = field_kind(call) if call is not None else ""
    if call is None or not kind:
        return None
    own = _own_options(call)
    named, column, choices = call.kwarg("name"), call.kwarg("db_column"), call.kwarg("choices")
    target, to_field = call.argument(0, "to"), call.kwarg("to_field")
    through, table = call.kwarg("through"), call.kwarg("db_table")
    relation = kind in RELATIONS
    default = call.kwarg("default")
    stamps = call.flag("auto_now") is True or call.flag("auto_now_add") is True
    return Field(
        name=(named.text() if named is not None else "") or name,
        kind=kind,
        type="" if relation or kind in MANY else _type(kind, call, own),
        column=column.text() if column else "",
        null=_flag(call, own, "null", kind == "NullBooleanField"),
        primary_key=_flag(call, own, "primary_key"),
        unique=_flag(call, own, "unique") or kind in {"OneToOneField", "TreeOneToOneField"},
        index=_flag(call, own, "db_index", relation or kind.endswith("SlugField")),
        default=default is not None or stamps or "default" in own,
        blank=_flag(call, own, "blank"),
        db_default=_server_default(kind, call),
        target=target_of(target) if (relation or kind in MANY) and target is not None else "",
        to_field=(to_field.text() or "?") if to_field is not None and to_field.const(...) is not None else "",
        parent_link=call.flag("parent_link") is True,
        constraint=call.flag("db_constraint", True) is True,
        through=_through(through) if through is not None else "",
        db_table=table.text() if table else "",
        choices=_choices(choices),
        location=call.location,
    )


def _through(node: Node) -> str:
    """The model of a relation's rows; "?" where one is named that cannot be read."""
    return "" if node.const(...) is None else target_of(node) or "?"


def _flag(call: CallNode, own: dict[str, object], name: str, default: bool = False) -> bool:
    """A boolean option: as written, else as the field's own class sets it."""
    written = call.flag(name)
    if written is not None:
        return written
    value = own.get(name, default)
    return value if isinstance(value, bool) else default


def _own_options(call: CallNode) -> dict[str, object]:
    """Options that a custom field's `__init__` sets: `kwargs["null"] = True`, `kwargs.setdefault(...)`, `super().__init__(x=...)`."""
    found = call.node.links.find_class(call.dotted) if call.dotted else None
    options: dict[str, object] = {}
    for file, cls in lineage(*found, call.node.links) if found is not None else ():
        index = cls.methods.get("__init__")
        if index is None:
            continue
        facts = file.functions[index]
        here = Node(file, index, -1, call.node.links)
        for store in facts.stores:
            key = here.at(store.key).const() if store.key >= 0 else None
            if isinstance(key, str):
                options.setdefault(key, _given(here.at(store.value), cls))
        for inner in facts.calls:
            func = facts.values[inner.func]
            if func[0] == "attr" and func[2] == "setdefault" and len(inner.args) == 2:
                options.setdefault(here.at(inner.args[0]).text(), _given(here.at(inner.args[1]), cls))
            elif func[0] == "attr" and func[2] == "__init__":
                for key, vid in inner.kwargs:
                    options.setdefault(key, _given(here.at(vid), cls))
    return options


def _given(node: Node, cls: ClassFacts) -> object:
    """The constant that an option has, also as the default of a parameter of `__init__` that is handed on."""
    value = node.resolve().value
    if value[0] != "param":
        return node.const(...)
    default = node.facts.params[value[1]].default
    return class_node(node.file, cls, default, node.links).const(...) if default >= 0 else ...


def _server_default(kind: str, call: CallNode) -> str | None:
    """What the database itself fills the column with: a generated one it computes, for the rows that are there too."""
    if kind == "GeneratedField":
        return GENERATED
    node = call.kwarg("db_default")
    return _default(node) if node is not None else None


def _default(node: Node) -> str:
    found = node.const(...)
    if found is ...:
        return "?"
    return f"'{found}'" if isinstance(found, str) else str(found)


def _type(kind: str, call: CallNode, own: dict[str, object] | None = None) -> str:
    if kind == "ArrayField":
        base = call.argument(0, "base_field")
        inner = base.call() if base is not None else None
        return f"{_type(field_kind(inner), inner) if inner is not None else ''}[]"
    if kind == "GeneratedField":
        output = call.kwarg("output_field")
        made = output.call() if output is not None else None
        return _type(field_kind(made), made) if made is not None else ""
    text = TYPES.get(kind, "")
    if text == "VARCHAR":
        size = call.argument(0, "max_length") if kind != "CharField" else call.kwarg("max_length")
        usual = _LENGTHS.get(kind) if call.flag("multiple") is not True else None
        number = size.const() if size is not None else (own or {}).get("max_length", usual)
        return f"VARCHAR({number})" if isinstance(number, int) else text
    if text == "DECIMAL":
        sizes = [call.kwarg("max_digits"), call.kwarg("decimal_places")]
        numbers = [str(node.const()) for node in sizes if node is not None and isinstance(node.const(), int)]
        return f"DECIMAL({', '.join(numbers)})" if len(numbers) == 2 else text
    return text


def _choices(node: Node | None) -> tuple[str, ...]:
    values: list[str] = []
    for item in (node.elements() or []) if node is not None else []:
        pair = item.elements()
        text = pair[0].text() if pair else ""
        if text:
            values.append(text)
    return tuple(values)


def target_of(node: Node) -> str:
    """The model that a relation names: a text as it is, a class by its dotted name, or AUTH_USER_MODEL."""
    if node.last() == "AUTH_USER_MODEL":
        return "AUTH_USER_MODEL"
    text = node.text()
    if text:
        return text
    call = node.call()
    if call is not None and call.name == "get_user_model":
        return "AUTH_USER_MODEL"
    if call is not None and call.dotted == _SWAPPED and len(call.args) == 2:
        return ".".join(name for name in (item.text() for item in call.args) if name)
    return node.dotted()


def read_options(pairs: dict[str, Node]) -> Options:
    """A Meta class or a migration's options, by name."""
    options = Options()
    for name in ("abstract", "proxy", "managed"):
        node = pairs.get(name)
        value = node.const() if node is not None else None
        if isinstance(value, bool):
            setattr(options, name, value)
    for name in ("db_table", "app_label"):
        node = pairs.get(name)
        if node is not None:
            setattr(options, name, node.text().strip('"'))
    for name in ("unique_together", "index_together"):
        setattr(options, name, together(pairs.get(name)))
    for item in _members(pairs.get("indexes")):
        index = read_index(item)
        if index is not None:
            options.indexes.append(index)
    for item in _members(pairs.get("constraints")):
        constraint = read_constraint(item)
        if constraint is not None:
            options.constraints.append(constraint)
    return options


def _members(node: Node | None) -> list[Node]:
    return (node.elements() or []) if node is not None else []


def together(node: Node | None) -> tuple[tuple[str, ...], ...]:
    """`unique_together`: one group of field names, or several."""
    if node is None:
        return ()
    items = node.elements() or []
    if items and all(item.text() for item in items):
        return (strings(node),)
    return tuple(strings(item) for item in items)


def read_index(node: Node) -> Index | None:
    """`models.Index(...)` and PostgreSQL's kinds; columns are *field* names, with "-" kept off."""
    call = node.call()
    if call is None or not call.name.endswith("Index"):
        return None
    method = call.name.removesuffix("Index").lower()
    name, condition = call.kwarg("name"), call.kwarg("condition")
    columns, expressions = _columns(call)
    return Index(
        name.text() if name else "", columns, False, method, "?" if condition is not None else "", expressions,
        strings(call.kwarg("include")), strings(call.kwarg("opclasses")) + _opclasses(call), call.location,
    )  # fmt: skip


def _columns(call: CallNode) -> tuple[tuple[str, ...], frozenset[int]]:
    fields = strings(call.kwarg("fields"))
    if fields:
        return tuple(name.removeprefix("-") for name in fields), frozenset()
    shown = [_expression(arg) for arg in call.args]
    return tuple(text for text, _ in shown), frozenset(i for i, (_, functional) in enumerate(shown) if functional)


def _expression(node: Node) -> tuple[str, bool]:
    """(text, whether it is more than a field): `Lower("name")` is `lower(name)`."""
    text = node.text()
    if text:
        return text.removeprefix("-"), False
    call = node.call()
    if call is None:
        return "?", True
    if call.name in {"F", "OrderBy", "OpClass", "desc", "asc"}:
        inner = call.args[0] if call.args and call.name not in {"desc", "asc"} else None
        if inner is None and call.func.value[0] == "attr":
            inner = call.func.at(call.func.value[1])
        return _expression(inner) if inner is not None else ("?", True)
    return f"{call.name.lower()}({', '.join(_expression(arg)[0] for arg in call.args)})", True


def _opclasses(call: CallNode) -> tuple[str, ...]:
    found: list[str] = []
    for arg in call.args:
        inner = arg.call()
        if inner is not None and inner.name == "OpClass":
            name = inner.argument(1, "name")
            found.append(name.text() if name is not None else "")
    return tuple(found)


def read_constraint(node: Node) -> Constraint | Index | None:
    """A member of `Meta.constraints`; a conditional or functional UniqueConstraint is a unique index to the database."""
    call = node.call()
    if call is None:
        return None
    name = call.kwarg("name")
    shown = name.text() if name else ""
    if call.name == "CheckConstraint":
        return Check(shown, "?", call.location)
    if call.name == "UniqueConstraint":
        columns, expressions = _columns(call)
        condition = call.kwarg("condition")
        if condition is not None or expressions or call.kwarg("include") or call.kwarg("opclasses"):
            return Index(
                shown, columns, True, "", "?" if condition is not None else "", expressions, location=call.location
            )
        return Unique(shown, columns, location=call.location)
    return None
