"""The call graph: who calls whom, and by what kind of edge."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from backendlint.facts.model import Call, Span, Vid
from backendlint.project.entities import Fn, Ref
from backendlint.project.libraries.model import Arg, CallModel, Param
from backendlint.project.linking.binding import Bound, as_run, bind
from backendlint.project.linking.filledin import called_by
from backendlint.project.linking.variables import variable
from backendlint.project.loops.loops import block_at
from backendlint.project.values.uses import ingredients, operands

if TYPE_CHECKING:
    from backendlint.project.graph.handed import Run
    from backendlint.project.model import Project


C = TypeVar("C", bound="tuple[Fn, Call] | tuple[Fn, Call, CallModel]")


class Edge(NamedTuple):
    """`caller` leads to `callee` at `span` (in the caller's file)."""

    caller: Fn
    callee: Fn
    call: Call | None
    """None for edges without a call: injected dependencies, properties."""
    kind: str
    """call; task (a job that runs elsewhere), thread (an executor or thread), spawn (runs beside), inject (the
    framework calls it first), callback, property."""
    span: Span
    through: Run | None = None
    """The helper of the project's that makes the call for the caller (`breaker.run(load)`): what it catches goes no further."""
    handed: Vid = -1
    """The argument that is the callee, where the call is one of a library that runs it with the others: `breaker.call(load, url)`."""

    @property
    def block(self) -> int:
        """The caller's block in which it happens."""
        return self.call.block if self.call is not None else block_at(self.caller, self.span)

    def bound(self, ref: Ref | None = None, entries: bool = False) -> Bound:
        """What the callee is given by its parameters, as `bind` has it, also by what runs it; nothing where there is no call."""
        if self.call is None:
            return {}
        direct = self.kind == "call" and self.handed < 0
        call = self.call if direct else as_run(self.caller, self.call, self.handed)
        return bind(self.caller, call, self.callee, ref, entries=entries)

    def passed(self, index: int) -> list[tuple[Vid, tuple[str, ...]]]:
        """What the callee is given for one of its parameters."""
        return self.bound().get(index, [])


class Written:
    """All calls by how they are written, which is known before anything is resolved."""

    def __init__(self, project: Project) -> None:
        self.project = project

    def calls(self, word: str) -> Sequence[tuple[Fn, Call]]:
        """Those whose callee is written with this as its last part."""
        return self._by_word.get(word, ())

    @cached_property
    def _by_word(self) -> dict[str, list[tuple[Fn, Call]]]:
        found: dict[str, list[tuple[Fn, Call]]] = {}
        for fn in self.project.all_functions():
            for call in fn.facts.calls:
                found.setdefault(fn.callee_name(call), []).append((fn, call))
        return found


class CallGraph:
    """All edges whose callee is certain; calls that could not be resolved are counted, not guessed."""

    def __init__(self, project: Project) -> None:
        from backendlint.project.graph.handed import HandedFunctions

        self.project = project
        self.out: dict[str, list[Edge]] = {}
        """By the caller's fqn, in evaluation order."""
        self.into: dict[str, list[Edge]] = {}
        """By the callee's fqn."""
        self.resolved = 0
        self.unresolved = 0
        self.modelled: list[tuple[Fn, Call, CallModel]] = []
        """Every call with a library model, in evaluation order of the files' functions."""
        self._functions = HandedFunctions(project)
        self._handed: dict[tuple[str, Vid], list[Fn]] = {}
        self._made: list[Call] = []
        self._by_name: dict[str, list[tuple[Fn, Call]]] = defaultdict(list)
        self._property_names = {fn.name for fn in project.all_functions() if fn.kind == "property"}
        injecting = project.libraries.names_saying("calls", "injects")
        self._injecting = any(project.imports(name.partition(".")[0]) for name in injecting)
        for fn in project.all_functions():
            self._function(fn)
        for edges in list(self.out.values()):
            self._in_place_of_jobs(edges)

    @property
    def made(self) -> frozenset[int]:
        """Ids of calls that a library makes of a function that it is handed: they are in no function's own list."""
        return frozenset(id(call) for call in self._made)

    def callees(self, fn: Fn) -> list[Edge]:
        """Edges out of a function."""
        return self.out.get(fn.fqn, [])

    def run_by(self, fn: Fn, call: Call) -> list[Fn]:
        """Project functions that a call runs, also those that the called one is given and runs: `breaker.run(load)`."""
        return self.project.targets(fn, call) + self._handed.get((fn.fqn, call.value), [])

    def callers(self, fn: Fn) -> list[Edge]:
        """Edges into a function."""
        return self.into.get(fn.fqn, [])

    def implementations(self, edge: Edge) -> list[Edge]:
        """The edges of the same call, its own among them, to what is no abstract method."""
        return [item for item in self.callees(edge.caller) if item.call is edge.call and not item.callee.is_abstract]

    def below(self, fn: Fn, deepest: int, kinds: Collection[str] = ("call",)) -> Iterator[tuple[Fn, int]]:
        """The function and what it leads to, each once, the nearest first, with the number of calls on the way."""
        seen = {fn.fqn}
        todo = deque([(fn, 0)])
        while todo:
            item, depth = todo.popleft()
            yield item, depth
            for edge in self.callees(item) if depth < deepest else ():
                if edge.kind in kinds and edge.callee.fqn not in seen:
                    seen.add(edge.callee.fqn)
                    todo.append((edge.callee, depth + 1))

    def outwards(
        self, fn: Fn, call: Call, deepest: int, ends: Callable[[Fn], bool] | None = None
    ) -> Iterator[tuple[Fn, Call, tuple[Edge, ...]]]:
        """A call in the function, then those that lead there, the nearest first, each with where it stands and the way from it;
        nothing above a function that `ends` says it of."""
        todo: deque[tuple[Fn, Call, tuple[Edge, ...]]] = deque([(fn, call, ())])
        seen: set[str] = set()
        while todo:
            fn, call, edges = todo.popleft()
            yield fn, call, edges
            if fn.fqn in seen or len(edges) >= deepest or (ends is not None and ends(fn)):
                continue
            seen.add(fn.fqn)
            for edge in self.callers(fn):
                if edge.kind == "call" and edge.call is not None:
                    todo.append((edge.caller, edge.call, (edge, *edges)))

    def calls_of(self, *names: str) -> Iterator[tuple[Fn, Call]]:
        """All calls of what bears one of these names (a function's or class's fqn, a library's dotted name), by name."""
        for name in names:
            yield from self._by_name.get(name, ())

    def in_order(self, calls: Iterable[C]) -> list[C]:
        """The calls (each with what else is said of it) by place: files in the project's order."""
        return sorted(calls, key=lambda item: (self._files[item[0].path], item[0].index, item[1].value))

    @cached_property
    def _files(self) -> dict[str, int]:
        return {path: number for number, path in enumerate(self.project.files)}

    def calls_with(self, keyword: str) -> list[tuple[Fn, Call]]:
        """All calls that pass a keyword argument (`**` for a mapping that is spread), in order."""
        return self._by_keyword.get(keyword, [])

    @cached_property
    def _by_keyword(self) -> dict[str, list[tuple[Fn, Call]]]:
        found: dict[str, list[tuple[Fn, Call]]] = {}
        for fn in self.project.all_functions():
            for call in fn.facts.calls:
                for keyword in {key for key, _ in call.kwargs} if call.kwargs else ():
                    found.setdefault(keyword, []).append((fn, call))
        return found

    def calls_written(self, *words: str) -> Iterator[tuple[Fn, Call]]:
        """All calls whose callee is written with one of these as its last part (`x.word()`, `word()`), by word; "" stands
        for those that are no names (`table[key]()`)."""
        for word in words:
            yield from self.project.written.calls(word)

    def _add(self, caller: Fn, callee: Fn, call: Call | None, kind: str, span: Span, handed: Vid = -1) -> None:
        self._keep(Edge(caller, callee, call, kind, span, handed=handed))

    def _keep(self, edge: Edge) -> None:
        self.out.setdefault(edge.caller.fqn, []).append(edge)
        self.into.setdefault(edge.callee.fqn, []).append(edge)

    def _in_place_of_jobs(self, edges: list[Edge]) -> None:
        """`queue.enqueue(work)`, `else: work()`: without a queue the same work is done at once, by the operator's choice;
        it counts as a job there too, and so does what the job itself calls first of all. So it is with a thread."""
        jobs = [edge for edge in edges if edge.kind in ("task", "thread") and edge.call is not None]
        sent = {inner.callee.fqn: job for job in jobs for inner in self.callees(job.callee) if inner.kind == "call"}
        sent.update({job.callee.fqn: job for job in jobs})
        for number, edge in enumerate(edges) if sent else ():
            job = sent.get(edge.callee.fqn)
            if job is None or job.call is None or edge.kind != "call" or edge.call is None:
                continue
            if _otherwise(edge.caller, job.call, edge.call.block):
                edges[number] = edge._replace(kind=job.kind)
                into = self.into[edge.callee.fqn]
                into[into.index(edge)] = edges[number]

    def _function(self, fn: Fn) -> None:
        for call in fn.facts.calls:
            self._call(fn, call)
        if self._injecting:
            self._injected(fn)
        self._properties(fn)

    def _call(self, fn: Fn, call: Call) -> None:
        refs = self.project.callees(fn, call)
        if refs:
            self.resolved += 1
        else:
            self.unresolved += 1
            return
        place = (fn, call)
        own = False
        for ref in refs:
            self._by_name[ref.name].append(place)
            own = own or ref.kind not in ("lib", "libinst")
        for target in self.project.targets(fn, call) if own else ():
            self._add(fn, target, call, "call", call.span)
            for made, run in self._functions.calls(fn, call, target):
                self._run_for(fn, made, run)
        for ref in refs:
            if ref.kind == "lib" and ref.arg is not None:
                self._filled_in(fn, call, ref)
        for model in self.project.models(fn, call):
            self.modelled.append((fn, call, model))
            if model.task is not None:
                if model.task.function is not None:
                    self._passed(fn, call, model.task.function, "task")
                else:
                    self._receiver(fn, call, "task")
            for arg, kind in (
                (model.spawn, "spawn"), (model.executor, "thread"), (model.bridges, "call"), (model.calls, "call"),
                (model.handler, "callback"),
            ):  # fmt: skip
                if arg is not None and not (model.wraps is not None and _called(fn, call)):
                    now = kind != "callback" and not model.pure
                    each = arg is model.calls or model.pure
                    self._passed(fn, call, arg, kind, now=now, alone=kind == "thread" and not model.wraps, each=each)

    def _run_for(self, fn: Fn, made: Call, run: Run) -> None:
        """`breaker.run(load)`, where `run()` is the project's own and calls what it is given."""
        self._made.append(made)
        for ref in self.project.refs(fn, made.func):
            if ref.kind == "func":
                edge = Edge(fn, self.project.functions[ref.name], made, run.kind, made.span, run)
                self._keep(edge)
                if run.kind == "call":
                    self._handed.setdefault((fn.fqn, made.value), []).append(edge.callee)

    def _filled_in(self, fn: Fn, call: Call, ref: Ref) -> None:
        """`serializer.save()`, which calls `create()`: what that is given is the library's own choice."""
        for kind, method in called_by(self.project, ref):
            made = call._replace(args=(), kwargs=())
            self._made.append(made)
            self._add(fn, method, made, kind, call.span)

    def _receiver(self, fn: Fn, call: Call, kind: str) -> None:
        """`task.delay(...)`: the receiver is the task's function."""
        for ref in self.project.resolver.owner(fn, fn.facts.values[call.func]):
            if ref.kind == "func":
                self._add(fn, self.project.functions[ref.name], call, kind, call.span)

    def _passed(
        self, fn: Fn, call: Call, arg: Arg, kind: str, *, now: bool = False, alone: bool = False, each: bool = False
    ) -> None:
        """A function (or the coroutine of one) that is passed on to be run; `now`: with the arguments that follow it; `alone`: also
        where none do; `each`: with what the library takes out of them (`map`)."""
        for vid in arguments(call, arg):
            value = fn.facts.values[vid]
            if value[0] in ("call", "await"):
                continue  # a coroutine: the call that makes it is an edge already
            for ref in self.project.refs(fn, vid):
                if ref.kind == "func":
                    self._add(fn, self.project.functions[ref.name], call, kind, call.span, -1 if each else vid)
                elif ref.kind == "lib" and now and vid in (call.args if alone else call.args[:-1]):
                    self._handed_on(fn, call, vid, kind)

    def _handed_on(self, fn: Fn, call: Call, vid: Vid, kind: str) -> None:
        """`to_thread(requests.get, url)`, `breaker.call(session.post, url, json=x)`: the library's function is called with the rest."""
        made = as_run(fn, call, vid)._replace(awaited=call.awaited or kind != "call")
        self._made.append(made)  # what is known of calls is kept by their identity
        self._call(fn, made)

    def injected(self, fn: Fn, index: int) -> list[Fn]:
        """The functions whose results the framework passes as parameter `index` (`Depends`)."""
        return [target for target, _ in self._dependencies(fn, index)]

    def _injected(self, fn: Fn) -> None:
        for index in range(len(fn.facts.params)):
            for target, span in self._dependencies(fn, index):
                self._add(fn, target, None, "inject", span)

    def _dependencies(self, fn: Fn, index: int) -> list[tuple[Fn, Span]]:
        home, param = fn.parent, fn.facts.params[index]
        if home is None or (param.default < 0 and param.annotation < 0):
            return []
        return [
            (target, call.span if owner is home and at.holds(call.span) else at)  # an alias is written elsewhere
            for vid in (param.default, param.annotation)
            if vid >= 0
            for at in (home.facts.span_of(vid),)
            for owner, call in self._injections(home, vid)
            for model in self.project.models(owner, call)
            if model.injects is not None
            for target in self._injectable(owner, call, model.injects)
        ]

    def _injectable(self, home: Fn, call: Call, injects: Arg) -> list[Fn]:
        found = []
        for vid in arguments(call, injects):
            for ref in self.project.refs(home, vid):
                target = self.project.functions.get(ref.name) if ref.kind == "func" else None
                if ref.kind in ("class", "inst"):
                    name = "__init__" if ref.kind == "class" else "__call__"
                    target = self.project.method(self.project.classes[ref.name], name)
                if target is not None:
                    found.append(target)
        return found

    def _injections(self, home: Fn, vid: int, depth: int = 4) -> list[tuple[Fn, Call]]:
        """Calls in a default or annotation: `Depends(f)`, `Annotated[T, Depends(f)]`, also by a module-level alias."""
        if vid < 0 or depth == 0:
            return []
        value = home.facts.values[vid]
        if value[0] == "call":
            return [(home, home.facts.calls[value[1]])]
        if value[0] == "item":
            inner = home.facts.values[value[2]]
            items = inner[1] if inner[0] == "tuple" else ()
            return [found for item in items for found in self._injections(home, item, depth - 1)]
        if value[0] == "name":
            found = variable(self.project, home, value[1])
            if found is not None and found[0].facts.values[found[1]][0] in ("item", "name"):
                return self._injections(*found, depth - 1)
        return []

    def _properties(self, fn: Fn) -> None:
        facts = fn.facts
        for vid in fn.made_by("attr"):
            value = facts.values[vid]
            if value[2] not in self._property_names:
                continue
            for ref in self.project.refs(fn, value[1]):
                if ref.kind != "inst":
                    continue
                method = self.project.method(self.project.classes[ref.name], value[2])
                if method is not None and method.kind == "property":
                    self._add(fn, method, None, "property", facts.span_of(vid))


def _called(fn: Fn, call: Call) -> bool:
    """`sync_to_async(load)(row)`: the edge is at the call of what is made here."""
    return any(fn.unguarded(other.func) == fn.facts.values[call.value] for other in fn.facts.calls)


def _otherwise(fn: Fn, job: Call, second: int) -> bool:
    """Whether the second block runs where a condition kept the job from being sent: the other arm, or what follows a return."""
    around = {number for number, _ in fn.blocks_of(second)}
    arms = {item.group: number for number, item in fn.blocks_of(second) if item.kind in ("if", "else")}
    only = [(n, item) for n, item in fn.blocks_of(job.block) if item.kind in ("if", "else") and n not in around]
    return any(
        (item.exits == "return" or arms.get(item.group, n) != n)
        and not _caller_decides(fn, fn.facts.blocks[item.group].value, job)
        for n, item in only
    )


def _caller_decides(fn: Fn, test: Vid, job: Call) -> bool:
    """`if later: tasks.add_task(work)`: not a setting says so, but who calls; the queue itself may be a parameter."""
    asked = _asked(fn, test)
    settings = ingredients(fn.facts, (job.func,)) | ({0} if fn.cls is not None else set())
    if any(fn.value(vid)[0] == "name" and not str(fn.value(vid)[1]).startswith("builtins.") for vid in asked):
        return False
    return any(fn.value(vid)[0] == "param" and vid not in settings for vid in asked)


def _asked(fn: Fn, test: Vid) -> set[Vid]:
    """The values of which a test speaks, down to names and parameters; not what was tested of them before."""
    todo, found = [test], set[Vid]()
    while todo:
        vid = todo.pop()
        if vid in found:
            continue
        found.add(vid)
        value = fn.value(vid)
        if value[0] in ("guard", "setattr", "store", "mut", "attr", "item"):
            todo.append(value[1])
        elif value[0] == "call":
            todo += fn.calls[value[1]].passed
        else:
            todo += operands(value)
    return found


def arguments(call: Call, arg: Arg) -> list[int]:
    """The vids of a call's arguments that a model names (not its receiver)."""
    found = [call.args[i] for i in arg.positions if i < len(call.args)]
    found += [vid for key, vid in call.kwargs if key in arg.keywords or (arg.all_keywords and key)]
    if arg.rest >= 0:
        found += list(call.args[arg.rest :])
    return found


def argument_of(call: Call, param: Param) -> int:
    """The vid that a call passes for a model's parameter, or -1."""
    found = next((call.kwarg(key) for key in param.keywords if call.kwarg(key) >= 0), -1)
    return call.args[param.position] if found < 0 and 0 <= param.position < len(call.args) else found
