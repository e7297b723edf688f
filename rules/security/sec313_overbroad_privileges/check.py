"""SEC313: GRANT ALL, grants to PUBLIC, superusers, and cloud policies with wildcards."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from backendlint.api import Fn, Hit, Project, SqlStatement, here_and_in, told_once

_WORDS = re.compile(r"\b(?:GRANT|(?:CREATE|ALTER)\s+(?:ROLE|USER))\b", re.IGNORECASE)
_GIVES = " gives `"
_DEFAULTS = "These default privileges"
_PUBLIC = " is for PUBLIC: "
_TRIED = re.compile(r"(^|[\W_])(tests?|pytest|ci)([\W_]|$)", re.IGNORECASE)
"""Roles with which tests make and drop their own databases."""
_ROLE_POWERS = {
    "SUPERUSER": "may do anything in every database of the server",
    "BYPASSRLS": "is exempt from row-level security",
    "CREATEROLE": "may make and change other roles",
}
_WITHOUT_ROWS = frozenset(
    {"DATABASE", "SCHEMA", "LANGUAGE", "TABLESPACE", "FUNCTION", "PROCEDURE", "ROUTINE", "TYPE", "DOMAIN"}
)
"""Kinds of objects where ALL lets nobody read, change or delete what tables hold: to connect or to execute (PostgreSQL 17)."""


def check(project: Project) -> Iterator[Hit]:
    """SQL texts (migrations and .sql files too), then policy documents in code. All that one file gives to one role, or by
    default, is told once; so is what many files give, whoever gets it."""
    statements = project.data.reviewed if _mentioned(project) else ()
    files = list(_by_file(statements))
    yield from (hit for hit in files if hit.profile is not None)
    told = [hit for hit in files if hit.profile is None]
    if told and project.focus is not None:
        told = [hit for hit in _by_file(project.data.statements) if hit.profile is None]
    for kind in (_GIVES, _PUBLIC, _DEFAULTS, ""):
        alike = [hit for hit in told if kind == _kind(hit)]
        for hit in told_once(alike, _in_many_files, severity=None):
            if project.counts(hit.location):
                yield hit
    for fn in project.reviewed():
        yield from _policies(fn)


def _kind(hit: Hit) -> str:
    return next((kind for kind in (_GIVES, _PUBLIC, _DEFAULTS) if kind in hit.message), "")


def _by_file(statements: Iterable[SqlStatement]) -> Iterator[Hit]:
    given: dict[tuple[str, str], list[Hit]] = {}
    for hit in _hits(statements):
        kind = _kind(hit)
        whom = hit.message.partition(_GIVES)[2] or kind
        if whom and hit.profile is None:
            given.setdefault((hit.location.path, whom), []).append(hit)
        else:
            yield hit
    for alike in given.values():
        yield from told_once(alike, _told, few=2 if _kind(alike[0]) == _PUBLIC else 1, severity=None)


def _told(hit: Hit, others: str) -> str:
    kind = _kind(hit)
    before, after = ("", _DEFAULTS) if kind == _DEFAULTS else (kind, "")
    return here_and_in(hit, f"{others},", before=before, after=after)


def _in_many_files(hit: Hit, others: str) -> str:
    return f"{hit.message} So it is in {others} of the project's SQL."


def _hits(statements: Iterable[SqlStatement]) -> Iterator[Hit]:
    for statement in statements:
        words = statement.words()
        if words[0] == "GRANT":
            yield from _grant(statement, words)
        elif words[0] in {"CREATE", "ALTER"} and words[1:2] and words[1] in {"ROLE", "USER"}:
            yield from _role(statement, words)
        elif (
            words[:3] == ["ALTER", "DEFAULT", "PRIVILEGES"]
            and "GRANT" in words
            and words[words.index("GRANT") + 1 : words.index("GRANT") + 2] == ["ALL"]
        ):
            yield statement.hit(
                f"{_DEFAULTS} grant ALL on everything that will be made; grant the ones that are needed."
            )


def _mentioned(project: Project) -> bool:
    """A cheap first look: SQL is searched for only where some text speaks of privileges."""
    if project.sql_files:
        return True
    return any(_WORDS.search(text) for _, _, text in project.literals.all)


def _grant(statement: SqlStatement, words: list[str]) -> Iterator[Hit]:
    if "TO" not in words or "ON" not in words:
        return
    split = words.index("TO")
    to = statement.tokens[split + 1].raw if len(words) > split + 1 else ""
    if _TRIED.search(to):
        return
    on = _named(statement, words.index("ON") + 1, split)
    kind = words[words.index("ON") + 1]
    columns = "(" in words[2:4]  # `ALL (last_seen) ON people`: to read and write that column
    if words[1:2] == ["ALL"] and kind == "SCHEMA" and words[split + 1 : split + 2] != ["PUBLIC"]:
        yield replace(
            statement.hit(
                f"GRANT ALL on {on} lets `{to}` make tables and functions there, which only migrations need; grant USAGE "
                "to the role that serves requests."
            ),
            profile="strict",
        )
    elif words[1:2] == ["ALL"] and kind not in _WITHOUT_ROWS and not columns:
        yield statement.hit(
            f"GRANT ALL on {on}{_GIVES}{to}` every privilege there, those to delete, truncate and change "
            "it too; grant what it needs, such as SELECT, "
            "INSERT, UPDATE."
        )
    elif words[split + 1 : split + 2] == ["PUBLIC"] and words[1] not in {
        "USAGE",
        "CONNECT",
        "EXECUTE",
        "TEMPORARY",
        "TEMP",
    }:
        yield statement.hit(
            f"This GRANT on {on} is for PUBLIC: every role of the database has it, those made later too; "
            "grant it to the role that needs it."
        )
    elif words[-3:] == ["WITH", "GRANT", "OPTION"]:
        yield statement.hit(
            f"WITH GRANT OPTION lets `{to}` pass its privileges on {on} on to anybody; grant without it."
        )


def _named(statement: SqlStatement, start: int, end: int) -> str:
    tokens = statement.tokens[start:end]
    if not tokens:
        return "everything"
    text = statement.text[tokens[0].start - statement.offset : tokens[-1].end - statement.offset]
    return f"`{' '.join(text.split())[:60]}`"


def _role(statement: SqlStatement, words: list[str]) -> Iterator[Hit]:
    name = statement.tokens[2].raw if len(statement.tokens) > 2 else ""
    for power, meaning in _ROLE_POWERS.items():
        if power in words[3:]:
            token = statement.tokens[words.index(power, 3)]
            yield statement.hit(
                f"Role `{name}` is made {power}: it {meaning}, and so does whoever takes over what "
                "connects with it; grant what it needs instead.",
                at=(token.start - statement.offset, token.end - statement.offset),
            )


def _policies(fn: Fn) -> Iterator[Hit]:
    """`{"Effect": "Allow", "Action": "*", "Resource": "*"}`: the statement of an AWS policy."""
    for vid in fn.made_by("dict"):
        keys = {fn.const(key): item for key, item in fn.facts.values[vid][1] if key >= 0}
        if fn.const(keys.get("Effect", -1)) != "Allow" or "Action" not in keys:
            continue
        actions = _texts(fn, keys["Action"])
        if "*" in actions or "*:*" in actions:
            yield Hit(
                'This policy allows Action "*": whoever has it may do anything that the account can; list the actions that are needed.',
                fn.place(keys["Action"]),
                function=fn.fqn,
            )
        elif "*" in _texts(fn, keys.get("Resource", -1)) and any(action.endswith(":*") for action in actions):
            yield Hit(
                f'This policy allows `{_whole(actions)}` on Resource "*": everything of that service, of every '
                "tenant; list the actions and the resources that are needed.",
                fn.place(keys["Resource"]),
                function=fn.fqn,
            )


def _whole(actions: list[str]) -> str:
    """The first action that means a whole service."""
    return next(action for action in actions if action.endswith(":*"))


def _texts(fn: Fn, vid: int) -> list[str]:
    if vid < 0:
        return []
    value = fn.value(vid)
    items = value[1] if value[0] in {"list", "tuple"} else (vid,)
    return [text for item in items if isinstance(text := fn.const(item), str)]
