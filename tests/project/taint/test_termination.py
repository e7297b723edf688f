"""Reading values ends for every program, however its names refer to one another."""

from __future__ import annotations

import pytest
from building import build
from hypothesis import given, settings
from hypothesis import strategies as st

from backendlint.project.taint.barren import MAX_PARTS
from backendlint.project.taint.labels import MOST

NAMES = ("a", "b", "c", "d")
name = st.sampled_from(NAMES)
expression = st.one_of(
    name,
    st.just('request.args["x"]'),
    st.just('"text"'),
    st.builds("f'{{{}}}-{{{}}}'".format, name, name),
    st.builds("{} + {}".format, name, name),
    st.builds("[{}, {}]".format, name, name),
    st.builds("{}[0]".format, name),
    st.builds("{}.field".format, name),
    st.builds("helper({}, {})".format, name, name),
    st.builds("[x for x in {}]".format, name),
    st.builds("({} if {} else {})".format, name, name, name),
)
simple = st.one_of(
    st.builds("{} = {}".format, name, expression),
    st.builds("{} += {}".format, name, expression),
    st.builds("{}[0] = {}".format, name, expression),
    st.builds("{}.field = {}".format, name, expression),
    st.builds("{}.append({})".format, name, expression),
    st.builds("os.system({})".format, expression),
    st.builds("subprocess.run({})".format, name),
)


def nested(inner: st.SearchStrategy[list[str]]) -> st.SearchStrategy[list[str]]:
    def block(head: str, body: list[str]) -> list[str]:
        return [head, *("    " + line for line in body)]

    heads = st.one_of(
        st.builds("while {}:".format, name),
        st.builds("for {} in {}:".format, name, name),
        st.builds("if {}:".format, name),
    )
    return st.builds(
        lambda parts: [line for part in parts for line in part],
        st.lists(st.builds(block, heads, inner), min_size=1, max_size=3),
    )


body = st.recursive(st.lists(simple, min_size=1, max_size=6), nested, max_leaves=5)


@settings(max_examples=60, deadline=None)
@given(body, body)
def test_reading_ends(first: list[str], second: list[str]) -> None:
    start = "    a = b = c = d = request.args\n"
    text = "import os\nimport subprocess\nfrom flask import request\n\n\ndef helper(a, b):\n    c = d = a\n"
    text += "".join(f"    {line}\n" for line in first) + "    return helper(b, c) or d\n\n\ndef main():\n" + start
    text += "".join(f"    {line}\n" for line in second)
    project = build(app=text)
    for flow in project.taint.flows(("command",), ("request",)):
        assert project.taint.steps(flow)


def test_objects_that_refer_to_each_other_are_not_followed_in_all_ways() -> None:
    parts = ("test", "product", "finding", "engagement", "project", "owner")
    ways = "".join(f"    if obj.is_{part}:\n        return find(obj.{part})\n" for part in parts)
    text = f"import os\n\n\ndef find(obj):\n{ways}    os.system(obj.command)\n    return obj\n\n\ndef main(obj):\n    find(find(obj))\n"
    project = build(app=text)
    (site,) = project.taint.sinks("command")
    found = list(project.taint.flows_to(site, ("request",)))
    main = project.functions["app.main"]
    most = max(len(project.taint.labels(main, vid)) for vid in range(len(main.facts.values)))
    assert (found, most <= MOST) == ([], True)
    barren = project.taint._barren[frozenset(("request",))]
    assert sum(state[:2] == ("app.find", 0) and len(state[2]) > 1 for state in barren) <= MAX_PARTS


SINKS = """
    subprocess.run(a)
    if a == b:
        os.system(a)
    open(a)
    requests.get(a)
    logging.info(a)
    redirect(a)
    sqlite3.connect("x").execute(a)
    make_response(a).set_cookie(a, a)
"""


@pytest.mark.parametrize(
    "line",
    [
        "a, b = a + b, b + a",
        'a, b = f"{a}{b}", f"{b}{a}"',
        "b += [a, b]; a.extend(b)",
        "a = b = [a, b] if a else {a: b}",
        "a, b = b[a], a.get(b)",
        "a, b = (a, b), (b, a)",
    ],
)
def test_values_that_are_made_of_each_other_are_not_followed_in_all_ways(line: str) -> None:
    head = "import logging, os, requests, sqlite3, subprocess\nfrom flask import make_response, redirect, request\n\n\n"
    head += "def main(a):\n    b = request.args\n"
    project = build(app=head + f"    {line}\n" * 40 + SINKS)
    kinds = ("command", "path", "ssrf", "log", "redirect", "sql", "xss", "header")
    for flow in project.taint.flows(kinds, ("request",)):
        assert project.taint.steps(flow)
