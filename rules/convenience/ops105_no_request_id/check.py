from __future__ import annotations

import re
from collections.abc import Iterator

from backendlint.api import FileFacts, Hit, Project, served_applications, told_once

NAMES = re.compile(
    r"(x[-_])?(request|correlation|trace|transaction|amzn[-_]trace)[-_ ]?(uu)?id(s)?\b|traceparent|correlation|asgi_correlation|"
    r"requestid|guid_middleware|contextvars\.merge|trace_context",
    re.IGNORECASE,
)
SETUPS = ("request-id", "tracing")
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
    if any(names_an_id(file) or sets_up(project, file) for file in project.files.values()):
        return
    hits = (
        Hit(
            f"Nothing gives the requests of `{application.name}` an id: the log lines of one request cannot be told apart from "
            "others. Add a request-id middleware and log the id.",
            application.location,
        )
        for application in applications
    )
    yield from told_once(hits, _each, 1, None)


def sets_up(project: Project, file: FileFacts) -> bool:
    """Whether it lists a middleware that a library has for that: `MIDDLEWARE = ["django_structlog.middlewares.RequestMiddleware"]`."""
    fn, vid = project.module_function(file), file.names.get("MIDDLEWARE", -1)
    value = fn.unguarded(vid) if vid >= 0 else ("",)
    texts = [fn.const(item) for item in value[1]] if value[0] in ("list", "tuple") else []
    models = [project.libraries.call(text) for text in texts if isinstance(text, str)]
    return any(model is not None and model.observability in SETUPS for model in models)


def names_an_id(file: FileFacts) -> bool:
    """Whether an import, name, attribute or text of the file speaks of such an id."""
    texts = {item.target for item in file.imports}
    texts.update(file.names)
    for function in file.functions:
        texts.add(function.name)
        texts.update(param.name for param in function.params)
        texts.update(binding.name for binding in function.bindings)
        texts.update(key for call in function.calls for key, _ in call.kwargs)
        for value in function.values:
            text = value[2] if value[0] == "attr" else value[1] if value[0] == "const" else None
            if isinstance(text, str) and len(text) < LONGEST:
                texts.add(text)
    return NAMES.search("\n".join(texts)) is not None
