"""Names of values that come from enclosing functions, however far out."""

from __future__ import annotations

import ast

import pytest

from backendlint.facts.extract import extract
from backendlint.facts.within import called_name

TEXT = """\
def far(client):
    a = b = c = d = 1
    def middle(service):
        def near(own):
            client.one()
            service.two()
            own.three()
        return near
    return middle
"""


@pytest.mark.parametrize(("index", "name"), [(0, "client.one"), (1, "service.two"), (2, "own.three")])
def test_closures(index: int, name: str) -> None:
    file = extract(ast.parse(TEXT), TEXT, path="a.py", module="a", is_package=False)
    near = next(function for function in file.functions if function.name == "near")
    assert called_name(file, near, near.calls[index]) == name
