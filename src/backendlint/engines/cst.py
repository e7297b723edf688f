"""The cst engine: rules that must see exact syntax, each run on just the statements that the facts nominate.

A check.py may define, beside `check(site)`, `suspects(file, function)`: it yields indices of `function.blocks` (`try`,
`except`, `finally`, `with`, `for`, `while`) or the spans of simple statements and expressions. Without it the rule's
`needs` say which statements there are: handlers, finally, with, loops, raises, asserts, calls. libcst is imported only
where a check asks for the syntax of a statement that the cache does not answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backendlint.engines.base import EngineContext, Result, keys_for, rule_failed
from backendlint.engines.needs import files_for
from backendlint.engines.site import SyntaxSite, UnreadableError
from backendlint.facts.model import FileFacts, FunctionFacts, Span
from backendlint.findings.model import Hit, Location, Notification
from backendlint.parse import is_panic, split_lines

if TYPE_CHECKING:
    from backendlint.engines.snippet import Snippet
    from backendlint.ruleset.manifest import Rule

KIND = "cst"
NOTHING = b"[]"
"""The encoded hits of a file without any."""
Suspects = Callable[[FileFacts, FunctionFacts], Iterable[int | Span]]
_PARTS = ("except", "try-else", "finally")
_BLOCKS = {"handlers": ("try",), "finally": ("finally",), "with": ("with",), "loops": ("for", "while")}


@dataclass(frozen=True, slots=True)
class _Suspect:
    span: Span
    block: int
    rule: Rule
    function: FunctionFacts
    compound: bool


@dataclass(frozen=True, slots=True)
class _Loaded:
    rule: Rule
    check: Callable[[SyntaxSite], Iterable[Hit]]
    suspects: Suspects


def run(rules: Sequence[Rule], files: Mapping[str, FileFacts], ctx: EngineContext) -> Iterator[Result]:
    """All hits of the cst rules among `rules` in the files, by path, and what could not be run."""
    chosen = [rule for rule in rules if rule.engine == "cst"]
    if not chosen:
        return
    keys = keys_for(chosen, files, ctx)
    stored = ctx.cache.get_many(KIND, list(keys.values())) if ctx.cache is not None else {}
    wanted = files_for(chosen, (files[path] for path, key in keys.items() if key not in stored), ctx)
    by_id = {rule.id: rule for rule in chosen}
    loaded: dict[str, _Loaded] | None = None
    fresh: dict[str, bytes] = {}
    whole = True
    for path, key in keys.items():
        if key in stored:
            yield from ((by_id[rule_id], hit) for rule_id, hit in _decode(stored[key]))
            continue
        if path not in wanted:
            fresh[key] = NOTHING
            continue
        if loaded is None:
            needed = {rule.id for rules in wanted.values() for rule in rules}
            loaded, problems = _load([rule for rule in chosen if rule.id in needed], ctx)
            whole = not problems
            yield from problems
        results = list(_file([loaded[rule.id] for rule in wanted[path] if rule.id in loaded], files[path], ctx))
        yield from results
        hits = [(result[0].id, result[1]) for result in results if not isinstance(result, Notification)]
        if len(hits) == len(results) and whole:
            fresh[key] = _encode(hits)
    if ctx.cache is not None and fresh:
        ctx.cache.put_many(KIND, fresh)


def _load(rules: Sequence[Rule], ctx: EngineContext) -> tuple[dict[str, _Loaded], list[Notification]]:
    loaded: dict[str, _Loaded] = {}
    problems = []
    for rule in rules:
        try:
            check = ctx.load_check(rule)
        except Exception as error:  # noqa: BLE001 - whatever a rule raises, the others go on
            problems.append(rule_failed(rule, "", error))
            continue
        suspects = getattr(check, "__globals__", {}).get("suspects") or _by_needs(rule)
        loaded[rule.id] = _Loaded(rule, check, suspects)
    return loaded, problems


def _by_needs(rule: Rule) -> Suspects:
    kinds = {kind for key in rule.needs for kind in _BLOCKS.get(key, ())}

    def suspects(_file: FileFacts, function: FunctionFacts) -> Iterator[int | Span]:
        yield from (index for index, block in enumerate(function.blocks) if block.kind in kinds)
        if "raises" in rule.needs:
            yield from (item.span for item in function.raises)
        if "asserts" in rule.needs:
            yield from (item.span for item in function.statements if item.kind == "assert")
        if "calls" in rule.needs:
            yield from (item.span for item in function.calls)

    return suspects


def _file(rules: Sequence[_Loaded], facts: FileFacts, ctx: EngineContext) -> Iterator[Result]:
    """All rules' results in one file: nominate, then parse each statement once, outer ones first."""
    suspects: list[_Suspect] = []
    for loaded in rules:
        try:
            for function in facts.functions:
                suspects += [_suspect(item, loaded.rule, function) for item in loaded.suspects(facts, function)]
        except Exception as error:  # noqa: BLE001 - whatever a rule raises, the others go on
            yield rule_failed(loaded.rule, facts.path, error)
    if not suspects:
        return
    suspects.sort(key=lambda item: (item.span[:2], [-number for number in item.span[2:]], item.rule.id, item.block))
    try:
        lines = split_lines(ctx.read(facts.path))
    except OSError:
        return  # gone since its facts were read
    checks = {loaded.rule.id: loaded.check for loaded in rules}
    parser = _Parser(lines, ctx)
    for suspect in suspects:
        yield from _site(suspect, parser, facts, checks[suspect.rule.id], ctx)


@dataclass(slots=True)
class _Parser:
    """Parses statements of one file, each once: sites come sorted, outer ones first."""

    lines: Sequence[str]
    ctx: EngineContext
    last: Snippet | None = None

    def parse(self, span: Span) -> Snippet:
        """The parsed text that holds the span; raises UnreadableError."""
        if self.last is None or not self.last.covers(span):
            with self.ctx.timed("libcst"):
                self.last = _parse(self.lines, span)
        return self.last


def _suspect(item: int | Span, rule: Rule, function: FunctionFacts) -> _Suspect:
    if isinstance(item, Span):
        block = max(
            (index for index, block in enumerate(function.blocks) if block.span.holds(item)),
            key=lambda index: function.blocks[index].span[:2],
            default=0,
        )
        return _Suspect(item, block, rule, function, compound=False)
    nominated = function.blocks[item]
    owner = function.blocks[nominated.group] if nominated.kind in _PARTS else nominated
    return _Suspect(owner.span, item, rule, function, compound=True)


def _parse(lines: Sequence[str], span: Span) -> Snippet:
    from libcst import ParserSyntaxError

    from backendlint.engines.snippet import parse

    try:
        return parse(lines, span)
    except (ParserSyntaxError, RecursionError, IndexError) as error:
        raise UnreadableError(" ".join(str(error).split())[:200] or type(error).__name__) from error
    except BaseException as error:
        if not is_panic(error):
            raise
        raise UnreadableError("libcst's own parser failed") from error


def _site(
    suspect: _Suspect,
    parser: _Parser,
    facts: FileFacts,
    check: Callable[[SyntaxSite], Iterable[Hit]],
    ctx: EngineContext,
) -> Iterator[Result]:
    rule = suspect.rule
    options = {**rule.options, **ctx.options.get(rule.id, {})}
    site = SyntaxSite(
        facts, suspect.function, suspect.block, suspect.span, suspect.compound, parser.lines, parser.parse, options
    )
    try:
        with ctx.timed(rule.id):
            hits = list(check(site))
    except UnreadableError as error:
        yield _unread(facts.path, suspect, str(error))
        return
    except Exception as error:  # noqa: BLE001 - whatever a rule raises, the others go on
        yield rule_failed(rule, facts.path, error)
        return
    yield from ((rule, hit) for hit in hits)


def _unread(path: str, suspect: _Suspect, reason: str) -> Notification:
    line = suspect.span.line
    message = f"{path}:{line}: libcst cannot read this statement, so {suspect.rule.id} was not checked on it: {reason}"
    return Notification("cst-unread", message, "warning", Location(path, line, 1, line, 1))


def _encode(hits: list[tuple[str, Hit]]) -> bytes:
    import msgspec

    return msgspec.json.encode(hits)


def _decode(data: bytes) -> list[tuple[str, Hit]]:
    if data == NOTHING:
        return []
    import msgspec

    return msgspec.json.decode(data, type=list[tuple[str, Hit]])
