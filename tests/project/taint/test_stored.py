"""Values that were found in the database before they are logged."""

from __future__ import annotations

from textwrap import dedent

import pytest
from flowing import lines

_HEAD = """
import logging
from fastapi import FastAPI, HTTPException
from sqlalchemy import or_, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

app = FastAPI()
log = logging.getLogger(__name__)


class Base(DeclarativeBase):
    pass


class Tree(Base):
    __tablename__ = "tree"
    name: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]


def find(session: Session, name: str, kind: str = "", strict: bool = False):
    query = select(Tree).where(Tree.name == name)
    if kind:
        query = query.where(Tree.kind == kind)
    tree = session.scalars(query).first()
    if tree is None and strict:
        raise LookupError(name)
    return tree


@app.get("/trees/{name}/{kind}")
def handler(name: str, kind: str, session: Session):
"""


def logged(body: str) -> bool:
    """Whether request data reaches the log in the handler."""
    text = _HEAD + "\n".join("    " + line for line in dedent(body).strip().splitlines()) + "\n"
    return bool(lines("log", app=text))


@pytest.mark.parametrize(
    "body",
    [
        "if session.get(Tree, name) is None:\n    raise HTTPException(404)\nlog.info(name)",
        "tree = find(session, name)\nif tree:\n    log.info('%s of %s', name.strip(), tree.kind)",
        "find(session, name, strict=True)\nlog.info(name)",
        "assert find(session, name)\nlog.info(name)",
        "tree = session.query(Tree).filter_by(name=name).first() or None\nif not tree:\n    return\nlog.info(name)",
        "rows = session.scalars(select(Tree).where(Tree.name == name)).all()\nif len(rows) == 0:\n    return\nlog.info(name)",
        "try:\n    session.query(Tree).filter(Tree.name == name).one()\nexcept Exception:\n    return\nlog.info(name)",
    ],
)
def test_found_values_are_clean(body: str) -> None:
    assert not logged(body)


@pytest.mark.parametrize(
    "body",
    [
        "log.info(name)\nfind(session, name, strict=True)",
        "find(session, name)\nlog.info(name)",
        "find(session, name, strict=False)\nlog.info(name)",
        "find(session, name, strict=True)\nlog.info(kind)",
        "find(session, name, strict=True)\nlog.info(f'{name} {kind}')",
        "find(session, name, kind, strict=True)\nlog.info(kind)",
        "if find(session, name) is None:\n    log.info(name)",
        "if find(session, name) or kind:\n    log.info(name)",
        "tree = session.scalar(select(Tree).where(or_(Tree.name == name, Tree.kind == 'oak')))\nif tree:\n    log.info(name)",
        "tree = session.scalar(select(Tree).where(Tree.name != name))\nif tree:\n    log.info(name)",
        "try:\n    find(session, name, strict=True)\nexcept LookupError:\n    pass\nlog.info(name)",
        "try:\n    find(session, name, strict=True)\nexcept LookupError:\n    log.info(name)",
        "if kind:\n    find(session, name, strict=True)\nlog.info(name)",
    ],
)
def test_others_stay_dirty(body: str) -> None:
    assert logged(body)
