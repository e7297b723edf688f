"""Methods of a client that send no key where another one of it does."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from backendlint.api import Call, Fn, Hit, Project, identifier_words

from .keys import names_key

MOVES = re.compile(r"(^|_)(charge|pay|payout|refund|transfer|withdraw|deposit|capture|order|purchase|book|issue)(_|$)")
"""Names of methods that move money or goods."""


def keyless(project: Project, told: Collection[Fn]) -> Iterator[Hit]:
    """`refund()` beside `charge()`, both of which post by the same helper, and one without an `Idempotency-Key`."""
    for cls in project.classes.values():
        methods = list(cls.methods.values())
        keyed = [(fn, posted) for fn in methods if names_key(fn) and (posted := _posted(project, fn))]
        for fn in methods if keyed else ():
            if fn in told or names_key(fn) or not MOVES.search("_".join(identifier_words(fn.name))):
                continue
            for way, call in _posted(project, fn).items():
                example = next((item for item, ways in keyed if way in ways), None)
                if example is not None and project.counts(fn):
                    yield Hit(
                        f"`{fn.name}()` posts without an idempotency key, which `{example.name}()` beside it sends: repeated after a "
                        "timeout, it is done twice. Take a key from the caller, and pass it on.",
                        fn.location(call.span),
                        related=(example.step(example.facts.header, f"`{example.name}()` sends a key"),),
                        function=fn.fqn,
                    )
                    break


def _posted(project: Project, fn: Fn) -> dict[str, Call]:
    """By what the function posts: a helper of its own class, or the library's call."""
    found: dict[str, Call] = {}
    for call in fn.calls:
        told = any(fn.const(vid) == "POST" for vid in call.args)
        for target in project.targets(fn, call):
            named = "post" in identifier_words(target.name)
            if target.cls is not None and target is not fn and (told or named):
                found.setdefault(target.fqn, call)
        for model in project.models(fn, call):
            if "http" in model.effect and (model.method == "POST" or (told and model.method.startswith("arg:"))):
                found.setdefault(model.name, call)
    return found
