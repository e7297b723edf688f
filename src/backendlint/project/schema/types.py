"""Column types: one spelling for what databases and frameworks call differently, and families for comparison."""

from __future__ import annotations

import re

_ALIASES = {
    "INT": "INTEGER", "INT4": "INTEGER", "MEDIUMINT": "INTEGER", "SERIAL": "INTEGER", "SERIAL4": "INTEGER",
    "INT8": "BIGINT", "BIGSERIAL": "BIGINT", "SERIAL8": "BIGINT", "UNSIGNED BIG INT": "BIGINT",
    "INT2": "SMALLINT", "SMALLSERIAL": "SMALLINT", "SERIAL2": "SMALLINT", "TINYINT": "SMALLINT",
    "CHARACTER VARYING": "VARCHAR", "NVARCHAR": "VARCHAR", "VARCHAR2": "VARCHAR", "STRING": "VARCHAR",
    "CHARACTER": "CHAR", "NCHAR": "CHAR", "BPCHAR": "CHAR",
    "CLOB": "TEXT", "LONGTEXT": "TEXT", "MEDIUMTEXT": "TEXT", "TINYTEXT": "TEXT",
    "BOOL": "BOOLEAN", "NUMERIC": "DECIMAL", "DEC": "DECIMAL", "MONEY": "DECIMAL",
    "DOUBLE": "DOUBLE PRECISION", "FLOAT8": "DOUBLE PRECISION", "FLOAT": "DOUBLE PRECISION", "FLOAT4": "REAL",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ", "TIMESTAMP WITHOUT TIME ZONE": "TIMESTAMP", "DATETIME": "TIMESTAMP",
    "TIME WITHOUT TIME ZONE": "TIME", "TIME WITH TIME ZONE": "TIMETZ",
    "BLOB": "BYTEA", "VARBINARY": "BYTEA", "BINARY": "BYTEA", "LONGBLOB": "BYTEA", "MEDIUMBLOB": "BYTEA", "TINYBLOB": "BYTEA",
    "BIT VARYING": "VARBIT",
}  # fmt: skip

_FAMILIES = {
    "integer": ("INTEGER", "BIGINT", "SMALLINT", "OID", "YEAR"),
    "decimal": ("DECIMAL",),
    "float": ("DOUBLE PRECISION", "REAL"),
    "text": ("VARCHAR", "CHAR", "TEXT", "CITEXT", "NAME", "ENUM", "SET"),
    "bool": ("BOOLEAN",),
    "date": ("DATE",),
    "time": ("TIME", "TIMETZ"),
    "timestamp": ("TIMESTAMP", "TIMESTAMPTZ"),
    "interval": ("INTERVAL",),
    "uuid": ("UUID",),
    "json": ("JSON", "JSONB"),
    "bytes": ("BYTEA",),
    "network": ("INET", "CIDR", "MACADDR"),
}
_FAMILY_OF = {name: family for family, names in _FAMILIES.items() for name in names}
_SHAPE = re.compile(r"^([A-Z][A-Z0-9_ ]*?)\s*(?:\(([^()]*)\))?\s*((?:WITH|WITHOUT) TIME ZONE)?((?:\s*\[\d*\])*)$")


def normalise(text: str) -> str:
    """One spelling of a type: `character varying(50)` and `varchar(50)` become `VARCHAR(50)`; unknown names stay, upper case."""
    upper = " ".join(text.upper().replace('"', "").split())
    for word in (" UNSIGNED", " ZEROFILL", " SIGNED"):
        upper = upper.replace(word, "")
    match = _SHAPE.match(upper)
    if not match:
        return upper
    name, size, zone, arrays = match.groups()
    if zone:
        name = f"{name} {zone}"
    name = name.strip()
    if name == "TINYINT" and size == "1":
        return "BOOLEAN" + _dimensions(arrays)
    name = _ALIASES.get(name, name)
    keeps_size = name in {"VARCHAR", "CHAR", "DECIMAL", "VARBIT", "BIT", "ENUM"}
    shown = f"({', '.join(part.strip() for part in size.split(','))})" if size and keeps_size else ""
    return name + shown + _dimensions(arrays)


def _dimensions(arrays: str) -> str:
    return "[]" * arrays.count("[")


def base(type_text: str) -> str:
    """The type's name without size: `VARCHAR(50)` -> `VARCHAR`."""
    return type_text.partition("(")[0].removesuffix("[]").strip()


def family(type_text: str) -> str:
    """integer, decimal, float, text, bool, date, time, timestamp, interval, uuid, json, bytes, network, array, or "" (unknown)."""
    if type_text.endswith("[]"):
        return "array"
    return _FAMILY_OF.get(base(type_text), "")


def length(type_text: str) -> int | None:
    """The length of a VARCHAR or CHAR, or None."""
    match = re.match(r"^(?:VARCHAR|CHAR)\((\d+)\)$", type_text)
    return int(match.group(1)) if match else None


def widens(old: str, new: str) -> bool:
    """True when PostgreSQL changes `old` to `new` in the catalogue alone, without rewriting or scanning the table."""
    if old == new:
        return True
    old_base, new_base = base(old), base(new)
    if old_base in {"VARCHAR", "TEXT"} and new_base in {"VARCHAR", "TEXT"}:
        before, after = length(old), length(new)
        return after is None or (before is not None and before <= after)
    if old_base == new_base == "DECIMAL":
        return _wider_decimal(old, new)
    return False


def _wider_decimal(old: str, new: str) -> bool:
    before, after = re.findall(r"\d+", old), re.findall(r"\d+", new)
    if not after:
        return True
    if not before:
        return False
    scale = (before[1:] or ["0"])[0] == (after[1:] or ["0"])[0]
    return scale and int(before[0]) <= int(after[0])
