"""SEC308: what is left of the patterns' hits where options are spread, or where flask-cors takes its origins from the
application's configuration."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Call, Fn, Hit, Project, calls_at

FLASK = "`supports_credentials` with any origin"
"""How the message about flask-cors begins."""
SPREAD = "CORS with these options"
"""How the message about `**options` begins."""
SETTINGS = ("CORS_ORIGINS", "CORS_RESOURCES")
"""Keys of the configuration that flask-cors reads where its call says nothing."""


def check(project: Project, hit: Hit) -> Iterator[Hit]:
    if hit.message.startswith(SPREAD):
        if any(credentials_for_all(project, fn, call) for fn, call in calls_at(project, hit.location)):
            yield hit
        return
    if not hit.message.startswith(FLASK) or says_itself(project, hit):
        yield hit
        return
    found = list(settings(project))
    if not found or any(open_to_all(project, fn, vid) for fn, vid in found):
        yield hit


def credentials_for_all(project: Project, fn: Fn, call: Call) -> bool:
    """Whether Starlette's middleware is given both, by options that the code writes down."""
    origins = [call.kwarg("allow_origins"), call.kwarg("allow_origin_regex")]
    credentials = call.kwarg("allow_credentials")
    return (
        credentials >= 0
        and fn.const(credentials) is True
        and any(vid >= 0 and open_to_all(project, fn, vid) for vid in origins)
    )


def says_itself(project: Project, hit: Hit) -> bool:
    """Whether the call names origins."""
    calls = calls_at(project, hit.location)
    return any(call.kwarg(key) >= 0 for _, call in calls for key in ("origins", "resources"))


def settings(project: Project) -> Iterator[tuple[Fn, int]]:
    """Where the configuration is given origins: names of modules and classes, `app.config[...] = ...`, keywords and keys."""
    for file in project.files.values():
        yield from (
            (project.module_function(file), file.names[name]) for name in SETTINGS if file.names.get(name, -1) >= 0
        )
    for cls in project.classes.values():
        attributes = cls.facts.attributes
        yield from ((cls.owner, attributes[name]) for name in SETTINGS if attributes.get(name, -1) >= 0)
    for name in SETTINGS:
        yield from ((fn, call.kwarg(name)) for fn, call in project.graph.calls_with(name))
    for fn in project.all_functions():
        yield from ((fn, item.value) for item in fn.facts.stores if item.key >= 0 and fn.const(item.key) in SETTINGS)
        for vid in fn.made_by("dict"):
            yield from ((fn, item) for key, item in fn.value(vid)[1] if key >= 0 and fn.const(key) in SETTINGS)


def open_to_all(project: Project, fn: Fn, vid: int) -> bool:
    """Whether one of the origins is any; what the code does not tell is taken for a list."""
    value = fn.unguarded(vid)
    if value[0] in ("list", "tuple", "set"):
        return any(open_to_all(project, fn, item) for item in value[1])
    if value[0] == "dict":
        return any(open_to_all(project, fn, item) for _, item in value[1])
    return any(
        item in ("*", ".*", r"https?://.*", "^.*$", "https://.*")
        for item in project.constants(fn, vid) or ()
        if isinstance(item, str)
    )
