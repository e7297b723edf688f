from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from backendlint.api import (
    BLOCKING,
    Call,
    Cls,
    Flow,
    Fn,
    Hit,
    Location,
    Project,
    Span,
    Vid,
    below,
    flow_hit,
    for_development,
    told_once,
    tries_out,
    weak_hits,
)

from .debug import DEBUG, debug_settings, is_switched

HARM = "so clients see internals such as SQL, paths and hosts; log it and answer with a fixed message."
SENT = "which its error handler sends, so clients see internals such as SQL, paths and hosts; log it and raise a fixed message."
MANY = 3
"""So many responses with one text are told one by one."""
REFUSES = "builtins.PermissionError"
"""What the system says of files, and code by hand of whoever asks."""
NEAR = 1
"""More calls than this between the caught exception and the one that is raised make it advice."""
OPERATED = re.compile(r"(?:^|/)_?(?:admin|backoffice|staff)(?:istration)?(?:[/._]|$)", re.IGNORECASE)
"""Where the pages for those who run the service are."""
EXITS = ("return", "raise")
OPERATOR = re.compile(r"(?<![a-z])(admins?|super_?users?|staff|backoffice)(?![a-z])|IsAdmin|AdminUser", re.IGNORECASE)
DEBUGGING = re.compile(
    r"(?:is_|in_|flask_|app_)?(?:debug|development)(?:_mode)?|(?:serve|show|send)_tracebacks?", re.IGNORECASE
)
"""What a switch for development is called."""
CAUSES = ("__cause__", "__context__")
"""What is behind an exception: internals, even where the exception itself was made to be shown."""
EXPECTED = ("validation", "http", "domain", "not-found", "auth", "control")
FILES = frozenset({"file", "subprocess"})
LOGS = frozenset({"file", "log"})
NETWORK = frozenset({"socket", "dns", "http", "db", "db-connect", "db-read", "db-write", "mail", "cloud", "grpc"})
"""Effects of what raises the system's errors."""
ALONE = frozenset({"log", "cpu", BLOCKING})
"""Effects of what asks nobody else."""
DEEP = 4
OF_FILES = ("PermissionError", "FileNotFoundError", "FileExistsError", "IsADirectoryError", "NotADirectoryError")
TRIES = re.compile(
    r"_*(test|try|check|validate|verify|probe)_(\w+_)?(connections?|connectivity|credentials?|endpoints?|servers?|hooks?|webhooks?)(_|$)"
)
"""Functions that say whether what the client named works."""
BROAD = ("builtins.Exception", "builtins.BaseException")


def check(project: Project) -> Iterator[Hit]:
    places: dict[Location, Flow] = {}
    for flow in project.taint.flows(("response", "xss", "page"), ("exception",)):
        place = inherited(project, flow) or flow.location
        known = places.get(place)
        if known is None or sureness(project, flow) > sureness(project, known):
            places[place] = flow
    found: list[tuple[Flow, Hit]] = []
    for place, flow in places.items():
        level = rank(project, flow)
        if level == 0:
            continue
        passed = ((hop.edge.caller, hop.edge.block, hop.edge.span) for hop in flow.chain)
        if any(in_development(*at) for at in ((flow.site.fn, flow.site.call.block, flow.site.call.span), *passed)):
            continue
        sent = flow.site.model.name in project.classes
        hit = replace(flow_hit(project, flow, SENT if sent else HARM), location=place)
        sure = level == 2 and not (sent and len(flow.chain) > NEAR) and not tried_out(project, flow)
        if sure and hit.profile is None:
            found.append((flow, hit))
        else:
            yield replace(hit, profile="strict", confidence="low")
    ones, others = told_apart(found)
    yield from (replace(hit, profile="strict") for hit in others)
    habits: dict[bool, list[Hit]] = {True: [], False: []}
    for flow, hit in ones:
        types = caught_types(project, flow.site.fn, flow.source.slot) if is_own(flow) else None
        if types is None:
            yield hit
        else:
            habits[any(name in BROAD for _, name in types)].append(hit)
    for habit in habits.values():
        yield from told_once(habit, everywhere, severity=None)
    yield from weak_hits(project, ("debug",), DEBUG, is_switched)
    yield from debug_settings(project)


def sureness(project: Project, flow: Flow) -> tuple[int, bool]:
    """How much is told, and whether it is known to get there."""
    return rank(project, flow), not flow.weak


def told_apart(found: list[tuple[Flow, Hit]]) -> tuple[list[tuple[Flow, Hit]], list[Hit]]:
    """The first place of each function, of each text that goes into many responses, and of each function that many give
    what they caught; and the other places."""
    shared: dict[object, list[Location]] = {}
    for flow, hit in found:
        for key in ways(flow):
            shared.setdefault(key, []).append(hit.location)
    first: list[tuple[Flow, Hit]] = []
    again: list[Hit] = []
    functions = set()
    for flow, hit in sorted(found, key=lambda item: item[1].location):
        places = max((shared[key] for key in ways(flow)), key=len)
        if flow.site.fn.fqn in functions or (len(places) > MANY and hit.location != min(places)):
            again.append(hit)
            continue
        functions.add(flow.site.fn.fqn)
        more = ""
        if len(places) > MANY:
            same = places is shared[ways(flow)[0]]
            made = "It is" if same else f"Through `{flow.handed_to}()` such texts are"
            more = f" {made} in {len(places) - 1} other responses too."
        first.append((flow, replace(hit, message=hit.message + more)))
    return first, again


def ways(flow: Flow) -> list[object]:
    """What flows have in common whose text is one, or is made by one function (`failed(error)`)."""
    made = [flow.handed_to] if flow.handed_to else []
    return [(flow.source.fn, flow.source.slot), *made]


def is_own(flow: Flow) -> bool:
    """`except IntegrityError as error:` in the handler itself, which answers with its text."""
    return not flow.chain and flow.source.fn == flow.site.fn.fqn


def everywhere(hit: Hit, places: str) -> str:
    return (
        f"{hit.message} So does the code in {places}: one error handler for the whole application can answer for all."
    )


def in_development(fn: Fn, block: int, span: Span) -> bool:
    """Below `if app.debug:`, or beyond `if not settings.DEBUG: return ...`."""
    return any(says_debug(fn, test, truth) for test, truth in fn.tests_before(block, span, EXITS))


def says_debug(fn: Fn, vid: Vid, truth: bool) -> bool:
    """Whether a test that came out so says that this is development."""
    value = fn.unguarded(vid)
    if value[0] == "not":
        return says_debug(fn, value[1], not truth)
    if value[0] == "bool" and (value[1] == "and") == truth:
        return any(says_debug(fn, item, truth) for item in value[2])
    if value[0] == "compare" and len(value[1]) == 1 and isinstance(fn.const(value[2][1]), bool):
        return says_debug(fn, value[2][0], truth == ((value[1][0] in ("is", "==")) == fn.const(value[2][1])))
    named = fn.const(value[2]) if value[0] == "item" else value[-1] if value[0] in ("name", "attr") else ""
    if value[0] == "call" and fn.facts.calls[value[1]].args:
        named = fn.const(fn.facts.calls[value[1]].args[0])
    return truth and isinstance(named, str) and bool(DEBUGGING.fullmatch(named.rpartition(".")[2]))


def tried_out(project: Project, flow: Flow) -> bool:
    """`POST /channels/{id}/test`, `client.test_connection()`: why it does not work is what the client asks. What is not for
    production has no others."""
    routed = [project.route_functions.get(fn.fqn, ()) for fn in flow.functions]
    named = {project.functions[flow.source.fn].name, *(fn.name for fn in flow.functions)}
    asking = [edge.caller.name for edge in project.graph.callers(flow.site.fn)]
    asked = any(map(TRIES.match, named)) or (bool(asking) and all(map(TRIES.match, asking)))
    return asked or for_development(flow.site.fn.path) or any(map(tries_out, routed))


def inherited(project: Project, flow: Flow) -> Location | None:
    """Where a method of a base answers with the text, if the handler only hands on what `super()` answers: one place for
    all the classes that inherit it."""
    made, fn = project.functions[flow.source.fn], flow.site.fn
    value = made.facts.values[flow.source.slot]
    if made is fn or made.cls is None or fn.cls is None or value[0] != "exc":
        return None
    if all(cls is not made.cls for cls in project.hierarchy.mro(fn.cls)):
        return None
    inside = below(made.facts, value[1])
    return next((made.location(item.span) for item in made.facts.returns if item.block in inside), None)


def rank(project: Project, flow: Flow) -> int:
    """2: internals, 1: perhaps, 0: an exception that was made to be shown."""
    fn = project.functions[flow.source.fn]
    types = caught_types(project, fn, flow.source.slot)
    if types is None or flow.source.path[:1] in [(name,) for name in CAUSES]:
        return 2
    found = max((level(project, kind, name) for kind, name in types), default=2)
    if found < 2:
        return found
    if all(own_words(project, fn, flow.source.slot, name) for _, name in types):
        return 0
    if all(name == REFUSES and refused_by_hand(project, fn, flow.source.slot) for _, name in types):
        return 1
    closed = flow.site.kind == "page" and not is_open(project, flow.site.fn)
    closed = closed or for_operators(project, flow)
    broad = any(name in BROAD for _, name in types)
    return 1 if closed or (broad and only_parses(project, fn, flow.source.slot)) else 2


def for_operators(project: Project, flow: Flow) -> bool:
    """Whether only those who run the service may ask: what guards the routes says so (`check_admin`), or the handler has left
    before for all others (`if not user.is_admin: return`)."""
    fn, call = flow.site.fn, flow.site.call
    if any(says_operator(fn, test, truth) for test, truth in fn.tests_before(call.block, call.span, EXITS)):
        return True
    routes = flow.routes(project)
    return bool(routes) and all(any(map(OPERATOR.search, project.access.authentication(route))) for route in routes)


def says_operator(fn: Fn, vid: Vid, truth: bool) -> bool:
    """Whether a test that came out so says that an operator asks."""
    value = fn.unguarded(vid)
    if value[0] == "not":
        return says_operator(fn, value[1], not truth)
    return truth and value[0] == "attr" and OPERATOR.search(str(value[2])) is not None


def is_open(project: Project, fn: Fn) -> bool:
    """A page that everybody sees; to those who run the service its pages may say what went wrong."""
    routes = project.route_functions.get(fn.fqn, ())
    return bool(routes) and not any(project.access.guarded(route) for route in routes) and not OPERATED.search(fn.path)


def only_parses(project: Project, fn: Fn, vid: int) -> bool:
    """Where nothing is tried but the reading of data: what can fail there is what the client sent."""
    value = fn.facts.values[vid]
    if value[0] != "exc":
        return False
    inside = below(fn.facts, fn.facts.blocks[value[1]].group)
    calls = [call for call in fn.calls if call.block in inside]
    entered = any(fn.facts.blocks[number].kind == "with" for number in inside)
    if entered or any(item.is_yield and item.block in inside for item in fn.facts.returns):
        return False
    return bool(calls) and all(works_alone(project, fn, call, DEEP) for call in calls)


def is_replaced(fn: Fn) -> bool:
    """A method that does nothing, or nothing but raise, or that a subclass writes anew."""
    facts = fn.facts
    if facts.blocks[0].exits == "raise" or not (facts.calls or facts.returns or facts.stores or facts.raises):
        return True
    todo = [] if fn.cls is None else list(fn.cls.subclasses)
    for cls in todo:
        todo += [item for item in cls.subclasses if item not in todo]
    return any(fn.name in cls.methods for cls in todo)


def works_alone(project: Project, fn: Fn, call: Call, depth: int) -> bool:
    """A call that is known to ask no other system."""
    models, targets = project.models(fn, call), project.targets(fn, call)
    if not ALONE.issuperset(project.effects.call_effects(fn, call)):
        return False
    if targets:
        known = depth > 0 and not any(is_replaced(item) for item in targets)
        return known and all(works_alone(project, item, other, depth - 1) for item in targets for other in item.calls)
    made = [project.classes.get(ref.name) for ref in project.callees(fn, call) if ref.kind == "class"]
    if made:
        return all(cls is not None and is_plain_data(project, cls) for cls in made)
    if any(ref.kind == "lib" and project.libraries.exception(ref.name) for ref in project.callees(fn, call)):
        return True
    named = fn.callee_name(call)
    return bool(models) or any(
        project.libraries.call(f"builtins.{owner}.{named}") for owner in ("str", "bytes", "dict", "list")
    )


def is_plain_data(project: Project, cls: Cls) -> bool:
    """A class of the project alone, or a schema, whose objects only hold what they are given to data."""
    return not project.hierarchy.library_bases(cls) or project.hierarchy.role(cls) == "schema"


def own_words(project: Project, fn: Fn, vid: int, name: str) -> bool:
    """A builtin error of the system that the project itself raises below the `try`, where nothing else can."""
    value = fn.facts.values[vid]
    if value[0] != "exc" or not name.startswith("builtins.") or name in BROAD:
        return False
    inside = below(fn.facts, fn.facts.blocks[value[1]].group)
    calls = [call for call in fn.calls if call.block in inside]
    system = FILES if name.removeprefix("builtins.") in OF_FILES else FILES | NETWORK
    if any(not system.isdisjoint(project.effects.call_effects(fn, call)) for call in calls):
        return False
    raised = [project.exceptions.escaping(target).get(name) for call in calls for target in project.targets(fn, call)]
    return any(raised)


def refused_by_hand(project: Project, fn: Fn, vid: int) -> bool:
    """A `PermissionError` where nothing that is tried is known to touch files, or that is raised by hand ("only its owner may")
    somewhere below, in a function that touches none by itself."""
    value = fn.facts.values[vid]
    inside = below(fn.facts, fn.facts.blocks[value[1]].group) if value[0] == "exc" else ()
    calls = [call for call in fn.calls if call.block in inside]
    if not any(fails_at_files(project, fn, call) for call in calls):
        return True
    todo = [(item, DEEP) for call in calls for item in project.targets(fn, call)]
    seen = set()
    while todo:
        item, depth = todo.pop()
        if item.fqn in seen or REFUSES not in project.exceptions.escaping(item):
            continue
        seen.add(item.fqn)
        if raises_by_hand(project, item) and not touches_files(project, item):
            return True
        todo += [(other, depth - 1) for call in item.calls if depth for other in project.targets(item, call)]
    return False


def fails_at_files(project: Project, fn: Fn, call: Call) -> bool:
    """What touches files, other than a log's, and keeps neither an error of the system nor a refusal to itself."""
    escaping = [project.exceptions.escaping(target) for target in project.targets(fn, call)]
    told = not escaping or any("builtins.OSError" in item or REFUSES in item for item in escaping)
    effects = project.effects.call_effects(fn, call)
    return told and not FILES.isdisjoint(effects) and set(effects) != LOGS


def raises_by_hand(project: Project, fn: Fn) -> bool:
    """`raise PermissionError(...)` in its own code."""
    made = (fn.unguarded(item.exc) for item in fn.facts.raises if item.exc >= 0)
    called = (fn.facts.calls[value[1]] for value in made if value[0] == "call")
    return any(ref.name == REFUSES for call in called for ref in project.callees(fn, call))


def touches_files(project: Project, fn: Fn) -> bool:
    """In its own code, apart from a database that is one."""
    found = (project.effects.call_effects(fn, call) for call in fn.calls if not project.targets(fn, call))
    return any(not FILES.isdisjoint(effects) and "db-connect" not in effects for effects in found)


def caught_types(project: Project, fn: Fn, vid: int) -> list[tuple[str, str]] | None:
    """Kind and name of the caught classes; None where it is no `except` (a traceback, a handler of errors)."""
    value = fn.facts.values[vid]
    if value[0] == "param":
        caught = project.error_handlers.get(fn.fqn, ()) or project.resolver.param(fn, value[1])  # for each status code
        return [(ref.kind, ref.name) for ref in caught] or None
    if value[0] != "exc":
        return None
    types = fn.facts.blocks[value[1]].value
    if types < 0:
        return None
    inner = fn.facts.values[types]
    vids = inner[1] if inner[0] == "tuple" else (types,)
    return [(ref.kind, ref.name) for vid in vids for ref in project.refs(fn, vid)] or [("unknown", "")]


def level(project: Project, kind: str, name: str) -> int:
    if kind in ("class", "inst"):
        cls = project.classes[name]
        return 0 if project.hierarchy.subclass_of(cls.fqn, "builtins.Exception") else 1
    if kind not in ("lib", "libinst"):
        return 1
    if name in BROAD:
        return 2
    model = project.libraries.exception(name)
    if model is not None and model.kind in EXPECTED:
        return 0
    internal = model is not None and model.kind in ("infrastructure", "integrity") and not model.plain
    return 2 if internal else 1
