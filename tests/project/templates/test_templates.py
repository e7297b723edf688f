"""What templates read of their context."""

from __future__ import annotations

from backendlint.project.templates.expand import Templates
from backendlint.project.templates.syntax import accesses, calls, source_of


def reads(**sources: str) -> set[str]:
    """Dotted names that `main` reads, with `*` for "each"."""
    texts = {f"app/templates/{name}.html": text for name, text in sources.items()}
    templates = Templates(list(texts), texts.__getitem__)
    seen = templates.reads(templates.find("main.html", "app/views.py"))
    return {".".join((item.access.root, *item.access.path)) for item in seen}


def test_names_in_expressions() -> None:
    def names(text: str) -> list[str]:
        return [".".join((item.root, *item.path)) for item in accesses(text)]

    assert names("order.customer.name|default:other.name") == ["order.customer.name"]
    assert names("order.lines.all()|length > 3 and not user.is_staff") == ["order.lines.all", "user.is_staff"]
    assert names("'order.customer' ~ row[0].total, size=order.size") == ["row", "order.size"]


def test_sources_of_loops() -> None:
    assert source_of("orders|sort(attribute='id')") == ("orders", ())
    assert source_of("orders.items if order.paid") == ("orders", ("items",))
    assert source_of("orders|groupby('customer')") is None
    assert source_of("range(10)") is None


def test_calls_with_arguments() -> None:
    assert list(calls('forms.row(order, size="a, b", cells=[1, 2])')) == [
        ("forms.row", ["order", 'size="a, b"', "cells=[1, 2]"])
    ]


def test_loops_and_scopes() -> None:
    assert "orders.*.customer.name" in reads(main="{% for o in orders %}{{ o.customer.name }}{% endfor %}")
    nested = "{% for o in orders %}{% for x in o.lines.all %}{{ x.product }}{% endfor %}{% endfor %}{{ x.after }}"
    assert {"orders.*.lines.all.*.product", "x.after"} <= reads(main=nested)
    assert "orders.*.customer.name" in reads(
        main="{% for o in orders %}{% with c=o.customer %}{{ c.name }}{% endwith %}{% endfor %}"
    )
    assert "orders.*.customer.name" in reads(
        main="{% for o in orders %}{% set c = o.customer %}{{ c.name }}{% endfor %}"
    )
    assert "orders.*.name" in reads(main="{% for o in orders %}{{ o.name }}{% end %}{{ o.name }}")
    assert reads(main="{% for key, o in orders.items %}{{ o.customer.name }}{% endfor %}") == {"orders.items"}


def test_what_is_no_template() -> None:
    assert reads(main="{# {{ a.b }} #}{% comment %}{{ c.d }}{% endcomment %}{% raw %}{{ e.f }}{% endraw %}") == set()
    assert reads(main="{% for {{ x }") == set()


def test_includes() -> None:
    part = "{{ order.customer.name }} {{ page.title }}"
    main = "{% for o in orders %}{% include 'part.html' with order=o %}{% endfor %}"
    assert {"orders.*.customer.name", "page.title"} <= reads(main=main, part=part)
    alone = "{% for o in orders %}{% include 'part.html' with order=o only %}{% endfor %}"
    assert "page.title" not in reads(main=alone, part=part)
    assert "orders.*.customer.name" in reads(
        main="{% for order in orders %}{% include 'part.html' %}{% endfor %}", part=part
    )
    assert reads(main="{% include 'main.html' %}{{ a.b }}") == {"a.b"}


def test_parents() -> None:
    base = "{{ site.name }}{% block a %}{{ site.old }}{% endblock %}{% block b %}{{ site.kept }}{% endblock %}"
    main = "{% extends 'base.html' %}{% block a %}{{ site.new }}{% endblock %}"
    assert reads(main=main, base=base) == {"site.name", "site.new", "site.kept"}


def test_macros() -> None:
    macros = "{% macro row(order, size=1) %}{{ order.customer.name }}{{ size }}{% endmacro %}"
    direct = "{% from 'macros.html' import row as line %}{% for o in orders %}{{ line(o) }}{% endfor %}"
    assert "orders.*.customer.name" in reads(main=direct, macros=macros)
    whole = "{% import 'macros.html' as m %}{% for o in orders %}{{ m.row(size=2, order=o) }}{% endfor %}"
    assert "orders.*.customer.name" in reads(main=whole, macros=macros)
    assert "orders.*.customer.name" in reads(main=macros + "{% for o in orders %}{{ row(o) }}{% endfor %}")
    assert reads(main=macros) == set()


def test_the_nearest_of_several() -> None:
    paths = ["a/templates/x/list.html", "b/templates/x/list.html"]
    assert Templates(paths, str).find("x/list.html", "b/views.py") == paths[1]
    assert Templates(paths, str).find("x/other.html", "b/views.py") == ""
