"""Names, types and calls across files."""

from __future__ import annotations

import pytest
from building import build, called, fn, returned


def test_names_resolve_through_packages_reexports_and_relative_imports() -> None:
    project = build(
        app____init__="from .core import helper as h\n__all__ = ['h']\n",
        app__core="def helper(): return 1\n",
        app__api__routes="from .. import h\nfrom ..core import helper\ndef f():\n    h()\n    helper()\n",
        main="import app\nfrom app import *\ndef g():\n    app.h()\n    h()\n",
    )
    assert called(project, "routes.f") == [["app.core.helper"], ["app.core.helper"]]
    assert called(project, "main.g") == [["app.core.helper"], ["app.core.helper"]]


def test_bases_that_hang_on_those_of_a_later_class_are_found() -> None:
    project = build(
        pier____init__="from pier.storage import Storage\ndb = Storage()\n",
        pier__boats="from pier import db\nclass Boat(db.Model): ...\n",
        pier__storage="from flask_sqlalchemy import SQLAlchemy\nclass Storage(SQLAlchemy): ...\n",
    )
    assert project.hierarchy.library_bases(project.classes["pier.boats.Boat"]) == ("flask_sqlalchemy.model.Model",)


def test_what_a_package_binds_to_the_name_of_its_module_is_meant() -> None:
    project = build(
        dock____init__="from .mailer import Mailer\nmailer = Mailer()\nfrom .weigh import weigh\nfrom . import ropes\n",
        dock__mailer="class Mailer:\n    def post(self): ...\ndef quick(): ...\n",
        dock__weigh="def weigh(): ...\n",
        dock__ropes="def tie(): ...\n",
        dock__notes="""
            from . import mailer, ropes, weigh
            from .mailer import quick
            def f():
                mailer.post()
                quick()
                weigh()
                ropes.tie()
        """,
    )
    assert called(project, "notes.f") == [
        ["dock.mailer.Mailer.post"], ["dock.mailer.quick"], ["dock.weigh.weigh"], ["dock.ropes.tie"]
    ]  # fmt: skip


def test_imports_without_the_source_folder_are_found() -> None:
    project = build(
        backend__src__shop__db="def connect(): ...\n",
        backend__src__shop__api="from shop.db import connect\ndef f():\n    connect()\n",
    )
    assert called(project, "api.f") == [["backend.src.shop.db.connect"]]


def test_a_package_is_no_place_from_which_others_are_imported() -> None:
    project = build(
        api__core__models="class Base: ...",
        api__shop____init__="",
        api__shop__flows____init__="",
        api__shop__flows__core____init__="",
        api__shop__flows__core__models="class Step: ...",
        api__shop__flows__views="""
            from core.models import Base
            def f():
                Base()
        """,
    )
    assert called(project, "flows.views.f") == [["api.core.models.Base"]]


def test_a_file_named_like_a_library_does_not_hide_it() -> None:
    project = build(
        app__redis="def Redis(): ...\n", other__main="import requests\nimport redis\ndef f():\n    redis.Redis()\n"
    )
    assert called(project, "main.f") == [["redis.Redis"]]


def test_a_file_named_like_the_library_that_it_imports_means_the_library() -> None:
    project = build(
        app__metrics="import metrics\ndef f():\n    metrics.count()\n",
        app__other__metrics="def count(): ...\n",
    )
    assert called(project, "metrics.f") == [["metrics.count"]]


def test_each_function_of_a_list_is_called() -> None:
    project = build(
        app="def a(x): ...\ndef b(x): ...\ndef c(x): ...\ndef f(x):\n    for step in [a, b, c]:\n        step(x)\n",
    )
    assert called(project, "app.f") == [["app.a", "app.b", "app.c"]]


@pytest.mark.parametrize(
    "body",
    [
        "def f(s: Service):\n    s.go()",
        "def f(s: 'Service | None'):\n    s.go()",
        "from typing import Optional\ndef f(s: Optional[Service]):\n    s.go()",
        "from typing import Annotated\ndef f(s: Annotated[Service, 1]):\n    s.go()",
        "def f():\n    s = Service()\n    s.go()",
        "def make() -> Service: ...\ndef f():\n    make().go()",
        "def make():\n    return Service()\ndef f():\n    s = make()\n    if s:\n        s.go()",
        "service = Service()\ndef f():\n    service.go()",
        "def f(items: list[Service]):\n    for s in items:\n        s.go()",
        "def f(items: dict[str, Service]):\n    items['a'].go()",
        "async def make() -> Service: ...\nasync def f():\n    s = await make()\n    s.go()",
        (
            "from contextlib import contextmanager\n@contextmanager\ndef open_it():\n"
            "    yield Service()\ndef f():\n    with open_it() as s:\n        s.go()"
        ),
        (
            "class Holder:\n    def __init__(self):\n        self.s = Service()\n"
            "class Sub(Holder):\n    def f(self):\n        self.s.go()"
        ),
        (
            "from dataclasses import dataclass\n@dataclass\n"
            "class Holder:\n    s: Service\n    def f(self):\n        self.s.go()"
        ),
        "class Holder:\n    @property\n    def s(self) -> Service: ...\n    def f(self):\n        self.s.go()",
        "from fastapi import Depends\ndef get() -> Service: ...\ndef f(s=Depends(get)):\n    s.go()",
        "def f(flag):\n    s = Service() if flag else None\n    s.go()",
        "def outer():\n    s = Service()\n    def f():\n        s.go()\n    return f",
    ],
)
def test_the_receiver_type_is_known(body: str) -> None:
    project = build(
        svc="class Base:\n    def go(self): ...\nclass Service(Base):\n    pass\n",
        main=f"from svc import Service\n{body}\n",
    )
    owner = next(item for name, item in project.functions.items() if name.endswith(".f") and name.startswith("main"))
    targets = {target.fqn for call in owner.calls for target in project.targets(owner, call)}
    assert "svc.Base.go" in targets


def test_class_methods_static_methods_and_super() -> None:
    project = build(
        main="""
        class A:
            def run(self): ...
            @classmethod
            def make(cls): return cls()
            @staticmethod
            def util(): ...
        class B(A):
            def run(self):
                super().run()
        def f():
            A.make().run()
            A.util()
            B.make()
        """
    )
    assert ["main.A.run"] in called(project, "B.run")
    assert called(project, "main.f")[:3] == [["main.A.make"], ["main.A.run"], ["main.A.util"]]


def test_an_abstract_method_leads_to_its_overrides() -> None:
    project = build(
        main="""
        from abc import ABC, abstractmethod
        class Port(ABC):
            @abstractmethod
            def send(self): ...
        class Mail(Port):
            def send(self): ...
        def f(port: Port):
            port.send()
        """
    )
    assert called(project, "main.f") == [["main.Port.send", "main.Mail.send"]]


def test_library_objects_carry_their_types() -> None:
    project = build(
        main="""
        import requests
        from flask import request
        session = requests.Session()
        def f():
            session.get("http://x").json()
            request.args.get("a")
        """
    )
    assert called(project, "main.f") == [
        ["requests.Session.get"],
        ["requests.Response.json"],
        ["werkzeug.datastructures.MultiDict.get"],
    ]


def test_unresolved_calls_are_counted_not_guessed() -> None:
    project = build(main="def f(x):\n    x.go()\n    unknown_thing.run()\n    len(x)\n")
    graph = project.graph
    assert graph.callees(fn(project, "f")) == []
    assert graph.unresolved >= 1


def test_results_of_generators_and_loops() -> None:
    project = build(
        main="""
        class Row: ...
        def rows():
            yield Row()
        def f():
            for row in rows():
                return row
        """
    )
    assert returned(project, "main.f") == [("inst", "main.Row")]


def test_what_is_kept_on_a_library_object_is_known() -> None:
    project = build(
        main="""
        import sqlite3
        from flask import Flask, g
        app = Flask(__name__)
        def connect():
            if "db" not in g:
                g.db = sqlite3.connect("x")
            return g.db
        def f():
            connect().cursor().execute("SELECT 1")
        """
    )
    assert called(project, "main.f")[-1] == ["sqlite3.Cursor.execute"]


def test_a_partial_of_partial_ends() -> None:
    project = build(main="from functools import partial\ndef f(x):\n    partial(partial, x)()\n")
    assert called(project, "main.f")
    assert project.failures == {}


IN_LOOPS = """
    from sqlalchemy.orm import Session
    from django.db.models import QuerySet

    def added(session: Session, rows):
        for row in rows:
            session.add(row)
            session.flush()

    def narrowed(rows: QuerySet, tests):
        for test in tests:
            rows = rows.filter(name=test)
        return rows.first()
"""


def test_objects_keep_their_types_in_loops() -> None:
    project = build(app=IN_LOOPS)
    assert called(project, "added") == [["sqlalchemy.orm.Session.add"], ["sqlalchemy.orm.Session.flush"]]
    assert called(project, "narrowed") == [["django.db.models.QuerySet.filter"], ["django.db.models.QuerySet.first"]]
    project = build(app=IN_LOOPS)
    owner = fn(project, "added")
    project.refs(owner, owner.calls[1].func)
    assert called(project, "added")[1] == ["sqlalchemy.orm.Session.flush"]


def test_new_types_are_their_base() -> None:
    project = build(
        db="""
            from typing import NewType
            from sqlalchemy.ext.asyncio import AsyncSession as _AsyncSession
            ReadSession = NewType("ReadSession", _AsyncSession)
            Session = NewType("Session", ReadSession)
        """,
        app="""
            from db import Session
            async def load(session: Session):
                await session.execute("SELECT 1")
        """,
    )
    assert called(project, "load") == [["sqlalchemy.ext.asyncio.AsyncSession.execute"]]


def test_self_is_the_receiver_of_each_call() -> None:
    project = build(
        app="""
            from typing import Self
            class Base:
                @classmethod
                def make(cls) -> Self: ...
                def again(self) -> Self: ...
            class Users(Base):
                def users(self): ...
            class Orders(Base):
                def orders(self): ...
            def both():
                Users.make().again().users()
                Orders.make().again().orders()
        """
    )
    names = [name for names in called(project, "both") for name in names]
    assert {"app.Users.users", "app.Orders.orders"} <= set(names)


def test_what_a_base_class_gives_is_made_by_the_class_of_the_object() -> None:
    project = build(
        app="""
            class Tracker:
                @property
                def client(self):
                    if self.off():
                        return None
                    return self.make()
                def make(self):
                    raise NotImplementedError
                def off(self): ...
            class Mail:
                def send(self): ...
            class Chat:
                def send(self): ...
            class MailTracker(Tracker):
                def make(self):
                    return Mail()
                def tell(self):
                    self.client.send()
            class ChatTracker(Tracker):
                def make(self):
                    return Chat()
            def any(tracker: Tracker):
                tracker.client.send()
        """
    )
    assert called(project, "MailTracker.tell") == [["app.Mail.send"]]
    assert called(project, "any") == [["app.Mail.send", "app.Chat.send"]]


def test_generic_classes_of_libraries_are_bases() -> None:
    project = build(
        main="from typing import Annotated, Generic, TypeVar\nfrom django.views import View\nfrom sqlalchemy.orm import Session\n"
        "T = TypeVar('T')\nLocal = Annotated[Session, 'local']\n"
        "class Page(View[T]): ...\nclass Kept(Generic[T]): ...\n"
        "def f(session: Local):\n    return session\n"
    )
    bases = project.hierarchy.library_bases(project.classes["main.Page"])
    assert [name.rpartition(".")[2] for name in bases] == ["View"]
    assert returned(project, "main.f") == [("libinst", "sqlalchemy.orm.Session")]


@pytest.mark.parametrize("made", ["LocalProxy(current)", "Current(current)"])
def test_a_proxy_stands_for_what_its_function_gives(made: str) -> None:
    project = build(
        main="import flask\nfrom werkzeug.local import LocalProxy\n"
        "def current():\n    return flask.request\n"
        "class Current(LocalProxy[flask.Request]): ...\n"
        f"request = {made}\ndef f():\n    return request.args\n"
    )
    assert ("libinst", "werkzeug.datastructures.MultiDict") in returned(project, "main.f")


@pytest.mark.parametrize(
    "base",
    [
        "from sqlalchemy.orm import declarative_base\nBase = declarative_base(cls=Common)\n",
        "from sqlalchemy.ext.declarative import declarative_base\nBase = declarative_base(cls=(Common,))\n",
        "from sqlalchemy.orm import registry\nBase = registry().generate_base(cls=Common)\n",
        "from flask_sqlalchemy import SQLAlchemy\ndb = SQLAlchemy(model_class=Common)\nBase = db.Model\n",
    ],
)
def test_a_base_that_a_call_makes_has_what_is_mixed_into_it(base: str) -> None:
    project = build(
        app__db="class Common:\n    def store(self): ...\n" + base,
        app__models="from app.db import Base\nclass Boat(Base):\n    pass\ndef f():\n    Boat().store()\n",
    )
    assert called(project, "models.f") == [["app.models.Boat"], ["app.db.Common.store"]]
    assert project.hierarchy.role(project.classes["app.models.Boat"]) == "model"


def test_what_an_application_keeps_under_a_key_is_found_again() -> None:
    project = build(
        app__service="class Tides:\n    def now(self): ...\n",
        app__main=(
            "from aiohttp import web\nfrom app.service import Tides\nKEY = web.AppKey('tides', Tides)\n"
            "async def start(app: web.Application):\n    app['tides'] = Tides()\n    app[KEY] = Tides()\n"
            "async def first(request: web.Request):\n    request.app['tides'].now()\n"
            "async def second(request: web.Request):\n    request.app[KEY].now()\n"
            "async def third(request: web.Request, table: dict):\n    table['tides'].now()\n"
        ),
    )
    assert called(project, "main.first") == [["app.service.Tides.now"]]
    assert called(project, "main.second") == [["app.service.Tides.now"]]
    assert called(project, "main.third") == [[]]


def test_a_manager_that_a_model_is_given_stands_for_its_rows() -> None:
    project = build(
        app__models=(
            "from django.db import models\n"
            "class Chosen(models.Manager): ...\n"
            "class Kid(models.Model):\n"
            "    objects = models.Manager()\n    chosen = Chosen()\n    def hello(self): ...\n"
            "def f():\n    Kid.objects.get(pk=1).hello()\n"
            "def g():\n    Kid.chosen.all().first().hello()\n"
        ),
    )
    assert called(project, "models.f")[-1] == ["app.models.Kid.hello"]
    assert called(project, "models.g")[-1] == ["app.models.Kid.hello"]


@pytest.mark.parametrize(
    ("body", "given"),
    [
        ("return cls()", "Heir"),
        ("return cls.query.get(key)", "Heir"),
        ("found = db.session.get(cls, key)\n        return found", "Heir"),
        ("row = cls()\n        db.session.add(row)\n        return row", "Heir"),
        ("return Base()", "Base"),
        ("return cls() if key else Base()", "Base"),
        ("return key", None),
    ],
)
def test_class_methods_of_a_base_make_what_is_asked(body: str, given: str | None) -> None:
    project = build(
        app=f"""
        from flask_sqlalchemy import SQLAlchemy
        db = SQLAlchemy()

        class Base(db.Model):
            @classmethod
            def make(cls, key):
                {body.replace(chr(10), chr(10) + "        ")}

        class Heir(Base): pass

        def f():
            return Heir.make(3)

        def g():
            return Base.make(3)
        """
    )
    assert returned(project, "app.f") == ([("inst", f"app.{given}")] if given else [])
    assert returned(project, "app.g") == ([("inst", "app.Base")] if given else [])


@pytest.mark.parametrize(
    ("annotation", "body", "element"),
    [
        ("QuerySet", "Order.objects.filter(x=1)", "app.Order"),
        ("QuerySet[T]", "Order.objects.filter(x=1)", "app.Order"),
        ("list", "[order for order in Order.objects.all()]", "app.Order"),
        ("QuerySet['Line']", "Order.objects.filter(x=1)", "app.Line"),
        ("str", "[order for order in Order.objects.all()]", None),
    ],
)
def test_what_an_annotation_leaves_open_the_code_tells(annotation: str, body: str, element: str | None) -> None:
    project = build(
        app=f"""
        from typing import TypeVar
        from django.db import models
        from django.db.models import QuerySet

        T = TypeVar("T")
        class Order(models.Model): pass
        class Line(models.Model): pass

        def f() -> {annotation}:
            return {body}
        """
    )
    (found,) = project.resolver.results.of(fn(project, "app.f"))
    assert (found.arg.name if found.arg else None) == element


def test_models_are_known_by_the_names_under_which_django_keeps_them() -> None:
    project = build(
        shop__models="from django.db import models\nclass Order(models.Model): ...\nclass Notes: ...\n",
        depot__models="from django.db import models\nclass Order(models.Model): ...\n",
        api=(
            "from django.apps import apps\nfrom swapper import load_model\n"
            "def f():\n    return apps.get_model('shop', 'Order')\n"
            "def g():\n    return load_model('depot', 'order')\n"
            "def h():\n    return apps.get_model('shop.Notes')\n"
        ),
    )
    assert returned(project, "api.f") == [("class", "shop.models.Order")]
    assert returned(project, "api.g") == [("class", "depot.models.Order")]
    assert returned(project, "api.h") == []


def test_a_dict_holds_what_is_put_into_it_under_keys_that_vary() -> None:
    project = build(
        m="""
            import requests
            class Alike:
                def __init__(self, names):
                    sessions = {}
                    for name in names:
                        sessions[name] = requests.Session()
                    self.sessions = sessions
                def f(self, name):
                    return self.sessions[name].get("/")
            class Mixed:
                def __init__(self, name):
                    self.parts = {}
                    parts = {}
                    parts["session"] = requests.Session()
                    self.parts = parts
                def f(self, name):
                    return self.parts[name].get("/")
        """
    )
    alike, mixed = fn(project, "Alike.f"), fn(project, "Mixed.f")
    assert [model.name for model in project.models(alike, alike.calls[0])] == ["requests.Session.get"]
    assert project.models(mixed, mixed.calls[0]) == []


def test_a_mixin_calls_what_all_classes_have_beside_it() -> None:
    project = build(
        m="""
            class Stored:
                def one(self): ...
                def name(self): ...
            class ByKey:
                def get(self):
                    self.one()
                    self.name()
                    self.nothing()
            class Lamps(Stored, ByKey): ...
            class Wicks(Stored, ByKey):
                def name(self): ...
        """
    )
    assert called(project, "ByKey.get") == [["m.Stored.one"], [], []]


def test_a_base_may_be_an_attribute_of_an_object_whose_class_is_read_later() -> None:
    project = build(
        app__models="""
            from flask_sqlalchemy.model import DefaultMeta
            from app.stores import db
            Row: DefaultMeta = db.Model
            class Lamp(Row):
                id = db.Column(db.Integer, primary_key=True)
            def lamp(key):
                return Lamp.query.filter_by(id=key).one()
        """,
        app__stores="""
            from flask_sqlalchemy import SQLAlchemy
            class Routed(SQLAlchemy): ...
            db = Routed()
        """,
    )
    assert project.hierarchy.role(project.classes["app.models.Lamp"]) == "model"
    assert [query.name for query in project.queries.direct(fn(project, "lamp"))] == ["Lamp.query.filter_by.one"]


def test_a_model_may_be_asked_for_by_its_name() -> None:
    project = build(
        shop__models="""
            from django.db import models
            class Order(models.Model): ...
            class Line(models.Model): ...
        """,
        depot__models="""
            from django.db import models
            class Line(models.Model): ...
        """,
        shop__services="""
            from django.apps import apps
            from swapper import load_model
            Order = load_model("shop", "Order")
            def f(name):
                Order.objects.get(pk=1)
                apps.get_model("depot.Line").objects.get(pk=2)
                apps.get_model(name).objects.get(pk=3)
        """,
    )
    services = fn(project, "services.f")
    assert [query.span.line for query in project.queries.direct(services)] == [6, 7]
    assert [ref.name for ref in project.refs(services, services.calls[1].value)] == ["depot.models.Line"]


def test_a_base_reads_what_its_heirs_state() -> None:
    project = build(
        base="""
            class Store:
                model = None
                def make(self): return self.model()
                def name(self): return str(self.model)
        """,
        heirs="""
            from base import Store
            class Cup: ...
            class Bowl: ...
            class Cups(Store):
                model = Cup
            class Bowls(Store):
                model = Bowl
            def a(): return Cups().make()
            def b(): return Bowls().make()
            def c(): return Store().make()
        """,
    )
    assert returned(project, "heirs.a") == [("inst", "heirs.Cup")]
    assert returned(project, "heirs.b") == [("inst", "heirs.Bowl")]
    assert returned(project, "heirs.c") == []


def test_type_variables_stand_for_what_an_heir_states() -> None:
    project = build(
        base="""
            from typing import Generic, TypeVar
            T = TypeVar("T")
            class Store(Generic[T]):
                model: type[T]
                def make(self) -> T: return self.model()
                def all(self) -> list[T]: return [self.model()]
        """,
        heirs="""
            from base import Store, T
            class Cup: ...
            class Bowl: ...
            class Shelf(Store[T]): ...
            class Cups(Shelf[Cup]): ...
            class Bowls(Store[Bowl]): ...
            def a(): return Cups().make()
            def b(): return Bowls().make()
            def c():
                for cup in Cups().all():
                    return cup
        """,
    )
    assert returned(project, "heirs.a") == [("inst", "heirs.Cup")]
    assert returned(project, "heirs.b") == [("inst", "heirs.Bowl")]
    assert returned(project, "heirs.c") == [("inst", "heirs.Cup")]


def test_generic_views_give_rows_and_serializers_of_their_own() -> None:
    project = build(
        models="""
            from django.db import models
            class Kite(models.Model): ...
        """,
        views="""
            from rest_framework import serializers, viewsets
            from models import Kite
            class KiteSerializer(serializers.ModelSerializer):
                class Meta:
                    model = Kite
            class OwnKites:
                def get_queryset(self):
                    return super().get_queryset().filter(owner=self.request.user)
            class Kites(OwnKites, viewsets.ModelViewSet):
                queryset = Kite.objects.all()
                serializer_class = KiteSerializer
                def one(self):
                    return self.get_object()
                def form(self):
                    return self.get_serializer()
                def stored(self):
                    return self.get_serializer().save()
            class Others(viewsets.GenericViewSet):
                def get_queryset(self):
                    return Kite.objects.filter(lost=True)
                def rows(self):
                    return self.filter_queryset(self.get_queryset())
                def one(self):
                    return self.get_object()
            class Unknown(viewsets.GenericViewSet):
                def one(self):
                    return self.get_object()
        """,
    )
    assert returned(project, "Kites.one") == [("inst", "models.Kite")]
    assert returned(project, "Kites.form") == [("inst", "views.KiteSerializer")]
    assert returned(project, "Kites.stored") == [("inst", "models.Kite")]
    assert returned(project, "Others.one") == [("inst", "models.Kite")]
    assert returned(project, "Unknown.one") == []


def test_a_manager_of_a_package_that_nobody_describes_gives_the_models_rows() -> None:
    project = build(
        models="""
            from django.db import models
            from harbour_scopes import ScopedManager
            from harbour_scopes import Colour
            class Berth(models.Model):
                objects = ScopedManager(port="port")
                colour = Colour()
        """,
        views="""
            from models import Berth
            def first(): return Berth.objects.filter(free=True).first()
            def colour(): return Berth().colour
        """,
    )
    assert returned(project, "first") == [("inst", "models.Berth")]
    assert returned(project, "colour") in ([], [("libinst", "harbour_scopes.Colour")])


def test_functions_give_rows_of_the_class_that_they_are_handed() -> None:
    project = build(
        models="""
            from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
            class Base(DeclarativeBase):
                id: Mapped[int] = mapped_column(primary_key=True)
            class Rope(Base):
                __tablename__ = "ropes"
            class Mast(Base):
                __tablename__ = "masts"
        """,
        finders="""
            from sqlalchemy.orm import Session
            from models import Base
            def plain(session: Session, model, key):
                return session.query(model).filter(model.id == key).one()
            def of_base(session: Session, model: type[Base], key) -> Base:
                return session.get(model, key)
            def as_row(session: Session, model: Base, key):
                found = session.query(model).get(key)
                if found is None:
                    raise LookupError(key)
                return found
            def counted(session: Session, model) -> int:
                return session.query(model).count()
        """,
        main="""
            from sqlalchemy.orm import Session
            from finders import as_row, counted, of_base, plain
            from models import Mast, Rope
            def rope(session: Session):
                return plain(session, Rope, 1)
            def mast(session: Session):
                return plain(session, model=Mast, key=1)
            def based(session: Session):
                return of_base(session, Mast, 1)
            def annotated(session: Session):
                return as_row(session, Rope, 1)
            def number(session: Session):
                return counted(session, Rope)
        """,
    )
    assert returned(project, "main.rope") == [("inst", "models.Rope")]
    assert returned(project, "main.mast") == [("inst", "models.Mast")]
    assert returned(project, "main.based") == [("inst", "models.Mast")]
    assert returned(project, "main.annotated") == [("inst", "models.Rope")]
    assert returned(project, "main.number") == [("libinst", "builtins.int")]


def test_callables_are_what_they_make_where_they_are_passed_on() -> None:
    project = build(
        main="""
            from collections.abc import Callable
            from dataclasses import dataclass
            class Work: ...
            @dataclass
            class Yard:
                making: Callable[..., Work]
                told: Callable[[int], Work]
                def made(self):
                    return self.making()
                def asked(self):
                    return self.told(1)
            class Pier:
                def __init__(self, work: Callable[[], Work]):
                    self._work = work
                def begun(self):
                    return self._work()
            def maker(name) -> Callable[..., Work]:
                def make():
                    return Yard(Work, Work)
                return make
            def inner():
                return maker("a")()
        """,
    )
    assert returned(project, "main.Yard.made") == [("inst", "main.Work")]
    assert returned(project, "main.Yard.asked") == []
    assert returned(project, "main.Pier.begun") == [("inst", "main.Work")]
    assert returned(project, "main.inner") == [("inst", "main.Yard")]


def test_self_of_a_models_own_queryset_gives_its_rows() -> None:
    project = build(
        models="""
            from django.db import models
            class BoatQuerySet(models.QuerySet):
                def afloat(self):
                    return self.filter(is_afloat=True)
                def first_afloat(self):
                    return self.afloat().first()
            class SharedQuerySet(models.QuerySet):
                def one(self):
                    return self.first()
            class Boat(models.Model):
                objects = BoatQuerySet.as_manager()
            class Rope(models.Model):
                objects = SharedQuerySet.as_manager()
            class Mast(models.Model):
                objects = SharedQuerySet.as_manager()
        """,
    )
    assert returned(project, "models.BoatQuerySet.first_afloat") == [("inst", "models.Boat")]
    assert ("inst", "models.Mast") not in returned(project, "models.SharedQuerySet.one")


def test_parts_of_a_returned_pair_are_what_stands_in_their_places() -> None:
    project = build(
        app__main="""
            class Order: ...
            class Refusal: ...
            def find(key):
                if key:
                    return Order(), None
                return None, Refusal()
            def typed(key) -> tuple[Order, Refusal]:
                return load(key)
            def parsed(text):
                return json.loads(text), Refusal()
            def get_or_create(model, **values):
                return model(**values), True
            def order():
                order, refusal = find(1)
                return order
            def refusal():
                order, refusal = find(1)
                if refusal:
                    return refusal
            def second():
                return typed(1)[1]
            def nobody_knows():
                data, refusal = parsed("")
                return data
            def made():
                made, new = get_or_create(Order)
                return made
        """,
    )
    assert returned(project, "main.order") == [("inst", "app.main.Order")]
    assert returned(project, "main.refusal") == [("inst", "app.main.Refusal")]
    assert returned(project, "main.second") == [("inst", "app.main.Refusal")]
    assert returned(project, "main.nobody_knows") == []
    assert returned(project, "main.made") == [("inst", "app.main.Order")]


def test_a_class_method_gives_the_class_that_is_asked_also_where_branches_go_on_with_the_query() -> None:
    project = build(
        models="""
            from peewee import CharField, Model
            class Base(Model):
                @classmethod
                def one(cls, *args, **kwargs):
                    query = cls.select()
                    if args:
                        if len(args) == 1:
                            query = query.where(cls.id == args[0])
                        else:
                            query = query.where(*args)
                    if kwargs:
                        query = query.filter(**kwargs)
                    return query.get()
            class Rope(Base):
                name = CharField()
        """,
        main="from models import Rope\ndef rope(name):\n    return Rope.one(name=name)\n",
    )
    assert returned(project, "main.rope") == [("inst", "models.Rope")]


def test_a_protocols_method_leads_to_those_of_classes_that_have_all_of_them() -> None:
    project = build(
        main="""
        from typing import Protocol
        class Store(Protocol):
            def put(self, key, value): ...
            def take(self, key): ...
        class Shelf:
            def put(self, key, value): ...
            def take(self, key): ...
            def count(self): ...
        class Sink:
            def put(self, key, value): ...
        class Other:
            def put(self, item): ...
            def take(self, key): ...
        class Bell(Protocol):
            def ring(self): ...
        class Phone:
            def ring(self): ...
        def f(store: Store, bell: Bell):
            store.put("a", 1)
            bell.ring()
        """
    )
    assert called(project, "main.f") == [["main.Store.put", "main.Shelf.put"], ["main.Bell.ring"]]


def test_functions_give_what_a_function_gives_that_they_are_handed() -> None:
    project = build(
        main="""
            import requests
            KEPT = {}
            class Buoy: pass
            class Kept:
                def __init__(self): self._all = {}
                def get(self, name, make):
                    if name not in self._all:
                        self._all[name] = make()
                    return self._all[name]
            kept = Kept()
            def connect(): return requests.Session()
            def of_module(name, make):
                if name not in KEPT:
                    KEPT[name] = make()
                return KEPT[name]
            def counted(make) -> int:
                make()
                return 1
            def named(): return of_module("tides", connect)
            def in_place(): return kept.get("tides", lambda: connect())
            def of_class(): return kept.get("buoy", Buoy)
            def number(): return counted(connect)
        """,
    )
    assert returned(project, "main.named") == [("libinst", "requests.Session")]
    assert returned(project, "main.in_place") == [("libinst", "requests.Session")]
    assert returned(project, "main.of_class") == [("inst", "main.Buoy")]
    assert returned(project, "main.number") == [("libinst", "builtins.int")]
