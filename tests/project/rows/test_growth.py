"""What names of tables tell."""

from __future__ import annotations

import pytest

from backendlint.project.rows.growth import accumulates, stays_small


@pytest.mark.parametrize(
    "name",
    [
        "Role",
        "OrderType",
        "order_types",
        "shop_ordertype",
        "Category",
        "user_states",
        "State",
        "MenuItem",
        "auth_group",
        "ConfigEntry",
    ],
)
def test_few_rows_for_good(name: str) -> None:
    assert stays_small(name)
    assert not accumulates(name)


@pytest.mark.parametrize(
    "name",
    ["pilotage_orders", "Resource", "resources", "opportunities", "adoptions", "PageView", "page_views", "plants"],
)
def test_who_knows(name: str) -> None:
    assert not stays_small(name)
