"""A report made by hand, with what formats stumble over."""

from __future__ import annotations

from pathlib import Path

import pytest

from backendlint.findings.model import Edit, Finding, Fix, Location, Notification, Report, Step, Summary
from backendlint.report import RenderOptions
from backendlint.ruleset.manifest import Rule

PAY = "app/payment gateway/päy%20#1.py"
SQL = "db/query, all;[x].sql"
SOURCES = {
    PAY: (
        "import requests\n\n\ndef charge_card(order):\n"
        "\tname = '支払い'; reply = requests.get(order.url)\n"
        "    return reply.json()\n"
    ),
    "app/api.py": "from fastapi import FastAPI\n\napp = FastAPI()\n\n\n@app.post('/orders')\ndef order():\n    pass\n",
    SQL: 'SELECT *\nFROM "orders" -- ]]> <b>&amp;\nWHERE id = 1;\n',
}


def rule(rule_id: str, name: str, pillar: str, **more: object) -> Rule:
    defaults: dict[str, object] = {
        "engine": "project",
        "severity": "warning",
        "confidence": "high",
        "profile": "default",
        "summary": f"What {name} is about",
        "help": "Do it the other way.",
        "checklist": ("R-TIMEOUT",),
    }
    return Rule(id=rule_id, name=name, pillar=pillar, **(defaults | more))  # type: ignore[arg-type]


RULES = (
    rule("REL101", "call-without-timeout", "reliability", severity="error"),
    rule("SEC101", "sql-built-from-text", "security", severity="error", cwe=(89, 564), confidence="medium"),
    rule("PERF102", "select-star", "performance"),
)
FINDINGS = (
    Finding(
        rule_id="REL101",
        name="call-without-timeout",
        pillar="reliability",
        severity="error",
        confidence="high",
        profile="default",
        message="`requests.get` in `charge_card()` can hang forever;\nreached from POST /orders",
        help="Pass `timeout=(3, 10)`, 100% of the time.",
        location=Location(PAY, 5, 24, 5, 47),
        related=(Step(Location("app/api.py", 6, 1, 6, 21), "the [route](7) of @app \\ #12"),),
        flow=(
            Step(Location("app/api.py", 7, 5, 7, 10), "order() calls charge_card()"),
            Step(Location(PAY, 5, 24, 5, 47), ""),
        ),
        reach=1,
        fingerprint="0123456789abcdef0123456789abcdef",
        fix=Fix("add a timeout", (Edit(Location(PAY, 5, 46, 5, 46), ", timeout=10"),), safe=False),
        function="charge_card",
    ),
    Finding(
        rule_id="SEC101",
        name="sql-built-from-text",
        pillar="security",
        severity="error",
        confidence="medium",
        profile="default",
        message="\"quoted\" & <b>'text'</b> ]]> reaches `cur.execute`: a[0](1), \x1b[31mred\x00",
        help="",
        location=Location("gone.py", 3, 1, 9, 2),
        fingerprint="11111111111111111111111111111111",
    ),
    Finding(
        rule_id="PERF102",
        name="select-star",
        pillar="performance",
        severity="warning",
        confidence="high",
        profile="default",
        message="`SELECT *` reads every column of `orders` ::error file=x::y",
        help="Write the columns out.",
        location=Location(SQL, 1, 8, 2, 14),
        fingerprint="22222222222222222222222222222222",
    ),
)
BAD = Location("bad file.py", 2, 3, 2, 4)
NOTIFICATIONS = (
    Notification("syntax-error", "`<x>` is no Python, 50% of it\nat least", "note", BAD),
    Notification("engine-failed", "semgrep timed out after 300 s", "error"),
    Notification("unused-suppression", "no finding of `REL101` here", "note", Location(PAY, 1, 18, 1, 50)),
)
REPORT = Report(
    root="/srv/my project",
    findings=FINDINGS,
    notifications=NOTIFICATIONS,
    summary=Summary(
        files=1234,
        lines=56789,
        seconds=1.25,
        by_pillar={"reliability": 1, "security": 1, "performance": 1},
        suppressed=2,
        baselined=1,
        below_profile=7,
        stages={"parse": 0.5, "engines": 0.75},
    ),
    rules=RULES,
    version="1.2.3",
)


@pytest.fixture(scope="session")
def report() -> Report:
    return REPORT


@pytest.fixture(scope="session")
def options(tmp_path_factory: pytest.TempPathFactory) -> RenderOptions:
    return RenderOptions(sources=SOURCES.get, docs=lambda rule: f"# {rule.id} {rule.name}\n\nWhy: *because*.\n")


@pytest.fixture(scope="session")
def snapshots() -> Path:
    return Path(__file__).parent / "snapshots"
