"""What is for development: settings modules, by what they set, and addresses of the developer's own machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from backendlint.facts.model import FileFacts, Span, Value, Vid
from backendlint.project.entities import Cls, Fn
from backendlint.project.loops.loops import block_at
from backendlint.project.taint.naming import identifier_words
from backendlint.project.values.uses import ingredients

if TYPE_CHECKING:
    from backendlint.project.model import Project

_SWITCH = "DEBUG"
_STAGES = frozenset({"dev", "development", "develop", "local", "test", "testing", "tests", "ci"})
"""Words in names of classes with settings that production does not use."""
_RUNNERS = frozenset({"pytest", "unittest", "py.test"})
"""What is loaded (`"pytest" in sys.modules`) or called where tests run."""
_ON = (True, "True", "true")
_OWN_MACHINE = re.compile(r"://([\w-]*):(\1|[a-z]{1,12})@(localhost|127\.0\.0\.1)\b", re.IGNORECASE)


def on_own_machine(text: str) -> bool:
    """A URL of the developer's own machine, with a plain word as the password."""
    return _OWN_MACHINE.search(text) is not None


_SAMPLES = frozenset({"factory", "polyfactory", "model_bakery", "mixer"})
"""Libraries that make rows for tests."""


_TRIAL = re.compile(
    r"((is|in|run|running|under|local)_)?(debug|tests?|testing|dev|develop|development)(_mode|_env|ing)?|(celery_)?(task_)?always_eager",
    re.IGNORECASE,
)
"""What a switch for development or tests is called."""
_REAL = frozenset({"prod", "production", "live", "staging"})


def for_trial(fn: Fn, vid: Vid) -> bool:
    """Whether a value stands where only development or tests come: below `if TESTING:`, `if "test" in sys.argv:`,
    `if STAGE == "dev":`, after `if not DEBUG: return`, or beyond those of production."""
    span = fn.facts.span_of(vid)
    return only_in_trial(fn, block_at(fn, span), span) or _if_in_trial(fn, vid)


def _if_in_trial(fn: Fn, vid: Vid) -> bool:
    """`if TESTING and lock.acquire():`"""
    joined = (fn.facts.values[item] for item in fn.made_by("bool"))
    ways = (value[2] for value in joined if value[1] == "and" and vid in value[2])
    return any(_asks_trial(fn, before, True) for parts in ways for before in parts[: parts.index(vid)])


def only_in_trial(fn: Fn, block: int, span: Span) -> bool:
    """The same of a place."""
    tests = fn.tests_before(block, span, ("return", "raise"))
    return any(_asks_trial(fn, test, truth) for test, truth in tests if test >= 0) or made_for_trial(fn)


def made_for_trial(fn: Fn) -> bool:
    """Whether the function itself is defined only there: `if DEBUG:`, `@app.get("/trigger")`."""
    home, header = fn.parent, fn.facts.header
    return home is not None and only_in_trial(home, block_at(home, header), header)


def _asks_trial(fn: Fn, test: Vid, truth: bool) -> bool:
    value = fn.unguarded(test)
    if value[0] == "not":
        return _asks_trial(fn, value[1], not truth)
    if value[0] == "bool":
        return truth == (value[1] == "and") and any(_asks_trial(fn, item, truth) for item in value[2])
    if value[0] == "compare" and len(value[1]) == 1:
        same = value[1][0] in ("==", "in", "is")
        said = {str(fn.const(vid)).lower() for vid in (*value[2], *ingredients(fn.facts, value[2]))}
        return (bool(said & (_STAGES | _RUNNERS)) and truth == same) or (bool(said & _REAL) and truth != same)
    return truth and _TRIAL.fullmatch(_setting(fn, value)) is not None


def _setting(fn: Fn, value: Value) -> str:
    """`settings.TESTING`, `app.config["TESTING"]`, `app.config.get("TESTING")`, `os.getenv("TESTING")`; of what other readers are
    asked for (`_config("TEST_ENV", parser=bool)`), what is written as a setting."""
    if value[0] in ("name", "attr"):
        return str(value[-1]).rpartition(".")[2]
    call = fn.calls[value[1]] if value[0] == "call" else None
    asked = value[2] if value[0] == "item" else call.args[0] if call is not None and call.args else -1
    name = str(fn.const(asked))
    return name if call is None or fn.callee_name(call) in ("get", "getenv") or name.isupper() else ""


def develops(project: Project, file: FileFacts, setting: str = "") -> bool:
    """A settings module that switches DEBUG on by default, where one beside it, over the same base, has it off; a module
    that makes rows for tests; one whose `setting` another module that takes all of it asks for elsewhere."""
    if _makes_samples(project, file) or (setting and _asked_for(project, file, setting)):
        return True
    if _SWITCH not in file.names:
        return False
    bases = _bases(project, file)
    if not bases or not any(is_on(*item) for item in _switches(project, file)):
        return False
    folder = file.path.rpartition("/")[0]
    return any(
        not bases.isdisjoint(_bases(project, other))
        and file.path not in _bases(project, other)
        and _off(project, other)
        for other in project.files.values()
        if other is not file and other.path.rpartition("/")[0] == folder and _SWITCH in other.names
    )


def _asked_for(project: Project, base: FileFacts, setting: str) -> bool:
    """`from .base import *` and `SECRET_KEY = os.environ["SECRET_KEY"]`, also in each way of a `try`: what the base says is for
    those without."""
    for file in project.files.values():
        vid = file.names.get(setting, -1)
        if vid >= 0 and file is not base and base in project.modules.taken_whole(file):
            module = project.module_function(file)
            value = module.unguarded(vid)
            ways = [module.unguarded(part)[0] for part in value[1]] if value[0] == "phi" else []
            if all(way == "call" for way in ways) if ways else value[0] != "const":
                return True
    return False


def _makes_samples(project: Project, file: FileFacts) -> bool:
    """`class ClerkFactory(factory.Factory)`."""
    found = [item.target for item in file.imports if item.target.partition(".")[0] in _SAMPLES]
    return any(project.modules.resolve(target, file.module).file is None for target in found)


def develops_in(project: Project, cls: Cls, setting: str) -> bool:
    """`class Development(Config): SECRET_KEY = "..."`, where `Config` takes that setting from elsewhere."""
    if _STAGES.isdisjoint(identifier_words(cls.name)):
        return False
    for base in project.hierarchy.mro(cls):
        vid = base.facts.attributes.get(setting, -1) if base is not cls else -1
        if vid >= 0 and not isinstance(base.owner.const(vid), str):
            return True
    return False


def in_stage_body(project: Project, fn: Fn, span: Span) -> bool:
    """Whether a place lies in a class or function that is named so: `class TestConfig(Config):`, `def make_test_urls():`."""
    named = not fn.is_module and not _STAGES.isdisjoint(identifier_words(fn.name))
    return named or any(
        cls.owner is fn and cls.facts.span.holds(span) and not _STAGES.isdisjoint(identifier_words(cls.name))
        for cls in project.classes.values()
    )


def _bases(project: Project, file: FileFacts) -> set[str]:
    """Paths of the modules from which it takes all settings."""
    return {base.path for base in project.modules.taken_whole(file)}


def _switches(project: Project, file: FileFacts) -> Iterator[tuple[Fn, Vid]]:
    module = project.module_function(file)
    yield from ((module, item.value) for item in module.facts.bindings if item.name == _SWITCH)


def _off(project: Project, file: FileFacts) -> bool:
    found = [fn.const(vid) for fn, vid in _switches(project, file)]
    return bool(found) and all(value is False for value in found)


def is_on(fn: Fn, vid: Vid) -> bool:
    """`True`, or what the environment says with that as its default: `env.bool("DEBUG", True)`."""
    if fn.value(vid)[0] == "const":
        return fn.const(vid) is True
    return fn.value(vid)[0] == "call" and any(fn.const(part) in _ON for part in ingredients(fn.facts, (vid,)))
