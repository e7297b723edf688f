"""What guards a route: authentication, permissions and rate limits; and which layer a function belongs to."""

from __future__ import annotations

import pytest
from building import build, fn

from backendlint.project.model import Project
from backendlint.project.routes import Route


def route(project: Project, name: str) -> Route:
    return next(item for item in project.routes if item.name == name)


def test_decorators_that_refuse_authenticate() -> None:
    project = build(
        app="from functools import wraps\nfrom flask import Flask, abort, session\napp = Flask(__name__)\n"
        "def members_only(view):\n    @wraps(view)\n    def inner(*args):\n        if 'user' not in session:\n            abort(401)\n"
        "        return view(*args)\n    return inner\n"
        "def timed(view):\n    return view\n"
        "@app.get('/a')\n@members_only\ndef a(): ...\n@app.get('/b')\n@timed\ndef b(): ...\n",
    )
    assert project.access.authentication(route(project, "a")) == ("members_only",)
    assert not project.access.authentication(route(project, "b"))


def test_dependencies_of_routers_authenticate_all_their_routes() -> None:
    project = build(
        app="from fastapi import APIRouter, Depends, HTTPException, Request\n"
        "def verify(request: Request):\n    if not request.headers.get('X-Key'):\n        raise HTTPException(status_code=403)\n"
        "closed = APIRouter(dependencies=[Depends(verify)])\nopened = APIRouter()\n"
        "@closed.get('/a')\ndef a(): ...\n@opened.get('/b')\ndef b(): ...\n",
    )
    assert project.access.guarded(route(project, "a"))
    assert not project.access.guarded(route(project, "b"))


@pytest.mark.parametrize(
    ("test", "opened"),
    [
        ("if request.path in OPEN:\n        return await handler(request)", {"login"}),
        ("if not request.path.startswith('/api/'):\n        return await handler(request)", set()),
        (
            "if request.path.startswith(('/api/docs', '/api/login')):\n        return await handler(request)",
            {"login", "docs"},
        ),
        ("if request.path == '/api/login':\n        raise web.HTTPForbidden()", set()),
        ("if request.path == '/api/login':\n        return web.Response(status=401)", set()),
    ],
)
def test_paths_that_a_middleware_lets_pass(test: str, opened: set[str]) -> None:
    project = build(
        app="from aiohttp import web\nOPEN = {'/api/login'}\n"
        f"@web.middleware\nasync def signed(request, handler):\n    {test}\n"
        "    if not request.headers.get('X-Key'):\n        raise web.HTTPUnauthorized()\n    return await handler(request)\n"
        "routes = web.RouteTableDef()\n"
        "@routes.get('/api/login')\nasync def login(request): ...\n"
        "@routes.get('/api/docs/{page}')\nasync def docs(request): ...\n"
        "@routes.get('/api/orders')\nasync def orders(request): ...\n"
        "app = web.Application(middlewares=[signed])\napp.add_routes(routes)\n",
    )
    assert {item.name for item in project.routes if project.access.exempt(item)} == opened
    assert {item.name for item in project.routes if not project.access.guarded(item)} == opened


def test_a_refusal_in_the_handler_is_not_before_it() -> None:
    project = build(
        app="from fastapi import FastAPI, HTTPException\napp = FastAPI()\n"
        "@app.post('/login')\ndef login(password: str):\n    if password != 'x':\n        raise HTTPException(401)\n",
    )
    assert project.access.authentication(route(project, "login"))
    assert not project.access.guarded(route(project, "login"))


def test_permission_classes_and_their_defaults() -> None:
    views = (
        "from rest_framework.permissions import AllowAny, IsAuthenticated\nfrom rest_framework.views import APIView\n"
        "class Closed(APIView):\n    permission_classes = [IsAuthenticated]\n    def get(self, request): ...\n"
        "class Open(APIView):\n    permission_classes = [AllowAny]\n    def put(self, request): ...\n"
        "class Usual(APIView):\n    def post(self, request): ...\n"
    )
    urls = (
        "from django.urls import path\nimport views\nurlpatterns = ["
        + ", ".join(f"path('{name}/', views.{name}.as_view())" for name in ("Closed", "Open", "Usual"))
        + "]\n"
    )
    plain = build(views=views, urls=urls)
    assert plain.access.authentication(route(plain, "get"))
    assert plain.access.exempt(route(plain, "put"))
    assert not plain.access.authentication(route(plain, "post"))
    settings = "REST_FRAMEWORK = {'DEFAULT_PERMISSION_CLASSES': ['rest_framework.permissions.IsAuthenticated']}\n"
    amended = settings + "REST_FRAMEWORK['PAGE_SIZE'] = 50\n"
    for text in (settings, amended):
        strict = build(views=views, urls=urls, settings=text)
        assert strict.access.authentication(route(strict, "post"))
        assert not strict.access.authentication(route(strict, "put"))


def test_hooks_of_a_blueprint_guard_its_routes_only() -> None:
    project = build(
        app="from flask import Blueprint, Flask, abort, session\napp = Flask(__name__)\nshop = Blueprint('shop', __name__)\n"
        "@shop.before_request\ndef check():\n    if not session:\n        abort(401)\n"
        "@shop.get('/a')\ndef a(): ...\n@app.get('/b')\ndef b(): ...\napp.register_blueprint(shop)\n",
    )
    assert project.access.guarded(route(project, "a"))
    assert not project.access.guarded(route(project, "b"))


@pytest.mark.parametrize(
    ("path", "layer"),
    [
        ("app/services/orders.py", "service"),
        ("app/order_repository.py", "repository"),
        ("shop/api/v1/orders.py", "controller"),
        ("shop/orders/models.py", "model"),
        ("shop/migrations/0001_initial.py", "migration"),
        ("shop/management/commands/close.py", "command"),
        ("shop/config/settings.py", "config"),
        ("shop/tasks.py", "task"),
        ("shop/tables/router.py", "controller"),
        ("shop/tables/orders.py", "model"),
        ("shop/stock/price_resolver.py", ""),
        ("shop/text.py", ""),
    ],
)
def test_places_say_the_layer(path: str, layer: str) -> None:
    assert build(x="").layers.of_path(path) == layer


def test_code_says_more_than_its_place() -> None:
    project = build(
        services__web="from flask import Flask\napp = Flask(__name__)\n@app.get('/a')\ndef a(): ...\n"
        "class OrderRepository:\n    def find(self): ...\ndef helper(): ...\n",
    )
    assert project.layer(fn(project, "web.a")) == "controller"
    assert project.layer(fn(project, "OrderRepository.find")) == "repository"
    assert project.layer(fn(project, "web.helper")) == "service"


def test_handlers_say_more_than_an_ambiguous_place() -> None:
    handlers = "from fastapi import APIRouter\nrouter = APIRouter()\n@router.get('/a')\ndef a(): ...\n"
    project = build(
        api__queries=f"{handlers}def helper(): ...\n",
        db__queries="def stored(): ...\n",
        services__queries=f"{handlers}def served(): ...\n",
    )
    assert project.layer(fn(project, "queries.helper")) == "controller"
    assert project.layer(fn(project, "queries.stored")) == "repository"
    assert project.layer(fn(project, "queries.served")) == "service"


def test_middleware_that_a_loop_adds_to_is_read_to_its_end() -> None:
    settings = """
        PLUGINS = ["a", "b"]
        MIDDLEWARE = ["django.contrib.auth.middleware.LoginRequiredMiddleware"]
        for plugin in PLUGINS:
            if plugin:
                MIDDLEWARE += [plugin]
            else:
                MIDDLEWARE = MIDDLEWARE + ["x"]
        MIDDLEWARE.append("y")
    """
    views = """
        def index(request): ...
    """
    urls = """
        from django.urls import path
        from views import index
        urlpatterns = [path("orders/", index)]
    """
    project = build(settings=settings, views=views, urls=urls)
    (route,) = project.routes
    assert "LoginRequiredMiddleware" in project.access.authentication(route)


def test_guards_ask_for_a_cookie_a_header_or_either() -> None:
    guard = (
        "def {name}(view):\n    @wraps(view)\n    def inner(*args):\n        if not {test}:\n            abort(401)\n"
        "        return view(*args)\n    return inner\n"
    )
    tests = {
        "cookie": "session.get('user')",
        "basic": "request.authorization",
        "key": "request.headers.get('X-Api-Key')",
        "either": "(session.get('user') or request.headers.get('Authorization'))",
        "unknown": "ask()",
    }
    project = build(
        app="from functools import wraps\nfrom flask import Flask, abort, request, session\napp = Flask(__name__)\n"
        + "".join(guard.format(name=name, test=test) for name, test in tests.items())
        + "".join(f"@app.post('/{name}')\n@{name}\ndef at_{name}(): ...\n" for name in tests),
    )
    found = {name: project.credentials.required(route(project, f"at_{name}")) for name in tests}
    assert found == {
        "cookie": [{"session"}],
        "basic": [{"header"}],
        "key": [{"header"}],
        "either": [{"session", "header"}],
        "unknown": [set()],
    }


IDENTIFIED = """
from fastapi import FastAPI
from starlette.authentication import AuthCredentials, AuthenticationBackend, AuthenticationError, SimpleUser
from starlette.middleware.authentication import AuthenticationMiddleware

class Badge(AuthenticationBackend):
    async def authenticate(self, conn):
        if "x-badge" not in conn.headers:
            {unknown}
        if not conn.headers["x-badge"].isdigit():
            raise AuthenticationError("no badge")
        return AuthCredentials(["crew"]), SimpleUser(conn.headers["x-badge"])

app = FastAPI()
app.add_middleware(AuthenticationMiddleware, backend=Badge())

@app.get("/decks")
def decks(): ...
"""


def test_middleware_that_only_tells_who_calls_keeps_nobody_out() -> None:
    for unknown, expected in (("return None", ()), ('raise AuthenticationError("no badge")', ("Badge",))):
        project = build(app=IDENTIFIED.format(unknown=unknown))
        assert project.access.authentication(project.routes[0]) == expected


def test_default_permissions_stand_before_the_views_that_name_none() -> None:
    views = """
    from rest_framework.permissions import AllowAny
    from rest_framework.views import APIView
    class Closed(APIView):
        def post(self, request): ...
    class Opened(APIView):
        permission_classes = []
        def post(self, request): ...
    class Said(APIView):
        permission_classes = [AllowAny]
        def post(self, request): ...
    """
    urls = "from django.urls import path\nimport views\nurlpatterns = [" + ", ".join(
        f"path('{name.lower()}', views.{name}.as_view())" for name in ("Closed", "Opened", "Said")
    )
    settings = """
    ROOT_URLCONF = "urls"
    REST_FRAMEWORK = {"DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"]}
    """
    project = build(views=views, urls=urls + "]", settings=settings)
    assert {item.path: project.access.guarded(item) for item in project.routes} == {
        "/closed": True,
        "/opened": False,
        "/said": False,
    }


@pytest.mark.parametrize(("test", "closed"), [("is_anonymous", True), ("is_authenticated", False)])
def test_a_middleware_may_ask_who_is_nobody(test: str, closed: bool) -> None:
    project = build(
        app__middleware=f"""
            from django.http import HttpResponseRedirect
            class Screen:
                def __init__(self, get_response):
                    self.get_response = get_response
                def __call__(self, request):
                    if request.user.{test}:
                        return HttpResponseRedirect("/sign-in/")
                    return self.get_response(request)
        """,
        app__settings="MIDDLEWARE = ['app.middleware.Screen']\nROOT_URLCONF = 'app.urls'",
        app__views="def stock(request): ...",
        app__urls="from django.urls import path\nfrom app import views\nurlpatterns = [path('stock/', views.stock)]",
    )
    assert project.access.guarded(route(project, "stock")) is closed
