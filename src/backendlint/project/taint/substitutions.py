"""What a text is clean of once characters have been replaced in it, and the patterns that say which."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Fn
from backendlint.project.libraries.model import CallModel
from backendlint.project.linking.variables import variable
from backendlint.project.taint.labels import DOUBLED, Path
from backendlint.project.taint.patterns import Kinds, removes

if TYPE_CHECKING:
    from backendlint.project.model import Project

LINES = ("log", "header", "mail-header")
"""Kinds to which a line break does harm."""
_REPLACED: dict[str, tuple[str, ...]] = {
    "'": ("xpath",),
    '"': ("xpath",),
    "<": ("xss",),
    "/": ("path", "archive"),
    ".": ("path", "archive"),
    "\n": LINES,
    "\r": LINES,
}
"""What a text is clean of once a character has been replaced in it."""
_LAST = {"split": ("[-1]",), "rsplit": ("[-1]",), "rpartition": ("[-1]", "[2]")}
"""Where the part of a text after its last separator is."""
_FUNCTION, _METHOD = "re.sub", "re.Pattern.sub"


def replaced(fn: Fn, call: Call, path: Path) -> tuple[str, ...]:
    """Kinds that `text.replace(x, y)` with constants cleans, of which each of the lines of a text is clean, and of which
    `text.split("/")[-1]` is, which leads nowhere else, as a base name does."""
    func = fn.facts.values[call.func]
    if func[0] == "attr" and path and path[0] in _LAST.get(func[2], ()) and call.args:
        return _REPLACED["/"] if fn.const(call.args[0]) == "/" else ()
    if func[0] == "attr" and func[2] == "splitlines" and not call.passed:
        return LINES
    if func[0] == "attr" and func[2] == "split" and len(call.args) == 1 and fn.const(call.args[0]) in ("\n", "\r\n"):
        return LINES
    if func[0] != "attr" or func[2] != "replace" or len(call.args) != 2:
        return ()
    old, new = fn.const(call.args[0]), fn.const(call.args[1])
    if (old, new) == ("'", "''"):
        return (DOUBLED,)
    return _REPLACED.get(old, ()) if isinstance(old, str) and isinstance(new, str) and old not in new else ()


def substituted(project: Project, fn: Fn, call: Call, model: CallModel) -> Kinds:
    """Kinds that `re.sub("[^a-z]", "", text)` cleans: one class of characters, and a constant in the place of each."""
    if model.name not in (_FUNCTION, _METHOD) or len(call.args) != (3 if model.name == _FUNCTION else 2):
        return frozenset()
    put = fn.const(call.args[-2])
    func = fn.facts.values[call.func]
    pattern = call.args[0] if model.name == _FUNCTION else func[1] if func[0] == "attr" else call.func
    texts = written_pattern(project, fn, pattern) if isinstance(put, str) else []
    return frozenset.intersection(*(removes(text, put) for text in texts)) if texts else frozenset()


def written_pattern(project: Project, fn: Fn, vid: Vid) -> list[str]:
    """The texts of a pattern: constants, or what was compiled; a called method's own name stands for its object."""
    texts = [text for text in project.constants(fn, vid) or () if isinstance(text, str)]
    if texts:
        return texts
    owner, value = fn, fn.facts.values[vid]
    if value[0] == "name":
        dotted = str(value[1])
        made = variable(project, fn, dotted) or variable(project, fn, dotted.rpartition(".")[0])
        if made is None:
            return []
        owner, value = made[0], made[0].facts.values[made[1]]
    if value[0] != "call":
        return []
    args = owner.facts.calls[value[1]].args
    return [text for text in project.constants(owner, args[0]) or () if isinstance(text, str)] if args else []
