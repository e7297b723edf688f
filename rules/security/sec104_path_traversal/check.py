from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from backendlint.api import (
    Flow,
    Hit,
    Project,
    Step,
    advice_hits,
    flow_hit,
    here_and_in,
    place_flows,
    told_once,
    weak_hits,
)

SINKS = (
    "path",
    "archive",
)
HARM = "so `../` in it leads to any file that the service can reach; resolve it and require `is_relative_to(base)`."

UP = "so `..` as its value leads one folder up; require that the resolved path `is_relative_to(base)`."
"""What a part of one segment can do, which holds no slash."""
OPEN = 'so members with `../` in their names may be written anywhere; pass `filter="data"`.'
LOOKS = frozenset(
    "access exists lexists is_file is_dir is_symlink is_mount isfile isdir islink stat lstat getsize getmtime resolve".split()
)
"""What only looks whether something is there."""
FAR = 3
"""More turns than this, from function to function and back, and what arrives is seldom what was sent."""
FOLDERS = frozenset({"rmtree", "copytree", "make_archive", "move", "removedirs"})
"""What works on all that is in a folder, and so does with `..` as well."""
PARSED = ("data",)
"""The request's attribute that holds fields and files alike."""
PREPARES = frozenset({"mkdir", "makedirs", "glob", "rglob", "iterdir", "listdir", "scandir"})
"""What is no news beside the file that is then read or written."""


def check(project: Project) -> Iterator[Hit]:
    known = set()
    causes: dict[tuple[object, ...], list[Hit]] = {}
    freest = partial(place_flows, project, SINKS, doubt=lambda flow: (flow.weak, flow.within_a_segment(project)))
    for flows in by_source(freest(everywhere=True)):
        for flow, hit in hits(project, flows):
            known.add(hit.location)
            if hit.profile is None and flow.installs(project):
                yield replace(hit, profile="strict")
            elif hit.profile is None:
                causes.setdefault(cause(project, flow), []).append(hit)
            else:
                yield hit
    for alike in causes.values():
        yield from told_once(alike, told, few=1, severity=None)
    for hit in advice_hits(project, ("archive",), OPEN, known):
        known.add(hit.location)
        yield hit
    for hit in weak_hits(project, ("archive",), 'pass `filter="data"`.'):
        if hit.location not in known:
            yield replace(hit, profile="strict", confidence="low", severity="warning")


def by_source(flows: Iterator[Flow]) -> Iterator[list[Flow]]:
    """The flows of each source, as each function gets it that uses it, what does most harm first."""
    found: dict[tuple[str, int, str], list[Flow]] = {}
    for flow in flows:
        user = flow.chain[0].edge.caller if flow.chain else flow.site.fn
        found.setdefault((flow.source.fn, flow.source.slot, user.fqn), []).append(flow)
    for group in found.values():
        yield sorted(group, key=lambda flow: (weight(flow), len(flow.chain)))


def cause(project: Project, flow: Flow) -> tuple[object, ...]:
    """What is to be mended: one value of a request, or one part of what it is read from, where one file uses it."""
    fn = project.functions[flow.source.fn]
    vid = fn.untested(flow.source.slot)
    value = fn.value(vid)
    read = (fn.untested(value[1]), value[2]) if value[0] == "attr" else (vid,)
    return fn.fqn, flow.fn.path, *read


def told(hit: Hit, others: str) -> str:
    return here_and_in(hit, others, before=", so `..")


def weight(flow: Flow) -> int:
    return 2 if flow.site.called in LOOKS else int(flow.site.called in PREPARES)


def hits(project: Project, flows: list[Flow]) -> Iterator[tuple[Flow, Hit]]:
    """The places of one source: a path that is used again is one flaw, and looking is less than reading."""
    shown: dict[tuple[str, int], list[Flow]] = {}
    for flow in flows:
        shown.setdefault((flow.site.fn.fqn, flow.site.fn.untested(flow.site.vid)), []).append(flow)
    worst = weight(flows[0])
    for first, *others in shown.values():
        again = tuple(Step(other.location, "the same path is used again") for other in others)
        short = first.within_a_segment(project)
        hit = flow_hit(project, first, UP if short else HARM)
        hit = replace(hit, related=(*hit.related, *again))
        harmless = short and first.site.called not in FOLDERS
        less = weight(first) > min(worst, 1) or harmless or first.turns > FAR or takes_files_too(first)
        yield first, replace(hit, profile="strict", confidence="low") if less else hit


def takes_files_too(flow: Flow) -> bool:
    """`if isinstance(file, str): open(file)`, given a field of what DRF has parsed: an uploaded file, most often."""
    if flow.source.path[:1] != PARSED:
        return False
    fn = flow.site.fn
    vid = fn.untested(flow.site.vid)
    tested = (fn.unguarded(test) for test, outcome in fn.tests_of(flow.site.call.block) if outcome)
    calls = [fn.calls[value[1]] for value in tested if value[0] == "call"]
    return any(fn.callee_name(call) == "isinstance" and fn.untested(call.args[0]) == vid for call in calls if call.args)
