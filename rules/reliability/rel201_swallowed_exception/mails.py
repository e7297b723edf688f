"""Mail whose failures are switched off: `send_mail(..., fail_silently=True)`."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Call, Fn, Hit, Project, comment_above, for_developers, for_tests

_SWITCH = "fail_silently"
_REPORTS = frozenset({"mail_admins", "mail_managers"})
"""What tells of other failures: it must not get in their way."""


def silent_mails(project: Project) -> Iterator[Hit]:
    """Calls that send mail so, and tell nobody where it is not sent."""
    for fn, call in project.graph.calls_with(_SWITCH):
        if fn.const(call.kwarg(_SWITCH)) is True and _sends(project, fn, call):
            name = f"`{fn.name}()`" if not fn.is_module else "the module"
            quiet = for_developers(fn.path) or for_tests(project, fn) or comment_above(project, fn.path, call.span.line)
            yield Hit(
                f"`{_SWITCH}=True` of `{fn.callee_name(call)}()` in {name} drops failures without a trace, so an outage of the "
                "mail server looks like mail that was sent; log the failure, or let a task try again.",
                fn.location(call.span),
                function=fn.fqn,
                profile="strict" if quiet else None,
            )


def _sends(project: Project, fn: Fn, call: Call) -> bool:
    """Whether mail goes out, of something else than a failure."""
    if fn.callee_name(call) in _REPORTS or fn.inside(call.block, "except") is not None:
        return False
    return "mail" in project.effects.call_effects(fn, call)
