"""What `backendlint.api` gives out only when it is asked for, because importing it takes long."""

from __future__ import annotations


def given_out(name: str) -> object:
    """`sql` (helpers over sqlglot trees) is imported with sqlglot, when a SQL rule first asks for it; AttributeError for others."""
    if name == "sql":
        from backendlint.project.sqltext import judge

        return judge
    raise AttributeError(name)
