"""Code that runs seldom, while nobody waits."""

from __future__ import annotations

import re

from backendlint.api import Fn, Project, fills_database, for_tests, only_by_hand

ONCE = frozenset({"migration", "command"})
"""Layers whose code runs by hand."""
UPGRADES = re.compile(r"(^|_)(upgrades?|upgrader|backfills?|data_?migrations?|data_?fixes)(_|$)")
"""Names of files, functions and decorators of what runs once, where a new version is put in place."""


def is_seldom(project: Project, fn: Fn) -> bool:
    """Whether it runs seldom and nobody waits: by hand, in tests, to fill a database for a demonstration, at the start."""
    if (
        fn.is_module  # as it is imported
        or project.layer(fn) in ONCE
        or _upgrades(project, fn)
        or only_by_hand(project, fn)
        or for_tests(project, fn)
        or project.importers.for_shell(fn)
    ):
        return True
    return fills_database(project, fn) or (fn.fqn in project.lifecycle.startup and not project.reach(fn.fqn))


def _upgrades(project: Project, fn: Fn) -> bool:
    """Whether it runs where a new version is put in place, and no endpoint leads there."""
    decorators = (ref.name.rpartition(".")[2] for ref in fn.decorators)
    named = (fn.path.rpartition("/")[2].removesuffix(".py"), fn.name, *decorators)
    return any(map(UPGRADES.search, named)) and not project.reach(fn.fqn)
