"""Where somebody has chosen the answer for this very failure."""

from __future__ import annotations

import re

from backendlint.api import (
    Answer,
    Fn,
    Project,
    Vid,
    asks_nobody,
    below,
    calls_in,
    comments_in,
    identifier_words,
    ingredients,
    sent,
    slots,
)

from .statuses import ALL

_WORDS = 6
"""So many a comment has that says why."""
_ALL_WELL = re.compile(
    r"\b(all|always|every|any)\b[^.]{0,60}\b(answer|respon[ds]|return|status)\w*\b[^.]{0,40}\b(20[0-4]|2xx)\b|"
    r"\b(always|every time|in any case)\b[^.]{0,40}\b(20[0-4]|2xx)\b",
    re.IGNORECASE,
)
"""A docstring that says that nothing else is ever answered: senders of webhooks take offence."""
_ADDRESS = frozenset({"url", "uri", "link", "href"})


def is_explained(project: Project, fn: Fn, handler: int, named: list[str]) -> bool:
    """Whether a comment in the handler says why it is this status or this exception, by its name."""
    said = " ".join(line.strip("# \t") for line in comments_in(project, fn.path, fn.facts.blocks[handler].span))
    words = {name.rpartition(".")[2] for name in named if name not in ALL}
    return len(said.split()) >= _WORDS and any(re.search(rf"\b{re.escape(word)}\b", said) for word in words)


def is_chosen(fn: Fn, handler: int, answer: Answer) -> bool:
    """`if "not found" in str(error): raise HTTPException(404)`: the answer is for this failure, not for every one."""
    for number, block in fn.blocks_of(answer.block):
        if number == handler:
            return False
        tested = ingredients(fn.facts, [block.value]) if block.kind in ("if", "case") else ()
        if any(fn.facts.values[vid][0] == "exc" for vid in tested):
            return True
    return False


def speaks_of(project: Project, fn: Fn, status: int) -> bool:
    """Whether a comment in the function names the status: `# a 4xx would be sent again for ever, so 200 with the error`;
    or the docstring that it is always one of success."""
    if _ALL_WELL.search(" ".join(fn.facts.docstring.split())):
        return True
    return any(re.search(rf"\b{status}\b", line) for line in comments_in(project, fn.path, fn.facts.span))


def chosen_by_client(project: Project, fn: Fn, handler: int) -> bool:
    """Whether what is asked there has an address that the client sends: that nobody answers it may well be the client's mistake."""
    tried = below(fn.facts, fn.facts.blocks[handler].group)
    asking = [call for call in fn.calls if call.block in tried and not asks_nobody(project, fn, call)]
    places = [vid for call in asking for vid in call.passed if _is_address(project, fn, vid)]
    return any(sent(project, fn, [vid]) for vid in places)


def _is_address(project: Project, fn: Fn, vid: Vid) -> bool:
    """What is bound to a name such as `url`, and not put together by the code, here or in a function of its own."""
    value, plain = fn.unguarded(vid), fn.untested(vid)
    names = [item.name for item in fn.facts.bindings if item.value == plain]
    names += [fn.facts.params[value[1]].name] if value[0] == "param" else []
    words = {word for name in names for word in identifier_words(name)}
    if value[0] == "call" and project.targets(fn, fn.calls[value[1]]):
        return False
    return not _ADDRESS.isdisjoint(words) and value[0] not in ("fmt", "binop", "const", "name")


def sorted_out(project: Project, fn: Fn, handler: int) -> bool:
    """`return answer_for(error)`, where that function raises again what it has no answer for."""
    for call in calls_in(fn.facts, handler):
        given = {vid for vid in call.passed if fn.facts.values[vid] == ("exc", handler)}
        for target in project.targets(fn, call) if given else ():
            taken = slots(fn, call, target, given)
            again = (target.unguarded(item.exc) for item in target.facts.raises if item.exc >= 0)
            if any(value[0] == "param" and value[1] in taken for value in again):
                return True
    return False
