"""Templates of a project by name, and what one reads together with all that it includes, extends and calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from backendlint.categories import TEMPLATE_FOLDERS
from backendlint.project.templates.reader import Join, Template, read
from backendlint.project.templates.syntax import Access

MAX_DEPTH = 5
MAX_READS = 2000


class Seen(NamedTuple):
    """A read of the context, and where it stands."""

    access: Access
    path: str
    line: int
    printed: str = ""
    """As in `Read`."""


class Templates:
    """Looks templates up as loaders do: by their path below a folder of templates."""

    def __init__(self, paths: Sequence[str], sources: Callable[[str], str]) -> None:
        self._sources = sources
        self._read: dict[str, Template] = {}
        self._by_name: dict[str, list[str]] = {}
        for path in paths:
            parts = path.split("/")
            for index, part in enumerate(parts[:-1]):
                if part in TEMPLATE_FOLDERS:
                    self._by_name.setdefault("/".join(parts[index + 1 :]), []).append(path)

    def __bool__(self) -> bool:
        return bool(self._by_name)

    def find(self, name: str, near: str) -> str:
        """The path of the template with this name; of several the one nearest to the file `near`; "" if there is none."""
        package, colon, below = name.rpartition(":")
        found = self._by_name.get(below.removeprefix("templates/") if colon else name.lstrip("/"), [])
        words = near.split("/")
        return max(found, key=lambda path: _shared(path.split("/"), words), default="") if package or found else ""

    def template(self, path: str) -> Template:
        """The template, read once."""
        known = self._read.get(path)
        if known is None:
            try:
                known = read(path, self._sources(path))
            except OSError:
                known = Template(path)
            self._read[path] = known
        return known

    def reads(self, path: str) -> list[Seen]:
        """What the template reads of its context."""
        found: list[Seen] = []
        for seen in self._expanded(self.template(path), "", frozenset(), 0):
            found.append(seen)
            if len(found) >= MAX_READS:
                break
        return found

    def _expanded(self, template: Template, macro: str, overridden: frozenset[str], depth: int) -> Iterator[Seen]:
        for item in template.reads:
            if item.macro == macro and item.block not in overridden:
                yield Seen(item.access, template.path, item.line, item.printed)
        if depth >= MAX_DEPTH:
            return
        for join in template.joins:
            if join.within == macro and join.block not in overridden:
                yield from self._joined(template, join, depth)
        if not macro:
            for name in template.parents:
                path = self.find(name, template.path)
                if path and path != template.path:
                    blocks = overridden | template.blocks
                    yield from self._expanded(self.template(path), "", blocks, depth + 1)

    def _joined(self, template: Template, join: Join, depth: int) -> Iterator[Seen]:
        path = self.find(join.template, template.path) if join.template else template.path
        if not path:
            return
        other = self.template(path)
        scope = dict(join.scope)
        if join.macro:
            names = other.macros.get(join.macro, ())
            for key, value in join.arguments:
                name = names[int(key)] if key.isdigit() and int(key) < len(names) else key
                scope[name] = value
        for seen in self._expanded(other, join.macro, frozenset(), depth + 1):
            if seen.access.root in scope:
                outer = scope[seen.access.root]
                if outer is not None:
                    yield seen._replace(access=seen.access.under(outer))
            elif not join.isolated:
                yield seen


def _shared(left: list[str], right: list[str]) -> int:
    return next((index for index, (one, other) in enumerate(zip(left, right, strict=False)) if one != other), 0)
