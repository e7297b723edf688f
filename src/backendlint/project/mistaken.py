"""Calls that only look like those of a library."""

from __future__ import annotations

import re

from backendlint.facts.model import Call
from backendlint.project.entities import Fn
from backendlint.project.libraries_model import CallModel


def is_mistaken(fn: Fn, call: Call, model: CallModel) -> bool:
    """Whether the arguments show that the call is of something else."""
    if 0 <= model.positional < len(call.args):
        return True
    if not model.mistaken or not call.args:
        return False
    given, target = fn.const(call.args[0]), fn.unguarded(call.func)
    owner = fn.unguarded(target[1]) if target[0] == "attr" else ("",)
    by_name = owner[0] == "param" and fn.facts.params[owner[1]].annotation < 0
    return by_name and isinstance(given, str) and re.fullmatch(model.mistaken, given) is not None
