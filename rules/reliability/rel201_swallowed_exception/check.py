"""REL201: a handler in which nothing happens, and `with suppress(...)`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

from backendlint.api import (
    Block,
    Call,
    Fn,
    FunctionFacts,
    Hit,
    Project,
    Span,
    Statement,
    Value,
    around,
    asks_nobody,
    below,
    block_at,
    by_style,
    called_name,
    calls_in,
    caught,
    clause,
    clause_text,
    comment_above,
    fills_database,
    for_developers,
    here_and_in,
    ingredients,
    lines_of,
    log_call,
    only_by_hand,
    request_reads,
    siblings,
    told_once,
    waits_there,
)

CLEANUP_FUNCTION = re.compile(
    r"__(a?exit|del)__|_*(a?close|shutdown|stop|clean_?up|disconnect|dispose|tear_?down|terminate|kill|cancel|release|discard|revert|rollback|undo)"
    r"(_\w+)?|tearDown\w*|on_(shutdown|close|disconnect)"
)
CLEANUP_CALL = re.compile(
    r"a?close(_(all|it|conn\w*|sessions?|sockets?|clients?|pools?|db|files?|cursors?|streams?|channels?|drivers?|old_\w+))?|"
    r"shutdown|rollback|cancel|kill(_\w+)?|terminate|disconnect|dispose|release|unlink|remove|rmtree|rmdir|"
    r"unsubscribe|unbind(_s|_ext_s)?|stop|quit|logout|wait_closed|clean_?up|detach|reset|expunge(_all)?|join|wait"
)
QUIET_FUNCTION = re.compile(
    r"_*(is|has|can|try|safe|maybe|looks|supports|check|should|guess|detect|probe|best_effort)(_\w+)?|\w+_safe(ly)?"
)
ASKING = re.compile(r"_*(is|has|looks|supports|check|should|detect|probe)_")
DEED = re.compile(r"submit|save|charge|refund|mark_as_\w+|send_(mail|email|message|notification)\w*")
WAITING_FUNCTION = re.compile(r"_*wait_(for|until)_\w+")
"""Asks again and again until something is there: that it is not is no news, but a bug is."""
PAUSE = frozenset({"wait_for", "wait", "timeout", "timeout_at"})
"""`asyncio.wait_for(stop.wait(), 5)`: that the time is over is how it usually ends."""
COMES = frozenset({"get", "recv", "receive", "join", "readline", "get_message"})
"""What is asked, without arguments, of a queue, a socket or a task."""
HELD = ("result", "exception")
"""What asks a future for the exception that it keeps."""
COUNTED = frozenset({"inc", "dec", "observe"})
"""What is asked of a metric; nothing else bears these names."""
STATE_FUNCTION = re.compile(
    r"(\w+_)?health_?check|_*(validate|test|ping)(_\w+)?|(\w+_)?(valid|ok|exists?|alive|ready|health|healthy|online|\w+(ed|able|ing|ken))"
)
"""Functions that ask something; together with QUIET_FUNCTION."""
BOOLEANS = ("returns `False`", "returns `True`")
ACCEPTED = re.compile(r"(noqa|nosec):?[^#]*\b(S110|S112|B110|B112)\b")
"""Markers by which others' checks for the very same flaw are silenced."""
MARKER = re.compile(
    r"\s*(noqa(: *[A-Z]+[0-9]+([, ]+[A-Z]+[0-9]+)*)?|(type|pylint|pragma|fmt|expect|backendlint): *[^-#]*|nosec(:? *B\d+)*)"
)
PROBE = re.compile(r"_*((validate|test|ping)(_\w+)?|(\w+_)?(ping|health_?check))")
"""Functions that ask whether something is there: that it is not is their answer, whatever they say then."""
ASKS = re.compile(r"ping|head|raise_for_status|is_alive|health_?check")
"""What is asked to find that out."""
REPORTS = frozenset({"log_error", "log_exception", "capture_exception", "capture_message", "notice_error"})
"""What writes an error down, or sends it to who collects them."""
REPORTING = re.compile(r"_*(log|report)_(error|exception)s?")
CAUGHT = re.compile(
    r"\b(except|catch(es|ing)?|ignor(e|es|ed|ing)|swallow\w*|suppress\w*|best[- ]effort|"
    r"handl(e|es|ed|ing) (the |any |all |its )?(error|exception|failure)s?|(if|when|in case) (it|that|this|they|which) fails?)\b",
    re.IGNORECASE,
)
"""A comment that speaks of the handler."""
UNKNOWN = frozenset({"unknown", "n/a", "na", "?", "-", "undefined", "unavailable", "not available"})
CODE = re.compile(r"\s*(raise|return|pass|print|(self\.)?(logging|log|logger|_logger|LOG|LOGGER)\.\w+)\b\s*(\(.*)?$")
"""Code that was taken out: no reason."""
BOOLS = (("const", True), ("const", False))
EXCEPTION = re.compile(r"[A-Z]\w*(Error|Exception)")
TOLD = frozenset({"error", "errors", "message", "detail", "reason"})
"""Keys under which a body tells what failed."""
FLAGS = frozenset({"success", "ok"})
HARMS = {
    "broad": "a bug or an outage there looks like nothing happened",
    "failure": "an outage of what it calls looks like nothing happened",
}
UNTRACED = " without a trace"
EVERYWHERE = frozenset({"callback", "request", "file"})
"""Styles of a project; what else has one is the same thing, done again."""
SUPPRESS = "contextlib.suppress"
QUIET_EFFECTS = frozenset({"log", "blocking", "cpu"})
CHANGES = frozenset({"db-write", "commit", "flush", "queue-publish", "mail"})
STORES = CHANGES | {"db", "db-read", "cache-read", "cache-write"}
WORKS = STORES | {"http", "cloud", "grpc", "search", "socket", "db-connect", "subprocess", "ssh", "dns"}
DECIDED = re.compile(
    r"best[- ]effort|swallow|fail[- ]?(soft|open|silent)|silently|"
    r"(never|not|n't|without|instead of) (rais(e|es|ing)|throw(s|ing)?)\b|"
    r"(ignor|suppress|dropp)\w* (any |all |every )?(errors?|exceptions?|failures?)|"
    r"(errors?|exceptions?|failures?) (is|are|will be) (ignored|dropped|suppressed)|"
    r"(never|not) (break|fail|block|disturb|crash|abort|interrupt)s?\b",
    re.IGNORECASE,
)
"""A docstring that says that failures are dropped."""
MEASURES = re.compile(
    r"(^|[/_])(telemetry|analytics|tracing|instrumentation|metrics|opentelemetry|otel|posthog|statsd|mixpanel)([/_.]|$)"
)
"""Files of what measures and reports how the program is used: that must not get in its way."""
ON_SPANS = COUNTED | {"set_attribute", "set_attributes", "add_event", "record_exception", "set_tag", "labels"}
"""What is asked of a span or a metric."""
RECORDS = ON_SPANS | REPORTS
NOTHING_FOUND = frozenset(f"returns `{text}`" for text in ("None", "[]", "{}", "()", "0", "''", '""'))
LOGGER = re.compile(r"(get|make|create)_?\w*logger", re.IGNORECASE)
NUMBERED = re.compile(r"[a-z]*_?\d{2,}_")
"""Functions of a file of migrations: `m006_add_expiry()`."""
INCLUDES = frozenset({"django.urls.include", "django.conf.urls.include"})
OF_TEXTS = frozenset(
    "strip lstrip rstrip split rsplit splitlines lower upper replace startswith endswith title zfill".split()
)
FAILED = re.compile(r"\b(error|failed|failure|unable|cannot|could not|timed out)\b", re.IGNORECASE)
"""A text that says that something failed, as a result: `return "error fetching version"`."""
WARNS = ("warning", "warn", "error", "critical", "fatal", "exception")
IMPORTERS = ("import_module", "import_string", "import_from_string", "__import__", "find_spec")


@dataclass
class Place:
    """A block that was found suspect."""

    project: Project
    fn: Fn
    block: int
    options: Mapping[str, object]

    @property
    def function(self) -> FunctionFacts:
        return self.fn.facts

    @property
    def facts(self) -> Block:
        return self.fn.facts.blocks[self.block]

    @cached_property
    def lines(self) -> Sequence[str]:
        return lines_of(self.project, self.fn.path)

    @property
    def tried(self) -> int:
        """The block of the code that is tried."""
        return self.block if self.facts.kind == "with" else self.facts.group

    @cached_property
    def calls(self) -> list[Call]:
        """What is called in the code that is tried."""
        return [call for call in calls_in(self.function, self.tried) if not is_suppress(self.function, call.value)]

    @cached_property
    def effects(self) -> frozenset[str]:
        """What these calls do."""
        return frozenset[str]().union(*(self.project.effects.call_effects(self.fn, call) for call in self.calls))

    @cached_property
    def parsing(self) -> frozenset[str]:
        """Names of what reads a value."""
        return strings(self.options["parses"])

    def name(self, call: Call) -> str:
        return called_name(self.fn.file, self.function, call)

    def word(self, call: Call) -> str:
        """The last part of the name."""
        return self.name(call).rpartition(".")[2]


def check(project: Project, options: Mapping[str, object]) -> Iterator[Hit]:
    styles = by_style(project, project.functions_with("except", "with"), partial(hits_in, project, options))
    told = partial(here_and_in, after=UNTRACED)
    alone = styles.pop("", [])
    yield from told_once(alone, told, few=len(alone), by_function=True)
    for style, hits in styles.items():
        if style in EVERYWHERE:
            yield from told_once(hits, told)
        else:
            yield from told_once(hits, told, severity=None, each=always)


def hits_in(project: Project, options: Mapping[str, object], functions: Iterable[Fn]) -> Iterator[tuple[Hit, str]]:
    """Each hit, and which style of the project it is one of; "" for those that are told for themselves."""
    for fn in functions:
        for block in suspects(fn.facts):
            place = Place(project, fn, block, options)
            for hit in judged(place):
                yield hit, style_of(place) if hit.profile is None else ""


def always(_hit: Hit) -> bool:
    """The key of what is alike by its style."""
    return True


def style_of(site: Place) -> str:
    """What projects do the same way wherever they do it: reading the request or a file, calling back whoever is told of progress,
    asking the very same thing, answering the very same in a file."""
    if calls_back(site):
        return "callback"
    if reads_request(site):
        return "request"
    if "file" in site.effects and site.effects.isdisjoint(WORKS):
        return "file"
    outcome = outcome_of(site) if site.facts.kind == "except" else "goes on"
    if outcome.startswith("returns `{"):
        return "" if outcome in NOTHING_FOUND else f"{site.fn.path}: {outcome}"
    callee = whole_text(site, site.function.span_of(site.calls[0].func)) if len(site.calls) == 1 else ""
    same = callee.startswith("self.") and not site.calls[0].passed and outcome.startswith(("goes on", "returns"))
    if same and not site.project.models(site.fn, site.calls[0]):
        return f"{callee}() {outcome}"
    return one_client(site) or own_call(site)


def own_call(site: Place) -> str:
    """`actor.signed_request(...)`, by which the project asks others: what it does where nobody answers, it does everywhere."""
    kind, types = what_is_caught(site)
    effects = site.project.effects.call_effects
    asking = [call for call in site.calls if not (WORKS - STORES).isdisjoint(effects(site.fn, call))]
    outer = [call for call in asking if not any(item is not call and item.span.holds(call.span) for item in asking)]
    name = site.word(outer[0]) if kind == "failure" and len(outer) == 1 else ""
    return f"{name}() {types}" if name and site.project.targets(site.fn, outer[0]) else ""


def one_client(site: Place) -> str:
    """`found = self._resolver.resolve(host, "A")`: what the methods of a class ask the same client for."""
    done = {item.value for item in site.function.statements}
    asked = (
        whole_text(site, site.function.span_of(call.func))
        for call in sorted(site.calls, key=lambda item: item.span)
        if call.value not in done
    )
    client = next((text for text in asked if text.startswith("self.") and text.count(".") > 1), "")
    return f"{site.fn.path}: {client}()" if client else ""


def calls_back(site: Place) -> bool:
    """`notify(0.5, "half way")`, where callers have passed `notify` in, and nothing else is tried."""
    given = [site.fn.unguarded(call.func)[0] in ("param", "outer") for call in site.calls]
    return any(given) and all(
        back or asks_nobody(site.project, site.fn, call) for back, call in zip(given, site.calls, strict=True)
    )


def reads_request(site: Place) -> bool:
    """Whether it reads the request that is tried, which projects do the same way in all their handlers."""
    return any(request_reads(site.project, site.fn, below(site.function, site.tried)))


def suspects(function: FunctionFacts) -> Iterator[int]:
    """Handlers in which nothing happens, and `with suppress(...)`."""
    idle = unraised(function)
    active = {item.block for item in function.calls if not any(made.span.holds(item.span) for made in idle)}
    active |= {item.block for item in function.statements if item not in idle}
    active |= {item.block for item in function.raises} | {item.block for item in function.stores}
    used = {value[1] for value in function.values if value[0] == "exc"} & referred(function)
    used -= {number for made in idle for number in around(function, made.block)}
    for index, block in enumerate(function.blocks):
        if block.kind == "except":
            if index not in used and active.isdisjoint(below(function, index)):
                yield index
        elif block.kind == "with" and block.value >= 0 and is_suppress(function, block.value):
            yield index


def unraised(function: FunctionFacts) -> list[Statement]:
    """`ApiError(text, 500)` as a statement: it is made, and nobody raises it."""
    calls = {call.value: call for call in function.calls}
    found = []
    for item in function.statements:
        call = calls.get(item.value) if item.kind == "expr" else None
        func = function.values[call.func] if call is not None else ("",)
        if func[0] == "name" and EXCEPTION.fullmatch(str(func[1]).rpartition(".")[2]):
            found.append(item)
    return found


def referred(function: FunctionFacts) -> set[int]:
    """Blocks whose caught exception some other value or statement refers to."""
    exceptions = {vid: value[1] for vid, value in enumerate(function.values) if value[0] == "exc"}
    found: set[int] = set()
    for value in function.values if exceptions else ():
        for part in value[1:]:
            for vid in part if isinstance(part, tuple) else (part,):
                if isinstance(vid, int) and not isinstance(vid, bool) and vid in exceptions and value[0] != "exc":
                    found.add(exceptions[vid])
    found |= {exceptions[item.value] for item in function.returns if item.value in exceptions}
    return found | {exceptions[item.value] for item in function.bindings if item.value in exceptions}


def is_suppress(function: FunctionFacts, vid: int) -> bool:
    value = function.values[vid]
    if value[0] != "call":
        return False
    return function.values[function.calls[value[1]].func] == ("name", SUPPRESS)


def judged(site: Place) -> Iterator[Hit]:
    kind, types = what_is_caught(site)
    if not kind or is_expected(site, types):
        return
    function, block = site.function, site.facts
    outcome = "goes on" if block.kind == "with" else outcome_of(site)
    told = says_what_failed(site)
    if not outcome or (kind == "failure" and told):
        return
    parses = kind == "broad" and (only_parses(site) or computes(site))
    quiet = (
        parses
        or is_aside(site)
        or is_patch(site.project, site.fn)
        or (kind == "failure" and is_system_check(site.project, site.fn))
        or is_quiet(site, outcome)
        or (kind == "failure" and outcome in NOTHING_FOUND and hides_database(site))
        or (kind == "failure" and WAITING_FUNCTION.fullmatch(function.name) is not None)
    )
    what = f"`{function.name}()`" if function.name else "the module"
    harm = "whoever runs the service never learns of a bug or an outage there" if told else HARMS[kind]
    advice = "log it with its traceback, or catch only what you expect"
    if parses:
        harm, advice = (
            "a bug there looks like a value that cannot be read",
            "catch only what reading it raises" + (" (`ValueError`)" if site.calls else ""),
        )
    yield Hit(
        f"{sentence(types, block.kind)} in {what} {outcome}{UNTRACED}, so {harm}; {advice}.",
        site.fn.location(function.span_of(block.value) if block.kind == "with" else clause(function, site.block)),
        profile="strict" if quiet else None,
        confidence="medium" if quiet or not outcome.startswith("goes on") else None,
        function=site.fn.fqn,
    )


def is_system_check(project: Project, fn: Fn) -> bool:
    """A check of Django's, or what such checks alone call: what cannot be asked at that time is not found wanting, and whoever
    needs it learns of the outage."""
    callers = [edge.caller for edge in project.graph.callers(fn)]
    return all(any(ref.name.startswith("django.core.checks.") for ref in item.decorators) for item in (callers or [fn]))


def is_patch(project: Project, fn: Fn) -> bool:
    """A migration (also one of the numbered functions of a file of them), or a patch of the data: it has run, and cannot be
    changed any more."""
    path = f"/{fn.file.path}"
    if re.search(r"/migrations?\.py$", path):
        return NUMBERED.match(fn.name) is not None
    if "/patches/" in path:
        return fn.name == "execute" and not fn.facts.params
    return project.layer(fn) == "migration" or "/migrations/" in path


def hides_database(site: Place) -> bool:
    """What reads the database and answers with nothing when that fails: REL206 tells it, and what it leads to."""
    in_layer = site.project.layer(site.fn) in ("repository", "service", "model")
    return in_layer and waits_there(site.project, site.fn, site.tried, "db", "db-read")


def sentence(types: Sequence[str], kind: str) -> str:
    if kind == "with":
        return f"`suppress({', '.join(name.rpartition('.')[2] for name in types)})`"
    return clause_text(types)


def what_is_caught(site: Place) -> tuple[str, tuple[str, ...]]:
    """ "broad", "failure" or "" (an exception that may well be expected), and the types."""
    function, block = site.function, site.facts
    if block.kind == "with":
        call = function.calls[function.values[block.value][1]]
        values = [function.values[vid] for vid in call.args]
        types = tuple(str(value[1]) if value[0] == "name" else "?" for value in values)
        if not types:
            return "", ()
    else:
        types = caught(function, site.block)
    if not types or set(types) & strings(site.options["broad"]):
        return "broad", types
    return ("failure" if set(types) <= strings(site.options["failures"]) else ""), types


def strings(value: object) -> frozenset[str]:
    return frozenset(value) if isinstance(value, list | tuple) else frozenset()


def is_expected(site: Place, types: tuple[str, ...]) -> bool:
    """Cleaning up, counting, optional imports, pauses that may end early, tasks that are asked later: places where an error
    must not get in the way."""
    function = site.function
    if CLEANUP_FUNCTION.fullmatch(function.name) or (site.facts.kind == "except" and is_count(site)):
        return True
    owner = site.facts.parent
    if any(function.blocks[index].kind in ("finally", "except") for index in around(function, owner)):
        return True
    names = [site.word(call) for call in site.calls]
    works = [site.word(call) for call in site.calls if not makes(site, call)]
    if works and all(CLEANUP_CALL.fullmatch(name) for name in works):
        return True
    if types and all(name.endswith("TimeoutError") for name in types) and (pauses(site) or polls(site)):
        return True
    if names == ["shield"] and any(
        site.word(call) in HELD and call.span[:2] > site.facts.span[2:] for call in function.calls
    ):
        return True
    if names and all(LOGGER.fullmatch(name) for name in names):
        return True
    return (
        any(name in IMPORTERS for name in names)
        or any(site.name(call) in INCLUDES for call in site.calls)
        or is_import(site)
    )


def pauses(site: Place) -> bool:
    """Whether nothing is done but to wait for a time, also for what comes at its own time: `wait_for(queue.get(), 1)`."""
    waits = [call for call in site.calls if site.word(call) in PAUSE]
    return bool(waits) and all(
        call in waits
        or (not call.passed and any(item.span.holds(call.span) for item in waits) and site.word(call) in COMES)
        for call in site.calls
    )


def polls(site: Place) -> bool:
    """A loop that waits for what comes at its own time, deals with it, and waits again: `wait_for(feed.get_message(), 5)`."""
    loops = (site.function.blocks[number].kind == "while" for number in around(site.function, site.facts.parent))
    waits = [call for call in site.calls if site.word(call) in PAUSE]
    return (
        site.facts.kind == "except"
        and site.facts.exits in ("", "continue")
        and any(loops)
        and any(
            site.word(call) in COMES
            and not call.args
            and any(item.span.holds(call.span) and item is not call for item in waits)
            for call in site.calls
        )
    )


def makes(site: Place, call: Call) -> bool:
    """`Path(name)` of `Path(name).unlink()`."""
    return site.word(call)[:1].isupper() and asks_nobody(site.project, site.fn, call)


def only_parses(site: Place) -> bool:
    """Whether a function tries nothing but to read a value, by a call that can fail for the value alone."""
    reads = [parses(site, site.fn, call) for call in site.calls]
    return (
        bool(site.function.name)
        and any(reads)
        and all(read or asks_nobody(site.project, site.fn, call) for read, call in zip(reads, site.calls, strict=True))
    )


def parses(site: Place, fn: Fn, call: Call, depth: int = 1) -> bool:
    """A call that reads a value, also in a function of the project that does nothing else, and `answer.json()`."""
    name = called_name(fn.file, fn.facts, call)
    if name in site.parsing or (name.endswith(".json") and not call.passed and not call.awaited):
        return True
    targets = site.project.targets(fn, call) if depth else []
    return bool(targets) and all(
        any(parses(site, target, inner, 0) for inner in target.calls)
        and all(parses(site, target, inner, 0) or asks_nobody(site.project, target, inner) for inner in target.calls)
        for target in targets
    )


def computes(site: Place) -> bool:
    """Whether nothing is called, or the function does nothing but make values of others and calls what is known to ask nobody."""
    project, fn = site.project, site.fn
    if not site.calls:
        return not waits_or_loops(site)
    if any(of_mapping(site, call) for call in site.calls) and all(
        of_mapping(site, call) or (fn.value(call.func)[0] == "name" and asks_nobody(project, fn, call))
        for call in site.calls
    ):
        return True
    if not all(asks_nobody(project, fn, call) for call in site.calls):
        return False
    if fn.is_module:
        texts = all(fn.unguarded(call.func)[0] == "attr" and of_text(fn, call) for call in site.calls)
        return texts and not waits_or_loops(site)
    own = set(project.effects.of(fn)) - QUIET_EFFECTS
    return not own or (all(of_text(fn, call) for call in site.calls) and not waits_or_loops(site))


def of_text(fn: Fn, call: Call) -> bool:
    """`names.split(",")`, `os.path.splitext(name)`: of nothing but a text, whatever else the function does."""
    func = fn.unguarded(call.func)
    return func[0] == "name" or (func[0] == "attr" and func[2] in OF_TEXTS)


def of_mapping(site: Place, call: Call) -> bool:
    """`tool.get("shop", {})`, and `.get("name")` of what that gives: no client is asked with a default."""
    func = site.fn.unguarded(call.func)
    if func[0] != "attr" or func[2] != "get" or call.kwargs or call.awaited:
        return False
    base = site.fn.unguarded(func[1])
    inner = base[0] == "call" and of_mapping(site, site.fn.calls[base[1]])
    return inner or (len(call.args) == 2 and is_default(site.function, call.args[1]))


def waits_or_loops(site: Place) -> bool:
    """What may ask somebody without a call: `async for`, a loop over what is read on the way, a context."""
    body = below(site.function, site.tried)
    return any(site.function.blocks[number].kind in ("for", "with") for number in body if number != site.block) or any(
        block_at(site.fn, site.function.span_of(vid)) in body for vid in site.fn.made_by("await")
    )


def is_aside(site: Place) -> bool:
    """Where a failure is no news for whoever runs the service: tools that are run by hand and store nothing, what measures, and
    what says of itself that it drops failures."""
    project, fn = site.project, site.fn
    if DECIDED.search(site.function.docstring) or REPORTING.fullmatch(site.function.name):
        return True
    done = site.effects
    measured = any(site.word(call) in RECORDS for call in site.calls)
    if ("log" in done or measured) and all(is_said(site, call) for call in site.calls):
        return True
    if fills_database(project, fn):
        return True
    if not done & CHANGES and (for_developers(fn.path) or (not fn.is_module and only_by_hand(project, fn))):
        return True
    return not done & STORES and project.layer(fn) != "controller" and MEASURES.search(fn.path.lower()) is not None


def is_said(site: Place, call: Call) -> bool:
    """What only logs or measures, or makes what is logged."""
    return site.word(call) in RECORDS or asks_nobody(site.project, site.fn, call)


def is_import(site: Place) -> bool:
    """Whether the tried code imports first."""
    facts, own = site.facts, site.fn.index
    body = site.function.blocks[site.tried].span
    first = min((call.span for call in site.calls), default=body)
    end = first[:2] if site.calls else facts.span[2:] if facts.kind == "with" else facts.span[:2]
    return any(item.function == own and body.holds(item.span) and item.span[:2] < end for item in site.fn.file.imports)


def outcome_of(site: Place) -> str:
    """What the handler does instead; empty where it does something about the error."""
    function = site.function
    inside = below(function, site.block)
    returned = [item for item in function.returns if item.block in inside]
    if any(item.is_yield for item in returned):
        return ""
    bound = [item for item in function.bindings if item.block in inside]
    values = [*(item.value for item in returned), *(item.value for item in bound)]
    if not all(is_default(function, vid) for vid in values):
        return ""
    if returned:
        value = returned[0].value
        if value < 0 and any(item.is_yield for item in function.returns):
            return "yields no more"
        text = site_text(site, function.span_of(value)) if value >= 0 else "None"
        return f"returns `{text}`"
    if bound:
        return f"sets `{bound[0].name}` to a default"
    made = next((item for item in unraised(function) if item.block in inside), None)
    if made is not None:
        return f"makes `{site_text(site, made.span)}` without raising it, and goes on"
    return f"goes on (`{site.facts.exits}`)" if site.facts.exits in ("continue", "break") else "goes on"


def returned_values(site: Place) -> list[Value]:
    """What the handler returns."""
    function, inside = site.function, below(site.function, site.block)
    return [function.values[item.value] for item in function.returns if item.block in inside and item.value >= 0]


def says_what_failed(site: Place) -> bool:
    """`except Timeout: return False, "timed out"`: the caller gets the failure and its reason."""
    function = site.function
    for value in returned_values(site):
        parts = [function.values[vid] for vid in value[1]] if value[0] == "tuple" else [value]
        texts = [part[1] for part in parts if part[0] == "const" and isinstance(part[1], str)]
        if (("const", False) in parts or ("const", None) in parts) and any(text.strip() for text in texts):
            return True
        if any(FAILED.search(text) for text in texts):
            return True
        if is_failure(value, parts) or any(tells(function, part) for part in parts):
            return True
    return False


def is_failure(value: Value, parts: Sequence[Value]) -> bool:
    """`return body, 503`."""
    codes = [part[1] for part in parts[1:2] if part[0] == "const"] if value[0] == "tuple" else []
    return any(isinstance(code, int) and 400 <= code < 600 for code in codes)


def tells(function: FunctionFacts, value: Value) -> bool:
    """`{"success": False}`, `{"error": "timed out"}`."""
    for key, item in value[1] if value[0] == "dict" else ():
        name = function.values[key][1:] if key >= 0 and function.values[key][0] == "const" else ()
        said = function.values[item]
        if name and name[0] in FLAGS and said == ("const", False):
            return True
        if name and name[0] in TOLD and said[0] == "const" and isinstance(said[1], str) and said[1].strip():
            return True
    return False


def site_text(site: Place, span: Span) -> str:
    text = whole_text(site, span)
    return text if len(text) <= 30 else text[:27] + "..."


def whole_text(site: Place, span: Span) -> str:
    return " ".join(span.text_in(site.lines).split())


def is_default(function: FunctionFacts, vid: int) -> bool:
    """None, a constant or an empty container."""
    if vid < 0:
        return True
    value = function.values[vid]
    if value[0] == "const":
        return True
    return value[0] in ("list", "tuple", "set", "dict") and all(is_default(function, item) for item in flat(value[1]))


def flat(items: Sequence[object]) -> Iterator[int]:
    for item in items:
        if isinstance(item, tuple):
            yield from (part for part in item if isinstance(part, int))
        elif isinstance(item, int):
            yield item


def is_quiet(site: Place, outcome: str) -> bool:
    """Where dropping it is a decision that a reader can follow: advice at most."""
    function = site.function
    if has_comment(site) or (
        QUIET_FUNCTION.fullmatch(function.name) and not (ASKING.match(function.name) and does(site))
    ):
        return True
    if outcome.startswith("sets") or (outcome in BOOLEANS and not is_deed(site)):
        return True
    if is_probe(site) or says_unknown(site) or takes_result(site):
        return True
    if is_on_the_way_to_raise(site) or tries_candidates(site) or is_missed_below(site):
        return True
    # where the tried code returns, the code below is what happens instead
    if outcome != "goes on" or site.facts.kind != "except":
        return False
    return function.blocks[site.facts.group].exits == "return" or ends_in_failure(site) or tries_first(site)


def does(site: Place) -> bool:
    """Whether something is changed or sent where a name says that it is asked: `_check_payment()` that submits the invoice."""
    return not site.effects.isdisjoint(CHANGES - {"mail"}) or any(
        DEED.fullmatch(site.word(call)) for call in site.calls
    )


def is_probe(site: Place) -> bool:
    """Where it is only asked whether something is there: `status = agent.ping()`, `return requests.head(url).ok`, in `ping()`
    whatever is returned that is no value of its own."""
    said = returned_values(site)
    if PROBE.fullmatch(site.function.name) and said and all(is_plain(item) for item in said):
        return True
    return any(ASKS.fullmatch(site.word(call)) for call in site.calls) and all(
        ASKS.fullmatch(site.word(call)) or asks_nobody(site.project, site.fn, call) for call in site.calls
    )


def is_plain(value: Value) -> bool:
    """None, a number or a boolean."""
    return value[0] == "const" and (value[1] is None or isinstance(value[1], int | float))


def says_unknown(site: Place) -> bool:
    """`return "unknown"`."""
    return any(
        value[0] == "const" and isinstance(value[1], str) and value[1].strip().lower() in UNKNOWN
        for value in returned_values(site)
    )


def takes_result(site: Place) -> bool:
    """`task.result()` alone, whose result nobody uses: it marks the failure as seen."""
    body = [item for item in site.function.statements if item.block == site.tried]
    return [site.word(call) for call in site.calls] in ([name] for name in HELD) and any(
        item.value == site.calls[0].value for item in body
    )


def is_on_the_way_to_raise(site: Place) -> bool:
    """Where the code right below raises in any case, and what was tried would say more about it; also where success has
    left the function, so that it raises for what failed."""
    function, block = site.function, site.facts
    outer = function.blocks[site.tried].parent if block.kind == "except" else block.parent
    tried = below(function, site.tried)
    succeeds = any(item.block in tried for item in function.returns)
    levels = set(around(function, outer)) if succeeds else {outer}
    if block.exits and not (succeeds and block.exits == "continue"):
        return False
    ends = [(item.span, True, item.block) for item in function.raises]
    ends += [(item.span, False, item.block) for item in function.returns]
    after = [item for item in ends if item[0][:2] > block.span[2:] and item[2] in levels]
    return bool(after) and min(after)[1]


def tries_candidates(site: Place) -> bool:
    """`for word in passwords: try: open_with(word)`: a loop that ends with the first that does, where the code below it tells
    that none did."""
    function, fn = site.function, site.fn
    loop = next((n for n in around(function, site.facts.parent) if function.blocks[n].kind in ("for", "while")), -1)
    if site.facts.kind != "except" or loop < 0 or function.blocks[loop].kind != "for":
        return False
    block, within = function.blocks[loop], below(function, loop) - below(function, site.block)
    made = ingredients(function, [vid for call in site.calls for vid in (call.func, *call.passed)])
    if ("elem", block.value) not in (function.values[vid] for vid in made):
        return False
    ends = any(function.blocks[number].exits in ("break", "return") for number in within)
    told = [(item.span, item.block) for item in function.raises]
    told += [(call.span, call.block) for call in function.calls if warns(fn, call)]
    outer = {n for n, item in enumerate(function.blocks) if item.kind in ("if", "else") and item.parent == block.parent}
    return ends and any(span > block.span and number in {*outer, block.parent} for span, number in told)


def is_missed_below(site: Place) -> bool:
    """`if self.size is None: raise ValueError(...)` right below, of what was tried to find: the failure does come out."""
    function, block = site.function, site.facts
    outer = function.blocks[site.tried].parent
    if block.kind != "except" or block.exits:
        return False
    tried = below(function, site.tried)
    set_there = {item.name for item in function.stores if item.block in tried and item.name}
    bound = {item.name for item in function.bindings if item.block in tried}
    below_it = [item for item in function.blocks if item.parent == outer and item.span[:2] > block.span[2:]]
    first = min(below_it, key=lambda item: item.span, default=None)
    if first is None or first.kind != "if" or first.exits != "raise":
        return False
    made = ingredients(function, (first.value,))
    named = {str(value[2]) for value in map(function.values.__getitem__, made) if value[0] == "attr"}
    found = {call.value for call in site.calls}
    return not set_there.isdisjoint(named) or (bool(bound) and not made.isdisjoint(found))


def warns(fn: Fn, call: Call) -> bool:
    """Whether it logs that something is wrong."""
    found = log_call(fn.file, fn.facts, call)
    return found is not None and found.level in WARNS


def tries_first(site: Place) -> bool:
    """Where success returns in the tried code, which asks nobody else, and the code below makes the result in another way."""
    tried = below(site.function, site.facts.group)
    return (
        any(item.block in tried for item in site.function.returns)
        and not site.effects & WORKS
        and any(call.span[:2] > site.facts.span[2:] for call in site.function.calls)
    )


def ends_in_failure(site: Place) -> bool:
    """Where success returns in the tried code, and whatever comes below answers that it failed."""
    function, tried = site.function, below(site.function, site.facts.group)
    below_it = [item.value for item in function.returns if item.span[:2] > site.facts.span[2:]]
    return (
        any(item.block in tried for item in function.returns)
        and bool(below_it)
        and all(vid >= 0 and answers_failure(function, vid) for vid in below_it)
    )


def answers_failure(function: FunctionFacts, vid: int) -> bool:
    """`return HttpResponse(status=500)`, `return body, 503`."""
    value = function.values[vid]
    if value[0] == "tuple":
        return is_failure(value, [function.values[item] for item in value[1]])
    call = function.calls[value[1]] if value[0] == "call" else None
    said = [function.values[item] for key, item in call.kwargs if key in ("status", "status_code")] if call else []
    return any(item[0] == "const" and isinstance(item[1], int) and item[1] >= 400 for item in said)


def is_count(site: Place) -> bool:
    """Whether nothing but a metric is tried (`requests.labels(path).inc()`)."""
    statements = [item for item in site.function.statements if item.block == site.facts.group]
    calls = {call.value: site.word(call) for call in site.function.calls}
    return bool(statements) and all(item.kind == "expr" and calls.get(item.value, "") in COUNTED for item in statements)


def is_deed(site: Place) -> bool:
    """Whether the tried code does something and then says that it has: its `False` is a failure, not an answer."""
    function = site.function
    if STATE_FUNCTION.fullmatch(function.name) or site.facts.kind != "except":
        return False
    tried = below(function, site.facts.group).union(
        *(below(function, part) for part in siblings(function, site.block, "try-else"))
    )
    said = [item.value for item in function.returns if item.block in tried]
    return bool(said) and all(vid >= 0 and function.values[vid] in BOOLS for vid in said)


def has_comment(site: Place) -> bool:
    """A comment in the handler, at the `with`, or on the line above says why."""
    first, last = site.facts.span.line, site.facts.span.end_line
    lines = site.lines[first - 1 : last if site.facts.kind == "except" else first + 1]
    above = site.lines[first - 2] if first > 1 else ""
    if above.lstrip().startswith("#"):
        lines = [above, *lines]
    return any(is_reason(part) for line in lines for part in line.split("#")[1:]) or says_above(site)


def says_above(site: Place) -> bool:
    """A comment above the `try` that speaks of what is caught there."""
    line = site.function.blocks[site.tried].span.line
    return any(map(CAUGHT.search, comment_above(site.project, site.fn.path, line)))


def is_reason(comment: str) -> bool:
    """Whether a comment is prose (not empty, and no marker for a tool alone), or accepts this very flaw."""
    if CODE.match(comment):
        return False
    marker = MARKER.match(comment)
    said = comment[marker.end() :].strip(" -:;,.#") if marker else comment.strip()
    return len(said.split()) > (1 if marker else 0) or ACCEPTED.search(comment) is not None
