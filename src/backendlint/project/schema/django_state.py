"""Django models as a state (app, name, fields, options), and the tables that the state makes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from backendlint.findings.model import Location
from backendlint.project.schema.django_fields import Field, Options
from backendlint.project.schema.django_known import TABLES
from backendlint.project.schema.model import Check, Column, Constraint, ForeignKey, Index, Table, Unique

NAME_LIMIT = 63
_SETTINGS = "django.conf.settings."


@dataclass(slots=True)
class Model:
    """One model. `parents` are keys of concrete models that it inherits from (multi-table inheritance)."""

    app: str
    name: str
    fields: dict[str, Field] = field(default_factory=dict)
    options: Options = field(default_factory=Options)
    parents: tuple[str, ...] = ()
    complete: bool = True
    owner: str = ""
    location: Location | None = None

    @property
    def key(self) -> str:
        """`app.model`, lower case."""
        return f"{self.app}.{self.name}".lower()

    @property
    def table(self) -> str:
        """The table's name."""
        return self.options.db_table or f"{self.app}_{self.name.lower()}"[:NAME_LIMIT]


@dataclass(slots=True)
class State:
    """All models, with the settings that shape their tables."""

    models: dict[str, Model] = field(default_factory=dict)
    user_model: str = "auth.User"
    auto_field: str = "INTEGER"
    app_auto_fields: dict[str, str] = field(default_factory=dict)
    classes: dict[str, str] = field(default_factory=dict)
    """Dotted class names to keys of models."""

    def key_of(self, target: str, app: str, model: str = "") -> str:
        """The key of the model that a relation names from within `app`."""
        if target in {"self", "RECURSIVE_RELATIONSHIP_CONSTANT"}:
            return f"{app}.{model}".lower()
        if target == "AUTH_USER_MODEL":
            target = self.user_model
        if target in self.classes:
            return self.classes[target]
        if "." not in target:
            return f"{app}.{target}".lower()
        parts = target.split(".")
        if parts[:2] == ["django", "contrib"]:
            return f"{parts[2]}.{parts[-1]}".lower()
        return f"{parts[-2] if len(parts) == 2 else parts[0]}.{parts[-1]}".lower()

    def find(self, target: str, app: str, model: str = "") -> Model | None:
        """The model itself, where the project has it."""
        return self.models.get(self.key_of(target, app, model))

    def id_type(self, app: str) -> str:
        """The type of an implicit `id`."""
        return self.app_auto_fields.get(app, self.auto_field)

    def key_column(self, key: str, depth: int = 0) -> tuple[str, str, str]:
        """(table, column, type) of a model's primary key; "" for what is not known."""
        model = self.models.get(key)
        if model is None or depth > 8:
            return TABLES.get(key, (key.replace(".", "_"), "id", ""))
        primary = next((item for item in model.fields.values() if item.primary_key), None)
        if primary is not None:
            return model.table, column_name(primary), self.type_of(primary, model, depth + 1)
        if model.options.proxy and model.parents:
            return self.key_column(model.parents[0], depth + 1)
        if model.parents:
            parent = self.stored(model.parents[0])
            return model.table, f"{parent.partition('.')[2]}_ptr_id", self.key_column(parent, depth + 1)[2]
        implicit = self.id_type(model.app) if model.complete else ""  # a library's base may bring its own
        return model.table, "id", implicit

    def stored(self, key: str) -> str:
        """The model itself, or the one for which a proxy stands: children point to the table's own model."""
        seen: set[str] = set()
        while key not in seen:
            seen.add(key)
            model = self.models.get(key)
            if model is None or not model.options.proxy or not model.parents:
                break
            key = model.parents[0]
        return key

    def type_of(self, item: Field, model: Model, depth: int = 0) -> str:
        """A field's column type, a foreign key's from its target."""
        if not item.relation:
            return item.type
        if item.to_field == "?":
            return ""
        key = self.key_of(item.target, model.app, model.name)
        target = self.models.get(key)
        if item.to_field and target is not None and item.to_field in target.fields and depth < 8:
            return self.type_of(target.fields[item.to_field], target, depth + 1)
        return self.key_column(key, depth + 1)[2]

    def copy(self) -> State:
        """An independent copy."""
        models = {
            key: replace(
                model,
                fields=dict(model.fields),
                options=replace(
                    model.options, indexes=list(model.options.indexes), constraints=list(model.options.constraints)
                ),
            )
            for key, model in self.models.items()
        }
        return State(models, self.user_model, self.auto_field, self.app_auto_fields, self.classes)

    def tables(self) -> Iterator[Table]:
        """All tables that the state makes."""
        for model in self.models.values():
            yield from self.tables_of(model)

    def tables_of(self, model: Model) -> Iterator[Table]:
        """A model's own table and those of its many-to-many fields."""
        if model.options.proxy or model.options.abstract:
            return
        yield self._table(model)
        for item in model.fields.values():
            if item.many:
                through = self.through_table(model, item)
                if through is not None:
                    yield through

    def _table(self, model: Model) -> Table:
        table = Table(
            model.table, source="django", owner=model.owner, complete=model.complete and model.options.managed,
            managed=model.options.managed, location=model.location,
        )  # fmt: skip
        if not any(item.primary_key for item in model.fields.values()):
            self._implicit_key(model, table)
        for item in model.fields.values():
            if item.many:
                continue
            column = self.column(item, model)
            table.columns[column.name] = column
            if item.primary_key:
                table.primary_key = (column.name,)
            for part in self.parts(item, model):
                put(table, part)
        for group in model.options.unique_together:
            put(table, Unique("", self.columns(model, group), location=model.location))
        for group in model.options.index_together:
            put(table, Index("", self.columns(model, group), location=model.location))
        for index in model.options.indexes:
            put(table, self.mapped(model, index))
        for constraint in model.options.constraints:
            put(table, self.mapped(model, constraint))
        return table

    def _implicit_key(self, model: Model, table: Table) -> None:
        if model.parents:
            parent = self.stored(model.parents[0])
            target, column, type_text = self.key_column(parent)
            name = f"{parent.partition('.')[2]}_ptr_id"
            table.columns[name] = Column(name, type_text, False, primary_key=True, location=model.location)
            table.primary_key = (name,)
            put(table, ForeignKey("", (name,), target, (column,), location=model.location))
            return
        table.columns["id"] = Column(
            "id", self.id_type(model.app), False, primary_key=True, autoincrement=True, location=model.location
        )
        table.primary_key = ("id",)

    def column(self, item: Field, model: Model) -> Column:
        """A field's column."""
        return Column(
            column_name(item),
            self.type_of(item, model),
            item.null and not item.primary_key,
            item.db_default,
            item.default or (item.blank and item.type.startswith(("VARCHAR", "TEXT", "CITEXT"))),
            item.primary_key,
            item.kind in {"AutoField", "BigAutoField", "SmallAutoField"},
            item.name if item.name != column_name(item) else "",
            item.choices,
            location=item.location,
        )

    def parts(self, item: Field, model: Model) -> list[Constraint | Index]:
        """The constraints and indexes that a field brings by itself."""
        name = (column_name(item),)
        found: list[Constraint | Index] = []
        if item.unique and not item.primary_key:
            found.append(Unique("", name, location=item.location))
        elif item.index and not item.primary_key:
            found.append(Index("", name, location=item.location))
        if item.relation:
            target, column, _ = self.key_column(self.key_of(item.target, model.app, model.name))
            shown = item.to_field.strip("?") or column
            found.append(ForeignKey("", name, target, (shown,), enforced=item.constraint, location=item.location))
        if item.positive:
            found.append(Check("", f"{name[0]} >= 0", item.location))
        return found

    def columns(self, model: Model, fields: tuple[str, ...]) -> tuple[str, ...]:
        """Field names as column names; inherited and unknown ones stay."""
        return tuple(column_name(model.fields[name]) if name in model.fields else name for name in fields)

    def mapped(self, model: Model, part: Constraint | Index) -> Constraint | Index:
        """An index or constraint over fields as one over columns, its name's placeholders filled in."""
        if isinstance(part, (Index, Unique)):
            part = replace(part, columns=self.columns(model, part.columns))
        name = part.name.replace("%(app_label)s", model.app.lower()).replace("%(class)s", model.name.lower())
        return replace(part, name=name)

    def through_table(self, model: Model, item: Field) -> Table | None:
        """The table that Django makes for a many-to-many field without `through`."""
        if item.through:
            return None
        key = self.key_of(item.target, model.app, model.name)
        named = item.target != "" and not item.target.startswith(_SETTINGS)  # else its column has a name unknown here
        target_table, target_column, target_type = self.key_column(key)
        own_table, own_column, own_type = self.key_column(model.key)
        table = Table(
            item.db_table or f"{model.table}_{item.name}"[:NAME_LIMIT], source="django", location=item.location,
            managed=model.options.managed, owner=f"{model.owner}.{item.name}" if model.owner else "", complete=named,
        )  # fmt: skip
        own, other = model.name.lower(), key.partition(".")[2]
        first, second = (f"from_{own}_id", f"to_{other}_id") if key == model.key else (f"{own}_id", f"{other}_id")
        place = item.location
        table.columns["id"] = Column(
            "id", self.id_type(model.app), False, primary_key=True, autoincrement=True, location=place
        )
        table.primary_key = ("id",)
        for name, type_text, target, column in (
            (first, own_type, own_table, own_column),
            (second, target_type, target_table, target_column),
        ):
            table.columns[name] = Column(name, type_text, False, location=place)
            table.foreign_keys.append(ForeignKey("", (name,), target, (column,), location=place))
            table.indexes.append(Index("", (name,), location=place))
        table.uniques.append(Unique("", (first, second), location=place))
        return table


def column_name(item: Field) -> str:
    """A field's column."""
    return item.column or (f"{item.name}_id" if item.relation else item.name)


def put(table: Table, part: Constraint | Index) -> None:
    """Put a constraint or index into its list."""
    from backendlint.project.schema.apply import add_part

    add_part(table, part)
