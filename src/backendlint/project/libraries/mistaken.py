"""Calls that only look like those of a library."""

from __future__ import annotations

import re

from backendlint.facts.model import Call, Value
from backendlint.project.entities import Fn
from backendlint.project.libraries.model import CallModel
from backendlint.project.linking.binding import object_root


def is_mistaken(fn: Fn, call: Call, model: CallModel) -> bool:
    """Whether the arguments show that the call is of something else."""
    if 0 <= model.positional < len(call.args):
        return True
    if not model.mistaken or not call.args:
        return False
    given, target = fn.const(call.args[0]), fn.unguarded(call.func)
    owner = fn.value(object_root(fn, target[1])) if target[0] == "attr" else ("",)
    return _by_name(fn, owner) and isinstance(given, str) and re.fullmatch(model.mistaken, given) is not None


def _by_name(fn: Fn, owner: Value) -> bool:
    """Whether nothing but its name says what an object is: a parameter's, or that of what a function returns."""
    if owner[0] == "param":
        return fn.facts.params[owner[1]].annotation < 0
    return owner[0] == "call" and not fn.callee_name(fn.facts.calls[owner[1]])[:1].isupper()
