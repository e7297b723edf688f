"""The library models' loader."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from backendlint.errors import RuleError
from backendlint.project.libraries import model as libraries_model
from backendlint.project.libraries.lookup import Libraries

ACME = """\
library: acme
modules: [acme]
kind: http-client
aliases: {acme.api: acme}
classes:
  acme.Base: {}
  acme.Session: {bases: [acme.Base], attributes: {inner: acme.Base}}
calls:
  "acme.{get,head}": {effect: [http], timeout: {default: null, keyword: timeout}, sinks: {ssrf: [0, url]}}
  acme.Base.ping: {effect: [socket]}
  acme.Session.*: {effect: [cloud]}
attributes:
  acme.session: {type: acme.Session}
  acme.Base.args: {source: request}
exceptions:
  acme.Error: {kind: infrastructure}
  acme.TimedOut: {bases: [acme.Error], transient: true}
decorators:
  acme.route: {route: {path: [0, rule], methods_arg: methods, default_methods: [GET]}}
hints:
  - {names: [sess, "*_session"], type: acme.Session}
"""


def load(tmp_path: Path, text: str, name: str = "acme.yaml") -> Libraries:
    folder = tmp_path / "libraries"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return Libraries.load([folder])


@pytest.fixture
def acme(tmp_path: Path) -> Libraries:
    return load(tmp_path, ACME)


def test_braces_aliases_and_shorthands(acme: Libraries) -> None:
    model = acme.call("acme.api.head")
    assert model is not None
    assert (model.name, model.library, model.effect) == ("acme.head", "acme", ("http",))
    assert model.timeout is not None and model.timeout.default is None and model.timeout.keywords == ("timeout",)
    [sink] = model.sinks
    assert (sink.kind, sink.arg.positions, sink.arg.keywords) == ("ssrf", (0,), ("url",))


def test_methods_are_found_in_bases_then_wildcards_then_through_objects(acme: Libraries) -> None:
    expected = {
        "acme.Session.ping": ("socket",),
        "acme.Session.other": ("cloud",),
        "acme.Session._private": None,
        "acme.session.ping": ("socket",),
        "acme.Base.other": None,
    }
    models = {name: acme.call(name) for name in expected}
    assert {name: model.effect if model else None for name, model in models.items()} == expected


def test_attributes_of_instances_are_inherited(acme: Libraries) -> None:
    args, inner = acme.attribute("acme.session.args"), acme.attribute("acme.Session.inner")
    assert args is not None and args.source == "request"
    assert inner is not None and inner.type == "acme.Base"


def test_exceptions_and_decorators(acme: Libraries) -> None:
    assert acme.is_subclass("acme.TimedOut", "acme.Error")
    assert not acme.is_subclass("acme.Error", "acme.TimedOut")
    assert acme.mro("acme.TimedOut")[:2] == ("acme.TimedOut", "acme.Error")
    route = acme.decorator("acme.route")
    assert route is not None and route.route is not None and route.route.default_methods == ("GET",)


def test_hints_hold_only_where_the_library_is_imported(acme: Libraries) -> None:
    hints = acme.hints_for(["acme.client", "os"])
    assert hints.type_of("sess") == hints.type_of("acme_session") == "acme.Session"
    assert acme.hints_for(["os"]).type_of("sess") == ""


def test_libraries_that_differ_about_a_name_leave_their_common_base(tmp_path: Path) -> None:
    other = ACME.replace("acme", "zeta").replace("{names: [sess,", "{names: [sess, both,")
    load(
        tmp_path,
        ACME.replace("{names: [sess,", "{names: [sess, both,").replace("bases: [acme.Base]", "bases: [dbapi.Cursor]"),
    )
    libraries = load(tmp_path, other.replace("bases: [zeta.Base]", "bases: [dbapi.Cursor]"), "zeta.yaml")
    assert libraries.hints_for(["acme", "zeta"]).type_of("both") == "dbapi.Cursor"
    assert libraries.hints_for(["zeta"]).type_of("both") == "zeta.Session"


def test_unknown_names_cost_nothing_and_give_none(acme: Libraries) -> None:
    assert not acme.knows("myproject.thing")
    assert acme.call("myproject.thing") is None
    assert acme.canonical("myproject.thing") == "myproject.thing"


def test_what_never_returns_is_known_by_every_spelling(tmp_path: Path) -> None:
    text = "library: ours\nmodules: [ours]\nkind: rpc\naliases: {ours.halt: ours.core.halt}\ncalls:\n"
    ours = load(tmp_path, text + "  ours.core.halt: {exits: true}\n  ours.core.go: {exits: false}\n", "ours.yaml")
    assert {"ours.halt", "ours.core.halt", "flask.abort", "sys.exit"} <= ours.leaving
    assert "ours.core.go" not in ours.leaving


def test_users_change_single_fields_of_built_in_entries(tmp_path: Path) -> None:
    text = "library: ours\nmodules: [requests]\nkind: http-client\ncalls:\n  requests.get: {timeout: {default: 3}}\n"
    changed = load(tmp_path, text, "ours.yaml")
    plain = Libraries.load()
    ours, theirs = changed.call("requests.get"), plain.call("requests.get")
    assert ours is not None and theirs is not None
    assert ours.timeout is not None and ours.timeout.default == 3
    assert theirs.timeout is not None and theirs.timeout.default is None
    assert ours.effect == theirs.effect
    assert changed.hash != plain.hash
    library = changed.library_of("requests.get")
    assert library is not None and library.library == "requests"


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("library: acme\nmodules: [acme]\ncalls:\n  acme.get: {efect: [http]}\n", ":4:", "unknown key 'efect'"),
        ("library: acme\nmodules: [acme]\ncalls:\n  acme.get:\n    effect: [htp]\n", ":5:", "'htp' is not one of"),
        ("library: acme\nmodules: [acme]\ncalls:\n  other.get: {}\n", ":4:", "outside the modules"),
        ("library: acme\nmodules: [acme]\ncalls:\n  acme.a: {}\n  'acme.{a,b}': {}\n", ":5:", "already defined"),
        ("library: acme\nmodules: [acme]\ncalls:\n  acme.a: {}\n  acme.a: {}\n", ":5:", "stands here twice"),
        ("library: acme\nmodules: [acme]\ncals: {}\n", ":3:", "unknown section"),
        ("library: other\nmodules: [acme]\n", ":1:", "must be the file's name"),
        ("library: acme\nmodules: [acme]\ncalls: {acme.a: {timeout: {keyword: t}}}\n", ":3:", "missing default"),
        ("library: acme\nmodules: [acme]\ncalls: [\n", ":4:", ""),
        ("- 1\n", ":1:", "expected a mapping"),
        ("library: acme\nmodules: [acme]\ncalls: {'acme.a-b': {}}\n", ":3:", "not a dotted name"),
    ],
)
def test_mistakes_are_named_with_file_and_line(tmp_path: Path, text: str, place: str, message: str) -> None:
    with pytest.raises(RuleError) as caught:
        load(tmp_path, text)
    assert f"acme.yaml{place}" in str(caught.value)
    assert message in str(caught.value)


def test_the_compiled_table_is_cached_by_content(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = Libraries.load(cache_dir=cache)
    [stored] = cache.glob("libraries-*.json")
    assert Libraries.load(cache_dir=cache).hash == first.hash
    stored.write_text("{broken")
    assert Libraries.load(cache_dir=cache).call("requests.get") == first.call("requests.get")


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert Libraries.load(cache_dir=blocked).call("requests.get") is not None


def test_the_documentation_lists_every_key() -> None:
    text = (Path(__file__).parents[3] / "docs" / "library-models.md").read_text()
    models = [
        kind for kind in vars(libraries_model).values() if dataclasses.is_dataclass(kind) and isinstance(kind, type)
    ]
    missing = []
    for kind in models:
        if kind in (libraries_model.Arg, libraries_model.Param):
            continue
        section = text.partition(f"### {kind.__name__}\n")[2].partition("\n### ")[0]
        own = (
            {"name", "library"}
            if kind.__name__.endswith("Model") and kind is not libraries_model.LibraryModel
            else set()
        )
        names = [f.name for f in dataclasses.fields(kind) if f.name not in own]
        missing += [f"{kind.__name__}.{name}" for name in names if f"`{name}`" not in section]
    assert missing == []
