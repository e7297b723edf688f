"""What is done everywhere is told once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from building import build

from backendlint.findings.model import Hit, Location
from backendlint.findings.once import FEW, by_style, here_and_in, told_once
from backendlint.project.entities import Fn


def _hits(count: int) -> list[Hit]:
    return [Hit(f"hit {line}", Location("shop.py", line, 1, line, 9)) for line in range(count, 0, -1)]


def test_a_few_are_told_one_by_one() -> None:
    assert list(told_once(_hits(FEW), lambda hit, others: "never")) == _hits(FEW)[::-1]


def test_of_more_the_first_says_how_many_there_are() -> None:
    first, *others = told_once(_hits(FEW + 1), lambda hit, others: f"{hit.message}, {others}")

    assert (first.message, first.profile, first.severity) == ("hit 1, 4 more places", None, "note")
    assert [(hit.message, hit.profile) for hit in others] == [(f"hit {line}", "strict") for line in range(2, FEW + 2)]


def test_what_is_doubtful_does_not_stand_for_the_others() -> None:
    doubtful, *sure = _hits(FEW + 1)[::-1]
    first, *_ = told_once([replace(doubtful, confidence="low"), *sure], lambda hit, others: hit.message)

    assert first.message == "hit 2"


def test_of_what_is_alike_the_first_of_each_is_told_and_advice_passes() -> None:
    hits = [
        *_hits(3),
        *(replace(hit, location=replace(hit.location, path="depot.py")) for hit in _hits(2)),
        replace(_hits(1)[0], profile="strict"),
    ]
    found = list(told_once(hits, lambda hit, others: others, severity=None, each=lambda hit: hit.location.path))

    assert [hit.message for hit in found if not hit.profile] == ["2 more places", "hit 1", "hit 2"]
    assert len(found) == len(hits)


def test_where_else_it_is_so_stands_inside_of_the_message() -> None:
    hit = Hit("`pack()` prints to the log, although others do not.", Location("shop.py", 1, 0, 1, 4))

    assert here_and_in(hit, "4 more places", after="prints", before=" to") == (
        "`pack()` prints, here and in 4 more places to the log, although others do not."
    )
    assert here_and_in(hit, "4 more places", before=", although") == (
        "`pack()` prints to the log, here and in 4 more places, although others do not."
    )


def _judged(functions: Iterable[Fn]) -> Iterator[tuple[Hit, str]]:
    for fn in functions:
        style = fn.name.rstrip("0123456789") if fn.name.startswith("as") else ""
        yield Hit(fn.fqn, fn.header), style


def test_of_a_style_all_the_project_s_hits_are_there_and_of_others_those_of_reviewed_files() -> None:
    project = build(shop="def asked1(): ...\ndef alone(): ...", depot="def asked2(): ...\ndef other(): ...")
    functions = [fn for fn in project.all_functions() if not fn.is_module]

    def told() -> dict[str, list[str]]:
        return {style: [hit.message for hit in hits] for style, hits in by_style(project, functions, _judged).items()}

    everything = told()
    project.focus = frozenset({"shop.py"})

    assert everything == {"asked": ["shop.asked1", "depot.asked2"], "": ["shop.alone", "depot.other"]}
    assert told() == everything | {"": ["shop.alone"]}


def test_what_is_not_reviewed_is_judged_only_for_a_style_of_what_is() -> None:
    project = build(shop="def alone(): ...", depot="def asked(): ...")
    project.focus = frozenset({"shop.py"})
    functions = [fn for fn in project.all_functions() if not fn.is_module]

    assert [hit.message for hits in by_style(project, functions, _judged).values() for hit in hits] == ["shop.alone"]


def test_some_hits_of_one_function_are_told_once_where_that_is_asked_for() -> None:
    first, again, more, other = _hits(4)[::-1]
    hits = [*(replace(hit, function="pay") for hit in (first, again, more)), replace(other, function="ship")]

    found = list(told_once(hits, lambda hit, others: f"{hit.message}, {others}", by_function=True))

    assert [(hit.message, hit.profile, hit.severity) for hit in found] == [
        ("hit 1, 2 more places of this function", None, None),
        ("hit 2", "strict", None),
        ("hit 3", "strict", None),
        ("hit 4", None, None),
    ]


def test_two_hits_of_one_function_are_no_habit() -> None:
    hits = [replace(hit, function="pay") for hit in _hits(2)[::-1]]

    assert list(told_once(hits, lambda hit, others: others, by_function=True)) == hits
