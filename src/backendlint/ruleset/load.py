"""Rule folders to a RuleSet. A rule is found by its folder; nothing lists them."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args

from backendlint import __version__
from backendlint.errors import RuleError
from backendlint.findings.model import PILLARS
from backendlint.ruleset.manifest import Engine, Rule
from backendlint.ruleset.nearest import did_you_mean
from backendlint.ruleset.yamlfile import YamlFile, read_yaml

MANIFEST = "rule.yaml"
_ID = re.compile(r"[A-Z]{2,10}\d{1,4}")
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_NOT_KEYS = {"folder", "origin"}


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All loaded rules, in rank order of their pillars, then by id."""

    rules: tuple[Rule, ...]
    _by_key: dict[str, Rule] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        for rule in self.rules:
            self._by_key[rule.id.casefold()] = rule
            self._by_key[rule.name] = rule

    def __iter__(self) -> Iterator[Rule]:
        return iter(self.rules)

    def __len__(self) -> int:
        return len(self.rules)

    def find(self, key: str) -> Rule | None:
        """The rule with this id or name, whatever the letters' case."""
        return self._by_key.get(key.casefold())


def builtin_folder() -> Path:
    """The checkout's rules/ where the package runs from one, else the copy that the wheel carries."""
    package = Path(__file__).resolve().parent.parent
    checkout = package.parent.parent
    if package.parent.name == "src" and (checkout / "rules").is_dir():
        return checkout / "rules"
    return package / "_rules"


def project_folder(root: Path) -> Path | None:
    """The scanned project's own rules (data only: they are never executed), or None."""
    folder = root / ".backendlint" / "rules"
    return folder if folder.is_dir() and not folder.is_symlink() else None


def pack_hash(folders: Sequence[Path]) -> str:
    """Changes with backendlint's version and any file below the folders (name, size, time; no file is read)."""
    digest = hashlib.sha256(__version__.encode())
    for folder in folders:
        digest.update(f"\0{folder}".encode())
        for entry in sorted(_files(folder)):
            digest.update(repr(entry).encode())
    return digest.hexdigest()


def load_rules(
    folders: Sequence[Path], data_only: Sequence[Path] = (), bare: Callable[[Path], Sequence[Rule]] | None = None
) -> RuleSet:
    """Load every rule below the folders; those below `data_only` may not bring Python along.

    `bare` reads semgrep YAML that stands without a rule.yaml in a user's folder (engines.semgrep_rules.bare_rules).
    Raises RuleError that names file, line and what is allowed, also when two rules share an id or a name.
    """
    rules: list[Rule] = []
    seen: dict[str, Rule] = {}
    named = [folder.resolve() for folder in folders]
    untrusted = [path for path in data_only if not any(path.resolve().is_relative_to(folder) for folder in named)]
    for folder, trusted in [*((path, True) for path in folders), *((path, False) for path in untrusted)]:
        for rule in _rules_in(folder, bare):
            if not trusted and (rule.engine != "semgrep" or (rule.folder / "check.py").exists()):
                raise RuleError(
                    f"{rule.folder / MANIFEST}: a scanned project's own rules may only use the `semgrep` engine and no "
                    "check.py: backendlint does not run code of what it scans; name the folder with --rules "
                    "if you trust it"
                )
            for key in dict.fromkeys((rule.id, rule.name)):
                if key in seen:
                    raise RuleError(f"{rule.folder}: `{key}` is already the rule in {seen[key].folder}")
                seen[key] = rule
            rules.append(rule)
    rules.sort(key=lambda rule: (PILLARS.index(rule.pillar), rule.id))
    return RuleSet(tuple(rules))


def _rules_in(folder: Path, bare: Callable[[Path], Sequence[Rule]] | None) -> Iterator[Rule]:
    """The folder's rules, in the order of their paths."""
    ours = folder == builtin_folder()
    paths = sorted(Path(path) for path, _, _ in _files(folder))
    homes = {path.parent for path in paths if path.name == MANIFEST}
    for path in paths:
        if path.name == MANIFEST:
            rule = load_rule(path)
            yield replace(rule, origin="builtin") if ours else rule
        elif not ours and bare and path.suffix in (".yaml", ".yml") and path.parent not in homes:
            yield from bare(path)


def load_rule(manifest: Path) -> Rule:
    """Load and validate one rule.yaml (origin `user`); raises RuleError."""
    import msgspec

    document = read_yaml(manifest)
    _check_keys(document)
    try:
        rule = msgspec.convert({**document.data, "origin": "user"}, Rule)
    except msgspec.ValidationError as error:
        raise RuleError(_explain(document, str(error))) from error
    check_identity(rule.id, rule.name, document.where(("id",)))
    part = "semgrep.yaml" if rule.engine == "semgrep" else "check.py"
    if not (manifest.parent / part).is_file():
        raise RuleError(f"{document.where(('engine',))}: the `{rule.engine}` engine needs a {part} beside it")
    return replace(rule, folder=manifest.parent)


def check_identity(rule_id: str, name: str, place: str) -> None:
    """Raise RuleError unless id and name are well-formed; `place` begins the message."""
    if not _ID.fullmatch(rule_id):
        raise RuleError(f"{place}: `{rule_id}` is no rule id: capitals, then digits, e.g. `SEC101`")
    if not _NAME.fullmatch(name):
        raise RuleError(f"{place}: `{name}` is no rule name: kebab-case, e.g. `sql-injection`")


@lru_cache(maxsize=1)
def rule_keys() -> tuple[str, ...]:
    """The keys that rule.yaml may hold."""
    return tuple(item.name for item in fields(Rule) if item.name not in _NOT_KEYS)


def _check_keys(document: YamlFile) -> None:
    if not isinstance(document.data, dict):
        raise RuleError(f"{document.where()}: a rule is a mapping with the keys {', '.join(rule_keys())}")
    for key in document.data:
        if key not in rule_keys():
            hint = did_you_mean(str(key), rule_keys()) or f"; allowed are {', '.join(rule_keys())}"
            raise RuleError(f"{document.where((str(key),))}: unknown key `{key}`{hint}")


def _explain(document: YamlFile, problem: str) -> str:
    """msgspec's message with our file and line, and the allowed values where they are few."""
    text, _, trail = problem.partition(" - at `$")
    key: list[str | int] = [
        int(index) if index else name for name, index in re.findall(r"\.([A-Za-z_]\w*)|\[(\d+)\]", trail)
    ]
    allowed = _allowed(str(key[0])) if key else ()
    listed = f" (allowed: {', '.join(allowed)})" if allowed else ""
    what = f"`{'.'.join(map(str, key))}`: " if key else ""
    return f"{document.where(tuple(key))}: {what}{text}{listed}"


def _allowed(key: str) -> tuple[str, ...]:
    if key == "engine":
        return get_args(Engine)
    import typing

    hints: dict[str, Any] = typing.get_type_hints(Rule)
    return tuple(value for value in get_args(hints.get(key)) if isinstance(value, str))


def _files(folder: Path) -> Iterator[tuple[str, int, int]]:
    """(path, size, time in ns) of all regular files below; an absent folder has none."""
    stack = [str(folder)]
    while stack:
        try:
            with os.scandir(stack.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        if entry.name != "__pycache__" and not entry.name.startswith("."):
                            stack.append(entry.path)
                    elif entry.is_file(follow_symlinks=False):
                        status = entry.stat(follow_symlinks=False)
                        yield entry.path, status.st_size, status.st_mtime_ns
        except FileNotFoundError:
            continue
        except OSError as error:
            raise RuleError(f"{error.filename or folder}: cannot be read: {error.strerror}") from error
