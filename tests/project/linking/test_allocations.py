"""Where objects were made."""

from __future__ import annotations

import pytest
from building import build, fn


@pytest.mark.parametrize(
    "body",
    [
        "def f():\n    client = httpx.Client(timeout=3)\n    client.get('x')",
        "client = httpx.Client(timeout=3)\ndef f():\n    client.get('x')",
        "def make():\n    return httpx.Client(timeout=3)\ndef f():\n    make().get('x')",
        "class A:\n    def __init__(self):\n        self.client = httpx.Client(timeout=3)\n    def f(self):\n        self.client.get('x')",
        (
            "class A:\n    def __init__(self, client):\n        self.client = client\n    def f(self):\n        self.client.get('x')\n"
            "A(httpx.Client(timeout=3)).f()"
        ),
        (
            "shared = httpx.Client(timeout=3)\nclass A:\n    def __init__(self, client=shared):\n        self.client = client\n"
            "    def f(self):\n        self.client.get('x')\nA().f()"
        ),
        "client = None\ndef start():\n    global client\n    client = httpx.Client(timeout=3)\ndef f():\n    client.get('x')",
        (
            "from fastapi import Depends\ndef make():\n    with httpx.Client(timeout=3) as c:\n        yield c\n"
            "def f(client=Depends(make)):\n    client.get('x')"
        ),
        (
            "def named(client):\n    client.headers['x'] = 'y'\n    return client\nother = named(httpx.Client(verify=False))\n"
            "def f():\n    named(httpx.Client(timeout=3)).get('x')"
        ),
        (
            "class A:\n    def __enter__(self):\n        self.client = httpx.Client(timeout=3)\n        return self.client\n"
            "    def __exit__(self, *args): ...\ndef f():\n    with A() as client:\n        client.get('x')"
        ),
    ],
)
def test_the_constructor_is_found(body: str) -> None:
    project = build(main=f"import httpx\n{body}\n")
    owner = next(item for name, item in project.functions.items() if name.endswith(".f"))
    call = owner.calls[-1]
    func = owner.value(call.func)
    base = func[1] if func[0] == "attr" else -1
    made = (
        project.allocations.of(owner, base)
        if base >= 0
        else project.allocations._name(owner, func[1].rpartition(".")[0], 0)
    )
    assert [item.call.kwarg("timeout") >= 0 for item in made] == [True]
    assert fn(project, made[0].fn.fqn) is made[0].fn


def test_ways_that_branch_without_end_are_given_up() -> None:
    names = [f"a{number}" for number in range(14)]
    lines = [f"    app.{name} = app.{other}" for name in names for other in names if name != other]
    source = "from flask import current_app as app\n\n\ndef fill():\n" + "\n".join(lines) + "\n    return app.a0\n"
    project = build(fleet=source)
    where = fn(project, "fleet.fill")
    assert project.allocations.of(where, where.returned[0]) == []
