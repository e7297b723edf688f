from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from functools import cache, partial
from typing import Any

from backendlint.api import (
    SAFE,
    Hit,
    Location,
    Project,
    Route,
    among_pages,
    for_development,
    is_api,
    is_parameter,
    segments,
    stored_entity,
    told_once,
    versions,
)

HABIT = 3
"""More names of a kind than these are how the project names: told once."""
VERB, CASE, NUMBER = "says what is done", "is in camel case", "names a collection in the singular"
BY_GET = "is an action that GET does"
ALIKE = ", for the list and for one item alike"
FORMS = {"edit", "new", "view"}
"""By custom the last part of where a page for it is got."""
COUNTED = re.compile(r"s[-_]\w+ed$|[-_](to|for)[-_]|^(for|by|from|of|to|with|in|on|at)[-_]", re.IGNORECASE)
"""`opinions-cited` has its plural in front, and `draft-to-order` and `for-order` are no nouns."""
SIGN_IN = re.compile(r"[-_]?(password|passphrase|csrf[-_]?token)$", re.IGNORECASE)
"""What is done to sign in, or to keep doing so, is no resource: `change-password`."""
CAMEL = re.compile(r"[a-z0-9][A-Z]")


def check(project: Project, options: Mapping[str, Any]) -> Iterator[Hit]:
    verbs = re.compile(rf"({'|'.join(options['verbs'])})(?=$|[-_]|[A-Z])")
    deeds = re.compile(rf"({'|'.join(options['deeds'])})[-_]", re.IGNORECASE)
    nouns = set(options["nouns"]) | {word for cls in project.classes.values() for word in stems(cls.name)}
    stored = {cls.name.lower() for cls in project.classes.values() if stored_entity(project, cls)}
    followed = collections(project, nouns)
    prescribed, uncountable = set(options["prescribed"]), set(options["uncountable"])
    done = set(options["deeds"]) - nouns - uncountable
    seen: set[Location] = set()
    owned = {last_collection(route.path) for route in project.routes if route.kind == "http"}
    kinds = kinds_of(project)
    singular = prefers_singular(followed, uncountable)
    shown = {route.path.rstrip("/") for route in project.routes if "GET" in route.methods}
    answered = {(route.path.rstrip("/"), route.handler.header) for route in project.routes if route.handler}
    later = {part for route in project.routes if versions(route.path) for part in segments(route.path)}
    beside = nouns_in_front(project, verbs)
    named = cache(partial(names_of, project))
    told: dict[str, list[Hit]] = defaultdict(list)
    for route in project.routes:
        if route.kind != "http" or route.location in seen or not is_api(project, route):
            continue
        if route.trial or not prescribed.isdisjoint(words(route.path)) or of_a_tool(project, route):
            continue
        problem = judge(route, verbs, uncountable, followed, nouns, owned, kinds, stored | beside)
        problem = problem or done_by_get(project, route, done)
        word = problem.split("`")[1] if problem.endswith(ALIKE) else ""
        if word and (deeds.match(word) or stands_alone(route.path, word, shown) or is_default(route, word, answered)):
            continue
        if word and not is_counted(word, options["nouns"], named):
            continue
        if problem and not (problem.endswith(ALIKE) and not versions(route.path) and plural(problem) in later):
            seen.add(route.location)
            hit = Hit(f"{route.label}: {problem}.", route.location, function=route.function)
            if (singular and problem.endswith(ALIKE)) or among_pages(project, route, of_site=True):
                yield replace(hit, profile="strict")
            else:
                told[problem.split("`")[1]].append(hit)
    yield from by_word(told)


def nouns_in_front(project: Project, verbs: re.Pattern[str]) -> set[str]:
    """Names like `post_votes` that begin with what other paths name in the plural (`/posts`): a noun there, whatever else it is."""
    parts = {part.lower() for route in project.routes for part in segments(route.path)}
    said = ((part, match[1]) for part in parts if (match := verbs.match(part)) is not None)
    return {re.sub(r"[-_]", "", part) for part, verb in said if part != verb and f"{verb}s" in parts}


def words(path: str) -> list[str]:
    """The segments of a path, and each two that follow one another (`tags/list`)."""
    parts = segments(path)
    return [*parts, *map("/".join, itertools.pairwise(parts))]


def by_word(told: Mapping[str, list[Hit]]) -> Iterator[Hit]:
    """A name once, with how often there is such a one; and all of a kind once where there are many."""
    for said in (VERB, CASE, NUMBER, BY_GET):
        words = [found for hits in told.values() if (found := [hit for hit in hits if said in hit.message])]
        if len(words) > HABIT:
            yield from told_once(itertools.chain.from_iterable(words), partial(elsewhere, said, "like others"), HABIT)
            continue
        each: list[Hit] = []
        for hits in words:
            each += told_once(hits, partial(elsewhere, said, "here and"), few=1)
        yield from told_once(each, partial(elsewhere, said, "like others"), each=lambda hit: hit.location.path)


def elsewhere(said: str, how: str, hit: Hit, others: str) -> str:
    return hit.message.replace(said, f"{said}, {how} in {others}", 1)


def judge(
    route: Route,
    verbs: re.Pattern[str],
    uncountable: set[str],
    followed: set[str],
    nouns: set[str],
    owned: set[str],
    kinds: Mapping[str, set[str]],
    stored: set[str],
) -> str:
    """What is wrong with the path's names, or ""."""
    parts = segments(route.own_path) or segments(route.path)[-1:]
    for position, part in enumerate(parts):
        if is_parameter(part):
            continue
        said = verbs.match(part) if not SIGN_IN.search(part) else None
        if said and part in FORMS and route.methods and SAFE.issuperset(route.methods) and position == len(parts) - 1:
            continue
        named = is_action(parts, position) or names_item(parts, position) or names_stored(part, stored)
        if said and not named and does(part, said[1], nouns):
            return f"`{part}` {VERB}, which is the method's part; name the resource, in the plural"
        if CAMEL.search(part):
            return f"`{part}` {CASE}; paths are written in lower case with hyphens"
    for position, part in enumerate(parts):
        after = parts[position + 1] if position + 1 < len(parts) else ""
        if is_parameter(part) or not (is_id(after) or (not after and part in followed)):
            continue
        if of_another(part, after, nouns) or ("_" in part and part == route.name):
            continue
        word = re.split(r"[-_.]", part)[-1].lower()
        if part in owned and part != last_collection(route.path):
            continue  # said of its own routes
        if (not after and is_kind(route.path)) or COUNTED.search(part) or limits(route.path, part, after):
            continue
        if after and len(kinds.get("/".join(segments(route.path.partition(f"/{part}/{after}")[0])), ())) > 1:
            continue
        if is_singular(word) and word in nouns and word not in uncountable and not re.fullmatch(r"v\d+", word):
            return f"`{part}` {NUMBER}; use the plural{ALIKE}"
    return ""


def done_by_get(project: Project, route: Route, deeds: set[str]) -> str:
    """`GET /orders/{id}/cancel` that cancels: an action on one resource needs a method for actions."""
    fn, parts = route.handler, segments(route.path)
    if (
        fn is None
        or not route.methods
        or not SAFE.issuperset(route.methods)
        or not any(map(is_parameter, parts[-2:-1]))
    ):
        return ""
    words = re.split("[-_]", parts[-1].lower())
    if words[0] not in deeds or not project.writes.reached(fn):
        return ""
    return f"`{parts[-1]}` {BY_GET}; let POST do it, or name the resource that it makes"


def of_a_tool(project: Project, route: Route) -> bool:
    """A little server in a command or script: what a tool answers while it waits, or stands in for while one develops."""
    path = route.location.path
    return project.layers.of_path(path) == "command" or for_development(path)


def is_counted(word: str, common: Collection[str], named: Callable[[], frozenset[str]]) -> bool:
    """Whether it is a common resource, or the project speaks of several in the name of a function or in a path: sleep and
    weight have no plural."""
    last = re.split(r"[-_.]", word)[-1].lower()
    plurals = {f"{last}s", f"{last}es", f"{last[:-1]}ies"}
    return last in common or not plurals.isdisjoint(named())


def names_of(project: Project) -> frozenset[str]:
    """The words of the routes' paths and of functions."""
    parts = {part.lower() for route in project.routes for part in segments(route.path)}
    words = (word for part in parts for word in re.split(r"[-_.]", part))
    names = (word for fqn in project.functions for word in fqn.rpartition(".")[2].split("_"))
    return frozenset((*words, *names))


def of_another(part: str, after: str, nouns: set[str]) -> bool:
    """`/access-token/{user_id}`, `/user-activity/{user_id}`: the id says whose it is, not which."""
    named = re.fullmatch(r"\{(?:\w+_)?([a-z]+)_\w+\}", after.lower())
    own = [word for word in re.split(r"[-_.]", part.lower()) if word]
    return (
        named is not None
        and named[1] in nouns
        and not any(word.startswith(named[1]) or named[1].startswith(word) for word in own[-1:])
    )


def is_kind(path: str) -> bool:
    """`/variables/registration`: some of the collection before it."""
    before, *_ = [*segments(path)[-2:-1], ""]
    return re.fullmatch(r"([a-z]+[-_])*[a-z]{2,}s", before) is not None and not is_singular(before)


def limits(path: str, part: str, after: str) -> bool:
    """`/sessions/user/{user_id}`: the sessions of one user; what comes last only says which of the collection before it."""
    before, *rest = path.partition(f"/{part}/{after}")
    collection = (segments(before) or [""])[-1]
    named = after.strip("{}").startswith(f"{part.replace('-', '_')}_")
    several = re.fullmatch(r"[\w-]*[a-z]s", collection) is not None and not is_singular(collection)
    return named and several and not rest[-1].strip("/")


def kinds_of(project: Project) -> dict[str, set[str]]:
    """`/parameters/user/{name}` beside `/parameters/global/{name}`: the singular parts right below a collection, by its path."""
    found: dict[str, set[str]] = defaultdict(set)
    for route in project.routes:
        parts = segments(route.path)
        for position, part in enumerate(parts[1:], 1):
            before = parts[position - 1]
            after = parts[position + 1] if position + 1 < len(parts) else ""
            if is_id(after) and is_singular(part) and not is_parameter(before) and not is_singular(before):
                found["/".join(parts[:position])].add(part)
    return found


def does(part: str, verb: str, nouns: set[str]) -> bool:
    """Whether the word is a verb there: `/new-order`, not `/new-relic`."""
    rest = part[len(verb) :].strip("-_").lower()
    return verb != "new" or not rest or rest in nouns or rest.removesuffix("s") in nouns


def names_stored(part: str, stored: set[str]) -> bool:
    """`/view-logs` of a stored `ViewLog`."""
    whole = re.sub(r"[-_]", "", part).lower()
    return whole != part.lower() and not stored.isdisjoint((whole, whole.removesuffix("s")))


def plural(problem: str) -> str:
    """The name that a later version of the same resource would have."""
    return f"{problem.split('`')[1]}s"


def stands_alone(path: str, word: str, shown: set[str]) -> bool:
    """Whether the word alone shows something and its plural a collection: `/user` is who asks, beside `/users`."""
    before = path[: path.rstrip("/").rfind(f"/{word}")]
    return {f"{before}/{word}", f"{before}/{word}s"} <= shown


def is_default(route: Route, word: str, answered: set[tuple[str, Location]]) -> bool:
    """`/token` and `/token/{id}`, both by `get_token`: without an id, there is a usual one."""
    alone = route.path[: route.path.rstrip("/").rfind(f"/{word}")] + f"/{word}"
    own = {path for path, header in answered if route.handler is not None and header == route.handler.header}
    named = route.name.endswith(f"_{word.replace('-', '_')}")
    return named and alone in own and any(path.startswith(f"{alone}/{{") for path in own)


def last_collection(path: str) -> str:
    """The last fixed part: what the route is about."""
    return next((part for part in reversed(segments(path)) if not is_parameter(part)), "")


def prefers_singular(followed: set[str], uncountable: set[str]) -> bool:
    """A project that names most of its collections in the singular does so on purpose."""
    words = {re.split(r"[-_.]", part)[-1].lower() for part in followed} - uncountable
    singular = sum(is_singular(word) for word in words)
    return singular >= 4 and singular * 2 >= len(words)


def stems(name: str) -> Iterator[str]:
    """`SmartOrder` -> order."""
    words = re.findall(r"[A-Z][a-z0-9]+", name)
    if words:
        yield words[-1].lower()


def is_action(parts: list[str], position: int) -> bool:
    """`/orders/{id}/send`: something done to one resource that no method stands for."""
    return position > 0 and is_parameter(parts[position - 1]) and position == len(parts) - 1 and parts[position].lower() not in (
        "get", "create", "update", "delete", "remove", "edit", "list", "save", "add", "fetch", "insert", "put", "post",
    )  # fmt: skip


def names_item(parts: list[str], position: int) -> bool:
    """`/view/{catalog}/{view}`: the word is the noun that a parameter after it names."""
    return any(part in (f"{{{parts[position]}}}", f"{{{parts[position]}_id}}") for part in parts[position + 1 :])


def is_id(part: str) -> bool:
    return is_parameter(part) and bool(
        re.fullmatch(r"\{(\w*_)?(id|pk|uuid|uid|guid|slug|key|code|number|no|name)\}", part, re.IGNORECASE)
    )


def collections(project: Project, nouns: set[str]) -> set[str]:
    """Segments that an id of theirs follows in some route."""
    found: set[str] = set()
    for route in project.routes:
        parts = segments(route.path)
        found.update(
            part
            for part, after in itertools.pairwise(parts)
            if not is_parameter(part) and is_id(after) and not of_another(part, after, nouns)
        )
    return found


def is_singular(word: str) -> bool:
    return bool(re.fullmatch(r"[a-z]{3,}", word)) and (not word.endswith("s") or word.endswith(("ss", "us", "is")))
