"""What the user may have meant."""

from __future__ import annotations

from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean A or B?`, or "" where nothing is near."""
    import difflib

    by_folded = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(word.casefold(), by_folded, n=3, cutoff=0.6)
    if not near:
        return ""
    return "; did you mean " + " or ".join(f"`{by_folded[name]}`" for name in near) + "?"
