"""Small programs, and the flows that are found in them."""

from __future__ import annotations

from textwrap import dedent

from building import build

FLASK = """
import os
import sqlite3
import subprocess
from flask import Flask, request

app = Flask(__name__)


@app.get("/")
def handler():
"""
"""The head of a handler; a body follows, indented by four blanks."""


def lines(*kinds: str, sources: tuple[str, ...] = ("request", "queue"), weak: bool = False, **files: str) -> list[str]:
    """`file:line` of each flow to sinks of these kinds."""
    project = build(**files)
    found = {
        f"{flow.location.path}:{flow.location.line}"
        for flow in project.taint.flows(kinds, sources)
        if weak or not flow.weak
    }
    return sorted(found)


def reaches(body: str, kind: str = "command", head: str = "", sources: tuple[str, ...] = ("request",)) -> bool:
    """Whether request data reaches a sink of this kind in a handler with this body; `head` stands before it."""
    text = FLASK.replace("@app.get", dedent(head) + "\n\n@app.get", 1)
    text += "\n".join("    " + line for line in dedent(body).strip().splitlines()) + "\n"
    return bool(lines(kind, sources=sources, app=text))
