"""No rule fails, and none takes long, on programs that nobody would write."""

from __future__ import annotations

import random
from pathlib import Path

import breaking
import contract
import pytest
from scanning import write

FIXTURES = contract.ROOT / "fixtures"
OPERATIONS = (
    "f(x, x)", "x + x", "[x, x]", "(x, x)", "{'a': x, 'b': x}", 'f"{x}{x}"', "x or x", "x if x else x", "x.a(x)", "x[x]",
    "dict(a=x, b=x)", "'%s %s' % (x, x)", "x.format(x, x)", "''.join([x, x])", "[y for y in x if x]", "not x and x",
    "lambda: (x, x)", "select(x).where(x).join(x)", "x.filter(x).order_by(x)", "{**x, **x}", "[*x, *x]", "x(x)",
    "x.append(x) or x", "sqlalchemy.text(x + x)", "max(x, x)", "(y := x) and y", "Model(a=x, b=x)", "helper(x, x)",
    "x if isinstance(x, str) else str(x)", "json.loads(json.dumps([x, x]))", "re.sub(x, x, x)",
)  # fmt: skip
HEAD = """\
import json, logging, os, pickle, re, subprocess
import requests, sqlalchemy
from fastapi import Depends, FastAPI
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

app = FastAPI()


class Base(DeclarativeBase):
    pass


class Model(Base):
    __tablename__ = "m"
    a: Mapped[int] = mapped_column(primary_key=True)


def helper(a, b):
    return a if b else helper(b, a)
"""
SINKS = """
    requests.get(x, timeout=x); requests.post(x + "/a", json=x); logging.info("%s", x); logging.error(f"{x}"); print(x)
    os.system(x); subprocess.run(x, shell=True); eval(x); pickle.loads(x); open(x)
    cursor.execute(x); cursor.execute("select * from t where a = %s" % x); cursor.execute(f"select * from t where a = {x}")
    session.execute(sqlalchemy.text(x)); session.add(x); session.commit()
    for i in x:
        session.get(Model, i); requests.get(i); session.query(Model).filter(Model.a == i).first()
    while x:
        try:
            requests.get(x)
        except x as e:
            raise ValueError(x, e)
        except Exception as e:
            logging.exception(x)
            x = x(x)
    with x as y, open(x) as z:
        y(z)
    return x
"""


def problems(root: Path) -> list[str]:
    """What the report says of parts of the scan that failed, or were given up."""
    report = contract.scan_sample(root).report
    return [item.message for item in report.notifications if item.level == "error"]


def test_values_that_are_doubled_again_and_again(tmp_path: Path) -> None:
    parts = [HEAD]
    for number, operation in enumerate(OPERATIONS):
        parts.append(
            f'\n\n@app.post("/a{number}")\ndef straight{number}(x: str, session: Session = Depends(), cursor=None):\n'
        )
        parts.append(f"    x = {operation}\n" * 60 + SINKS)
        parts.append(
            f'\n\n@app.get("/b{number}")\nasync def around{number}(x: str, session: Session = Depends(), cursor=None):\n'
        )
        parts.append("    for i in range(3):\n" + f"        if helper(x):\n            x = {operation}\n" * 30 + SINKS)
    assert problems(write(tmp_path, {"app.py": "".join(parts)})) == []


CIRCLES = """\
from __future__ import annotations
from dataclasses import dataclass
from typing import TypeVar
import abc
from {other} import *
from {other} import Node as Other, decorate as again, Alias

T = TypeVar("T", bound="Node")
Alias = dict[str, "Alias"] | list["Alias"] | Other
type_of = Alias


@again
def decorate(function):
    return again(decorate(function))


@dataclass
class Node(Other):
    parent: Node
    children: list[Node]
    value: Alias = decorate

    @property
    def root(self) -> Node:
        return self.parent.root if self.parent else self.root

    @abc.abstractmethod
    def walk(self) -> Node: ...

    @decorate
    def run(self) -> T:
        self.parent = self.parent.parent.parent
        return self.walk().run().root.run()


class Deep(Deep, Node):
    walk = run = Node.run


lambda_ = lambda: lambda_()
"""


def test_names_types_and_classes_in_circles(tmp_path: Path) -> None:
    names = ("one", "two", "three")
    files = {f"{name}.py": CIRCLES.format(other=names[(n + 1) % 3]) for n, name in enumerate(names)}
    assert problems(write(tmp_path, {**files, "own.py": CIRCLES.format(other="own")})) == []


HANDLERS = """\
from fastapi import Depends, FastAPI
from {other} import Errors, Kind, Methods, Dependencies

app = FastAPI()
Errors = (Errors, ValueError)
Kind = Kind | None
Methods = [Methods, "GET"]
Dependencies = [Dependencies, Depends(Kind)]


@app.api_route("/x/{{kind}}", methods=Methods, dependencies=Dependencies)
def x(kind: Kind, q: Kind = Kind):
    try:
        return open(kind)
    except Errors:
        return q
"""


def test_constants_of_two_modules_that_are_made_of_each_other(tmp_path: Path) -> None:
    files = {"one.py": HANDLERS.format(other="two"), "two.py": HANDLERS.format(other="one")}
    assert problems(write(tmp_path, {**files, "own.py": HANDLERS.format(other="own")})) == []


EMPTY = """\
import asyncio
import requests


async def gather(items):
    tasks, options, found = [], {}, set()
    for item in items:
        tasks.append()
        options.setdefault()
        options.setdefault("timeout")
        options.update()
        found.add()
        tasks.extend()
        requests.get(item, **options)
    await asyncio.gather(*tasks)
    return tasks.pop(), found.pop(), options.pop(), options.get()
"""


def test_methods_of_containers_without_arguments(tmp_path: Path) -> None:
    assert problems(write(tmp_path, {"empty.py": EMPTY})) == []


DECORATED = """
import requests


def command(function):
    return function


@command
def load():
    return requests.get("http://10.0.0.1:8000/boats")


@"command"
def store():
    return requests.post("http://10.0.0.1:8000/boats")
"""


def test_decorators_that_are_no_attributes(tmp_path: Path) -> None:
    assert problems(write(tmp_path, {"decorated.py": DECORATED})) == []


ROUND = """
from harbour import db
from flask_sqlalchemy.model import DefaultMeta

BaseModel: DefaultMeta = BaseModel.Model


class Rope(BaseModel):
    id = db.Column(db.Integer, primary_key=True)
    length = db.Column(db.Integer, default=0)
"""
ITS_DATABASE = """
from flask_sqlalchemy import SQLAlchemy

db = SQLAlchemy()
"""


def test_a_name_that_is_made_of_itself(tmp_path: Path) -> None:
    assert problems(write(tmp_path, {"harbour/models.py": ROUND, "harbour/__init__.py": ITS_DATABASE})) == []


THEMSELVES = """
import contextlib
import threading
import httpx

revision, down_revision = "2", "1"
lock = threading.Lock()


@contextlib.contextmanager
def berth(ship):
    with lock:
        with berth(ship):
            yield ship


def patience():
    return httpx.Timeout(patience())


async def moor(ship):
    with berth(ship):
        async with httpx.AsyncClient(timeout=patience()) as client:
            await client.get("https://harbour/berths")


def upgrade():
    upgrade()
    upgrade()
    downgrade()


def downgrade():
    upgrade()
    downgrade()
"""


def test_what_enters_holds_or_calls_itself(tmp_path: Path) -> None:
    assert problems(write(tmp_path, {"mooring.py": THEMSELVES})) == []


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 12))])
def test_twisted_programs(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    folders = [FIXTURES / "shop"] if seed == 1 else [path for path in FIXTURES.iterdir() if path.is_dir()]
    for path in (path for folder in folders for path in sorted(folder.rglob("*.py"))):
        copy = tmp_path / "p" / str(path.relative_to(FIXTURES)).replace("fixtures", "f")
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(breaking.twisted(path.read_text(encoding="utf-8"), rng), encoding="utf-8")
    assert problems(tmp_path / "p") == []


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 12))])
def test_broken_files(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    for path in sorted((FIXTURES / "shop").rglob("*")):
        if path.suffix in (".py", ".sql"):
            copy = tmp_path / "p" / path.relative_to(FIXTURES / "shop")
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(breaking.broken(path.read_bytes(), rng) if rng.random() < 0.5 else path.read_bytes())
    assert problems(tmp_path / "p") == []
