"""Constants that attributes are, and those that are but defaults."""

from __future__ import annotations

import pytest
from building import build, fn

from backendlint.project.model import Project

HEAD = """
from dataclasses import dataclass
from typing import ClassVar, NamedTuple
from pydantic import BaseModel
from pydantic_settings import BaseSettings
"""


def last(project: Project, name: str) -> list[object] | None:
    """The constants that a function returns."""
    owner = fn(project, name)
    return project.constants(owner, owner.facts.returns[-1].value)


@pytest.mark.parametrize(
    "head",
    [
        "class Pause(BaseModel):",
        "@dataclass\nclass Pause:",
        "@dataclass(frozen=True)\nclass Pause:",
        "class Pause(NamedTuple):",
    ],
)
def test_the_default_of_a_field_is_no_constant(head: str) -> None:
    code = f"{HEAD}\n{head}\n    seconds: float = 2.0\ndef wait(pause: Pause):\n    return pause.seconds\n"
    assert last(build(app=code), "wait") is None


@pytest.mark.parametrize(
    ("body", "read"),
    [
        ("class Pause:\n    seconds: float = 2.0\ndef wait(pause: Pause):", "pause.seconds"),
        ("class Pause(BaseModel):\n    seconds: ClassVar[float] = 2.0\ndef wait(pause: Pause):", "pause.seconds"),
        ("class Pause(BaseModel):\n    seconds = 2.0\ndef wait(pause: Pause):", "pause.seconds"),
        ("class Limits(BaseSettings):\n    seconds: float = 2.0\nlimits = Limits()\ndef wait():", "limits.seconds"),
        ("@dataclass\nclass Limits:\n    seconds: float = 2.0\nlimits = Limits()\ndef wait():", "limits.seconds"),
    ],
)
def test_what_no_constructor_is_given_is_a_constant(body: str, read: str) -> None:
    assert last(build(app=f"{HEAD}\n{body}\n    return {read}\n"), "wait") == [2.0]


def test_an_attribute_named_through_its_class_is_a_constant() -> None:
    code = "class Sort:\n    BIG = 'big'\nclass Sorts(Sort):\n    pass\ndef wait():\n    return Sorts.BIG\n"
    assert last(build(app=code), "wait") == ["big"]
