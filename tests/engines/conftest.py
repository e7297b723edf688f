from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from backendlint.engines.base import EngineContext
from backendlint.facts.extract import extract
from backendlint.facts.model import FileFacts
from backendlint.parse import parse
from backendlint.ruleset.manifest import Rule

RULE = Rule(
    id="SEC999",
    name="sample-rule",
    pillar="security",
    engine="cst",
    severity="warning",
    confidence="high",
    profile="default",
    summary="Sample",
    help="Do otherwise.",
    checklist=("S-CRYPTO",),
)


class MemoryCache:
    """A cache that also counts what is asked of it."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, str], bytes] = {}

    def get_many(self, kind: str, keys: Sequence[str]) -> dict[str, bytes]:
        return {key: self.values[kind, key] for key in keys if (kind, key) in self.values}

    def put_many(self, kind: str, items: Mapping[str, bytes]) -> None:
        self.values.update({(kind, key): value for key, value in items.items()})


class Tree:
    """A small project in memory with its facts, and a rule to run on it."""

    rule = RULE

    def __init__(self, root: Path) -> None:
        self.root = root
        self.texts: dict[str, str] = {}
        self.files: dict[str, FileFacts] = {}

    def add(self, path: str, text: str) -> None:
        parsed = parse(text.encode(), path)
        assert parsed.tree is not None, parsed.problem
        module = path.removesuffix(".py").replace("/", ".")
        self.texts[path] = parsed.text
        self.files[path] = extract(parsed.tree, parsed.text, path=path, module=module, is_package=False)

    def context(self, **settings: object) -> EngineContext:
        return replace(EngineContext(self.root, self.texts.__getitem__), **settings)  # type: ignore[arg-type]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


@pytest.fixture
def cache() -> MemoryCache:
    return MemoryCache()


@pytest.fixture
def semgrep_rule(tmp_path: Path) -> Callable[..., Rule]:
    def make(text: str, **settings: object) -> Rule:
        folder = tmp_path / "rules" / str(settings.get("id", "SEC999"))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "semgrep.yaml").write_text(text, encoding="utf-8")
        return replace(RULE, engine="semgrep", folder=folder, **settings)  # type: ignore[arg-type]

    return make
