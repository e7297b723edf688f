from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from backendlint.api import Fn, Hit, Profile, Project, Vid, of_all_modules, served_applications, told_once

NAMES = re.compile(
    r"(request|correlation|trace|amzn[-_]trace)[-_ ]?(uu)?ids?\b|traceparent|correlation|elasticapm|"
    r"requestid|guid_middleware|contextvars\.merge|trace_context"
)
"""In lower case."""
HINTS = ("id", "correl", "trace", "merge", "elasticapm")
"""Without any of these nothing is such a name."""
SETUPS = ("request-id", "tracing")
FEWEST_RECORDS = 5
"""With fewer records of requests there are no lines to tell apart."""
LONGEST = 80
"""Characters; longer texts are prose."""


def _each(hit: Hit, places: str) -> str:
    return f"{hit.message} So it is with {places.replace('place', 'application')} of the project."


def check(project: Project) -> Iterator[Hit]:
    applications = served_applications(project)
    if not any(project.counts(item.location) for item in applications):
        return
    if any(site.model.observability in SETUPS for site in project.effects.sites):
        return
    if names_an_id(project) or any(sets_up(project, *given) for given in of_all_modules(project, "MIDDLEWARE")):
        return
    profile: Profile | None = None if told_by_requests(project) else "strict"
    hits = (
        Hit(
            f"Nothing gives the requests of `{application.name}` an id: the log lines of one request cannot be told apart from "
            "others. Add a request-id middleware and log the id.",
            application.location,
            profile=profile,
        )
        for application in applications
    )
    yield from told_once(hits, _each, 1, None)


def told_by_requests(project: Project) -> bool:
    """Whether requests write enough records to the log; one that several endpoints come to counts for each."""
    logs = (site.fn.fqn for site in project.effects.sites if site.model.log is not None and not site.model.prints)
    found = itertools.islice(
        (endpoint for name in logs for endpoint in project.endpoints.leading_to(name)), FEWEST_RECORDS
    )
    return len(list(found)) == FEWEST_RECORDS


def sets_up(project: Project, fn: Fn, vid: Vid) -> bool:
    """Whether it lists a middleware that a library has for that: `MIDDLEWARE = ["django_structlog.middlewares.RequestMiddleware"]`."""
    value = fn.unguarded(vid)
    texts = [fn.const(item) for item in value[1]] if value[0] in ("list", "tuple") else []
    models = [project.libraries.call(text) for text in texts if isinstance(text, str)]
    return any(model is not None and model.observability in SETUPS for model in models)


def names_an_id(project: Project) -> bool:
    """Whether an import, name, attribute or text of the project speaks of such an id."""
    texts = {item.target for file in project.files.values() for item in file.imports}
    texts.update(name for file in project.files.values() for name in file.names)
    texts.update(text for _, _, text in project.literals.all if len(text) < LONGEST)
    for fn in project.all_functions():
        function = fn.facts
        texts.add(fn.name)
        texts.update([param.name for param in function.params])
        texts.update([binding.name for binding in function.bindings])
        texts.update([key for call in function.calls if call.kwargs for key, _ in call.kwargs])
        texts.update([function.values[vid][2] for vid in fn.made_by("attr")])
    hinting = [text for text in map(str.lower, texts) if any(map(text.__contains__, HINTS))]
    return NAMES.search("\n".join(hinting)) is not None
