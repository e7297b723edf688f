"""Reading values ends for every program, however its names refer to one another."""

from __future__ import annotations

from building import build
from hypothesis import given, settings
from hypothesis import strategies as st

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
    text = "import os\nfrom flask import request\n\n\ndef helper(a, b):\n    c = d = a\n"
    text += "".join(f"    {line}\n" for line in first) + "    return helper(b, c) or d\n\n\ndef main():\n" + start
    text += "".join(f"    {line}\n" for line in second)
    project = build(app=text)
    for flow in project.taint.flows(("command",), ("request",)):
        assert project.taint.steps(flow)
