"""The Python part of a rule: its check.py, loaded from its folder; modules beside it are imported as `from .name import x`."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from typing import Any

from backendlint.errors import EngineError, RuleError
from backendlint.ruleset.manifest import Rule

Check = Callable[[Any], Any]
"""What check.py defines: from the engine's unit (Project, Site, Statement) to hits."""


def load_check(rule: Rule) -> Check:
    """Import the rule's check.py once and return its `check`.

    A rule of ours that does not import is our failure (EngineError); a user's is the user's (RuleError).
    """
    path = rule.folder / "check.py"
    name = f"backendlint_rules.{rule.folder.name}"
    module = sys.modules.get(name)
    if module is None or getattr(module, "__file__", None) != str(path):
        if module is not None:
            _forget(name)
        spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=[str(rule.folder)])
        if spec is None or spec.loader is None:
            raise RuleError(f"{path}: is not a Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except Exception as error:  # whatever a rule's import raises must not end the run
            _forget(name)
            raise _error(rule)(f"{path}: cannot be imported: {type(error).__name__}: {error}") from error
    check = getattr(module, "check", None)
    if not callable(check):
        raise _error(rule)(f"{path}: has no function `check`")
    found: Check = check
    return found


def _forget(name: str) -> None:
    """The module and those below it."""
    for known in [known for known in sys.modules if known == name or known.startswith(f"{name}.")]:
        del sys.modules[known]


def _error(rule: Rule) -> type[EngineError | RuleError]:
    return EngineError if rule.origin == "builtin" else RuleError
