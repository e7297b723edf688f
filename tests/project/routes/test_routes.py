"""Routes of every framework: whole paths, methods, handlers, parameters, and what stands before them."""

from __future__ import annotations

import pytest
from building import build

from backendlint.project.model import Project
from backendlint.project.routes import Route
from backendlint.project.routes.model import UNKNOWN
from backendlint.project.routes.paths import join, normal, parameters


def table(project: Project) -> set[tuple[str, str, str]]:
    """Methods, path and handler of every route."""
    return {("|".join(route.methods), route.path, handler(route)) for route in project.routes}


def handler(route: Route) -> str:
    name = route.name if route.handler is not None else ""
    return f"{route.cls.name}.{name}" if route.cls is not None else name


def test_fastapi_prefixes_add_up_across_files() -> None:
    project = build(
        app__main="from fastapi import FastAPI\nfrom app.api import api\nfrom app.settings import settings\n"
        "app = FastAPI()\napp.include_router(api, prefix=settings.PREFIX)\n",
        app__settings="class Settings:\n    PREFIX: str = '/v1'\nsettings = Settings()\n",
        app__api="from fastapi import APIRouter\nfrom app import orders\napi = APIRouter()\n"
        "api.include_router(orders.router, prefix='/shop')\n",
        app__orders="from fastapi import APIRouter\nrouter = APIRouter(prefix='/orders')\n"
        "@router.get('/{order_id}')\ndef read(order_id: int, q: str = ''): ...\n"
        "@router.post('', status_code=201)\ndef place(): ...\n"
        "@router.api_route('/all', methods=['GET', 'HEAD'])\ndef every(): ...\n",
    )
    assert table(project) == {
        ("GET", "/v1/shop/orders/{order_id}", "read"),
        ("POST", "/v1/shop/orders", "place"),
        ("GET|HEAD", "/v1/shop/orders/all", "every"),
    }
    read = next(route for route in project.routes if route.name == "read")
    assert [(param.name, param.origin, param.type) for param in read.params] == [
        ("order_id", "path", "int"),
        ("q", "query", ""),
    ]
    assert read.app is not None
    assert read.app.name == "app"


def test_routers_that_a_loop_goes_through_are_all_mounted() -> None:
    router = "from fastapi import APIRouter\nrouter = APIRouter(prefix='/{0}')\n@router.get('')\ndef {0}(): ...\n"
    project = build(
        orders=router.format("orders"),
        parcels=router.format("parcels"),
        main="from fastapi import FastAPI\nimport orders, parcels\napp = FastAPI()\n"
        "for module in (orders, parcels):\n    app.include_router(module.router, prefix='/v1')\n",
    )
    assert {route.path for route in project.routes if route.app is not None} == {"/v1/orders", "/v1/parcels"}


@pytest.mark.parametrize(
    ("loop", "prefixed"),
    [
        ("for router, at in ((orders.router, '/a'), (parcels.router, '/b')):\n    app.include_router(router, prefix=at)", True),
        ("for at, module in {'a': orders, 'b': parcels}.items():\n    app.include_router(module.router, prefix='/' + at)", True),
        ("for at, router in [('/a', orders.router), ('/b', parcels.router)]:\n    app.include_router(router, prefix=f'{at}')", True),
        ("ALL = [orders.router]\nALL.append(parcels.router)\nfor router in ALL:\n    app.include_router(router)", False),
    ],
)  # fmt: skip
def test_routers_that_a_loop_mounts_row_by_row(loop: str, prefixed: bool) -> None:
    router = "from fastapi import APIRouter\nrouter = APIRouter()\n@router.get('/{0}')\ndef {0}(): ...\n"
    project = build(
        orders=router.format("orders"),
        parcels=router.format("parcels"),
        main=f"from fastapi import FastAPI\nimport orders, parcels\napp = FastAPI()\n{loop}\n",
    )
    assert {route.path for route in project.routes if route.app is not None} == (
        {"/a/orders", "/b/parcels"} if prefixed else {"/orders", "/parcels"}
    )


def test_routers_of_a_generator_and_of_joined_lists_are_mounted() -> None:
    router = "from fastapi import APIRouter\nrouter = APIRouter()\n@router.get('/{0}')\ndef {0}(): ...\n"
    project = build(
        orders=router.format("orders"),
        parcels=router.format("parcels"),
        berths=router.format("berths"),
        main="from fastapi import FastAPI\nimport berths, orders, parcels\nfrom guards import First, Second\n"
        "def both():\n    yield orders.router\n    yield parcels.router\n"
        "ALL = [berths.router] + []\napp = FastAPI()\nfor router in both():\n    app.include_router(router)\n"
        "for router in ALL:\n    app.include_router(router)\n"
        "for guard in (First, Second):\n    app.add_middleware(guard)\n",
        guards="from starlette.middleware.base import BaseHTTPMiddleware\nclass First(BaseHTTPMiddleware): ...\n"
        "class Second(BaseHTTPMiddleware): ...\n",
    )
    assert {route.path for route in project.routes if route.app is not None} == {"/orders", "/parcels", "/berths"}
    assert {"guards.First", "guards.Second"} <= {ref.name for ref in project.routes[0].guards}


def test_a_list_of_routers_that_grows_in_a_loop_ends() -> None:
    project = build(
        main="from fastapi import APIRouter, FastAPI\nfirst = APIRouter()\n@first.get('/first')\ndef read(): ...\n"
        "ALL = [first]\nfor number in range(3):\n    ALL = ALL + [APIRouter()]\n    ALL.append(first)\n"
        "app = FastAPI()\nfor router in ALL:\n    app.include_router(router)\n",
    )
    assert [(route.path, route.app is not None) for route in project.routes] == [("/first", True)]
    project = build(
        shop="from fastapi import APIRouter\nrouter = APIRouter()\n@router.get('/shop')\ndef read(): ...\n",
        main="from fastapi import FastAPI\nimport shop\napp = FastAPI()\nALL = [shop]\nfor module in ALL:\n"
        "    ALL = [module, *ALL]\n    app.include_router(module.router)\nfor module in ALL:\n    ALL = [module]\n"
        "    for module in ALL:\n        app.include_router(module.router)\n",
    )
    assert {route.path for route in project.routes} == {"/shop"}


def test_tables_of_aiohttp_routes_belong_to_their_application() -> None:
    project = build(
        boats="from aiohttp import web\nroutes = web.RouteTableDef()\n@routes.get('/boats')\nasync def boats(request): ...\n",
        main="from aiohttp import web\nimport boats\n@web.middleware\nasync def timed(request, handler):\n"
        "    return await handler(request)\n@web.middleware\nasync def counted(request, handler):\n"
        "    return await handler(request)\napp = web.Application(middlewares=[timed])\napp.middlewares.append(counted)\n"
        "for table in [boats.routes]:\n    app.router.add_routes(table)\n",
    )
    (route,) = project.routes
    assert route.app is not None
    assert {fn.name for fn in route.hooks} == {"timed", "counted"}


def test_fastapi_dependencies_of_application_router_include_and_handler() -> None:
    project = build(
        main="from typing import Annotated\nfrom fastapi import APIRouter, Depends, FastAPI\n"
        "def of_app(): ...\ndef of_include(): ...\ndef of_router(): ...\ndef of_route(): ...\n"
        "def below(): ...\ndef of_handler(x = Depends(below)): ...\n"
        "router = APIRouter(dependencies=[Depends(of_router)])\n"
        "User = Annotated[int, Depends(of_handler)]\n"
        "@router.get('/a', dependencies=[Depends(of_route)])\ndef a(user: User): ...\n"
        "app = FastAPI(dependencies=[Depends(of_app)])\n"
        "app.include_router(router, dependencies=[Depends(of_include)])\n",
    )
    (route,) = project.routes
    assert {fn.name for fn in route.dependencies} == {
        "of_app", "of_include", "of_router", "of_route", "of_handler", "below",
    }  # fmt: skip
    assert not route.params


def test_dependencies_put_together_in_the_constructor_of_an_own_router() -> None:
    project = build(
        main="""
        from fastapi import APIRouter, Depends, FastAPI
        from settings import SECRET
        def by_setting(): ...
        def appended(): ...
        def shared(): ...
        def fallback(): ...
        more = [Depends(shared)]
        if SECRET:
            more.append(Depends(fallback))
        class Guarded(APIRouter):
            def __init__(self, *args, extra=(), **kwargs):
                needed = [Depends(by_setting)] if SECRET else []
                needed.append(Depends(appended))
                super().__init__(*args, dependencies=[*needed, *more], **kwargs)
        router = Guarded(prefix='/trees')
        @router.get('/{tree}')
        def tree(tree: int): ...
        app = FastAPI()
        app.include_router(router)
        """,
        settings="import os\nSECRET = os.environ.get('SECRET')\n",
    )
    (route,) = project.routes
    assert {fn.name for fn in route.dependencies} == {"by_setting", "appended", "shared", "fallback"}


def test_middleware_listed_by_setting() -> None:
    project = build(
        main="""
        from settings import DEBUG
        from starlette.applications import Starlette
        from starlette.middleware import Middleware
        from starlette.routing import Route
        class Signed:
            def __call__(self, scope, receive, send): ...
        def home(request): ...
        app = Starlette(routes=[Route('/', home)], middleware=[] if DEBUG else [Middleware(Signed)])
        """,
        settings="import os\nDEBUG = os.environ.get('DEBUG')\n",
    )
    (route,) = project.routes
    assert [ref.name for ref in route.guards] == ["main.Signed"]


def test_a_method_that_another_module_names_is_a_middleware() -> None:
    project = build(
        guards="""
            from aiohttp import web

            class Tokens:
                @web.middleware
                async def check(self, request, handler):
                    return await handler(request)

            guard = Tokens().check
        """,
        main="""
            from aiohttp import web
            from guards import guard

            TEXTS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]

            async def add(request):
                return web.json_response({})

            application = web.Application(middlewares=[guard])
            application.router.add_post("/orders", add)
        """,
    )
    (route,) = project.routes
    assert [ref.name for ref in route.guards] == ["guards.Tokens.check"]


def test_factories_and_parameters_lead_to_the_application() -> None:
    project = build(
        app="from flask import Flask\nimport views\ndef create_app():\n    app = Flask(__name__)\n    register(app)\n    return app\n"
        "def register(target):\n    target.register_blueprint(views.shop, url_prefix='/shop')\n",
        views="from flask import Blueprint\nshop = Blueprint('shop', __name__)\n"
        "@shop.route('/orders/<int:order_id>', methods=['GET', 'DELETE'])\ndef order(order_id): ...\n",
    )
    assert table(project) == {("GET|DELETE", "/shop/orders/{order_id}", "order")}
    assert project.routes[0].params[0].type == "int"


def test_an_application_that_is_made_unseen_has_its_prefixes() -> None:
    project = build(
        app="from kit import make\nimport views\napp = make()\napp.register_blueprint(views.shop, url_prefix='/shop')\n",
        views="from flask import Blueprint\nshop = Blueprint('shop', __name__)\n@shop.get('/orders')\ndef orders(): ...\n",
    )
    assert table(project) == {("GET", "/shop/orders", "orders")}


def test_blueprints_that_one_helper_hands_back_keep_their_own_prefixes() -> None:
    project = build(
        helpers="def timed(bp):\n    bp.before_request(print)\n    return bp\n",
        api="from flask import Blueprint\nfrom helpers import timed\nv1 = timed(Blueprint('v1', __name__))\n"
        "v2 = timed(Blueprint('v2', __name__))\n"
        "@v1.route('/orders')\ndef old(): ...\n@v2.route('/orders')\ndef new(): ...\n",
        app="from flask import Flask\nimport api\napp = Flask(__name__)\n"
        "app.register_blueprint(api.v1, url_prefix='/v1')\napp.register_blueprint(api.v2, url_prefix='/v2')\n",
    )
    assert table(project) == {("GET", "/v1/orders", "old"), ("GET", "/v2/orders", "new")}


def test_flask_views_by_class_and_by_rule() -> None:
    project = build(
        app="from flask import Flask\nfrom flask.views import MethodView\napp = Flask(__name__)\n"
        "class Orders(MethodView):\n    def get(self): ...\n    def post(self): ...\n"
        "def ping(): ...\n"
        "app.add_url_rule('/orders', view_func=Orders.as_view('orders'))\n"
        "app.add_url_rule('/ping', 'ping', ping)\n",
    )
    assert table(project) == {
        ("GET", "/orders", "Orders.get"),
        ("POST", "/orders", "Orders.post"),
        ("GET", "/ping", "ping"),
    }


def test_an_application_that_serves_its_own_files_is_not_mounted_into_itself() -> None:
    project = build(
        app="from flask import Flask\napp = Flask(__name__)\n"
        "app.add_url_rule('/static/<path:filename>', 'static', view_func=app.send_static_file)\n"
        "@app.route('/orders')\ndef orders(): ...\n",
    )
    assert ("GET", "/orders", "orders") in table(project)


def test_django_includes_nest() -> None:
    project = build(
        site__urls="from django.urls import include, path, re_path\nfrom site import views\n"
        "urlpatterns = [\n    path('api/', include('shop.urls')),\n    re_path(r'^old/(?P<year>[0-9]{4})/$', views.old),\n]\n",
        site__views="from django.views.decorators.http import require_POST\n@require_POST\ndef old(request, year): ...\n",
        shop__urls="from django.urls import path\nfrom shop import views\n"
        "urlpatterns = [path('orders/<uuid:pk>/', views.OrderView.as_view())]\nurlpatterns += [path('x/', views.x)]\n",
        shop__views="from django.views import View\nclass OrderView(View):\n    def get(self, request, pk): ...\n"
        "    def delete(self, request, pk): ...\ndef x(request): ...\n",
    )
    assert table(project) == {
        ("GET", "/api/orders/{pk}/", "OrderView.get"),
        ("DELETE", "/api/orders/{pk}/", "OrderView.delete"),
        ("", "/api/x/", "x"),
        ("POST", "/old/{year}/", "old"),
    }
    delete = next(route for route in project.routes if route.action == "delete")
    assert project.request_param_types(delete.handler) == {2: "uuid"}  # type: ignore[arg-type]


def test_routes_that_a_helper_gives_back_stand_below_the_include() -> None:
    project = build(
        site__urls="from django.urls import include, path\nfrom site import views\nfrom site.slashes import either_path\n"
        "urlpatterns = [path('v1/', include('shop.urls')), either_path('status', views.status)]\n",
        site__slashes="from django.urls import re_path\n"
        "def either_path(route, view, name=None):\n"
        "    pattern = '^{}/?$'.format(route)\n    return re_path(route=pattern, view=view, name=name)\n",
        site__views="def status(request): pass\n",
        shop__urls="from site.slashes import either_path\nfrom shop import views\nurlpatterns = [\n"
        "    either_path('orders', views.orders),\n    either_path('quays', views.quays, name='quays'),\n]\n",
        shop__views="def orders(request): pass\ndef quays(request): pass\n",
    )
    assert table(project) == {
        ("", "/v1/orders/", "orders"),
        ("", "/v1/quays/", "quays"),
        ("", "/status/", "status"),
    }


def test_django_views_are_restricted_to_methods() -> None:
    project = build(
        site__urls="from django.urls import path\nfrom site import views\n"
        "urlpatterns = [path('x/', views.x), path('orders/', views.Orders.as_view(http_method_names=['get']))]\n",
        site__views="from django.views import View\nfrom django.views.decorators.http import require_http_methods\n"
        "@require_http_methods(['PUT', 'PATCH'])\ndef x(request): ...\n"
        "class Orders(View):\n    def get(self, request): ...\n    def post(self, request): ...\n",
    )
    assert table(project) == {("PUT|PATCH", "/x/", "x"), ("GET", "/orders/", "Orders.get")}


def test_what_is_registered_below_a_registration() -> None:
    project = build(
        shop__urls="from django.urls import include, path\nfrom rest_framework_extensions.routers import ExtendedSimpleRouter\n"
        "from shop.views import Sheds, Shelves\nclass Router(ExtendedSimpleRouter): ...\nrouter = Router()\n"
        "sheds = router.register('sheds', Sheds, basename='shed')\n"
        "sheds.register('shelves', Shelves, basename='shelf', parents_query_lookups=['shed'])\n"
        "urlpatterns = [path('api/', include(router.urls))]\n",
        shop__views="from rest_framework.viewsets import ViewSet\nclass Sheds(ViewSet):\n    def list(self, request): ...\n"
        "class Shelves(ViewSet):\n    def retrieve(self, request, pk): ...\n",
    )
    assert table(project) == {
        ("GET", "/api/sheds", "Sheds.list"),
        ("GET", "/api/sheds/{shed_pk}/shelves/{pk}", "Shelves.retrieve"),
    }


def test_functions_of_the_project_that_include() -> None:
    project = build(
        urls="""
        from django.urls import include, path
        import views
        from includes import include_for, named
        urlpatterns = [
            path("v2/", include_for(views.staff, [path("ships", views.ships), path("piers/", include("piers"))])),
            path("v3/", named("piers")),
        ]
        """,
        includes="""
        from django.urls import include
        def include_for(check, patterns, space=None):
            if isinstance(patterns, tuple):
                return patterns
            module, app, space = include(patterns, namespace=space)
            return [check(item) for item in module], app, space
        def named(patterns):
            return include(patterns)
        """,
        piers="""
        from django.urls import path
        import views
        urlpatterns = [path("longest", views.longest)]
        """,
        views="""
        def staff(pattern): ...
        def ships(request): ...
        def longest(request): ...
        """,
    )
    assert {route.path for route in project.routes} == {"/v2/ships", "/v2/piers/longest", "/v3/longest"}


def test_viewsets_imply_their_methods() -> None:
    project = build(
        shop__urls="from django.urls import include, path\nfrom rest_framework.routers import DefaultRouter\n"
        "from shop.views import OrderViewSet\nrouter = DefaultRouter()\nrouter.register('orders', OrderViewSet)\n"
        "urlpatterns = [path('api/', include(router.urls))]\n",
        shop__views="from rest_framework.decorators import action\nfrom rest_framework.viewsets import ReadOnlyModelViewSet\n"
        "class OrderViewSet(ReadOnlyModelViewSet):\n    def list(self, request): ...\n"
        "    @action(detail=True, methods=['post'])\n    def cancel(self, request, pk=None): ...\n",
    )
    assert {(method, path) for method, path, _ in table(project)} == {
        ("GET", "/api/orders"),
        ("GET", "/api/orders/{pk}"),
        ("POST", "/api/orders/{pk}/cancel"),
    }


def test_starlette_lists_and_mounts() -> None:
    project = build(
        app="from starlette.applications import Starlette\nfrom starlette.routing import Mount, Route\n"
        "async def home(request): ...\nasync def order(request): ...\n"
        "app = Starlette(routes=[Route('/', home), Mount('/shop', routes=[Route('/orders/{id:int}', order, methods=['PUT'])])])\n",
    )
    assert table(project) == {("GET|HEAD", "/", "home"), ("PUT", "/shop/orders/{id}", "order")}


def test_routes_lead_to_functions() -> None:
    project = build(
        app="from flask import Flask\nimport service\napp = Flask(__name__)\n"
        "@app.get('/a')\ndef a(): return service.load()\n@app.get('/b')\ndef b(): return service.load()\n",
        service="def load(): return inner()\ndef inner(): ...\ndef unused(): ...\n",
    )
    assert [project.reach(f"service.{name}") for name in ("load", "inner", "unused")] == [2, 2, 0]


def test_paths_of_every_syntax_look_alike() -> None:
    assert normal("/a/<int:b>/<c>", "angle") == "/a/{b}/{c}"
    assert normal(r"^a/(?P<b>\d+)/(?P<c>[-\w]+)/$", "regex") == "a/{b}/{c}/"
    assert normal(r"^(?P<a>\w+)/[^/]+/[a-z]{2}/$", "regex") == "{a}/[^/]+/[a-z]/"
    assert normal(r"/a/(\d+)/(?:b|c)/(?P<d>x)/([a-z]+)?", "regex") == "/a/{?}/(?:b|c)/{d}/{?}"
    assert normal("/a/{b:path}", "braces") == "/a/{b}"
    assert [item.type for item in parameters(r"^a/(?P<b>\d+)/(?P<c>[-\w]+)/(?P<d>.*)$", "regex")] == ["int", "slug", ""]
    assert join("/api/", "/orders", "") == "/api/orders"
    assert join("api/", "x") == "/api/x"


def test_helpers_that_register_what_they_are_given() -> None:
    project = build(
        app="from flask_restful import Api\nclass OurApi(Api):\n    def add(self, resource, *urls, **kwargs):\n"
        "        urls = [f'/org{url}' for url in urls]\n        return self.add_resource(resource, *urls, **kwargs)\n"
        "api = OurApi()\n",
        views="from flask_restful import Resource\nfrom app import api\nclass Orders(Resource):\n    def get(self): ...\n"
        "api.add(Orders, '/orders', endpoint='orders')\n",
    )
    assert [(route.label, route.location.path) for route in project.routes] == [("GET /org/orders", "views.py")]


def test_helpers_are_given_path_view_and_blueprint() -> None:
    project = build(
        web="def register(bp, routes, view_func, **options):\n    for route in routes:\n"
        "        bp.add_url_rule(route, view_func=view_func, **options)\n",
        app="from flask import Blueprint, Flask\nfrom flask.views import MethodView\nfrom web import register\n"
        "app = Flask(__name__)\nshop = Blueprint('shop', __name__, url_prefix='/shop')\n"
        "class Orders(MethodView):\n    def get(self): ...\n    def post(self): ...\n"
        "register(shop, routes=['/orders', '/purchases'], view_func=Orders.as_view('orders'))\n"
        "app.register_blueprint(shop)\n",
    )
    assert sorted((route.label, route.location.path) for route in project.routes) == [
        ("GET /shop/orders", "app.py"),
        ("GET /shop/purchases", "app.py"),
        ("POST /shop/orders", "app.py"),
        ("POST /shop/purchases", "app.py"),
    ]


def test_decorators_of_the_project_that_are_given_the_method() -> None:
    project = build(
        web="from fastapi import Depends\nfrom fastapi.security import OAuth2PasswordBearer\n"
        "def current_user(token=Depends(OAuth2PasswordBearer('t'))): ...\n"
        "def protected(method, path, **kwargs):\n    def decorator(func):\n"
        "        return method(path, dependencies=[Depends(current_user)], **kwargs)(func)\n    return decorator\n",
        app="from fastapi import APIRouter, FastAPI\nfrom web import protected\n"
        "app = FastAPI()\nrouter = APIRouter(prefix='/orders')\n"
        "@protected(router.post, '', status_code=201)\ndef create(): ...\n"
        "def listing(): ...\nrouter.get('/all')(listing)\napp.include_router(router, prefix='/v1')\n",
    )
    found = {route.label: route for route in project.routes}
    assert sorted(found) == ["GET /v1/orders/all", "POST /v1/orders"]
    create = found["POST /v1/orders"]
    assert (create.status, create.place.line, create.name) == (201, 5, "create")
    assert "current_user" in [fn.name for fn in create.dependencies]
    assert not project.access.authentication(found["GET /v1/orders/all"])


def test_decorators_of_the_project_that_know_their_router() -> None:
    project = build(
        app="from flask import Flask\napp = Flask(__name__)\ndef route(path, **options):\n    def decorator(view):\n"
        "        app.add_url_rule('/api' + path, view_func=view, **options)\n        return view\n    return decorator\n"
        "@route('/orders', methods=['POST'])\ndef create(): ...\n",
    )
    assert [(route.label, route.name, route.place.line) for route in project.routes] == [
        ("POST /api/orders", "create", 8)
    ]


def test_blueprints_of_the_project_with_their_own_registration() -> None:
    project = build(
        web="from flask import Blueprint\nclass Ours(Blueprint):\n"
        "    def add_url_rule(self, rule, endpoint=None, view_func=None, **options):\n"
        "        super().add_url_rule(rule, endpoint, as_view(view_func), **options)\n"
        "def as_view(cls): ...\n"
        "class Handler:\n    def process(self):\n        self._check_access()\n        return self._process()\n"
        "    def _check_access(self): ...\n",
        app="from web import Handler, Ours\nbp = Ours('orders', __name__, url_prefix='/orders')\n"
        "class Order(Handler):\n    def _process(self): ...\n"
        "class Lines(Handler):\n    def _process_GET(self): ...\n    def _process_POST(self): ...\n"
        "bp.add_url_rule('/<int:id>', 'order', Order)\n"
        "bp.add_url_rule('/<int:id>/lines', 'lines', Lines, methods=('GET', 'POST'))\n",
    )
    assert [(route.label, route.name) for route in project.routes] == [
        ("GET /orders/{id}", "_process"),
        ("GET /orders/{id}/lines", "_process_GET"),
        ("POST /orders/{id}/lines", "_process_POST"),
    ]


def test_extensions_are_put_into_blueprints() -> None:
    project = build(
        app="from flask import Blueprint, Flask\nfrom flask_restx import Api, Namespace, Resource\n"
        "api_bp = Blueprint('api', __name__, url_prefix='/api/v1')\napi = Api(api_bp)\nns = Namespace('orders')\n"
        "@ns.route('/<int:id>')\nclass Order(Resource):\n    def get(self, id): ...\n"
        "api.add_namespace(ns, '/orders')\napp = Flask(__name__)\napp.register_blueprint(api_bp)\n",
        other="from flask import Flask\nfrom flask_restful import Api, Resource\napi = Api()\n"
        "class Lines(Resource):\n    def get(self): ...\napi.add_resource(Lines, '/lines')\n"
        "def create_app():\n    app = Flask(__name__)\n    api.init_app(app)\n    return app\n",
    )
    assert [(route.label, route.app.name if route.app else None) for route in project.routes] == [
        ("GET /api/v1/orders/{id}", "app"),
        ("GET /lines", "app"),
    ]


def test_a_namespace_lies_below_its_name_and_a_mount_may_say_another_prefix() -> None:
    project = build(
        app="from flask import Blueprint, Flask\nfrom flask_restx import Api, Namespace, Resource\napp = Flask(__name__)\n"
        "api = Api(app, prefix='/api')\nboats = Namespace('boats', description='Ferries')\ncrew = Namespace('crew', path='/people')\n"
        "ports = Namespace('ports')\n@boats.route('')\n@crew.route('')\n@ports.route('')\nclass All(Resource):\n"
        "    def get(self): ...\napi.add_namespace(boats)\napi.add_namespace(crew)\napi.add_namespace(ports, '/harbours')\n"
        "pages = Blueprint('pages', __name__, url_prefix='/pages')\n@pages.route('/tides')\ndef tides(): ...\n"
        "app.register_blueprint(pages, url_prefix='/web')\n",
    )
    assert sorted({route.path for route in project.routes}) == [
        "/api/boats",
        "/api/harbours",
        "/api/people",
        "/web/tides",
    ]


def test_two_applications_may_include_one_router() -> None:
    project = build(
        shared="from fastapi import APIRouter\nrouter = APIRouter()\n@router.get('/health')\ndef health(): ...\n",
        shop="from fastapi import FastAPI\nimport shared\napp = FastAPI()\napp.include_router(shared.router)\n",
        depot="from fastapi import FastAPI\nimport shared\ndef create_app():\n    app = FastAPI()\n    mount(app)\n    return app\n"
        "def mount(app):\n    app.include_router(shared.router)\n",
    )
    (route,) = project.routes
    assert route.app is not None
    assert {item.location.path for item in (route.app, *route.also)} == {"depot.py", "shop.py"}


def test_methods_that_a_decorator_of_its_own_lets_through() -> None:
    project = build(
        guards="import functools\ndef endpoint(*methods, scope=None):\n    def decorate(view):\n        @functools.wraps(view)\n"
        "        def wrapper(request, *args):\n            if request.method not in methods:\n                answer = refuse(405)\n"
        "                return answer\n            return view(request, *args)\n        return wrapper\n    return decorate\n"
        "def post_only(view):\n    def wrapper(request):\n        if request.method != 'POST':\n            return refuse(405)\n"
        "        return view(request)\n    return wrapper\ndef cached(view):\n    def wrapper(request):\n"
        "        if request.method != 'GET':\n            return view(request)\n        return found(request)\n    return wrapper\n"
        "def refuse(status): ...\n",
        urls="from django.urls import path\nfrom guards import cached, endpoint, post_only\n@endpoint('GET', 'HEAD', scope='crew')\n"
        "def boats(request): ...\n@post_only\ndef sail(request): ...\n@cached\ndef tides(request): ...\n"
        "urlpatterns = [path('boats', boats), path('sail', sail), path('tides', tides)]\n",
    )
    assert sorted(route.label for route in project.routes) == ["ANY /tides", "GET|HEAD /boats", "POST /sail"]


def test_one_path_and_a_function_for_each_method() -> None:
    project = build(
        urls="from django.urls import path\nimport views\ndef by_method(**views):\n    def dispatch(request, *args):\n"
        "        return views[request.method](request, *args)\n    return dispatch\ndef switch(views):\n    def dispatch(request):\n"
        "        return views[request.method](request)\n    return dispatch\nurlpatterns = [\n"
        "    path('boats/<int:boat>', by_method(GET=views.boat, PATCH=views.rename)),\n"
        "    path('piers', switch({'GET': views.piers, 'POST': views.build})),\n]\n",
        views="def boat(request, boat): ...\ndef rename(request, boat): ...\ndef piers(request): ...\ndef build(request): ...\n",
    )
    assert {(route.label, route.name) for route in project.routes} == {
        ("GET /boats/{boat}", "boat"),
        ("PATCH /boats/{boat}", "rename"),
        ("GET /piers", "piers"),
        ("POST /piers", "build"),
    }


def test_paths_of_settings_are_cut_as_the_code_says() -> None:
    project = build(
        settings="LOGIN = '/api/login'\nimport os\nELSEWHERE = os.environ['PAGE']\n",
        urls="from django.urls import path\nfrom settings import ELSEWHERE, LOGIN\ndef sign_in(request): ...\n"
        "def other(request): ...\nurlpatterns = [path(LOGIN.lstrip('/'), sign_in), path(ELSEWHERE.lstrip('/'), other)]\n",
    )
    assert [route.path for route in project.routes] == ["/api/login", f"/{UNKNOWN}"]


def test_nested_routers_and_applications_below_django_paths() -> None:
    project = build(
        views="from rest_framework import viewsets\nclass Orders(viewsets.ModelViewSet):\n    http_method_names = ['get']\n"
        "class Lines(viewsets.ReadOnlyModelViewSet): ...\n",
        api="from ninja import NinjaAPI, Router\nfrom ninja.security import django_auth\napi = NinjaAPI()\nthings = Router()\n"
        "@things.get('/{id}', auth=django_auth)\ndef thing(request, id: int): ...\napi.add_router('/things', things)\n",
        urls="from django.urls import include, path\nfrom rest_framework_nested import routers\nfrom api import api\nimport views\n"
        "router = routers.SimpleRouter()\nrouter.register('orders', views.Orders)\n"
        "lines = routers.NestedSimpleRouter(router, 'orders', lookup='order')\nlines.register('lines', views.Lines)\n"
        "urlpatterns = [path('', include(router.urls)), path('', include(lines.urls)), path('ninja/', api.urls)]\n",
    )
    assert [(route.label, bool(project.access.authentication(route))) for route in project.routes] == [
        ("GET /ninja/things/{id}", True),
        ("GET /orders", False),
        ("GET /orders/{pk}", False),
        ("GET /orders/{order_pk}/lines", False),
        ("GET /orders/{order_pk}/lines/{pk}", False),
    ]


def test_routers_of_a_list_are_included_in_a_loop() -> None:
    project = build(
        app="from fastapi import APIRouter, FastAPI\napp = FastAPI()\na = APIRouter()\nb = APIRouter(prefix='/b')\n"
        "@a.get('/x')\ndef x(): ...\n@b.get('/y')\ndef y(): ...\n"
        "for router in [a, b]:\n    app.include_router(router, prefix='/v1')\n",
    )
    assert [route.label for route in project.routes] == ["GET /v1/x", "GET /v1/b/y"]


def test_routers_of_the_project_bring_their_dependencies() -> None:
    project = build(
        app="from fastapi import APIRouter, Depends, FastAPI\nfrom fastapi.security import OAuth2PasswordBearer\n"
        "def current_user(token=Depends(OAuth2PasswordBearer('t'))): ...\n"
        "class Guarded(APIRouter):\n    def __init__(self, prefix='', **kwargs):\n"
        "        super().__init__(prefix=prefix, dependencies=[Depends(current_user)], **kwargs)\n"
        "app = FastAPI()\nrouter = Guarded(prefix='/orders')\n@router.get('/{id}')\ndef order(id: int): ...\n"
        "app.include_router(router)\n",
    )
    (route,) = project.routes
    assert route.label == "GET /orders/{id}"
    assert project.access.authentication(route)


def test_tables_of_routes_that_a_loop_registers() -> None:
    project = build(
        app="from flask import Flask\nimport shop, stock\napp = Flask(__name__)\n"
        "app.register_blueprint(shop.bp, url_prefix='/v1')\napp.register_blueprint(stock.bp)\n",
        tables="def register(blueprint, rows, decorators=None):\n    known = {}\n    for path, resource in rows:\n"
        "        view = known.get(resource)\n        if view is None:\n            view = resource.as_view(resource.__name__)\n"
        "            for decorator in decorators or []:\n                view = decorator(view)\n            known[resource] = view\n"
        "        blueprint.add_url_rule(path, view_func=view)\n",
        shop="from flask import Blueprint\nfrom flask.views import MethodView\nfrom tables import register\n"
        "class Orders(MethodView):\n    def get(self): ...\nclass Order(MethodView):\n    def put(self, order_id): ...\n"
        "ROUTES = [('/orders', Orders), ('/orders/<order_id>', Order), ('/order/<order_id>', Order)]\n"
        "bp = Blueprint('shop', __name__)\nregister(bp, ROUTES)\n",
        stock="from flask import Blueprint\ndef read(): ...\ndef fill(): ...\nbp = Blueprint('stock', __name__)\n"
        "VIEWS = [{'rule': '/stock', 'view': read, 'methods': ['GET']}, {'rule': '/fill', 'view': fill, 'methods': ['POST']}]\n"
        "for row in VIEWS:\n    bp.add_url_rule(f\"/all{row['rule']}\", view_func=row['view'], methods=row['methods'])\n",
    )
    assert table(project) == {
        ("GET", "/v1/orders", "Orders.get"),
        ("PUT", "/v1/orders/{order_id}", "Order.put"),
        ("PUT", "/v1/order/{order_id}", "Order.put"),
        ("GET", "/all/stock", "read"),
        ("POST", "/all/fill", "fill"),
    }
    assert {route.location.line for route in project.routes if route.name in ("get", "put")} == {8}


def test_methods_as_members_of_an_enumeration() -> None:
    project = build(
        app="from http import HTTPMethod\nfrom flask import Flask\napp = Flask(__name__)\n"
        "@app.route('/orders', methods=[HTTPMethod.GET, HTTPMethod.POST.value])\ndef orders(): ...\n",
    )
    assert table(project) == {("GET|POST", "/orders", "orders")}


def test_an_own_decorator_that_marks_the_class_before_it_registers_it() -> None:
    project = build(
        app="""
        from flask import Blueprint, Flask
        from flask_restful import Api, Resource
        import plants
        from base import bp
        app = Flask(__name__)
        app.register_blueprint(bp, url_prefix="/api")
        """,
        base="""
        from flask import Blueprint
        from flask_restful import Api, Resource
        bp = Blueprint("api", __name__)
        class QuietApi(Api): ...
        api = QuietApi()
        api.init_app(bp)
        def at(*urls):
            def register(view):
                if not view:
                    return None
                view.known = True
                view.urls = urls
                api.add_resource(view, *urls)
                return view
            return register
        """,
        plants="""
        from flask_restful import Resource
        from base import api, at
        @at("/plants", "/herbs")
        class Plants(Resource):
            def get(self): ...
        @api.resource("/plants/<int:number>")
        class Plant(Resource):
            def delete(self, number): ...
        """,
    )
    assert table(project) == {
        ("GET", "/api/plants", "Plants.get"),
        ("GET", "/api/herbs", "Plants.get"),
        ("DELETE", "/api/plants/{number}", "Plant.delete"),
    }


def test_nested_routers_add_up() -> None:
    project = build(
        urls="""
        from django.urls import include, path
        from rest_framework_nested import routers
        import views
        woods = routers.SimpleRouter()
        woods.register("woods", views.All)
        trees = routers.NestedSimpleRouter(woods, "woods", lookup="wood")
        trees.register("trees", views.All)
        nests = routers.NestedSimpleRouter(trees, "trees", lookup="tree")
        nests.register("nests", views.All)
        urlpatterns = [path("api/", include(woods.urls)), path("api/", include(trees.urls)), path("api/", include(nests.urls))]
        """,
        views="""
        from rest_framework import viewsets
        class All(viewsets.ViewSet):
            def list(self, request): ...
        """,
    )
    assert {route.path for route in project.routes} == {
        "/api/woods",
        "/api/woods/{wood_pk}/trees",
        "/api/woods/{wood_pk}/trees/{tree_pk}/nests",
    }


def test_parameters_that_no_path_names_are_no_request_data() -> None:
    project = build(
        urls="""
        from django.urls import path
        import views
        urlpatterns = [path("links/<str:name>/", views.link), path("more/<str:name>/<str:note>/", views.noted)]
        """,
        views="""
        def link(request, name, note=None): ...
        def noted(request, name, note=None): ...
        """,
        shop="""
        from flask import Blueprint, Flask
        app = Flask(__name__)
        trees = Blueprint("trees", __name__, url_prefix="/woods/<wood>", url_defaults={"kind": "oak"})
        def tree(kind, wood, number): ...
        trees.add_url_rule("/<int:number>", view_func=tree)
        app.register_blueprint(trees)
        """,
    )

    def asked(name: str) -> list[str]:
        fn = project.functions[name]
        return [item.name for index, item in enumerate(fn.facts.params) if project.param_source(fn, index) == "request"]

    assert asked("views.link")[-1] == "name"
    assert asked("views.noted")[-2:] == ["name", "note"]
    assert asked("shop.tree") == ["wood", "number"]


def test_a_router_that_a_loader_puts_into_the_modules_it_loads() -> None:
    project = build(
        shop__loader="""
            from importlib.util import module_from_spec, spec_from_file_location

            from flask import Blueprint, Flask

            app = Flask(__name__)

            def load(path):
                spec = spec_from_file_location(path.stem, path)
                page = module_from_spec(spec)
                page.app = app
                page.pages = Blueprint(path.stem, path.stem)
                spec.loader.exec_module(page)
                app.register_blueprint(page.pages, url_prefix="/v1")
        """,
        shop__orders="""
            @pages.route("/orders", methods=["POST"])  # noqa: F821
            def add():
                return {}
        """,
        shop__own="""
            from shop.table import pages

            @pages.route("/own")
            def own():
                return {}
        """,
        shop__table="pages = object()",
    )
    assert [(route.label, route.name) for route in project.routes] == [("POST /v1/orders", "add")]
