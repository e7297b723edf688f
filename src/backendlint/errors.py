"""Errors by who can mend them: the user (exit code 2) or us (exit code 3)."""

from __future__ import annotations


class BackendlintError(Exception):
    """Base of all errors that end a run with a message instead of a traceback."""

    exit_code = 3


class UsageError(BackendlintError):
    """The user's mistake: a flag, a path, a configuration or a rule file. The message names file, line and cure."""

    exit_code = 2


class ConfigError(UsageError):
    """A configuration file that cannot be used."""


class RuleError(UsageError):
    """A rule folder or library model that cannot be used."""


class BaselineError(UsageError):
    """A baseline file that cannot be used."""


class EngineError(BackendlintError):
    """An engine that could not run; the other engines' findings are kept."""
