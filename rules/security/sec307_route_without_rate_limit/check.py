from __future__ import annotations

import re
from collections.abc import Iterator

from backendlint.api import Hit, Project, Route, Step

SIGN_IN = re.compile(
    r"(^|_)(log_?in|sign_?in|authenticate|access_token|obtain_token|token_auth|auth_token|jwt_create|otp|mfa|two_?factor|2fa|totp|verify_code|"
    r"verification_code|pin)($|_)|^(api_)?(auth_)?tokens?(_auth)?$|password_?(reset|recovery|recover|forgot|forgotten)|(forgot|forgotten|reset|recover|recovery)_?(my_)?password|"
    r"forgot|magic_link|send_code|resend_(code|otp|verification)",
    re.IGNORECASE,
)
NOT_SIGN_IN = re.compile(
    r"refresh|revoke|logout|sign_?out|test|blacklist|callback|done|complete|sent|oauth|validate_token|verify_token|token_?verify|webhook|docs|html|log_?ins?_(logs?|history|events?|audit)",
    re.IGNORECASE,
)

TOKEN = re.compile(r"\{(\w*_)?(token|uidb?64|signature)\}")


OF_RESOURCE = re.compile(r"\{[^{}]*\}/([\w-]+[-_])?tokens?/?$", re.IGNORECASE)
"""Tokens that belong to something the path names (`/users/{id}/api-tokens`): made there, not tried."""


def check(project: Project) -> Iterator[Hit]:
    seen = set()
    for route in project.routes:
        if route.kind != "http" or route.place in seen or project.access.rate_limits(route):
            continue
        if is_sign_in(route) and not project.access.guarded(route):
            if project.access.limits_inside(route):
                continue
            message = "can be tried without end: passwords and codes are guessed that way. Limit attempts per account and per address."
            seen.add(route.place)
            yield Hit(f"{route.label} {message}", route.place, function=route.function)
            continue
        example = limited_sibling(project, route)
        if example is not None and not project.access.authentication(route):
            seen.add(route.place)
            yield Hit(
                f"{route.label} is open to everybody and has no rate limit, as {example.label} beside it does. Limit how often it "
                "can be called.",
                route.place,
                related=(Step(example.place, f"{example.label} is limited"),),
                function=route.function,
            )


def is_sign_in(route: Route) -> bool:
    if route.methods and not {"POST", "PUT"}.intersection(route.methods):
        return False
    parts = [part for part in route.own_path.split("/") if part and "{" not in part] or [
        part for part in route.path.split("/") if part and "{" not in part
    ]
    if TOKEN.search(route.path) or OF_RESOURCE.search(route.path):
        return False  # who knows the token need not guess
    words = [*parts[-1:], snake(route.name), snake(route.cls.name) if route.cls else ""]
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


def limited_sibling(project: Project, route: Route) -> Route | None:
    """An open route of the same module that has a limit, where that is usual there."""
    if route.handler is None or re.search(r"health|ready|live|ping|metrics|docs", route.path):
        return None
    near = [
        other
        for other in project.routes
        if other is not route
        and other.handler is not None
        and other.handler.path == route.handler.path
        and not project.access.authentication(other)
    ]
    limited = [other for other in near if project.access.rate_limits(other) and not is_sign_in(other)]
    return limited[0] if limited and len(limited) * 2 >= len(near) else None


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
