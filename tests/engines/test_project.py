from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from types import SimpleNamespace

from backendlint.engines import project as engine
from backendlint.findings.model import Hit, Location, Notification

HIT = Hit("found", Location("a.py", 1, 1, 1, 2))


@dataclass
class Linked:
    files: dict


def run(tree, rules, checks):
    context = tree.context(load_check=lambda rule: checks[rule.id])
    return list(engine.run(rules, Linked(tree.files), context)), context


def test_a_failing_rule_is_reported_and_its_earlier_hits_are_kept(tree) -> None:
    rules = [replace(tree.rule, engine="project", id=name) for name in ("SEC991", "SEC992")]

    def fails(_project: object) -> Iterator[Hit]:
        yield HIT
        raise KeyError("gone")

    results, context = run(tree, rules, {"SEC991": fails, "SEC992": lambda _: [HIT]})
    assert results[0] == (rules[0], HIT)
    assert isinstance(results[1], Notification)
    assert results[1].level == "error"
    assert "SEC991 (sample-rule) failed: KeyError: 'gone'" in results[1].message
    assert results[2] == (rules[1], HIT)
    assert set(context.seconds) == {"SEC991", "SEC992"}


def test_a_check_that_cannot_be_loaded_is_reported(tree) -> None:
    rule = replace(tree.rule, engine="project", folder=tree.root)
    (note,) = engine.run([rule], SimpleNamespace(files={}), tree.context())
    assert isinstance(note, Notification)
    assert note.level == "error"


def test_needs_decide_whether_a_rule_runs(tree) -> None:
    rule = replace(tree.rule, engine="project", needs={"imports": ("flask",), "handlers": ()})
    tree.add("a.py", "from flask import Flask\n")
    assert run(tree, [rule], {"SEC999": lambda _: [HIT]})[0] == []
    tree.add("b.py", "import flask.views\ntry:\n    x()\nexcept E:\n    pass\n")
    assert run(tree, [rule], {"SEC999": lambda _: [HIT]})[0] == [(rule, HIT)]
