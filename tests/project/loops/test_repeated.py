"""Queries and lazy relations in loops, the origins of entities, and races on them."""

from __future__ import annotations

import pytest
from building import build, fn

from backendlint.project.loops.repeated import repeated
from backendlint.project.loops.serializers import serialized
from backendlint.project.rows.lazyreads import LazyReads
from backendlint.project.rows.lost import read_modify_writes
from backendlint.project.rows.setters import handed_updates

MODELS = """
    from sqlalchemy import ForeignKey, select
    from sqlalchemy.ext.asyncio import AsyncSession
    from sqlalchemy.orm import DeclarativeBase, Mapped, Session, joinedload, mapped_column, relationship, selectinload

    class Base(DeclarativeBase): pass

    class Customer(Base):
        __tablename__ = "customers"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str]
        orders: Mapped[list["Order"]] = relationship(back_populates="customer")

    class Order(Base):
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(primary_key=True)
        total: Mapped[int]
        customer_id = mapped_column(ForeignKey("customers.id"))
        customer = relationship("Customer", back_populates="orders")
        eager = relationship("Customer", lazy="joined")
"""


def lazy(body: str) -> list[str]:
    project = build(models=MODELS, app=f"from models import *\n{body}")
    return [read.relation.name for read in LazyReads(project).found]


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("def f(s: Session):\n    return [o.customer.name for o in s.query(Order).all()]\n", ["customer"]),
        ("def f(s: Session):\n    return [o.eager.name for o in s.query(Order).all()]\n", []),
        ("def f(s: Session):\n    return [o.customer_id for o in s.query(Order).all()]\n", []),
        (
            ("def f(s: Session):\n    q = select(Order).options(joinedload(Order.customer))\n"
            "    return [o.customer.name for o in s.scalars(q)]\n"),
            [],
        ),
        ("def f(s: Session, *opts):\n    return [o.customer.name for o in s.query(Order).options(*opts)]\n", []),
        ("def f(s: Session):\n    o = s.get(Order, 1)\n    return o.customer.name\n", []),
        (
            ("async def f(s: AsyncSession):\n    found = await s.execute(select(Order))\n"
            "    return [o.customer.name for o in found.scalars()]\n"),
            [],
        ),
        ("async def f(s):\n    return [o.customer.name for o in (await s.scalars(select(Order))).all()]\n", []),
        ("def g(o: Order):\n    return o.customer.name\ndef f(s: Session):\n    return [g(o) for o in s.query(Order)]\n", ["customer"]),
        (
            ("def rows(s: Session):\n    return s.query(Order).all()\n"
            "def f(s: Session):\n    for o in rows(s):\n        o.customer\n"),
            ["customer"],
        ),
    ],
)  # fmt: skip
def test_lazy_relations(body: str, names: list[str]) -> None:
    assert lazy(body) == names


@pytest.mark.parametrize(
    ("loop", "count"),
    [
        ("for key in keys:\n        s.get(Order, key)", 1),
        ("for key in (1, 2, 3):\n        s.get(Order, key)", 0),
        ("for key in range(3):\n        s.get(Order, key)", 0),
        ("for batch in keys:\n        s.query(Order).filter(Order.id.in_(batch)).all()", 0),
        ("for key in keys:\n        return s.get(Order, key)", 0),
        ("for key in keys:\n        if key:\n            return s.get(Order, key)", 0),
        ("[get(s, key) for key in keys]", 1),
        ("for order in s.query(Order).filter(Order.id.in_(keys)):\n        print(order.id)", 0),
    ],
)
def test_queries_in_loops(loop: str, count: int) -> None:
    body = f"from models import *\ndef get(s: Session, key):\n    return s.get(Order, key)\ndef f(s: Session, keys):\n    {loop}\n"
    assert len(list(repeated(build(models=MODELS, app=body)))) == count


@pytest.mark.parametrize(
    ("loop", "grouped"),
    [
        ("for key, ids in groups.items():\n        s.scalars(select(Order).where(Order.id.in_(ids))).all()", [True]),
        ("for key, ids in groups.items():\n        s.scalars(select(Order).where(Order.id == key)).all()", [False]),
        ("for ids in groups:\n        s.scalars(select(Order).where(Order.id.in_(ids))).all()", [False]),
    ],
)
def test_a_query_for_each_group(loop: str, grouped: list[bool]) -> None:
    project = build(models=MODELS, app=f"from models import *\ndef f(s: Session, groups):\n    {loop}\n")
    assert [item.grouped for item in repeated(project)] == grouped


def test_relations_of_both_directions() -> None:
    project = build(models=MODELS)
    customer, order = project.classes["models.Customer"], project.classes["models.Order"]
    orders, back = project.associations.find(customer, "orders"), project.associations.find(order, "customer")
    assert orders is not None and orders.many and orders.target == order.fqn
    assert back is not None and not back.many and back.target == customer.fqn


def test_reverse_relations_of_django() -> None:
    project = build(
        models="""
        from django.db import models

        class Author(models.Model): pass
        class Book(models.Model):
            author = models.ForeignKey(Author, on_delete=models.CASCADE, related_name="books")
            editor = models.ForeignKey("Author", on_delete=models.CASCADE)
            tags = models.ManyToManyField("self")
        """
    )
    names = {item.name: item.manager for item in project.associations.of(project.classes["models.Author"])}
    assert names == {"books": True, "book_set": True}


def test_nested_serializers_need_their_relations() -> None:
    source = """
        from django.db import models
        from rest_framework import serializers, viewsets

        class Author(models.Model): pass
        class Book(models.Model):
            author = models.ForeignKey(Author, on_delete=models.CASCADE)

        class AuthorSerializer(serializers.ModelSerializer):
            class Meta:
                model = Author
                fields = "__all__"

        class BookSerializer(serializers.ModelSerializer):
            author = AuthorSerializer()
            class Meta:
                model = Book
                fields = "__all__"

        class Books(viewsets.ModelViewSet):
            queryset = Book.objects.all()
            serializer_class = BookSerializer

        class Loaded(viewsets.ModelViewSet):
            queryset = Book.objects.select_related("author")
            serializer_class = BookSerializer
        """
    found = list(serialized(build(app=source)))
    assert [(item.read.path, item.serializer.name) for item in found] == [(("author",), "BookSerializer")]


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ("o = s.get(Order, 1)\n    o.total += 1\n    s.commit()", 1),
        ("o = s.get(Order, 1, with_for_update=True)\n    o.total += 1\n    s.commit()", 0),
        ("o = s.query(Order).with_for_update().first()\n    o.total += 1\n    s.commit()", 0),
        ("o = Order(total=1)\n    o.total += 1\n    s.commit()", 0),
        ("o = s.get(Order, 1)\n    o.total = n + 1\n    s.commit()", 0),
    ],
)
def test_read_modify_write(body: str, count: int) -> None:
    project = build(models=MODELS, app=f"from models import *\ndef f(s: Session, n):\n    {body}\n")
    assert len(list(read_modify_writes(project))) == count


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ("if s.get(Order, n) is None:\n        s.add(Order(id=n))", 1),
        ("if not s.get(Order, n):\n        s.add(Order(id=n))", 1),
        ("if s.get(Order, n):\n        return\n    s.add(Order(id=n))", 1),
        ("o = s.get(Order, n)\n    if not o:\n        return\n    s.add(o)", 0),
        ("c = s.get(Customer, n)\n    if c is None:\n        return\n    s.add(Order(customer=c))", 0),
        ("o = s.get(Order, n)\n    if o:\n        s.add(Order(id=n))", 0),
    ],
)
def test_check_then_insert(body: str, count: int) -> None:
    project = build(models=MODELS, app=f"from models import *\ndef f(s: Session, n):\n    {body}\n")
    assert sum(len(project.checked_inserts(item)) for item in project.all_functions()) == count


def test_origins_follow_repositories() -> None:
    project = build(
        models=MODELS,
        app="""
        from models import *

        class Repository:
            def __init__(self, session: Session):
                self.session = session
            def all(self):
                return self.session.query(Order).limit(5).all()

        def f(session: Session):
            return Repository(session).all()
        """,
    )
    owner = fn(project, "app.f")
    origins = project.origins.of(owner, owner.facts.returns[0].value)
    assert [sorted(origin.ops) for origin in origins] == [["all", "limit", "select"]]


LOOKUP = """
def price(s: Session, key, known=None, table=None, deep=False):
    if known is not None and table is not None:
        return known[key]
    if deep:
        s.refresh(key)
    return s.get(Order, key).total
def named(s: Session, key, deep=False):
    if deep:
        return s.get(Customer, key).name
    return ""
def again(s: Session, key, known=None):
    if known:
        return again(s, key - 1, known.get(key))
    return s.get(Order, key)
"""


@pytest.mark.parametrize(
    ("loop", "asked"),
    [
        ("price(s, key)", 1),
        ("price(s, key, known)", 1),
        ("price(s, key, known={o.id: o for o in keys}, table=keys.all)", 0),
        ("price(s, key, known={}, table=[])", 0),
        ("price(s, key, known=None, table=keys.all)", 1),
        ("named(s, key)", 0),
        ("named(s, key, deep=False)", 0),
        ("named(s, key, deep=True)", 1),
        ("named(s, key, known)", 1),
        ("again(s, key, keys.known)", 0),
        ("again(s, key, {})", 1),
    ],
)
def test_queries_that_the_arguments_rule_out(loop: str, asked: int) -> None:
    body = f"from models import *\n{LOOKUP}\ndef f(s: Session, keys, known):\n    for key in keys:\n        {loop}\n"
    project = build(models=MODELS, app=body)
    assert len([item for item in repeated(project) if item.fn.name == "f"]) == asked


def test_the_way_that_the_arguments_leave_open_is_told() -> None:
    body = """
from models import *
def first(s: Session, key, quick=True):
    if quick:
        return s.get(Customer, key)
    return slow(s, key)
def slow(s: Session, key):
    return s.get(Order, key)
def f(s: Session, keys):
    known = {}
    for key in keys:
        known[key] = first(s, key, quick=False)
"""
    (item,) = repeated(build(models=MODELS, app=body))
    assert [edge.callee.name for edge in item.edges] == ["first", "slow"]


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("Order.__table__.update().where(Order.id == key).values(total=1)", "write"),
        ("insert(Order).from_select(['total'], select(Order.total))", "write"),
        ("delete(Order).where(Order.id == key).execution_options(x=1)", "write"),
        ("select(Order).where(Order.id == key)", "read"),
        ("Order.__table__.select().where(Order.id == key)", "read"),
        ("update(key).statement()", "read"),
    ],
)
def test_a_statement_is_what_its_chain_begins_with(statement: str, kind: str) -> None:
    body = f"""
    from models import *
    from sqlalchemy import delete, insert
    def update(key): ...
    def f(s: Session, key):
        s.execute({statement})
    """
    project = build(models=MODELS, app=body)
    assert [query.kind for query in project.queries.direct(fn(project, "app.f"))] == [kind]


@pytest.mark.parametrize(
    ("base", "field", "role"),
    [
        ("Unknown", "models.CharField(max_length=3)", "model"),
        ("Unknown", "forms.CharField(max_length=3)", ""),
        ("Unknown", "3", ""),
        ("object", "models.CharField(max_length=3)", ""),
        ("ABC", "models.CharField(max_length=3)", ""),
    ],
)
def test_columns_make_a_model_of_a_class_with_an_unknown_base(base: str, field: str, role: str) -> None:
    project = build(
        models=f"""
        from abc import ABC
        from django import forms
        from django.db import models
        from elsewhere import Unknown

        class Crate({base}):
            label = {field}
        """
    )
    cls = project.classes["models.Crate"]
    assert project.hierarchy.role(cls) == role
    assert bool(project.data.schema.tables) is (role == "model")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("INSERT INTO logs (text) VALUES (:text) RETURNING id", "write"),
        ("  delete from logs where text = :text returning id", "write"),
        ("SELECT id FROM logs WHERE text = :text", "read"),
        ("WITH old AS (SELECT 1) SELECT id FROM old", "read"),
    ],
)
def test_what_a_fetching_method_sends_says_the_statement(text: str, kind: str) -> None:
    project = build(
        app=f"""
        from databases import Database

        async def f(db: Database):
            return await db.fetch_one({text!r}, {{"text": "a"}})
        """
    )
    assert [query.kind for query in project.queries.direct(fn(project, "app.f"))] == [kind]


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("for book in await Book.filter(id__gt=1):\n        (await book.author).name", ["author"]),
        (
            "for number, book in enumerate(await Book.all().limit(9)):\n        print(number, await book.author)",
            ["author"],
        ),
        ("for author in await Author.all():\n        print(await author.books)", ["books"]),
        ("for book in await Book.filter(id__gt=1).prefetch_related('author'):\n        print(await book.author)", []),
        ("for book in await Book.filter(id__gt=1).select_related('author'):\n        print(book.author.name)", []),
        ("for book in await Book.filter(id__gt=1):\n        print(book.author_id)", []),
    ],
)
def test_awaited_relations_of_tortoise(body: str, names: list[str]) -> None:
    project = build(
        app=f"""
        from tortoise import fields
        from tortoise.models import Model

        class Author(Model):
            name = fields.TextField()

        class Book(Model):
            author = fields.ForeignKeyField("app.Author", related_name="books")

        async def f():
            {body.replace(chr(10), chr(10) + "        ")}
        """
    )
    assert [read.relation.name for read in LazyReads(project).found] == names


def test_conditions_that_a_loop_makes_of_each_other_end() -> None:
    project = build(
        models="""
            from django.db import models
            class Shelf(models.Model):
                books = models.IntegerField()
        """,
        app="""
            from django.db.models import Q
            from models import Shelf
            def fill(names, books):
                wanted = Q()
                for name in names:
                    wanted = wanted | Q(name=name)
                Shelf.objects.filter(wanted).update(books=books)
        """,
    )
    assert list(handed_updates(project)) == []


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("kept = []\n    for o in rows:\n        kept.append(o)\n    return [o.customer.name for o in kept]", ["customer"]),
        ("kept = {}\n    for o in rows:\n        kept[o.id] = o\n    return [o.customer.name for o in kept.values()]", ["customer"]),
        ("kept = {o.id: o for o in rows}\n    return [(k, o.customer.name) for k, o in kept.items()]", ["customer"]),
        ("kept = []\n    for o in rows:\n        kept.append(o.total)\n    return [t.customer for t in kept]", []),
        ("kept = {}\n    kept['first'] = rows[0]\n    return [o.customer.name for o in kept.values()]", []),
    ],
)  # fmt: skip
def test_rows_that_were_collected_first(body: str, names: list[str]) -> None:
    assert lazy(f"def f(s: Session):\n    rows = s.query(Order).all()\n    {body}\n") == names


def test_what_a_method_has_put_in_an_attribute_is_what_it_reads() -> None:
    project = build(
        models=MODELS,
        app="""
        from models import *

        class Report:
            def __init__(self, s: Session):
                self.rows = s.query(Order)

            def names(self):
                self.rows = self.rows.filter(Order.total > 3).options(joinedload(Order.customer))
                return [o.customer.name for o in self.rows]

            def others(self):
                return [o.customer.name for o in self.rows]
        """,
    )
    found = [read.fn.name for read in LazyReads(project).found]
    assert found == ["others"]
