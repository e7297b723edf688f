"""What speaks of a key by which a repeated request is recognised."""

from __future__ import annotations

import re

from backendlint.api import Fn

KEY = re.compile(
    r"idempot|dedup|client_token|request_token|unique_request|already_(processed|paid|charged)|exactly_once|nonce",
    re.IGNORECASE,
)


def names_key(fn: Fn) -> bool:
    facts = fn.facts
    if (
        KEY.search(fn.name)
        or any(KEY.search(param.name) for param in facts.params)
        or any(KEY.search(item.name) for item in facts.bindings)
    ):
        return True
    if any(KEY.search(key) for call in facts.calls for key, _ in call.kwargs):
        return True
    for value in facts.values:
        text = value[2] if value[0] == "attr" else value[1] if value[0] in ("const", "name") else ""
        if isinstance(text, str) and len(text) < 200 and KEY.search(text):
            return True
    return False
