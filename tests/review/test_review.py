"""The views of `backendlint review`, made of the shop, in every format; the HTML in a real browser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest
from contract import ROOT

from backendlint.request import Request
from backendlint.review.build import review
from backendlint.review.html import as_html
from backendlint.review.model import Review
from backendlint.review.text import MAX_COMMENT, as_json, as_markdown, as_text


@cache
def shop() -> Review:
    return review(Request(paths=(ROOT / "fixtures" / "shop",), use_cache=False))


def test_the_scorecard_says_what_was_found_and_what_does_not_apply() -> None:
    states = {row.item: row.state for row in shop().scorecard}
    assert states["R-TIMEOUT"] == "findings"
    assert states["R-RECOVERY"] == "runtime"
    assert states["A-GRAPHQL-GRPC"] == "not applicable"
    timeout = next(row for row in shop().scorecard if row.item == "R-TIMEOUT")
    assert timeout.count == sum(rule.count for rule in timeout.rules)
    assert "REL101" in {rule.id for rule in timeout.rules}


def test_the_matrix_shows_what_hangs_on_a_dependency() -> None:
    payment = next(row for row in shop().dependencies if row.name == "payment")
    assert payment.kind == "HTTP service"
    assert payment.timeout.startswith("none on 1 of 2")
    assert payment.endpoints == ("POST /api/v1/orders",)
    assert payment.worst == "bad"


def test_the_table_shows_every_endpoint() -> None:
    rows = {f"{row.method} {row.path}": row for row in shop().endpoints}
    assert len(rows) == 9
    place = rows["POST /api/v1/orders"]
    assert "current_customer" in place.auth
    assert (place.validation, place.codes, place.errors, place.docs) == ("schema", "201", "402", "full")
    assert place.wait == "unbounded"
    assert rows["GET /api/v1/health"].auth == "none"


def test_text_and_markdown_name_every_item_and_endpoint() -> None:
    text, markdown = as_text(shop()), as_markdown(shop())
    for row in shop().scorecard:
        assert row.item in text
        assert row.item in markdown
    for endpoint in shop().endpoints:
        assert endpoint.path in text
    assert len(markdown) <= MAX_COMMENT


def test_json_carries_all_views() -> None:
    data = json.loads(as_json(shop()))
    assert {"scorecard", "figures", "dependencies", "endpoints", "problems"} <= set(data)
    assert len(data["endpoints"]) == len(shop().endpoints)
    assert set(data["endpoints"][0]["place"]) == {"path", "line", "column", "end_line", "end_column"}


class Tables(HTMLParser):
    """Cells of all tables, and whatever would need the network."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.outside: list[str] = []
        self._open = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open = tag in ("td", "th") or (self._open and tag not in ("tr", "table"))
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        self.outside += [
            value for name, value in attrs if name in ("src", "href") and value and not value.startswith("#")
        ]

    def handle_data(self, data: str) -> None:
        if self._open and self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def test_html_is_one_file_with_plain_tables() -> None:
    page = Tables(as_html(shop()))
    assert not page.outside
    cells = [cell.strip() for row in page.rows for cell in row]
    for endpoint in shop().endpoints:
        assert endpoint.path in cells
    assert all(row.item in cells for row in shop().scorecard)


def test_html_escapes_what_it_shows() -> None:
    from dataclasses import replace

    first, *others = shop().endpoints
    hostile = replace(shop(), endpoints=(replace(first, path="/<script>alert(1)</script>"), *others))
    assert "<script>alert" not in as_html(hostile)
    assert "<script>alert" not in as_markdown(hostile)


def chromium() -> str:
    """The browser, under whatever name it is installed."""
    found = [name for name in ("chromium", "chromium-browser", "google-chrome") if shutil.which(name)]
    assert found, "these tests need Chromium (`python3 dev.py check` installs it)"
    return found[0]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_shows_and_scripts_the_page(scheme: str, tmp_path: Path) -> None:
    page, picture = tmp_path / "review.html", tmp_path / "review.png"
    page.write_text(as_html(shop()), encoding="utf-8")
    browser = [
        chromium(), "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
        f"--blink-settings=preferredColorScheme={0 if scheme == 'dark' else 1}",
    ]  # fmt: skip
    run = {"capture_output": True, "text": True, "timeout": 120}
    dom = subprocess.run([*browser, "--dump-dom", page.as_uri()], check=True, **run).stdout  # type: ignore[call-overload]
    assert 'class="scripted"' in dom
    assert len(re.findall(r"<th scope=\"col\"><button", dom)) >= 20
    assert "/api/v1/orders/{order_id}/cancel" in dom
    subprocess.run([*browser, "--window-size=1200,900", f"--screenshot={picture}", page.as_uri()], check=True, **run)  # type: ignore[call-overload]
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 20_000
