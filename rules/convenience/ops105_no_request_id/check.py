from __future__ import annotations

import re
from collections.abc import Iterator

from backendlint.api import FileFacts, Hit, Project, served_applications

NAMES = re.compile(
    r"(x[-_])?(request|correlation|trace|transaction|amzn[-_]trace)[-_ ]?(uu)?id(s)?\b|traceparent|correlation|asgi_correlation|"
    r"requestid|guid_middleware|contextvars\.merge|trace_context",
    re.IGNORECASE,
)
SETUPS = ("request-id", "tracing")


def check(project: Project) -> Iterator[Hit]:
    applications = served_applications(project)
    if not applications or any(site.model.observability in SETUPS for site in project.effects.sites):
        return
    if any(names_an_id(file) for file in project.files.values()):
        return
    for application in applications:
        yield Hit(
            f"Nothing gives the requests of `{application.name}` an id: the log lines of one request cannot be told apart from "
            "others. Add a request-id middleware and log the id.",
            application.location,
        )


def names_an_id(file: FileFacts) -> bool:
    """Whether an import, name, attribute or text of the file speaks of such an id."""
    if any(NAMES.search(item.target) for item in file.imports) or any(NAMES.search(name) for name in file.names):
        return True
    for function in file.functions:
        if NAMES.search(function.name) or any(NAMES.search(param.name) for param in function.params):
            return True
        for value in function.values:
            text = value[2] if value[0] == "attr" else value[1] if value[0] == "const" else ""
            if isinstance(text, str) and len(text) < 80 and NAMES.search(text):
                return True
        if any(NAMES.search(key) for call in function.calls for key, _ in call.kwargs):
            return True
        if any(NAMES.search(binding.name) for binding in function.bindings):
            return True
    return False
