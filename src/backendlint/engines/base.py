"""What all engines share: the context they run in, what they yield, and which files a rule's `needs` select."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from backendlint.findings.model import Hit, Location, Notification

if TYPE_CHECKING:
    from backendlint.facts.model import FileFacts, Span
    from backendlint.ruleset.manifest import Rule

Result = tuple["Rule", Hit] | Notification
"""What an engine yields: a hit of a rule, or something that the report must say about the run itself."""


class EngineCache(Protocol):
    """Results kept between runs, by kind and key; see cache.py."""

    def get_many(self, kind: str, keys: Sequence[str]) -> Mapping[str, bytes]:
        """The stored values of those keys that are there."""

    def put_many(self, kind: str, items: Mapping[str, bytes]) -> None:
        """Store values; failures to write are the cache's business."""


def _load_check(rule: Rule) -> Callable[..., Iterable[Hit]]:
    from backendlint.ruleset.check import load_check

    found: Callable[..., Iterable[Hit]] = load_check(rule)
    return found


@dataclass(slots=True)
class EngineContext:
    """Where and how the engines run."""

    root: Path
    read: Callable[[str], str]
    """Text of a file by its path relative to the root; raises OSError where it is gone."""
    cache: EngineCache | None = None
    digests: Mapping[str, str] = field(default_factory=dict)
    """Content hash by path, where discovery knows it already; see `digest`."""
    jobs: int = 1
    time_limit: float = 300.0
    """Seconds that one external command may take."""
    options: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """Users' settings by rule id; they decide what a check finds, so cached results depend on them."""
    effects: Callable[[str], Sequence[str]] | None = None
    """Effects of calling a dotted name, by the library models (`http`, `db-read`, ...); None matches every call."""
    models: str = ""
    """Hash of the library models; what a rule needs depends on them."""
    load_check: Callable[[Rule], Callable[..., Iterable[Hit]]] = _load_check
    words: dict[str, frozenset[str]] = field(default_factory=dict)
    """What needs.py has collected of each file, by path."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Seconds that each rule's check took, by rule id; engines add to it."""

    def digest(self, path: str) -> str:
        """The hash of a file's content; raises OSError where it is gone."""
        known = self.digests.get(path)
        return known if known is not None else digest_of(self.read(path))

    @contextmanager
    def timed(self, key: str) -> Iterator[None]:
        """Add the block's duration to `seconds[key]`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[key] = self.seconds.get(key, 0.0) + time.perf_counter() - start


def digest_of(*parts: object) -> str:
    """A short hash of the parts' text, in order."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        text = str(part).encode("utf-8", "surrogatepass")
        digest.update(len(text).to_bytes(8, "big") + text)
    return digest.hexdigest()


def rule_digest(rules: Sequence[Rule], ctx: EngineContext) -> str:
    """Changes with the rules' files, manifests and options: results cached under it are as fresh as the rules."""
    parts: list[object] = []
    for rule in sorted(rules, key=lambda rule: rule.id):
        parts += [rule, sorted(ctx.options.get(rule.id, {}).items())]
        parts += [f"{path}:{path.read_bytes().hex()}" for path in rule_files(rule)]
    return digest_of(*parts)


def keys_for(rules: Sequence[Rule], files: Iterable[str], ctx: EngineContext) -> dict[str, str]:
    """The key under which the rules' results in a file are cached, by path in order; files that are gone have none."""
    pack = rule_digest(rules, ctx)
    keys: dict[str, str] = {}
    for path in sorted(files):
        try:
            keys[path] = digest_of(ctx.digest(path), path, pack, ctx.models)
        except OSError:
            continue  # reading it was reported by the stage that reads files
    return keys


def rule_files(rule: Rule) -> list[Path]:
    """The files that decide what a rule finds: its folder's Python and YAML files, or the one file that it is."""
    if rule.folder.is_file():
        return [rule.folder]
    return sorted(path for path in rule.folder.iterdir() if path.suffix in {".py", ".yaml", ".yml"})


def has_check(rule: Rule) -> bool:
    """Whether a semgrep rule has a check.py too, which judges its hits (a folder's, not that of a file of patterns)."""
    return (rule.folder / "check.py").is_file()


def rule_failed(rule: Rule, path: str, error: BaseException) -> Notification:
    """A check raised: say which and on what; its findings there are missing, so the exit code must tell."""
    where = f" on {path}" if path else ""
    message = f"{rule.id} ({rule.name}) failed{where}: {type(error).__name__}: {error}; its findings there are missing"
    location = Location(path, 1, 1, 1, 1) if path else None
    return Notification("rule-failed", message, "error", location)


def enclosing_function(facts: FileFacts, line: int, column: int) -> str | None:
    """Qualified name of the innermost function around a place (column 0-based), or None at module level."""
    best: tuple[tuple[int, int], str] | None = None
    for function in facts.functions[1:]:
        if inside(function.span, line, column):
            start = (function.span.line, function.span.column)
            if best is None or start >= best[0]:
                best = (start, function.qualname)
    return best[1] if best else None


def inside(span: Span, line: int, column: int) -> bool:
    """Whether the place (line 1-based, column 0-based) lies in the span."""
    return (span.line, span.column) <= (line, column) < (span.end_line, span.end_column)
