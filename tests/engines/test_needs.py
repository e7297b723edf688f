from __future__ import annotations

from dataclasses import replace

import pytest

from backendlint.engines.needs import files_for, meets


@pytest.mark.parametrize(
    ("key", "values", "text", "met"),
    [
        ("imports", ("flask",), "import flask.views\n", True),
        ("imports", ("flask",), "from flask import x\n", True),
        ("imports", ("flask",), "import flask_login\n", False),
        ("names", ("mktemp",), "import tempfile\ntempfile.mktemp()\n", True),
        ("names", ("mktemp",), "from tempfile import mktemp as m\nm()\n", True),
        ("names", ("verify",), "get(verify=False)\n", True),
        ("names", ("verify",), "s.verify = False\n", True),
        ("names", ("verify",), "d = {'verify': False}\n", True),
        ("names", ("DEBUG",), "DEBUG = True\n", True),
        ("names", ("verify",), "verified()\n", False),
        ("names", ("/tmp/",), "p = '/tmp/a/b'\n", True),
        ("uses", ("random choice choices",), "import random\nrandom.choice(x)\n", True),
        ("uses", ("random choice choices",), "import random\nrandom.shuffle(x)\n", False),
        ("uses", ("random choice choices",), "x = Field(choices=y)\n", False),
        ("uses", ("random choice", "* verify"), "get(verify=False)\n", True),
        ("calls", (), "f()\n", True),
        ("calls", (), "f\n", False),
        ("calls", ("http",), "import requests\nrequests.get(u)\n", True),
        ("calls", ("http",), "import requests\nrequests.codes()\n", False),
        ("handlers", (), "try:\n    f()\nexcept E:\n    pass\n", True),
        ("handlers", (), "try:\n    f()\nfinally:\n    g()\n", False),
        ("handlers", (), "with contextlib.suppress(E):\n    f()\n", True),
        ("finally", (), "try:\n    f()\nfinally:\n    g()\n", True),
        ("with", (), "def f():\n    with x: y()\n", True),
        ("loops", (), "while x(): y()\n", True),
        ("raises", (), "def f():\n    raise E\n", True),
        ("asserts", (), "assert x\n", True),
        ("asserts", (), "x\n", False),
        ("classes", (), "class A: pass\n", True),
        ("decorators", (), "@d\ndef f(): pass\n", True),
        ("async", (), "def f(): pass\n", False),
    ],
)
def test_needs(tree, key: str, values: tuple[str, ...], text: str, met: bool) -> None:
    tree.add("a.py", text)
    context = tree.context(effects=lambda name: ["http"] if name == "requests.get" else [])
    assert meets(replace(tree.rule, needs={key: values}), tree.files["a.py"], context) is met


def test_all_needs_must_be_met_and_files_without_a_rule_are_left_out(tree) -> None:
    tree.add("a.py", "import flask\nraise E\n")
    tree.add("b.py", "import flask\n")
    rule = replace(tree.rule, needs={"imports": ("flask",), "raises": ()})
    assert files_for([rule], tree.files.values(), tree.context()) == {"a.py": [rule]}
