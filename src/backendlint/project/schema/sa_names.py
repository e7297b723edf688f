"""Which classes SQLAlchemy maps, and what their tables are called."""

from __future__ import annotations

import re

from backendlint.facts.model import ClassFacts, FileFacts
from backendlint.project.schema.reading import (
    BASE_MAKERS,
    CallNode,
    Links,
    Node,
    class_node,
    foreign_bases,
    lineage,
    returned,
)
from backendlint.project.schema.sa_columns import column_call
from backendlint.project.schema.sa_sqlmodel import is_table_model

Chain = list[tuple[FileFacts, ClassFacts]]


def own(cls: ClassFacts, file: FileFacts, name: str, links: Links) -> object:
    vid = cls.attributes.get(name, -1)
    return class_node(file, cls, vid, links).const() if vid >= 0 else None


def is_mapped(file: FileFacts, cls: ClassFacts, links: Links) -> bool:
    """True when the class inherits from a declarative base (bases outside of the project count by their names)."""
    if is_table_model(file, cls, links):
        return True
    names = foreign_bases(file, cls, links)
    if any(
        name.rpartition(".")[2] in {"DeclarativeBase", "DeclarativeBaseNoMeta", "DeclarativeMeta", "MappedAsDataclass"}
        for name in names
    ):
        return file.module + cls.qualname != "" and not _is_base(file, cls, links)
    if any(name.startswith("django.") for name in names):
        return False
    for where, item in lineage(file, cls, links):
        for base in item.bases:
            node = class_node(where, item, base, links)
            if node.last() == "Model" and _of_variable(node):
                return True
            call = node.call()
            if call is not None and (call.name in BASE_MAKERS or call.name == "automap_base"):
                return not _is_base(file, cls, links)
        if "__tablename__" in item.attributes or "__table__" in item.attributes:
            return not _django_like(names)
    return False


def _of_variable(node: Node) -> bool:
    """`db.Model`, where `db` is an object, also one of another module."""
    if node.value[0] == "attr":
        return True
    owner = str(node.value[1]).rpartition(".")[0] if node.value[0] == "name" else ""
    return bool(owner) and node.links.find_value(owner) is not None


def _django_like(names: list[str]) -> bool:
    return any(name.startswith(("django.", "peewee.", "tortoise.", "ormar.")) for name in names)


def _is_base(file: FileFacts, cls: ClassFacts, links: Links) -> bool:
    """True for the declarative base itself."""
    return (
        any(
            class_node(file, cls, base, links).last() in {"DeclarativeBase", "DeclarativeBaseNoMeta"}
            for base in cls.bases
        )
        and "__tablename__" not in cls.attributes
    )


def table_name(file: FileFacts, cls: ClassFacts, chain: list[tuple[FileFacts, ClassFacts]], links: Links) -> str | None:
    """The table's name; "" when the class has no table of its own, None when it has one that is not known."""
    if "__table__" in cls.attributes:
        return ""
    own = cls.attributes.get("__tablename__", -1)
    if own >= 0:
        return class_node(file, cls, own, links).text() or None
    if is_table_model(file, cls, links):
        return cls.name.lower()
    has_key = _defines_key(file, cls, links)
    for where, item in chain:
        if "__tablename__" in item.methods:
            if item is not cls and not has_key and _inherits_table(chain, links):
                return ""
            return _named_by_method(where, item, cls.name, links)
        vid = item.attributes.get("__tablename__", -1)
        if vid >= 0 and item is not cls:
            mixin = not is_mapped(where, item, links)
            return class_node(where, item, vid, links).text() if mixin else ""
    if has_key and _flask(chain, links):
        return _snake(cls.name)
    return ""


def _inherits_table(chain: list[tuple[FileFacts, ClassFacts]], links: Links) -> bool:
    return any(
        _defines_key(where, item, links) and _has_columns(item) for where, item in chain[1:] if _mapped_here(item)
    )


def _mapped_here(item: ClassFacts) -> bool:
    return "__abstract__" not in item.attributes and bool(item.bases) and not item.name.endswith(("Base", "Mixin"))


def _has_columns(item: ClassFacts) -> bool:
    return len(item.attributes) + len(item.annotations) > 1


def _flask(chain: list[tuple[FileFacts, ClassFacts]], links: Links) -> bool:
    return any(class_node(where, item, base, links).last() == "Model" for where, item in chain for base in item.bases)


def _defines_key(file: FileFacts, cls: ClassFacts, links: Links) -> bool:
    for name, vid in cls.attributes.items():
        call = column_call(class_node(file, cls, vid, links)) if not name.startswith("__") else None
        if call is not None and call.flag("primary_key") is True:
            return True
    return False


def _snake(name: str) -> str:
    spaced = re.sub(r"((?<=[a-z0-9])[A-Z]|(?!^)[A-Z](?=[a-z]))", r"_\1", name)
    return spaced.lower()


def _named_by_method(file: FileFacts, cls: ClassFacts, name: str, links: Links) -> str | None:
    """What a `declared_attr` `__tablename__` returns for the class `name`."""
    node = returned(file, cls.methods["__tablename__"], links)
    return _name_text(node, name) if node is not None else None


def _name_text(node: Node, name: str, depth: int = 0) -> str | None:
    value = node.value
    if depth > 6:
        return None
    if value[0] == "const" and isinstance(value[1], str):
        return value[1]
    if value[0] == "attr" and value[2] == "__name__":
        return name
    if value[0] == "conv":
        return _name_text(node.at(value[1]), name, depth + 1)
    if value[0] == "fmt":
        parts = [_name_text(node.at(vid), name, depth + 1) for vid in value[2]]
        return None if None in parts else "".join(part or "" for part in parts)
    call = node.call()
    if call is not None and call.func.value[0] == "attr" and call.name in {"lower", "upper", "casefold"}:
        inner = _name_text(call.func.at(call.func.value[1]), name, depth + 1)
        return None if inner is None else (inner.upper() if call.name == "upper" else inner.lower())
    if call is not None and call.args and (re.search(r"snake|underscore", call.name) or _splits_words(call)):
        inner = _name_text(call.args[0], name, depth + 1)
        return _snake(inner) if inner else None
    return None


def _splits_words(call: CallNode) -> bool:
    """A function of the project that cuts its only argument where a word begins (by a pattern with `A-Z`, or `isupper()`), writes
    it small and puts `_` between: `Order_Line` of any spelling is `order_line`."""
    found = call.node.links.find_function(call.dotted, call.node.file.module) if call.dotted else None
    if found is None or len(call.args) != 1:
        return False
    facts = found[0].functions[found[1]]
    texts = [value[1] for value in facts.values if value[0] == "const" and isinstance(value[1], str)]
    texts += [text for value in facts.values if value[0] == "fmt" for text in value if isinstance(text, str)]
    named = {str(value[2]) for value in facts.values if value[0] == "attr"}
    capitals = "isupper" in named or any("A-Z" in text for text in texts)
    return capitals and "lower" in named and any("_" in text for text in texts)


def namespace(chain: list[tuple[FileFacts, ClassFacts]], links: Links) -> str:
    for where, item in chain:
        vid = item.attributes.get("__table_args__", -1)
        if vid >= 0:
            node = class_node(where, item, vid, links)
            members = node.elements() or [node]
            for key, value in members[-1].pairs() or [] if members else []:
                if key.const() == "schema":
                    return value.text()
        vid = item.attributes.get("metadata", -1)
        call = class_node(where, item, vid, links).call() if vid >= 0 else None
        schema = call.kwarg("schema") if call is not None else None
        if schema is not None:
            return schema.text()
    return ""
