"""Which routes are for signing in, by their paths and names."""

from __future__ import annotations

import re

from backendlint.api import Route, snake

SIGN_IN = re.compile(
    r"(^|_)(log_?in|sign_?in|authenticate|access_token|obtain_token|token_auth|auth_token|jwt_create|otp|mfa|two_?factor|2fa|totp|verify_code|"
    r"verification_code|pin)($|_)|^(api_)?(auth_)?tokens?(_auth)?$|password_?(reset|recovery|recover|forgot|forgotten)|(forgot|forgotten|reset|recover|recovery)_?(my_)?password|"
    r"forgot|magic_link|send_code|resend_(code|otp|verification)",
    re.IGNORECASE,
)
NOT_SIGN_IN = re.compile(
    r"refresh|revoke|logout|sign_?out|test|blacklist|callback|done|complete|sent|oauth|validate_token|verify_token|token_?verify|webhook|docs|html|"
    r"with_(google|github|gitlab|facebook|apple|microsoft|linkedin)|log_?ins?_(logs?|history|events?|audit)|"
    r"(otp|mfa|factor|2fa)(_\w+)?_(settings|preferences)",
    re.IGNORECASE,
)
BY_OTHERS = re.compile(r"(^|_)(oidc|saml2?|openid|cas|sso|social|external\w*)($|_)", re.IGNORECASE)
"""Words of routes where another site asks for the password, and what it sends back is too long to be guessed."""
TOKEN = re.compile(
    r"\{(\w*_)?(token|uidb?64|signature)\}|(password|reset|recover)[^{]*\{(\w*_)?(code|key|hash)\}", re.IGNORECASE
)
SENT_ON = re.compile(r"\{(\w*_)?(backend|provider|idp|strategy|connector)(_\w+)?\}/?$", re.IGNORECASE)
"""`login/{provider}`: another site asks for the password."""
OF_RESOURCE = re.compile(r"\{[^{}]*\}/([\w-]+[-_])?tokens?/?$", re.IGNORECASE)
"""Tokens that belong to something the path names (`/users/{id}/api-tokens`): made there, not tried."""


def is_sign_in(route: Route) -> bool:
    if route.methods and not {"POST", "PUT"}.intersection(route.methods):
        return False
    parts = [part for part in route.own_path.split("/") if part and "{" not in part] or [
        part for part in route.path.split("/") if part and "{" not in part
    ]
    if TOKEN.search(route.path) or OF_RESOURCE.search(route.path):
        return False  # who knows the token need not guess
    if route.handler is None and SENT_ON.search(route.path):
        return False
    foreign = [snake(ref.name.rpartition(".")[2]) for ref in route.entry.handlers if ref.kind == "lib"]
    words = [*parts[-1:], snake(route.name), snake(route.cls.name) if route.cls else "", *foreign]
    texts = [re.sub(r"[-.]+", "_", word) for word in words if word]
    if any(NOT_SIGN_IN.search(text) for text in (*texts, *map(snake, parts[-2:]))):
        return False
    if route.action in ("list", "retrieve", "destroy", "get", "update", "partial_update"):
        return False
    pair = [re.sub(r"[-.]+", "_", part) for part in parts[-2:]]
    reaching = len(pair) == 2 and any(
        match.end() > len(pair[0]) + 1 for match in SIGN_IN.finditer("_".join(pair))
    )  # `password/reset`, not `login/link-account`
    return reaching or any(SIGN_IN.search(text) for text in texts)


def about_signing_in(route: Route) -> bool:
    """A route that is limited for its own sake: `oidc/login`, `oidc/callback/{provider}`."""
    words = re.sub(r"[-./]+", "_", route.own_path)
    return is_sign_in(route) or any(pattern.search(words) for pattern in (SIGN_IN, BY_OTHERS)) or "callback" in words
