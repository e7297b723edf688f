"""What a migration's `execute()` gets, as far as that is known: its text, or at least whether it can change the schema."""

from __future__ import annotations

import re

from backendlint.project.schema.reading import Node

_SAME = frozenset({"strip", "lstrip", "rstrip", "bindparams", "execution_options"})
_TEXTS = frozenset({"text", "DDL", "TextClause", "dedent", "cleandoc"})
_BUILDERS = frozenset(
    "insert update delete select values where exists union union_all count query literal_column".split()
)
_DATA = re.compile(
    r"\s*(?:SELECT|INSERT|UPDATE|DELETE|WITH|MERGE|GRANT|REVOKE|SET|ANALYZE|COMMENT|LOCK)\b", re.IGNORECASE
)
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
