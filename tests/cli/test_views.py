"""`routes`, `layers`, `inspect` and `review` on the shop."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from contract import ROOT

from backendlint.cli import cli

SHOP = str(ROOT / "fixtures" / "shop")


def run(*args: str) -> str:
    result = CliRunner().invoke(cli, list(args), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_routes_as_a_table_and_as_json() -> None:
    text = run("routes", SHOP)
    assert "/api/v1/orders/{order_id}/cancel" in text
    assert "9 routes" in text
    rows = {
        f"{'|'.join(row['methods'])} {row['path']}": row for row in json.loads(run("routes", SHOP, "--format", "json"))
    }
    place = rows["POST /api/v1/orders"]
    assert place["handler"].endswith("place_order")
    assert place["location"]["line"] == 15
    assert place["authenticated"]
    assert not rows["GET /api/v1/health"]["authenticated"]
    assert [param["name"] for param in rows["GET /api/v1/products"]["params"]] == ["q", "limit"]


def test_layers_as_a_table_and_as_json() -> None:
    assert "app/services/orders.py" in run("layers", SHOP)
    layers = {row["function"]: row for row in json.loads(run("layers", SHOP, "--format", "json"))}
    assert layers["app.services.orders.OrderService.place"]["layer"] == "service"
    assert layers["app.api.orders.place_order"]["reach"] == 1


def test_inspect_shows_what_we_believe_of_a_function() -> None:
    text = run("inspect", f"{SHOP}/app/api/orders.py:place_order")
    assert "layer: controller" in text
    assert "route: POST /api/v1/orders" in text
    assert "effect http:" in text
    assert "app/clients/payments.py:16" in text
    assert "request data: order (model)" in text


def test_inspect_of_a_file_shows_all_its_functions() -> None:
    text = run("inspect", f"{SHOP}/app/services/orders.py")
    assert all(f"OrderService.{name} " in text for name in ("__init__", "place", "summaries", "cancel"))


def test_inspect_of_nothing_is_the_users_mistake() -> None:
    from backendlint.errors import UsageError

    for target in (f"{SHOP}/app/api/orders.py:nowhere", f"{SHOP}/nothing.py"):
        with pytest.raises(UsageError):
            CliRunner().invoke(cli, ["inspect", target], catch_exceptions=False)


@pytest.mark.parametrize("fmt", ["text", "markdown", "json", "html"])
def test_review_in_every_format(fmt: str, tmp_path: Path) -> None:
    target = tmp_path / "review"
    run("review", SHOP, "--format", fmt, "--output", str(target), "--no-cache")
    text = target.read_text(encoding="utf-8")
    assert "R-TIMEOUT" in text
    assert "/api/v1/products/{product_id}" in text.replace("\\_", "_")


def test_views_of_a_project_without_routes(tmp_path: Path) -> None:
    (tmp_path / "lonely.py").write_text("def f():\n    return 1\n")
    assert "no routes found" in run("routes", str(tmp_path))
    assert "not applicable" in run("review", str(tmp_path), "--no-cache")
