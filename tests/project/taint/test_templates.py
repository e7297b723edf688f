"""Places in templates, against Python's own filling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backendlint.project.taint.templates import Place, format_places, percent_places


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("a%sb%d", [Place("a", 0), Place("b", 1, True)]),
        ("100%% %(name)s", [Place("100% ", "name")]),
        ("%-10.3s|%(n)05d", [Place("", 0), Place("|", "n", True)]),
        ("plain", []),
    ],
)
def test_percent(text: str, places: list[Place]) -> None:
    assert percent_places(text) == places


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("a{}b{}", [Place("a", 0), Place("b", 1)]),
        ("{{}}{1}{name.part[0]}", [Place("{}", 1), Place("", "name")]),
        ("{:d}{n:,.2f}{r!r:d}", [Place("", 0, True), Place("", "n", True), Place("", "r")]),
        ("{", []),
    ],
)
def test_format(text: str, places: list[Place]) -> None:
    assert format_places(text) == places


@given(st.lists(st.sampled_from(["{}", "{{", "}}", "x", "/", "%"])))
def test_format_finds_what_python_fills(parts: list[str]) -> None:
    text = "".join(parts)
    places = format_places(text)
    filled = text.format(*(f"<{place.key}>" for place in places))
    assert filled.startswith("".join(f"{place.before}<{place.key}>" for place in places))


@given(st.lists(st.sampled_from(["%s", "%%", "x", "/", "{"])))
def test_percent_finds_what_python_fills(parts: list[str]) -> None:
    text = "".join(parts)
    places = percent_places(text)
    filled = text % tuple(f"<{place.key}>" for place in places)
    assert filled.startswith("".join(f"{place.before}<{place.key}>" for place in places))
