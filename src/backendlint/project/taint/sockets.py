"""Sockets by which side of them the project is on: what a client reads is an answer, and what a server reads a request."""

from __future__ import annotations

from backendlint.facts.model import Call
from backendlint.project.entities import Fn
from backendlint.project.libraries.model import CallModel

_CONNECTS = frozenset({"connect", "connect_ex", "create_connection"})
_SERVES = frozenset({"bind", "listen", "accept"})
_SOCKET = "socket.socket."


def source_of(fn: Fn, call: Call, model: CallModel) -> str:
    """What a call's result is a source of: `sock.recv(64)` of an answer, where the function or its class has connected."""
    what = str(model.source)
    if what != "request" or not model.name.startswith(_SOCKET):
        return what
    near = [fn, *(fn.cls.methods.values() if fn.cls is not None else ())]
    called = {item.callee_name(other) for item in near for other in item.calls}
    return "response" if called & _CONNECTS and not called & _SERVES else what
