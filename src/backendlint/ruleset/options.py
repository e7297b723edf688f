"""What a check reads of its rule's options."""

from __future__ import annotations

from collections.abc import Mapping


def listed(options: Mapping[str, object], key: str) -> frozenset[str]:
    """The texts of an option that is a list; none where the settings made something else of it."""
    value = options[key]
    return frozenset(map(str, value)) if isinstance(value, list | tuple) else frozenset()
