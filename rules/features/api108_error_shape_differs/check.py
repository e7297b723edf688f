from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from backendlint.api import Answer, Fn, Hit, Project, Step, answers, is_api

FEWEST = 3
PAGE = "text/html"


def check(project: Project) -> Iterator[Hit]:
    found: list[tuple[Fn, Answer, str]] = []
    for fn in project.all_functions():
        if project.layer(fn) not in ("controller", "middleware") or "health" in fn.fqn:
            continue
        for answer in answers(project, fn):
            form = shape_of(answer)
            if form and not (answer.content == PAGE and for_people(project, fn)):
                found.append((fn, answer, form))
    counts = Counter(form for _, _, form in found)
    if not counts:
        return
    usual, count = counts.most_common(1)[0]
    if count < 2 or count * 3 < len(found) * 2 or len(found) < FEWEST:
        return
    example = next((fn, answer) for fn, answer, form in found if form == usual)
    for fn, answer, form in found:
        if form == usual or compatible(form, usual):
            continue
        yield Hit(
            f"This error of `{fn.name}()` has {form}, while {count} of the project's {len(found)} have {usual}: clients that read "
            "one cannot read the other. Use the common form.",
            fn.location(answer.span),
            related=(Step(example[0].location(example[1].span), f"an error with {usual}"),),
            function=fn.fqn,
        )


def for_people(project: Project, fn: Fn) -> bool:
    """Whether no route of an API leads there: what a browser shows need not look like an API's errors."""
    return not any(is_api(project, route) for route in project.route_functions.get(fn.fqn, ()))


def shape_of(answer: Answer) -> str:
    """How an error's body looks, in words; "" where it is not written out."""
    if not answer.failed or answer.special:
        return ""
    if answer.keys:
        keys = ", ".join(f"`{key}`" for key in sorted(answer.keys)[:4])
        return f"a detail of {keys}" if answer.raised else f"the keys {keys}"
    if answer.shape == "text":
        return "a text as detail" if answer.raised else "a bare text"
    return ""


def compatible(form: str, usual: str) -> bool:
    """More keys than usual are no other form; a text as detail is sent as `detail`."""
    if form == "a text as detail" and usual.startswith("the keys") and "detail" in usual.split("`"):
        return True
    if usual == "a text as detail" and form.startswith("the keys") and "detail" in form.split("`"):
        return True
    return (
        form.startswith("the keys")
        and usual.startswith("the keys")
        and set(usual.split("`")[1::2]) <= set(form.split("`")[1::2])
    )
