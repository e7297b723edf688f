"""Claims of a token that are called passwords."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Hit, Project, arguments, display, identifier_words, name_of_value, sensitive

TOKEN = "whose content everybody can read who sees the token; leave it out."
CLAIMED = frozenset({"password", "passwd", "pwd", "secret"})


def claims(project: Project) -> Iterator[Hit]:
    """Claims of a token that are called passwords, whatever their values are called."""
    for site in project.effects.sites:
        jwt = site.model.jwt
        for vid in arguments(site.call, jwt.claims) if jwt is not None and jwt.claims is not None else ():
            owner, shown = display(project, site.fn, vid)
            value = owner.facts.values[shown]
            for key, item in value[1] if value[0] == "dict" else ():
                name = owner.const(key) if key >= 0 else ...
                if (
                    not isinstance(name, str)
                    or not CLAIMED.intersection(identifier_words(name))
                    or sensitive(name) != "secret"
                ):
                    continue
                if any(origin.what == "secret" for origin in project.taint.labels(owner, item)):
                    continue  # a flow
                if identifier_words(name_of_value(owner, item))[-1:] in (("id",), ("pk",), ("uuid",)):
                    continue  # whose password it is about
                yield Hit(
                    f"A secret (`{name}`) reaches `{site.model.name.rpartition('.')[2]}()` in `{site.fn.name}()`, {TOKEN}",
                    site.fn.location(site.call.span),
                    flow=(
                        owner.step(owner.facts.span_of(item), f"the claim `{name}`"),
                        site.fn.step(site.call.span, "signs it"),
                    ),
                    function=site.fn.fqn,
                )
