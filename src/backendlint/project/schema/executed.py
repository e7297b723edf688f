"""What a migration's `execute()` gets, as far as that is known: its text, or at least whether it can change the schema."""

from __future__ import annotations

import re

from backendlint.facts.model import FunctionFacts
from backendlint.facts.within import around
from backendlint.project.schema.reading import CallNode, Node

_SAME = frozenset({"strip", "lstrip", "rstrip", "bindparams", "execution_options"})
_TEXTS = frozenset({"text", "DDL", "TextClause", "dedent", "cleandoc"})
_BUILDERS = frozenset(
    "insert update delete select values where exists union union_all count query literal_column".split()
)
_PICKS = frozenset({"where", "filter", "filter_by"})
_DATA = re.compile(
    r"\s*(?:SELECT|INSERT|UPDATE|DELETE|WITH|MERGE|GRANT|REVOKE|SET|ANALYZE|COMMENT|LOCK)\b", re.IGNORECASE
)
_CHANGES = frozenset(
    "save update delete create bulk_create bulk_update get_or_create update_or_create add set remove clear rebuild insert "
    "executemany execute_values copy_from populate".split()
)
"""Methods by which rows are changed."""
_DEFINES = re.compile(r"\s*(?:ALTER|CREATE|DROP|COMMENT|REINDEX|ANALYZE|SELECT|PRAGMA|SET|LOCK)\b", re.IGNORECASE)
_DEPTH = 12


def sql_node(node: Node) -> Node:
    """The text inside `text()`, `sa.text()`, `DDL()`, and string methods that leave its meaning alone."""
    for _ in range(4):
        call = node.call()
        if call is None:
            break
        if call.name in _TEXTS and call.args:
            node = call.args[0]
        elif call.name in _SAME and call.func.value[0] == "attr":
            node = call.func.at(call.func.value[1])
        else:
            break
    return node


def may_change_schema(node: Node, depth: int = _DEPTH) -> bool:
    """False for `execute(table.insert())` and for texts that begin as statements on rows; true for what is not known."""
    node = sql_node(node).resolve()
    value = node.value
    if depth == 0:
        return True
    if value[0] == "const":
        return _DATA.match(str(value[1])) is None
    if value[0] == "fmt" and value[2]:
        return may_change_schema(node.at(value[2][0]), depth - 1)
    if value[0] == "phi":
        return any(may_change_schema(node.at(vid), depth - 1) for vid in value[1] if vid != node.vid)
    call = node.call()
    if call is None:
        return True
    if call.name in _BUILDERS:
        return False
    func = call.func.value
    return func[0] != "attr" or may_change_schema(call.func.at(func[1]), depth - 1)


def row_change(node: Node) -> tuple[str, str, bool] | None:
    """What `update(orders).where(...)` or `orders.delete()` does: its kind, the table, and whether it picks rows."""
    picks, node = False, node.resolve()
    for _ in range(_DEPTH):
        call = node.call()
        if call is None:
            return None
        picks = picks or call.name in _PICKS
        func = call.func
        if call.name in ("update", "delete"):
            owner = func.at(func.value[1]) if func.value[0] == "attr" else None
            if func.value[0] == "name":
                owner = node.links.find_value(str(func.value[1]).rpartition(".")[0], node.file.module)
            table = _table_name(call.args[0] if call.args else owner)
            return (call.name.upper(), table, picks) if table else None
        if func.value[0] != "attr":
            return None
        node = func.at(func.value[1]).resolve()
    return None


def _table_name(node: Node | None) -> str:
    """The name in `sa.table("orders", ...)` and `sa.Table("orders", ...)`."""
    call = node.resolve().call() if node is not None else None
    return call.args[0].text() if call is not None and call.args and call.name in ("table", "Table") else ""


def data_text(node: Node) -> str:
    """A statement on rows with names in place of what is not known of it; "" for other texts."""
    node = node.resolve()
    value = node.value
    if value[0] != "fmt" or not value[2] or may_change_schema(node):
        return ""
    texts: list[str] = []
    for vid in value[2]:
        known = node.at(vid).const(None)
        texts.append(str(known) if isinstance(known, str | int) else f"hole_{len(texts)}_")
    return "".join(texts)


def may_change_data(code: Node, depth: int = 3) -> bool:
    """False for a function of the same file that is seen to define things only: no row is saved, no unknown SQL run."""
    value = code.value
    found = next((index for index, item in enumerate(code.file.functions) if value == ("def", item.qualname)), 0)
    if not found or depth == 0:
        return True
    facts = code.file.functions[found]
    if _for_sqlite(facts):
        return False
    calls = (call for call in facts.calls if not _where_sqlite(facts, call.block))
    return any(_changes(CallNode(Node(code.file, found, call.value, code.links), call), depth) for call in calls)


def _beginning(node: Node) -> str:
    """What a text surely begins with."""
    node = sql_node(node).resolve()
    value = node.value
    return node.at(value[2][0]).text() if value[0] == "fmt" and value[2] and not node.text() else node.text()


def _for_sqlite(facts: FunctionFacts) -> bool:
    """True for what returns at once where the database is no SQLite: a server does nothing of it."""
    for block in facts.blocks:
        value = facts.values[block.value] if block.kind == "if" and block.value >= 0 else ("unknown",)
        if value[0] == "compare" and tuple(value[1]) == ("!=",) and block.exits == "return" and block.parent == 0:
            return ("const", "sqlite") in [facts.values[vid] for vid in value[2]]
    return False


def _where_sqlite(facts: FunctionFacts, block: int) -> bool:
    """Whether the block is reached on SQLite alone: `if vendor == "sqlite":`, `elif vendor.startswith("sqlite"):`."""
    for number in around(facts, block):
        item = facts.blocks[number]
        value = facts.values[item.value] if item.kind == "if" and item.value >= 0 else ("unknown",)
        compared: tuple[int, ...] = ()
        if value[0] == "compare" and tuple(value[1]) == ("==",):
            compared = value[2]
        elif value[0] == "call":
            call = facts.calls[value[1]]
            compared = call.args if facts.values[call.func][-1] == "startswith" else ()
        if any(facts.values[vid][0] == "const" and str(facts.values[vid][1]).startswith("sqlite") for vid in compared):
            return True
    return False


def _changes(view: CallNode, depth: int) -> bool:
    func = view.func.value
    if view.name == "execute":
        return _DEFINES.match(_beginning(view.args[0]) if view.args else "") is None
    if func[0] == "def":
        return may_change_data(view.func, depth - 1)
    return view.name in _CHANGES or (func[0] == "name" and view.node.links.find_function(view.dotted) is not None)
