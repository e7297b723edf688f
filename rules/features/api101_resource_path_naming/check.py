from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any

from backendlint.api import Hit, Location, Project, Route, answers, is_parameter, segments

CAMEL = re.compile(r"[a-z0-9][A-Z]")


def check(project: Project, options: Mapping[str, Any]) -> Iterator[Hit]:
    verbs = re.compile(rf"({'|'.join(options['verbs'])})(?=$|[-_]|[A-Z])")
    followed = collections(project)
    nouns = set(options["nouns"]) | {word for cls in project.classes.values() for word in stems(cls.name)}
    seen: set[Location] = set()
    for route in project.routes:
        if route.kind != "http" or route.location in seen or not is_api(project, route):
            continue
        problem = judge(route, verbs, set(options["uncountable"]), followed, nouns)
        if problem:
            seen.add(route.location)
            yield Hit(
                f"{route.label}: {problem}.",
                route.location,
                function=route.function,
            )


def judge(route: Route, verbs: re.Pattern[str], uncountable: set[str], followed: set[str], nouns: set[str]) -> str:
    """What is wrong with the path's names, or ""."""
    parts = segments(route.own_path) or segments(route.path)[-1:]
    for position, part in enumerate(parts):
        if is_parameter(part):
            continue
        if verbs.match(part) and not is_action(parts, position):
            return f"`{part}` says what is done, which is the method's part; name the resource, in the plural"
        if CAMEL.search(part):
            return f"`{part}` is in camel case; paths are written in lower case with hyphens"
    for position, part in enumerate(parts):
        after = parts[position + 1] if position + 1 < len(parts) else ""
        if is_parameter(part) or not (is_id(after) or (not after and part in followed)):
            continue
        word = re.split(r"[-_.]", part)[-1].lower()
        if is_singular(word) and word in nouns and word not in uncountable and not re.fullmatch(r"v\d+", word):
            return f"`{part}` names a collection in the singular; use the plural, for the list and for one item alike"
    return ""


def stems(name: str) -> Iterator[str]:
    """`OrderLine` -> order_line, line, order."""
    words = re.findall(r"[A-Z][a-z0-9]+", name)
    if words:
        yield words[0].lower()
        yield words[-1].lower()


def is_action(parts: list[str], position: int) -> bool:
    """`/orders/{id}/send`: something done to one resource that no method stands for."""
    return position > 0 and is_parameter(parts[position - 1]) and position == len(parts) - 1 and parts[position].lower() not in (
        "get", "create", "update", "delete", "remove", "edit", "list", "save", "add", "fetch", "insert", "put", "post",
    )  # fmt: skip


def is_id(part: str) -> bool:
    return is_parameter(part) and bool(
        re.fullmatch(r"\{(\w*_)?(id|pk|uuid|uid|guid|slug|key|code|number|no|name)\}", part, re.IGNORECASE)
    )


def collections(project: Project) -> set[str]:
    """Segments that an id follows in some route."""
    found: set[str] = set()
    for route in project.routes:
        parts = segments(route.path)
        found.update(part for part, after in itertools.pairwise(parts) if not is_parameter(part) and is_id(after))
    return found


def is_singular(word: str) -> bool:
    return bool(re.fullmatch(r"[a-z]{3,}", word)) and (not word.endswith("s") or word.endswith(("ss", "us", "is")))


def is_api(project: Project, route: Route) -> bool:
    """Not a page for people: those render templates or files, and handle forms (GET shows it, POST takes it)."""
    if {"GET", "POST"} <= set(route.methods) or not route.in_schema:
        return False
    if route.documented or "/api/" in f"{route.path}/":
        return True
    if route.handler is None:
        return route.cls is not None and route.framework != "django"
    found = answers(project, route.handler)
    return (
        bool(found)
        and not any(answer.special for answer in found)
        and (
            route.framework != "django"
            or any(answer.shape in ("dict", "list") or answer.keys for answer in found)
            or bool(route.decorators)
        )
    )
