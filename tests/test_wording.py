"""What findings say where one rule has several things to say."""

from __future__ import annotations

from pathlib import Path

import pytest
from contract import findings_in

ASYNC = """
    from django.db import models

    class Ferry(models.Model):
        name = models.CharField(max_length=40, unique=True)

    async def ferry(name):
        return Ferry.objects.get(name=name)
"""
ROWS = """
    from sqlalchemy import ForeignKey
    from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

    class Base(DeclarativeBase): pass

    class Owner(Base):
        __tablename__ = "owners"
        id: Mapped[int] = mapped_column(primary_key=True)
        boats: Mapped[list["Boat"]] = relationship(back_populates="owner")

    class Boat(Base):
        __tablename__ = "boats"
        id: Mapped[int] = mapped_column(primary_key=True)
        owner_id = mapped_column(ForeignKey("owners.id"))
        owner = relationship("Owner", back_populates="boats")
"""

CLOSED = """
    async def ferry(line):
        try:
            {}
        except:
            pass
"""
LOGGED = """
    {}
    def ferry(line):
        try:
            line.close()
        except Exception as error:
            logger.error("no: %s", error)
"""
RAISED = """
    import logging
    logger = logging.getLogger(__name__)

    class NoFerry(Exception): pass

    def ferry(line):
        try:
            return line.ferry
        except OSError as error:
            {}
            raise NoFerry(line)
"""
TASK = """
    import requests
    from celery import shared_task

    @shared_task(autoretry_for=(requests.ConnectionError,){})
    def announce(ferry):
        requests.post("https://port.example", json=ferry, timeout=3)
"""
COMMAND = """
    import subprocess
    from flask import Flask

    app = Flask(__name__)

    @app.post("/charts")
    def draw():
        subprocess.run(["draw-charts"])
        return ""
"""
QUEUED = """
    import subprocess
    from django_rq import job

    def plot(chart):
        subprocess.run(["draw-chart", chart])

    {}
    def draw(chart):
        plot(chart)

    {}
"""
ROUTED = """
    from django.core.wsgi import get_wsgi_application
    from django.http import HttpResponse
    from django.urls import path
    from rest_framework import routers, viewsets

    def start(request):
        return HttpResponse("")

    class BuoyViewSet(viewsets.ModelViewSet):
        pass

    router = routers.DefaultRouter()
    router.register("buoys", BuoyViewSet)
    urlpatterns = [path("", start), path("about", start), path("map", start), *router.urls]
    application = get_wsgi_application()
"""
REFUSED = """
    from fastapi import HTTPException

    def berth(harbour, ferry):
        try:
            return harbour.free(ferry)
        except Exception:
            raise HTTPException(409, "no berth")
"""
UNCHECKED = """
    import ssl

    context = ssl.{}()
    context.check_hostname = False
"""
MAILED = """
    import asyncio
    import smtplib
    from fastapi import FastAPI

    app = FastAPI()

    def mail():
        with smtplib.SMTP("post.example", timeout=3) as post:
            post.send_message(None)

    @app.post("/letters")
    async def write():
        {}
"""
JOINED = f"""{ROWS}
    from sqlalchemy import text

    class Rope(Base):
        __tablename__ = "ropes"
        id: Mapped[int] = mapped_column(primary_key=True)
        pier: Mapped[str]

    class Anchor(Base):
        __tablename__ = "anchors"
        id: Mapped[int] = mapped_column(primary_key=True)
        pier: Mapped[str]

    def ropes(s: Session, anchor):
        return s.execute(
            text("SELECT ropes.id FROM anchors JOIN ropes ON anchors.pier = ropes.pier WHERE {{}}"), {{{{"id": anchor}}}}
        ).all()
"""
LOGGERS = (
    "from loguru import logger",
    "import logging\n    logger = logging.getLogger()",
    "from shore.log import logger",
)


@pytest.mark.parametrize(
    ("rule", "code", "words"),
    [
        ("REL113", ASYNC, "refuses that with `SynchronousOnlyOperation`"),
        ("REL113", f"{ASYNC}\n    import os\n    os.environ['DJANGO_ALLOW_ASYNC_UNSAFE'] = '1'\n", "no other request"),
        ("OPS104", ROUTED, "serves 9 routes and none for health checks"),
        ("PERF101", f"{ROWS}\n    def f(s: Session):\n        return [b.owner.id for b in s.query(Boat)]\n", "each different one"),
        ("PERF101", f"{ROWS}\n    def f(s: Session):\n        return [o.boats for o in s.query(Owner)]\n", "of each item asks"),
        ("PERF107", JOINED.format("anchors.id = :id"), "joins `ropes` by (pier)"),
        ("PERF107", JOINED.format("ropes.id = :id"), "joins `anchors` by (pier)"),
        ("REL101", COMMAND, "if the command does not end, it hangs forever, and 1 endpoint"),
        ("REL101", QUEUED.format("@job('charts')", ""), "does not end, it hangs until the queue ends the job."),
        ("REL101", QUEUED.format("", "draw_job = job(draw)"), "does not end, it hangs until the queue ends the job."),
        ("REL103", TASK.format(""), "tries again at a fixed pace"),
        ("REL114", MAILED.format("await asyncio.to_thread(mail)"), "in `mail()`: the client waits."),
        ("REL114", MAILED.format("mail()"), "the client waits, and the worker is held meanwhile."),
        ("REL202", CLOSED.format("line.close()"), "swallows KeyboardInterrupt and SystemExit, so"),
        ("REL202", CLOSED.format("line.close()").replace("pass", "raise OSError"), "SystemExit into an error of its own, so"),
        ("REL202", CLOSED.format("await line.close()"), "SystemExit and the cancellation of its task, so"),
        ("REL202", CLOSED.format("async with line: line.close()"), "SystemExit and the cancellation of its task, so"),
        ("REL203", RAISED.format("logger.error('%s', error)"), "by accident; write"),
        ("REL203", RAISED.format("logger.error('no ferry')"), "by accident, and the cause is not recorded; write"),
        ("REL203", RAISED.format("raise NoFerry(f'no ferry: {error}')"), "by accident; write"),
        ("REL203", REFUSED, "it leaves no traceback, and the cause is not recorded; log what was caught, and write"),
        ("SEC401", UNCHECKED.format("create_default_context"), "so any valid certificate of anybody is taken"),
        ("SEC401", UNCHECKED.format("SSLContext"), "verifies neither the certificate nor the host's name"),
        ("SEC309", "SESSION_COOKIE_SECURE = False\n", "travels over plain HTTP, where it can be read; leave it on"),
        ("SEC309", "SESSION_COOKIE_HTTPONLY = False\n", "so one injected script can steal the cookie; leave it on"),
        ("REL208", LOGGED.format(LOGGERS[0]), "`logger.exception(...)` or log with `.opt(exception=True)`."),
        ("REL208", LOGGED.format(LOGGERS[1]), "`logger.exception(...)` or pass `exc_info=True`."),
        ("REL208", LOGGED.format(LOGGERS[2]), "use `logger.exception(...)`."),
    ],
)  # fmt: skip
def test_message_says_what_happens(rule: str, code: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("\n".join(line.removeprefix("    ") for line in code.splitlines()))
    assert [words in finding.message for finding in findings_in(tmp_path, rule, ())] == [True]
