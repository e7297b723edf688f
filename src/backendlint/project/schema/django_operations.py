"""Django's migration operations: what each does to the models' state, and to tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from backendlint.project.schema import operations as ops
from backendlint.project.schema.ddl import read_script
from backendlint.project.schema.django_fields import (
    read_constraint,
    read_field,
    read_index,
    read_options,
    together,
)
from backendlint.project.schema.django_state import Model, State, column_name
from backendlint.project.schema.executed import may_change_data
from backendlint.project.schema.model import Check, Column, ForeignKey, Index, Unique
from backendlint.project.schema.reading import CallNode, Node, class_node, lineage, strings


class Replay:
    """Plays Django's operations on the state and says what they do to tables."""

    def __init__(self, state: State, dialect: str) -> None:
        self.state = state
        self.dialect = dialect
        self.app = ""

    def run(self, call: CallNode) -> list[ops.Operation]:
        """One operation."""
        reader = _READERS.get(_kind(call))
        if reader is None:
            self._doubt(call)
            return [ops.Other(kind=call.name, location=call.location)]
        found = [replace(item, location=item.location or call.location) for item in reader(self, call)]
        return [replace(item, state_only=True) for item in found] if _leaves_database(call) else found

    def _doubt(self, call: CallNode) -> None:
        """What an operation of the project's own does is not known, to the models that it names, else to all of the app."""
        own = call.node.links.find_class(call.dotted) is not None if call.dotted else False
        given = [*call.args, *(call.node.at(vid) for _, vid in call.call.kwargs)]
        names = {node.text().rpartition(".")[2].lower() for node in given} - {""}
        models = [model for model in self.state.models.values() if model.app.lower() == self.app.lower()]
        for model in [item for item in models if item.name.lower() in names] or (models if own else []):
            model.complete = False

    def model(self, call: CallNode, position: int = 0, name: str = "model_name") -> Model | None:
        """The model that an operation names."""
        node = call.argument(position, name)
        return self.state.models.get(f"{self.app}.{node.text()}".lower()) if node is not None else None


def _kind(call: CallNode) -> str:
    """Django's name of the operation; an heir of one that takes what that takes is the same."""
    found = call.node.links.find_class(call.dotted) if call.dotted and call.name not in _READERS else None
    for file, cls in lineage(*found, call.node.links) if found is not None else ():
        if "__init__" in cls.methods:
            break
        known = (class_node(file, cls, base, call.node.links).last() for base in cls.bases)
        kind = next((name for name in known if name in _READERS), "")
        if kind:
            return kind
    return call.name


def _leaves_database(call: CallNode) -> bool:
    """An operation of the project's own that the database does not notice: `def database_forwards(...): pass`."""
    found = call.node.links.find_class(call.dotted) if call.dotted and call.name not in _READERS else None
    for file, cls in lineage(*found, call.node.links) if found is not None else ():
        if "database_forwards" in cls.methods:
            facts = file.functions[cls.methods["database_forwards"]]
            return not facts.calls and not facts.raises
    return False


def _create_model(replay: Replay, call: CallNode) -> Iterator[ops.Operation]:
    name, fields, options = call.argument(0, "name"), call.argument(1, "fields"), call.argument(2, "options")
    bases = call.argument(3, "bases")
    model = Model(replay.app, name.text() if name else "", location=call.location)
    for pair in (fields.elements() or []) if fields is not None else []:
        parts = pair.elements() or []
        if len(parts) == 2:
            field = read_field(parts[0].text(), parts[1])
            if field is not None:
                model.fields[field.name] = field
    pairs = {key.text(): value for key, value in (options.pairs() or [])} if options is not None else {}
    model.options = read_options(pairs)
    parents = [text for text in strings(bases) if "." in text]
    model.parents = tuple(parent.lower() for parent in parents)
    if model.options.proxy and parents:
        parent = replay.state.models.get(parents[0].lower())
        model.options.db_table = parent.table if parent is not None else ""
    replay.state.models[model.key] = model
    for table in replay.state.tables_of(model):
        if model.options.managed:
            yield ops.CreateTable(table=replace(table, source="django-migrations"))


def _delete_model(replay: Replay, call: CallNode) -> Iterator[ops.Operation]:
    model = replay.model(call, 0, "name")
    if model is None:
        return
    tables = list(replay.state.tables_of(model))
    del replay.state.models[model.key]
    for table in reversed(tables):
        if model.options.managed:
            yield ops.DropTable(table=table.name)


def _rename_model(replay: Replay, call: CallNode) -> Iterator[ops.Operation]:
    model = replay.model(call, 0, "old_name")
    new = call.argument(1, "new_name")
    if model is None or new is None:
        return
    before = [table.copy() for table in replay.state.tables_of(model)]
    old_key = model.key
    del replay.state.models[old_key]
    model.name = new.text()
    replay.state.models[model.key] = model
    for other in replay.state.models.values():
        other.parents = tuple(model.key if parent == old_key else parent for parent in other.parents)
        for name, field in other.fields.items():
            if field.target and replay.state.key_of(field.target, other.app) == old_key:
                other.fields[name] = replace(field, target=f"{model.app}.{model.name}")
    for old, table in zip(before, replay.state.tables_of(model), strict=False):
        if old.name != table.name:
            yield ops.RenameTable(table=old.name, new=table.name)
        for left, right in zip(old.columns, table.columns, strict=False):
            if left != right:
                yield ops.RenameColumn(table=table.name, column=left, new=right)


def _alter_table(replay: Replay, call: CallNode) -> Iterator[ops.Operation]:
    model = replay.model(call, 0, "name")
    new = call.argument(1, "table")
    if model is None or new is None:
        return
    before = [table.name for table in replay.state.tables_of(model)]
    model.options.db_table = new.text()
    for old, table in zip(before, replay.state.tables_of(model), strict=False):
        if old != table.name:
            yield ops.RenameTable(table=old, new=table.name)


def _add_field(replay: Replay, call: CallNode) -> Iterator[ops.Operation]:
    model = replay.model(call)
    name, node = call.argument(1, "name"), call.argument(2, "field")
    field = read_field(name.text(), node) if name is not None and node is not None else None
    if model is None or field is None:
        return
    model.fields[field.name] = field
    if not model.options.managed:
        return
    if field.many:
        table = replay.state.through_table(model, field)
        if table is not None:
            yield ops.CreateTable(table=replace(table, source="django-migrations"))
        return
    preserve = call.flag("preserve_default", True)
    column = replay.state.column(field, model)
    if preserve is False:
        model.fields[field.name] = replace(field, default=False)
    parts = tuple(replay.state.parts(field, model))
    yield ops.AddColumn(table=model.table, column=column, constraints=parts, one_off_default=preserve is False)


def _remove_field(replay: Replay, call: CallNode) -> Iterator[ops.Operation]:
    model = replay.model(call)
    name = call.argument(1, "name")
    field = model.fields.pop(name.text(), None) if model is not None and name is not None else None
    if model is None or field is None or not model.options.managed:
        return
    if field.many:
        table = replay.state.through_table(model, field)
        if table is not None:
            yield ops.DropTable(table=table.name)
        return
    yield ops.DropColumn(table=model.table, column=column_name(field))


def _alter_field(replay: Replay, call: CallNode) -> Iterator[ops.Operation]:
    model = replay.model(call)
    name, node = call.argument(1, "name"), call.argument(2, "field")
    new = read_field(name.text(), node) if name is not None and node is not None else None
    old = model.fields.get(new.name) if model is not None and new is not None else None
    if model is None or new is None:
        return
    if old is None or old.many or new.many:
        model.fields[new.name] = new
        return
    before, old_parts = replay.state.column(old, model), replay.state.parts(old, model)
    model.fields[new.name] = new
    after, new_parts = replay.state.column(new, model), replay.state.parts(new, model)
    if call.flag("preserve_default", True) is False:
        model.fields[new.name] = replace(new, default=False)
    if model.options.managed:
        yield from _column_changes(model.table, before, after, fills=new.default or new.db_default is not None)
        yield from _part_changes(model.table, old_parts, new_parts)


def _column_changes(table: str, before: Column, after: Column, fills: bool) -> Iterator[ops.Operation]:
    if before.name != after.name:
        yield ops.RenameColumn(table=table, column=before.name, new=after.name)
    type_changed = before.type != after.type
    null_changed = before.nullable != after.nullable
    default_changed = before.default != after.default
    if type_changed or null_changed or default_changed:
        yield ops.AlterColumn(
            table=table, column=after.name, type=after.type if type_changed else None,
            nullable=after.nullable if null_changed else None, default=after.default if default_changed else None,
            drop_default=default_changed and after.default is None, fills=fills and null_changed and not after.nullable,
        )  # fmt: skip


def _part_changes(table: str, old: Sequence[object], new: Sequence[object]) -> Iterator[ops.Operation]:
    def shape(part: object) -> tuple[object, ...]:
        return (
            type(part).__name__,
            getattr(part, "columns", ()),
            getattr(part, "target", ""),
            getattr(part, "enforced", True),
        )

    before, after = {shape(part) for part in old}, {shape(part) for part in new}
    for part in old:
        if shape(part) in after:
            continue
        if isinstance(part, Index):
            yield ops.DropIndex(name="", table=table, columns=part.columns)
        elif isinstance(part, Unique):
            yield ops.DropConstraint(table=table, name="", kind="unique", columns=part.columns)
        elif isinstance(part, ForeignKey) and part.enforced:
            yield ops.DropConstraint(table=table, name="", kind="foreign-key", columns=part.columns)
    for part in new:
        if shape(part) in before:
            continue
        if isinstance(part, Index):
            yield ops.CreateIndex(table=table, index=part)
        elif isinstance(part, Unique | ForeignKey | Check):
            yield ops.AddConstraint(table=table, constraint=part)


def _rename_field(replay: Replay, call: CallNode) -> Iterator[ops.Operation]:
    model = replay.model(call)
    old_node, new_node = call.argument(1, "old_name"), call.argument(2, "new_name")
    if model is None or old_node is None or new_node is None or old_node.text() not in model.fields:
        return
    old, new = old_node.text(), new_node.text()
    field = model.fields[old]
    through = replay.state.through_table(model, field) if field.many else None
    renamed = replace(field, name=new)
    model.fields = {
        (new if name == old else name): (renamed if name == old else item) for name, item in model.fields.items()
    }
    options = model.options

    def swap(groups: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
        return tuple(tuple(new if name == old else name for name in group) for group in groups)

    options.unique_together, options.index_together = swap(options.unique_together), swap(options.index_together)
    if not model.options.managed:
        return
    if through is not None:
        after = replay.state.through_table(model, renamed)
        if after is not None and after.name != through.name:
            yield ops.RenameTable(table=through.name, new=after.name)
    elif not field.many and column_name(field) != column_name(renamed):
        yield ops.RenameColumn(table=model.table, column=column_name(field), new=column_name(renamed))


def _together(attribute: str) -> Callable[[Replay, CallNode], Iterator[ops.Operation]]:
    def reader(replay: Replay, call: CallNode) -> Iterator[ops.Operation]:
        model = replay.model(call, 0, "name")
        if model is None:
            return
        before = getattr(model.options, attribute)
        after = together(call.argument(1, attribute))
        setattr(model.options, attribute, after)
        for group in before:
            if group not in after:
                columns = replay.state.columns(model, group)
                yield (
                    ops.DropConstraint(table=model.table, name="", kind="unique", columns=columns)
                    if attribute == "unique_together"
                    else ops.DropIndex(name="", table=model.table, columns=columns)
                )
        for group in after:
            if group not in before:
                columns = replay.state.columns(model, group)
                yield (
                    ops.AddConstraint(table=model.table, constraint=Unique("", columns, location=call.location))
                    if attribute == "unique_together"
                    else ops.CreateIndex(table=model.table, index=Index("", columns, location=call.location))
                )

    return reader


def _add_index(replay: Replay, call: CallNode) -> Iterator[ops.Operation]:
    model, node = replay.model(call), call.argument(1, "index")
    index = read_index(node) if node is not None else None
    if model is None or index is None:
        return
    model.options.indexes.append(index)
    mapped = replay.state.mapped(model, index)
    if isinstance(mapped, Index) and model.options.managed:
        yield ops.CreateIndex(table=model.table, index=mapped, concurrently=call.name.endswith("Concurrently"))


def _remove_index(replay: Replay, call: CallNode) -> Iterator[ops.Operation]:
    model, name = replay.model(call), call.argument(1, "name")
    if model is None or name is None:
        return
    model.options.indexes = [index for index in model.options.indexes if index.name != name.text()]
    yield ops.DropIndex(name=name.text(), table=model.table, concurrently=call.name.endswith("Concurrently"))


def _rename_index(replay: Replay, call: CallNode) -> Iterator[ops.Operation]:
    model, new, old = replay.model(call), call.argument(1, "new_name"), call.argument(2, "old_name")
    fields = strings(call.kwarg("old_fields"))
    if model is None or new is None:
        return
    if fields:
        model.options.index_together = tuple(group for group in model.options.index_together if group != fields)
        model.options.indexes.append(Index(new.text(), fields, location=call.location))
        columns = replay.state.columns(model, fields)
        yield ops.RenameIndex(name="", new=new.text(), table=model.table, columns=columns)
        return
    old_name = old.text() if old is not None else ""
    model.options.indexes = [
        replace(index, name=new.text()) if index.name == old_name else index for index in model.options.indexes
    ]
    yield ops.RenameIndex(name=old_name, new=new.text(), table=model.table)


def _add_constraint(replay: Replay, call: CallNode) -> Iterator[ops.Operation]:
    model, node = replay.model(call), call.argument(1, "constraint")
    constraint = read_constraint(node) if node is not None else None
    if model is None or constraint is None:
        return
    model.options.constraints.append(constraint)
    mapped = replay.state.mapped(model, constraint)
    if not model.options.managed:
        return
    if isinstance(mapped, Index):
        yield ops.CreateIndex(table=model.table, index=mapped)
    else:
        yield ops.AddConstraint(table=model.table, constraint=mapped, validated=call.name != "AddConstraintNotValid")


def _remove_constraint(replay: Replay, call: CallNode) -> Iterator[ops.Operation]:
    model, name = replay.model(call), call.argument(1, "name")
    if model is None or name is None:
        return
    kept = [part for part in model.options.constraints if part.name != name.text()]
    gone = [part for part in model.options.constraints if part.name == name.text()]
    model.options.constraints = kept
    mapped = [replay.state.mapped(model, part) for part in gone]
    if any(isinstance(part, Index) for part in gone):
        yield ops.DropIndex(name=mapped[0].name, table=model.table)
    else:
        yield ops.DropConstraint(table=model.table, name=mapped[0].name if mapped else name.text())


def _validate(replay: Replay, call: CallNode) -> Iterator[ops.Operation]:
    model, name = replay.model(call), call.argument(1, "name")
    if model is not None and name is not None:
        yield ops.ValidateConstraint(table=model.table, name=name.text())


def _run_sql(replay: Replay, call: CallNode) -> Iterator[ops.Operation]:
    node, reverse = call.argument(0, "sql"), call.argument(1, "reverse_sql")
    inner = [replay.run(item) for item in _calls(call.argument(2, "state_operations"))]
    texts = _sql_texts(node) if node is not None else None
    understood: list[ops.Operation] = []
    known = texts is not None
    for text, item in texts or []:
        script = read_script(text, replay.dialect, item.where())
        understood.extend(script.operations)
        known = known and not script.unread
    if not known and inner:
        understood = [operation for group in inner for operation in group]
        known = True
    else:
        yield from (replace(operation, state_only=True) for group in inner for operation in group)
    reversible = reverse is not None and reverse.const("?") is not None
    yield ops.RunSQL(
        sql=";\n".join(text for text, _ in texts or []), operations=tuple(understood), reversible=reversible, known=known,
        refused=not reversible and reverse is not None, location=call.location,
    )  # fmt: skip


def _sql_texts(node: Node) -> list[tuple[str, Node]] | None:
    """The texts of RunSQL's argument: one, or a list of texts and (text, parameters) pairs; None when not known."""
    if node.last() == "noop":
        return []
    text = node.text()
    if text:
        return [(text, node)]
    elements = node.elements()
    if elements is None:
        return None
    found: list[tuple[str, Node]] = []
    for item in elements:
        pair = item.elements()
        inner = pair[0] if pair else item
        if not inner.text():
            return None
        found.append((inner.text(), inner))
    return found


def _calls(node: Node | None) -> list[CallNode]:
    return [call for item in (node.elements() or []) if (call := item.call()) is not None] if node is not None else []


def _run_python(replay: Replay, call: CallNode) -> Iterator[ops.Operation]:
    code, reverse = call.argument(0, "code"), call.argument(1, "reverse_code")
    name = code.last() if code is not None else ""
    changes = name != "noop" and (code is None or may_change_data(code))
    yield ops.RunCode(
        name=name or "RunPython", reversible=reverse is not None, changes_data=changes, location=call.location
    )


def _separate(replay: Replay, call: CallNode) -> Iterator[ops.Operation]:
    database = _calls(call.argument(0, "database_operations"))
    states = _calls(call.argument(1, "state_operations"))
    aside = Replay(replay.state.copy(), replay.dialect)
    aside.app = replay.app
    for item in database:
        yield from (replace(operation, database_only=True) for operation in aside.run(item))
    for item in states:
        yield from (replace(operation, state_only=True) for operation in replay.run(item))


def _alter_options(replay: Replay, call: CallNode) -> Iterator[ops.Operation]:
    model, node = replay.model(call, 0, "name"), call.argument(1, "options")
    for key, value in (node.pairs() or []) if node is not None and model is not None else []:
        if key.text() == "managed" and model is not None:
            model.options.managed = value.const() is not False
    yield ops.Other(kind="AlterModelOptions")


def _nothing(replay: Replay, call: CallNode) -> Iterator[ops.Operation]:
    yield ops.Other(kind=call.name)


_READERS: dict[str, Callable[[Replay, CallNode], Iterator[ops.Operation]]] = {
    "CreateModel": _create_model, "DeleteModel": _delete_model, "RenameModel": _rename_model,
    "AlterModelTable": _alter_table, "AddField": _add_field, "RemoveField": _remove_field, "AlterField": _alter_field,
    "RenameField": _rename_field, "AlterUniqueTogether": _together("unique_together"),
    "AlterIndexTogether": _together("index_together"), "AddIndex": _add_index, "AddIndexConcurrently": _add_index,
    "RemoveIndex": _remove_index, "RemoveIndexConcurrently": _remove_index, "RenameIndex": _rename_index,
    "AddConstraint": _add_constraint, "AddConstraintNotValid": _add_constraint, "RemoveConstraint": _remove_constraint,
    "ValidateConstraint": _validate, "RunSQL": _run_sql, "RunPython": _run_python, "SeparateDatabaseAndState": _separate,
    "AlterModelOptions": _alter_options, "AlterModelManagers": _nothing,
}  # fmt: skip
