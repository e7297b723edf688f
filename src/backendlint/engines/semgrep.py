"""The semgrep engine: all rules with a semgrep.yaml, in one subprocess that runs beside our other work.

`start` looks up what is cached, copies the files that are not into a temporary tree and starts the command there;
`Handle.results` waits for it. The temporary tree makes the run independent of the project's .semgrepignore, .gitignore
and odd file names, of the length of a command line and of files that change during the scan.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from backendlint.engines.base import EngineContext, Result, enclosing_function, keys_for
from backendlint.engines.needs import files_for, meets_all
from backendlint.engines.semgrep_command import Outcome, SemgrepRun, glob
from backendlint.engines.semgrep_rules import Pattern, merge
from backendlint.findings.model import Edit, Fix, Hit, Location, Notification

if TYPE_CHECKING:
    from backendlint.facts.model import FileFacts
    from backendlint.ruleset.manifest import Rule

KIND = "semgrep"
"""The cache's name for what we keep there."""

Raw = dict[str, Any]
"""One file's outcome as cached: {"results": [...], "errors": [...]} with positions in characters."""


def run(rules: Sequence[Rule], files: Mapping[str, FileFacts], ctx: EngineContext) -> Iterator[Result]:
    """Start and wait: for callers with nothing else to do meanwhile."""
    yield from start(rules, files, ctx).results()


def start(rules: Sequence[Rule], files: Mapping[str, FileFacts], ctx: EngineContext) -> Handle:
    """Begin with the files (by path) that the semgrep rules among `rules` need; returns at once."""
    chosen = [rule for rule in rules if rule.engine == "semgrep"]
    handle = Handle(ctx, files, {rule.id: rule for rule in chosen})
    if not chosen:
        return handle
    handle.keys = keys_for(chosen, files, ctx)
    stored = ctx.cache.get_many(KIND, list(handle.keys.values())) if ctx.cache is not None else {}
    handle.done = {path: json.loads(stored[key]) for path, key in handle.keys.items() if key in stored}
    todo = [files[path] for path in handle.keys if path not in handle.done]
    handle.wanted = files_for(chosen, todo, ctx)
    handle.keep_idle(facts.path for facts in todo if facts.path not in handle.wanted)
    if handle.wanted:
        handle.begin(chosen)
    return handle


@dataclass(slots=True)
class Handle:
    """A run under way."""

    ctx: EngineContext
    files: Mapping[str, FileFacts]
    rules: Mapping[str, Rule]
    """By id."""
    wanted: dict[str, list[Rule]] = field(default_factory=dict)
    """Files that the cache does not answer, with the rules that are for them."""
    keys: dict[str, str] = field(default_factory=dict)
    """Cache key by path."""
    done: dict[str, Raw] = field(default_factory=dict)
    patterns: dict[str, Pattern] = field(default_factory=dict)
    """By the id that semgrep sees."""
    problems: list[Notification] = field(default_factory=list)
    running: SemgrepRun | None = None

    def begin(self, rules: Sequence[Rule]) -> None:
        """Start the command for the files that the cache does not answer."""
        entries, self.patterns, self.problems = merge(rules)
        todo = list(self.wanted)
        config, expected, targets = self._plan(entries, todo)
        texts: dict[str, str] = {}
        for path in todo:
            try:
                texts[path] = self.ctx.read(path) if path in targets else ""
            except OSError:
                del self.wanted[path]  # gone since its facts were read
        self.keep_idle(path for path in texts if path not in targets)
        texts = {path: text for path, text in texts.items() if path in targets}
        if texts:
            self.running = SemgrepRun.start(config, texts, expected, self.ctx.jobs, self.ctx.time_limit)

    def keep_idle(self, paths: Iterable[str]) -> None:
        """Files in which no pattern can find anything."""
        self._keep({path: {"results": [], "errors": []} for path in paths})

    def _plan(self, entries: list[dict[str, Any]], paths: list[str]) -> tuple[str, set[str], set[str]]:
        """The config, the files that must be read, and those that may be.

        Each pattern is told its files (semgrep tries every pattern on every file otherwise), but for those of users that
        say so themselves with `paths`.
        """
        kept: list[dict[str, Any]] = []
        expected: set[str] = set()
        targets: set[str] = set()
        for entry in entries:
            pattern = self.patterns[entry["id"]]
            mine = [
                path
                for path in paths
                if pattern.rule in self.wanted[path] and meets_all(pattern.needs, self.files[path], self.ctx)
            ]
            if not mine:
                continue
            targets.update(mine)
            if "paths" in entry:
                kept.append(entry)
                continue
            expected.update(mine)
            kept.append({**entry, "paths": {"include": [glob(path) for path in mine]}})
        return json.dumps({"rules": kept}, ensure_ascii=False), expected, targets

    def results(self) -> Iterator[Result]:
        """Wait for the command, keep its results in the cache, and give everything found in the wanted files."""
        yield from self.problems
        if self.running is not None:
            with self.ctx.timed("semgrep"):
                outcome = self.running.finish()
            yield from self._take(outcome)
        for path in sorted(self.done):
            yield from self._of_file(path, self.done[path])

    def cancel(self) -> None:
        """Stop a command that nobody will wait for."""
        if self.running is not None:
            self.running.close()

    def _take(self, outcome: Outcome) -> Iterator[Notification]:
        yield from outcome.problems
        lasting = {}
        for path, raw in outcome.files.items():
            wanted = {rule.id for rule in self.wanted[path]}
            portable = [self._portable(result) for result in raw["results"]]
            results = [result for result in portable if result["id"] in wanted]
            self.done[path] = {"results": results, "errors": raw["errors"]}
            if not raw["transient"]:
                lasting[path] = self.done[path]
        self._keep(lasting)

    def _keep(self, files: dict[str, Raw]) -> None:
        """Take the files' outcome, and cache it unless a rule could not be used."""
        self.done.update(files)
        if self.ctx.cache is not None and files and not self.problems:
            self.ctx.cache.put_many(KIND, {self.keys[path]: json.dumps(raw).encode() for path, raw in files.items()})

    def _portable(self, result: Raw) -> Raw:
        """Name the rule by its own id instead of the merged config's."""
        pattern = self.patterns[result["id"]]
        return {**result, "id": pattern.rule.id, "metadata": pattern.metadata}

    def _of_file(self, path: str, raw: Raw) -> Iterator[Result]:
        seen: set[tuple[str, Location]] = set()
        for result in raw["results"]:
            rule = self.rules.get(result["id"])
            location = Location(path, *result["span"])
            if rule is not None and (rule.id, location) not in seen:
                seen.add((rule.id, location))
                yield rule, self._hit(rule, location, result)
        for message in raw["errors"]:
            yield Notification("semgrep-partial", message, "note", Location(path, 1, 1, 1, 1))

    def _hit(self, rule: Rule, location: Location, result: Raw) -> Hit:
        facts = self.files.get(location.path)
        function = enclosing_function(facts, location.line, location.column - 1) if facts else None
        metadata = result["metadata"]
        fix = None
        if result["fix"] is not None and rule.fix != "none":
            fix = Fix(rule.help, (Edit(location, result["fix"]),), safe=rule.fix == "safe")
        return Hit(
            message=result["message"],
            location=location,
            severity=metadata.get("severity"),
            confidence=metadata.get("confidence"),
            profile=metadata.get("profile"),
            help=metadata.get("help"),
            fix=fix,
            function=function,
        )
