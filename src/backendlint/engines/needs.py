"""Which files a rule is for: its manifest's `needs` held against the files' facts.

Keys of `needs`, all of which must be met (an unknown key is the manifest's mistake):

| key | met where the file |
|---|---|
| `imports` | imports one of these modules or something below it |
| `names` | mentions one of these words: an attribute, the end of a name, a keyword argument, an assigned name, a short text |
| `uses` | imports the first word of an entry (`*`: whatever) and mentions one of its others |
| `calls` | calls something that has one of these effects by the library models; with no values: calls anything |
| `handlers` | has an `except`; with values: one for any of these types (dotted, `bare` for an `except:`) |
| `finally` `with` `loops` | has such a block |
| `raises` `asserts` | has such a statement |
| `classes` `decorators` `async` | has any |

`routes`, `sql`, `models`, `sinks` and `sources` need the whole project: they are the project stage's business and are
taken as met here. `sql` (SQL texts, schemas, migrations) also tells which rules had better run in one process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from backendlint.facts.within import caught

if TYPE_CHECKING:
    from backendlint.engines.base import EngineContext
    from backendlint.facts.model import FileFacts
    from backendlint.ruleset.manifest import Rule

LONGEST_WORD = 80
"""Characters of a text that still counts as a word; of a longer one nothing does. Paths also count as `/first/`."""
Test = Callable[["FileFacts", tuple[str, ...], "EngineContext"], bool]


def meets(rule: Rule, facts: FileFacts, ctx: EngineContext) -> bool:
    """Whether the file's facts meet all of the rule's needs."""
    return meets_all(rule.needs, facts, ctx)


def meets_all(needs: Mapping[str, tuple[str, ...]], facts: FileFacts, ctx: EngineContext) -> bool:
    """Whether the file's facts meet all of the needs."""
    return all(_TESTS[key](facts, wanted, ctx) for key, wanted in needs.items() if key in _TESTS)


def of_files(needs: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether any of the needs is one that files meet; the others are about the project."""
    return not _TESTS.keys().isdisjoint(needs)


def files_for(rules: Sequence[Rule], files: Iterable[FileFacts], ctx: EngineContext) -> dict[str, list[Rule]]:
    """Paths of the files that at least one rule is for, with those rules."""
    found = {facts.path: [rule for rule in rules if meets(rule, facts, ctx)] for facts in files}
    return {path: selected for path, selected in found.items() if selected}


def _imports(facts: FileFacts, wanted: tuple[str, ...], _: EngineContext) -> bool:
    return any(
        item.target == module or item.target.startswith(module + ".") for item in facts.imports for module in wanted
    )


def _names(facts: FileFacts, wanted: tuple[str, ...], ctx: EngineContext) -> bool:
    return not _words(facts, ctx).isdisjoint(wanted)


def _uses(facts: FileFacts, wanted: tuple[str, ...], ctx: EngineContext) -> bool:
    words = _words(facts, ctx)
    for entry in wanted:
        module, *names = entry.split()
        if not words.isdisjoint(names) and (module == "*" or _imports(facts, (module,), ctx)):
            return True
    return False


def _words(facts: FileFacts, ctx: EngineContext) -> frozenset[str]:
    """The file's words, collected once a run."""
    known = ctx.words.get(facts.path)
    if known is None:
        known = ctx.words[facts.path] = frozenset(_collect(facts))
    return known


def _collect(facts: FileFacts) -> Iterator[str]:
    yield from facts.names
    for cls in facts.classes.values():
        yield from cls.attributes
    for function in facts.functions:
        yield function.name
        for value in function.values:
            operation = value[0]
            if operation == "attr":
                yield value[2]
            elif operation == "name":
                yield value[1].rpartition(".")[2]
            elif operation == "const" and isinstance(value[1], str) and len(value[1]) < LONGEST_WORD:
                yield value[1]
                if value[1].startswith("/"):
                    yield f"/{value[1].split('/')[1]}/"
        for call in function.calls:
            yield from (key for key, _ in call.kwargs)
        yield from (store.name for store in function.stores)


def _calls(facts: FileFacts, wanted: tuple[str, ...], ctx: EngineContext) -> bool:
    effects = ctx.effects
    for function in facts.functions:
        for call in function.calls:
            if not wanted or effects is None:
                return True
            value = function.values[call.func]
            if value[0] != "name" or not set(wanted).isdisjoint(effects(value[1])):
                return True
    return False


def _block(*kinds: str) -> Test:
    def test(facts: FileFacts, _wanted: tuple[str, ...], _ctx: EngineContext) -> bool:
        return any(block.kind in kinds for function in facts.functions for block in function.blocks)

    return test


def _handlers(facts: FileFacts, wanted: tuple[str, ...], ctx: EngineContext) -> bool:
    """`except`, and `contextlib.suppress`, which is one in disguise."""
    if not wanted:
        return _block("except")(facts, wanted, ctx) or "suppress" in _words(facts, ctx)
    return any(
        block.kind == "except" and not set(caught(function, index) or ("bare",)).isdisjoint(wanted)
        for function in facts.functions
        for index, block in enumerate(function.blocks)
    )


def _statement(kind: str) -> Test:
    def test(facts: FileFacts, _wanted: tuple[str, ...], _ctx: EngineContext) -> bool:
        return any(item.kind == kind for function in facts.functions for item in function.statements)

    return test


_TESTS: dict[str, Test] = {
    "imports": _imports,
    "names": _names,
    "uses": _uses,
    "calls": _calls,
    "handlers": _handlers,
    "finally": _block("finally"),
    "with": _block("with"),
    "loops": _block("for", "while"),
    "raises": lambda facts, _wanted, _ctx: any(function.raises for function in facts.functions),
    "asserts": _statement("assert"),
    "classes": lambda facts, _wanted, _ctx: bool(facts.classes),
    "decorators": lambda facts, _wanted, _ctx: any(function.decorators for function in facts.functions),
    "async": lambda facts, _wanted, _ctx: any(function.is_async for function in facts.functions),
}
