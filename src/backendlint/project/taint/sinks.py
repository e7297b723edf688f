"""Places where tainted data does harm: arguments of calls, and attributes and items that are assigned to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call, Store, Value, Vid
from backendlint.project.entities import Fn, Ref
from backendlint.project.graph.calls import arguments
from backendlint.project.libraries.conditions import holds
from backendlint.project.libraries.model import Arg, AttributeModel, CallModel, Sink
from backendlint.project.linking.decorators import decorator_models
from backendlint.project.taint.containers import beginnings, grown_from
from backendlint.project.taint.labels import Path
from backendlint.project.taint.locations import located
from backendlint.project.taint.raised import sent_arguments, shown_parts
from backendlint.project.taint.uploads import are_files
from backendlint.project.web.params import is_serverless
from backendlint.project.web.requests import made_by_schema

if TYPE_CHECKING:
    from backendlint.project.model import Project
    from backendlint.project.routes import Route

RESPONSE = CallModel(name="response")
"""Stands for what a handler returns."""
_SHELLS = frozenset({"sh", "bash", "zsh", "dash", "ksh", "ash", "cmd", "cmd.exe", "powershell"})
_SCRIPT_FLAGS = frozenset({"-c", "-lc", "-ec", "/c", "/C", "-Command"})
_TYPE_KEYWORDS = ("content_type", "mimetype", "media_type")
_UNKNOWN = CallModel(name="execute")
"""Stands for a method of which nothing but its name is known."""
_TEXT_OR_RESPONSE = re.compile(r"response|markup|html|page|template|^builtins\.(str|bytes)$|string", re.IGNORECASE)
"""Names of classes whose objects may be sent as they are."""
_METHODS = frozenset(
    "execute executemany executescript fetch fetchrow fetchval fetch_all fetch_one fetch_val exec_driver_sql execute_sql run_sql".split()
)
_CHANGED = ("store", "setattr", "mut", "guard")


class SinkSite(NamedTuple):
    """An argument of a call (or an assigned value) where tainted data does harm."""

    kind: str
    fn: Fn
    call: Call
    """For assignments a call that stands for it: the value is its first argument, a key the second."""
    vid: Vid
    model: CallModel
    sink: Sink
    printed: str = ""
    """Where a template prints it unescaped."""
    path: Path = ()
    """The part of the value that is meant."""

    @property
    def called(self) -> str:
        """The last part of the name of what is called."""
        return self.model.name.rpartition(".")[2]


def find_sinks(project: Project) -> dict[str, list[SinkSite]]:
    """All sinks of the project by kind."""
    found: dict[str, list[SinkSite]] = {}
    for site in project.effects.sites:
        for sink in site.model.sinks:
            for item in _sites(project, site.fn, site.call, site.model, sink):
                found.setdefault(sink.kind, []).append(item)
    for fn, call, assigned_to in project.taint.assignments:
        standing = CallModel(name=assigned_to.name, library=assigned_to.library)
        for sink in assigned_to.sinks:
            if sink.kind == "xss" and _made_plain(project, fn, call.func):
                continue
            for item in _sites(project, fn, call, standing, sink):
                found.setdefault(sink.kind, []).append(item)
    for fn, call, model, vid, place in project.taint.raw_templates.prints():
        printed = SinkSite("xss", fn, call, vid, model, Sink("xss", Arg(all_keywords=True)), place)
        found.setdefault("xss", []).append(printed)
    for fn, call, model, vid, place in project.taint.raw_templates.answers():
        shown = SinkSite("page", fn, call, vid, model, Sink("response", Arg(all_keywords=True)), place)
        found.setdefault("page", []).append(shown)
    for item in (*_answers(project), *_by_name(project), *_handed_over(project), *_items(project)):
        found.setdefault(item.kind, []).append(item)
    handled = [(item.fn, item.vid) for item in found.get("response", ()) if item.fn.fqn in project.error_handlers]
    for fn, call, vid, name in sent_arguments(project, shown_parts(project, handled)):
        sent = SinkSite("response", fn, call, vid, CallModel(name=name), Sink("response", Arg((0,))))
        found.setdefault("response", []).append(sent)
    for fn, call, vid, name in located(project):
        led = SinkSite("redirect", fn, call, vid, CallModel(name=name), Sink("redirect", Arg((0,))))
        found.setdefault("redirect", []).append(led)
    return found


def _items(project: Project) -> Iterator[SinkSite]:
    """`message["Subject"] = text`, where the object's `__setitem__` is a sink."""
    named = (name for name in project.libraries.names_saying("calls", "sinks") if name.endswith(".__setitem__"))
    if not any(project.imports(name.partition(".")[0]) for name in named):
        return
    for fn in project.all_functions():
        for store in fn.facts.stores:
            for ref in project.refs(fn, store.base) if store.key >= 0 and store.base >= 0 else ():
                model = project.libraries.call(f"{ref.name}.__setitem__") if ref.kind == "libinst" else None
                call = Call(store.base, (store.key, store.value), (), store.value, store.block, False, store.span)
                for sink in model.sinks if model is not None else ():
                    yield from _sites(project, fn, call, model or RESPONSE, sink)


def _answers(project: Project) -> Iterator[SinkSite]:
    """What goes to the client: bodies of responses, and what handlers return."""
    for site in project.effects.sites:
        response = site.model.response
        if response is not None and response.body is not None and not response.template:
            sink = Sink("response", response.body)
            for vid in sink_arguments(site.fn, site.call, response.body):
                yield SinkSite("response", site.fn, site.call, vid, site.model, sink)
    for routes in project.route_functions.values():
        route = routes[0]
        if route.handler is None or route.kind != "http":
            continue
        html = any(_is_html(project, item) for item in routes) and not made_by_schema(project, route.handler)
        kind = "xss" if html else "response"
        yield from _returned(project, route.handler, kind)
    for fn in project.all_functions():
        if any(model.error_handler is not None for model in decorator_models(project, fn)):
            yield from _returned(project, fn, "response")
        if is_serverless(fn):
            yield from _proxied(fn)


def _proxied(fn: Fn) -> Iterator[SinkSite]:
    """The page in what a serverless function answers: `{"body": html, "headers": {"Content-Type": "text/html"}}`."""
    for item in fn.facts.returns:
        answer = _entries(fn, item.value)
        headers = _entries(fn, answer.get("headers", -1))
        if any(key.lower() == "content-type" and "html" in str(fn.const(vid)) for key, vid in headers.items()):
            body = answer.get("body", -1)
            if body >= 0:
                call = Call(body, (body,), (), body, item.block, False, item.span)
                yield SinkSite("xss", fn, call, body, RESPONSE, Sink("xss", Arg((0,))))


def _entries(fn: Fn, vid: Vid) -> dict[str, Vid]:
    """The entries of a dict with constant keys."""
    value = fn.facts.values[vid] if vid >= 0 else ("unknown",)
    if value[0] == "store":
        key = fn.const(value[2])
        return {**_entries(fn, value[1]), **({key: value[3]} if isinstance(key, str) else {})}
    return {str(fn.const(key)): item for key, item in value[1] if key >= 0} if value[0] == "dict" else {}


def _is_html(project: Project, route: Route) -> bool:
    model, call = route.entry.model, route.entry.call
    if model.html:
        return True
    if model.html_class is None or call is None:
        return False
    for vid in arguments(call, model.html_class):
        value = route.entry.fn.facts.values[vid]
        if value[-1] == "text/html" or (value[0] in ("name", "attr") and str(value[-1]).rpartition(".")[2] == "HTML"):
            return True
        for ref in project.refs(route.entry.fn, vid):
            made = project.libraries.call(ref.name)
            if made is not None and made.response is not None and made.response.content_type == "text/html":
                return True
    return False


def _returned(project: Project, fn: Fn, kind: str) -> Iterator[SinkSite]:
    for item in fn.facts.returns:
        if item.value < 0 or item.is_yield:
            continue
        vid = item.value
        value = fn.facts.values[vid]
        if value[0] == "tuple" and value[1]:
            vid = value[1][0]
            value = fn.facts.values[vid]
        call = fn.facts.calls[value[1]] if value[0] == "call" else None
        made = call is not None and _is_response(project, fn, call)
        if made and (call is None or kind != "xss" or not _unescaped(project, fn, call, item.value)):
            continue
        kinds = ["response"]
        if kind == "xss" and not _harmless(project, fn, vid, "xss"):
            kinds.append("xss")
        standing = Call(vid, (vid,), (), vid, item.block, False, item.span)
        for found in kinds:
            yield SinkSite(found, fn, standing, vid, RESPONSE, Sink(found, Arg((0,))))  # type: ignore[arg-type]


def _unescaped(project: Project, fn: Fn, call: Call, returned: Vid) -> bool:
    """A template that is not escaped, sent as what the framework takes a text for."""
    whole = fn.facts.values[returned]
    typed = whole[0] == "tuple" and any(fn.facts.values[item][0] == "dict" for item in whole[1][1:])
    raw = project.taint.raw_templates
    return not typed and any(raw.unescaped(fn, call, model) for model in project.models(fn, call))


def _is_response(project: Project, fn: Fn, call: Call, depth: int = 2) -> bool:
    """A call that makes a response, or a helper that returns nothing else."""
    if any(model.response is not None for model in project.models(fn, call)):
        return True
    targets = project.targets(fn, call) if depth else []
    return bool(targets) and all(_answers_itself(project, target, depth - 1) for target in targets)


def _answers_itself(project: Project, fn: Fn, depth: int) -> bool:
    made = [fn.facts.values[vid] for vid in fn.returned]
    made = [fn.facts.values[value[1][0]] if value[0] == "tuple" and value[1] else value for value in made]
    calls = [fn.facts.calls[value[1]] for value in made if value[0] == "call"]
    data = sum(value[0] in ("dict", "list") for value in made)
    sent = all(_is_response(project, fn, call, depth) for call in calls)
    return bool(calls) and sent and len(calls) + data == len(made)


def _sites(project: Project, fn: Fn, call: Call, model: CallModel, sink: Sink) -> Iterator[SinkSite]:
    if not all(holds(project, fn, call, condition) for condition in sink.when):
        return
    if any(holds(project, fn, call, condition) for condition in sink.unless):
        return
    if sink.kind == "xss" and _is_plain(fn, call):
        return
    if sink.kind == "template" and model.returns and any(item.value == call.value for item in fn.facts.statements):
        return  # only compiled, to see whether it can be
    func = fn.facts.values[call.func]
    if sink.kind == "xss" and func[0] == "attr" and _made_plain(project, fn, func[1]):
        return
    for vid in sink_arguments(fn, call, sink.arg):
        if sink.kind == "nosql":
            yield from _scripts(fn, call, model, vid)
        if _harmless(project, fn, vid, sink.kind):
            continue
        for script in _scripts_of(fn, call, vid) if sink.kind == "command" else ():
            yield SinkSite(sink.kind, fn, call, script, model, sink)
        value = fn.facts.values[vid]
        part = 0 if sink.kind == "xss" and value[0] == "tuple" else sink.element
        whole = vid
        if sink.kind == "command" and value[0] == "star":  # `exec(*vector)`: the first argument is its first element
            part, whole = 0, value[1]
        found = _elements(fn, whole, part) if part >= 0 else [whole]
        path = (f"[{part}]",) if found == [whole] and part >= 0 and sink.kind == "command" else ()
        for element in found:
            yield SinkSite(sink.kind, fn, call, element, model, sink, path=path)


def _scripts_of(fn: Fn, call: Call, vid: Vid) -> Iterator[Vid]:
    """What a shell is given to run: `["bash", "-c", script]`, `execl("/bin/sh", "sh", "-c", script)`."""
    found = beginnings(fn, vid)
    if not found and vid in call.args:
        rest = call.args[call.args.index(vid) + 1 :]
        found = [[vid, *items] for items in beginnings(fn, rest[0])] if rest else []
        found = found or [[vid, *rest]]
    for items in found:
        if str(fn.const(items[0])).rpartition("/")[2] in _SHELLS:
            flags = (number for number, item in enumerate(items[1:-1], 1) if fn.const(item) in _SCRIPT_FLAGS)
            yield from (items[number + 1] for number in flags)


def _scripts(fn: Fn, call: Call, model: CallModel, vid: Vid) -> Iterator[SinkSite]:
    """`{"$where": text}`: what MongoDB runs as JavaScript."""
    value = fn.facts.values[vid]
    for key, item in value[1] if value[0] == "dict" else ():
        if fn.const(key) in ("$where", "$function", "$accumulator"):
            yield SinkSite("javascript", fn, call, item, model, Sink("javascript", Arg((0,))))


def _is_plain(fn: Fn, call: Call) -> bool:
    """A response that no browser runs scripts of."""
    return _retyped(fn, call) or any(_plain(fn.const(call.kwarg(key))) for key in _TYPE_KEYWORDS)


def _made_plain(project: Project, fn: Fn, vid: Vid) -> bool:
    """The response whose text is set was made as something else than a page."""
    made = project.allocations.of(fn, vid)
    return bool(made) and all(_is_plain(*item) for item in made)


def _retyped(fn: Fn, call: Call) -> bool:
    """`response.mimetype = "text/plain"`, after it was made."""
    for store in fn.facts.stores:
        typed = store.name in _TYPE_KEYWORDS or str(fn.const(store.key)).lower() == "content-type"
        base = store.base
        while typed and base >= 0 and fn.facts.values[base][0] in (*_CHANGED, "attr"):
            base = fn.facts.values[base][1]
        if typed and base == call.value and _plain(fn.const(store.value)):
            return True
    return False


def _plain(kind: object) -> bool:
    """A content type that no browser runs scripts of."""
    return isinstance(kind, str) and not any(word in kind for word in ("html", "xml", "svg"))


def _harmless(project: Project, fn: Fn, vid: Vid, kind: str) -> bool:
    """An object where a text would do harm: a dict that is sent as JSON, an uploaded file instead of its path."""
    value = fn.facts.values[vid]
    if kind == "xss":
        refs = project.refs(fn, vid)
        plain = value[0] in ("dict", "list") or any(ref.name in ("builtins.dict", "builtins.list") for ref in refs)
        return plain or (bool(refs) and all(_is_object(project, ref) for ref in refs))
    if kind == "ssrf":  # a place in the file system is no address
        return _are_paths(project, project.refs(fn, vid))
    if kind != "path":
        return False
    if value[0] == "attr" and value[2] in ("stream", "file"):
        return True
    while value[0] == "mut":  # `buffer.write(data)`
        vid = value[1]
        value = fn.facts.values[vid]
    return are_files(project, (ref for ref in project.refs(fn, vid) if ref.kind == "libinst"))


def _are_paths(project: Project, refs: Sequence[Ref]) -> bool:
    return bool(refs) and all(
        ref.kind == "libinst" and project.libraries.is_subclass(ref.name, "pathlib.PurePath") for ref in refs
    )


def _is_object(project: Project, ref: Ref) -> bool:
    """An object of a project's class that is neither text nor response: no framework takes it for a page."""
    cls = project.classes.get(ref.name) if ref.kind == "inst" else None
    if cls is None or any(project.method(cls, name) is not None for name in ("__html__", "__call__")):
        return False
    bases = [item.name for item in project.hierarchy.mro(cls)] + list(project.hierarchy.library_bases(cls))
    return not any(_TEXT_OR_RESPONSE.search(name) for name in bases)


def _elements(fn: Fn, vid: Vid, index: int) -> list[Vid]:
    """That element of a list, whichever it may be; the whole where nobody knows."""
    found = beginnings(fn, vid)
    if not found:
        short = fn.facts.values[vid][0] in ("list", "tuple") and index >= len(fn.facts.values[vid][1])
        return [] if short else [grown_from(fn, vid)]
    return list(dict.fromkeys(items[index] for items in found if index < len(items)))


def sink_arguments(fn: Fn, call: Call, arg: Arg) -> list[Vid]:
    """The vids of a call's arguments that a model names, its receiver included where meant."""
    vids = [call.args[i] for i in arg.positions if i < len(call.args)]
    vids += [vid for key, vid in call.kwargs if key in arg.keywords or arg.all_keywords]
    if arg.rest >= 0:
        vids += call.args[arg.rest :]
    func = fn.facts.values[call.func]
    if arg.receiver and func[0] == "attr":
        vids.append(func[1])
    return vids


def as_call(store: Store) -> Call:
    """A call that stands for an assignment: the value is its first argument, a key the second."""
    args = (store.value,) if store.key < 0 else (store.value, store.key)
    return Call(max(store.base, 0), args, (), store.value, store.block, False, store.span)


def find_assignments(project: Project) -> list[tuple[Fn, Call, AttributeModel]]:
    """Assignments to attributes of libraries that are sinks or may be weak, with calls that stand for them."""
    return [
        (fn, as_call(store), model)
        for fn in project.all_functions()
        for store in fn.facts.stores
        if (model := _assigned(project, fn, store)) is not None
    ]


def _assigned(project: Project, fn: Fn, store: Store) -> AttributeModel | None:
    """The model, with sinks or weak values, of the attribute that is assigned to or whose item is."""
    if store.base < 0:
        return None
    base = store.base
    values = fn.facts.values
    while values[base][0] in _CHANGED:
        base = values[base][1]
    if store.name:
        return _attribute(project, fn, base, store.name)
    value = values[base]
    if value[0] == "attr":
        return _attribute(project, fn, value[1], value[2])
    if value[0] != "name":
        return None
    head, _, last = value[1].rpartition(".")
    for ref in project.resolver.dotted(head, fn.file.module) if head else ():
        model = _of(project, ref.kind, ref.name, last)
        if model is not None:
            return model
    model = project.libraries.attribute(value[1])
    return model if model is not None and (model.sinks or model.weak) else None


def _attribute(project: Project, fn: Fn, base: Vid, name: str) -> AttributeModel | None:
    for ref in project.refs(fn, base):
        model = _of(project, ref.kind, ref.name, name)
        if model is not None:
            return model
    return None


def _of(project: Project, kind: str, owner: str, name: str) -> AttributeModel | None:
    owners = [owner] if kind in ("lib", "libinst") else []
    if kind == "inst":
        owners = list(project.hierarchy.library_bases(project.classes[owner]))
    for item in owners:
        model = project.libraries.attribute(f"{item}.{name}")
        if model is not None and (model.sinks or model.weak):
            return model
    return None


def _handed_over(project: Project) -> Iterator[SinkSite]:
    """`run_in_threadpool(pickle.loads, raw)`: what a library's function gets that another call runs."""
    for site in project.effects.sites:
        for arg in (site.model.executor, site.model.bridges, site.model.spawn, site.model.calls):
            call = _run_later(site.fn, site.call, arg) if arg is not None else None
            for ref in project.refs(site.fn, call.func) if call is not None else ():
                model = project.libraries.call(ref.name) if ref.kind == "lib" else None
                for sink in model.sinks if model is not None else ():
                    yield from _sites(project, site.fn, call or site.call, model or site.model, sink)


def _run_later(fn: Fn, call: Call, arg: Arg) -> Call | None:
    """The call that another makes: of the function that it is given, with what follows it or with its `args`."""
    position = arg.positions[0] if arg.positions else -1
    if 0 <= position < len(call.args) - 1:
        return call._replace(func=call.args[position], args=call.args[position + 1 :])
    passed = fn.facts.values[call.kwarg("args")] if call.kwarg("args") >= 0 else ("unknown",)
    func = next((call.kwarg(key) for key in arg.keywords if call.kwarg(key) >= 0), -1)
    if func < 0 or passed[0] not in ("tuple", "list"):
        return None
    return call._replace(func=func, args=passed[1], kwargs=())


def _by_name(project: Project) -> Iterator[SinkSite]:
    """`x.execute("SELECT ..." + y)` where nothing is known of x; `globals()[name]()`."""
    for fn, call in project.graph.calls_written(""):
        func = fn.facts.values[call.func]
        if func[0] == "item":
            yield from _chosen(project, fn, call, func)
    for fn, call in project.graph.calls_written(*sorted(_METHODS)):
        if not call.args or project.models(fn, call) or project.targets(fn, call):
            continue
        if _starts_like_sql(fn, call.args[0]):
            yield SinkSite("sql", fn, call, call.args[0], _UNKNOWN, Sink("sql", Arg((0,))))


def _chosen(project: Project, fn: Fn, call: Call, func: Value) -> Iterator[SinkSite]:
    """A call of the function with that name, whichever it is."""
    base = fn.facts.values[func[1]]
    names = {ref.name for ref in project.refs(fn, fn.facts.calls[base[1]].func)} if base[0] == "call" else set()
    if names & {"builtins.globals", "builtins.locals"}:
        yield SinkSite("code", fn, call, func[2], CallModel(name="builtins.globals"), Sink("code", Arg((0,))))


def _starts_like_sql(fn: Fn, vid: Vid, depth: int = 5) -> bool:
    value = fn.facts.values[vid]
    if value[0] == "const":
        words = str(value[1]).split(None, 1)
        return bool(words) and words[0].upper() in (
            "SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "ALTER", "CREATE", "DROP", "TRUNCATE", "REPLACE", "MERGE", "CALL",
        )  # fmt: skip
    if depth and value[0] == "fmt" and value[2]:
        return _starts_like_sql(fn, value[2][0], depth - 1)
    if depth and value[0] == "binop":
        return _starts_like_sql(fn, value[2], depth - 1)
    if depth and value[0] == "phi":
        return any(_starts_like_sql(fn, item, depth - 1) for item in value[1])
    return False
