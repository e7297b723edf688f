"""Debug modes that are switched on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from backendlint.api import FileFacts, Fn, Hit, Project, Vid, WeakUse, for_development, identifier_words, operands

DEBUG = "never switch it on in production."
DJANGO = frozenset({"INSTALLED_APPS", "MIDDLEWARE", "ROOT_URLCONF"})
DEVELOPMENT = re.compile(r"dev|local|test|debug|ci\b|example|sample", re.IGNORECASE)
ON = frozenset({"true", "1", "yes", "on"})
SWITCHED_ON = "`DEBUG = True` in the settings"
ON_UNSET = "`DEBUG` is on where the environment does not say otherwise, and then"
OWN_MACHINE = frozenset("local locally dev develop development debug".split())
"""Words of functions that start a server on the developer's machine."""


def is_switched(use: WeakUse) -> bool:
    """Only where a test says that this is development (`if in_debug_mode():`), or a name: `def run_locally():`."""
    # `flask_debug.py` says no more than the call does
    program = use.fn.path.rpartition("/")[2].lower().replace("debug", "")
    if for_development(program) or not OWN_MACHINE.isdisjoint(identifier_words(use.fn.name)):
        return True
    todo = [vid for vid, holds in use.fn.tests_of(use.call.block) if holds]
    for vid in todo:
        value = use.fn.facts.values[vid]
        named = value[-1] if value[0] in ("name", "attr", "def", "const") else ""
        if isinstance(named, str) and DEVELOPMENT.search(named):
            return True
        if value[0] in ("call", "await", "bool", "compare", "attr", "item", "guard", "tuple", "list", "set"):
            call = use.fn.facts.calls[value[1]] if value[0] == "call" else None
            inner = operands(value) if call is None else (call.func, *call.passed)
            todo += [item for item in inner if item not in todo]
    return False


def debug_settings(project: Project) -> Iterator[Hit]:
    """`DEBUG = True` in Django's settings, or where the environment says nothing."""
    for file in project.files.values():
        vid = file.names.get("DEBUG", -1)
        if vid < 0 or not DJANGO.intersection(file.names) or DEVELOPMENT.search(file.path):
            continue
        module = project.module_function(file)
        said = SWITCHED_ON if module.const(vid) is True else ON_UNSET if is_on_unless_set(module, vid) else ""
        if said:
            hit = Hit(
                f"{said} shows tracebacks, settings and SQL to everybody who meets an error; read it from the environment, with "
                "`False` as the default.",
                module.location(module.facts.span_of(vid)),
            )
            yield replace(hit, profile="strict") if has_it_off(project, file) else hit


def is_on_unless_set(fn: Fn, vid: Vid) -> bool:
    """`env_bool("DEBUG", True)`, `os.getenv("DEBUG", "1") == "1"`, `config("DEBUG", default=True)`."""
    value = fn.unguarded(vid)
    if value[0] == "compare" and value[1] in (("==",), ("in",)):
        return is_on_unless_set(fn, value[2][0])
    if value[0] != "call":
        return False
    call = fn.calls[value[1]]
    func = fn.value(call.func)
    if func[0] == "attr" and not call.passed:  # `.lower()`
        return is_on_unless_set(fn, func[1])
    if not call.args or "DEBUG" not in str(fn.const(call.args[0])).upper():
        return any(is_on_unless_set(fn, item) for item in call.args[:1])
    return any(str(fn.const(item)).lower() in ON for item in (*call.args[1:2], call.kwarg("default")))


def has_it_off(project: Project, base: FileFacts) -> bool:
    """Whether a settings module takes all from this one and switches it off: the one for production."""
    return any(
        any(item is base for item in project.modules.taken_whole(file))
        for file in project.files.values()
        if file is not base and project.module_function(file).const(file.names.get("DEBUG", -1)) is False
    )
