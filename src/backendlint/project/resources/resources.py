"""Resources that a function opens, and whether every way out of it closes them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call, Vid
from backendlint.project.entities import Fn
from backendlint.project.graph.calls import argument_of
from backendlint.project.graph.effects import Site
from backendlint.project.libraries.model import CallModel, ClassModel
from backendlint.project.linking.binding import SAME, object_root, receiver, slots, unchanged
from backendlint.project.values.uses import aliases, operands

if TYPE_CHECKING:
    from backendlint.project.model import Project

OWNED = frozenset(
    "file db-connection socket smtp ftp file-descriptor http-session db-session pooled-connection lock ssh archive "
    "executor queue-connection grpc-channel".split()
)
"""Kinds that the function which opens them must close; pools and engines live as long as the process."""
_GIVEN = (
    "io.BytesIO",
    "io.StringIO",
    "io.IOBase",
    "django.core.files.base.File",
    "django.core.files.uploadedfile.UploadedFile",
    "starlette.datastructures.UploadFile",
    "werkzeug.datastructures.FileStorage",
    "tempfile.SpooledTemporaryFile",
)
"""File objects: an archive that is read from one holds nothing itself."""
_FILE_OBJECT = re.compile(r"(^|_)(file_?obj(ect)?|buffer|buf|stream|fp|fh)$")
"""Names of those without a type."""


_SCOPES = frozenset({"contextlib.contextmanager", "contextlib.asynccontextmanager"})
_COLLECTS = frozenset({"append", "appendleft", "add", "put", "put_nowait", "insert", "setdefault"})
_ENDS = frozenset({"close", "aclose", "release", "shutdown", "quit", "disconnect", "__exit__", "__aexit__", "detach"})


class Leak(NamedTuple):
    """A resource that some way out of the function leaves open."""

    fn: Fn
    call: Call
    model: CallModel
    kind: str
    closed: Call | None
    """The close that an exception (or an early return) skips; None where there is none at all."""
    chained: bool
    """True for `open(path).read()`: nothing holds the resource, CPython closes it at once."""
    alone: bool = False
    """Until it is closed nothing is called but methods of its own."""


class Resources:
    """Finds leaks, function by function."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._kept: dict[tuple[str, int], bool] = {}

    def leaks(self) -> Iterator[Leak]:
        """All resources that are not closed on every path, by place."""
        openers: dict[str, CallModel] = {}
        for site in self.project.effects.sites:
            if site.model.opens in OWNED and not site.fn.is_module:
                leak = self._leak(site.fn, site.call, site.model)
                if leak is not None:
                    if not self._in_memory(site, leak.closed is not None) and not self._borrows(site):
                        yield leak
                elif site.model.opens != "lock" and self._returns_it(site.fn, site.call):
                    openers[site.fn.fqn] = site.model
        for fqn, model in openers.items():
            for edge in self.project.graph.into.get(fqn, ()):
                if edge.call is not None and edge.kind == "call" and not edge.caller.is_module:
                    leak = self._leak(edge.caller, edge.call, model)
                    if leak is not None:
                        yield leak

    def _in_memory(self, site: Site, closed: bool) -> bool:
        """An archive in a buffer or in a file that is passed in holds nothing; one that is written there must be closed on
        the usual way to be complete."""
        call = site.call
        if site.model.opens != "archive":
            return False
        given = (*call.args[:1], *(vid for key, vid in call.kwargs if key in ("file", "fileobj")))
        mode = next((vid for vid in (call.kwarg("mode"), *call.args[1:2]) if vid >= 0), -1)
        reads = mode < 0 or str(site.fn.const(mode)).startswith("r")
        return (reads or closed) and any(self._is_file(site.fn, vid) for vid in given)

    def _borrows(self, site: Site) -> bool:
        """`Session(bind=connection)`: a session on somebody's connection, which stays with that, gives nothing back."""
        given = (*site.call.args[:1], site.call.kwarg("bind")) if site.model.opens == "db-session" else ()
        refs = (ref for vid in given if vid >= 0 for ref in self.project.refs(site.fn, vid) if ref.kind == "libinst")
        found = (self.project.libraries.cls(ref.name) for ref in refs)
        return any(cls is not None and cls.resource == "db-connection" for cls in found)

    def _is_file(self, fn: Fn, vid: Vid) -> bool:
        """A file object, also of an upload that has no type here: `request.FILES["archive"]`, `upload.file`, or a parameter
        that says so: `fileobj`, `zip_buffer`."""
        value = fn.unguarded(vid)
        if value[0] == "param" and _FILE_OBJECT.search(fn.facts.params[value[1]].name):
            return True
        if value[0] == "call":  # `request.FILES.get("archive")`
            value = fn.unguarded(fn.facts.calls[value[1]].func)
        uploads = fn.unguarded(value[1]) if value[0] in ("item", "attr") else ("",)
        named = uploads[0] in ("attr", "name") and str(uploads[-1]).rpartition(".")[2] in ("FILES", "files")
        return named or self.project.is_instance(fn, vid, *_GIVEN)

    @staticmethod
    def _returns_it(fn: Fn, call: Call) -> bool:
        """`def connect(): return psycopg2.connect(...)`: each caller gets a resource of its own to close."""
        if fn.facts.is_generator or fn.facts.decorators or len(fn.facts.returns) != 1:
            return False
        value = fn.facts.values[fn.facts.returns[0].value] if fn.facts.returns[0].value >= 0 else ("",)
        return value == ("call", fn.place_of(call)) or (
            value[0] == "await" and fn.facts.values[value[1]] == ("call", fn.place_of(call))
        )

    def _leak(self, fn: Fn, call: Call, model: CallModel) -> Leak | None:
        func = fn.facts.values[call.func]
        if model.opens == "lock" and self._given_back_elsewhere(fn, call):
            return None
        if model.opens == "lock" and func[0] == "name":
            release = ("name", func[1].rpartition(".")[0] + ".release")
            return self._unclosed(fn, call, model, [item for item in fn.calls if fn.facts.values[item.func] == release])
        start = receiver(fn, call) if model.opens == "lock" else call.value
        if start < 0:
            return None
        held = self._aliases(fn, start)
        if model.opens == "socket" and model.awaitable:  # `reader, writer = await wait_for(open_connection(...), 3)`
            held |= self._connected(fn, held)
        if model.opens == "file-descriptor":  # `mkstemp()` gives it beside the path
            held = {alias for alias in self._descriptors(fn, start) for alias in aliases(fn.facts, alias)} or held
            held |= self._same_name(fn, held)
        cls = self._class(fn, start, model)
        held = self._given_on(fn, held, cls)
        closes = [item for item in fn.calls if self._closes(fn, item, held, model, cls)]
        if model.opens != "file" and self._kept_by_result(fn, held):
            return None
        if model.opens == "lock" and not closes and self._is_lease(fn, call):
            return None
        lent = bool(closes) and self._lends(fn)
        handed = all(fn.inside(item.block, "except") for item in closes)  # `except BaseException: file.close(); raise`
        if self._managed(fn, held, cls) or self._escapes(fn, held, call, handed=handed, lent=lent):
            return None
        return self._unclosed(fn, call, model, closes)

    def _lends(self, fn: Fn) -> bool:
        """Whether what the generator yields comes back, and what fails meanwhile is raised at its `yield`: a context manager,
        or a dependency that a framework injects."""
        if not fn.facts.is_generator or self.project.lifecycle.starts(fn):
            return False
        injected = any(edge.kind == "inject" for edge in self.project.graph.callers(fn))
        return injected or any(ref.name in _SCOPES for ref in fn.decorators)

    def _unclosed(self, fn: Fn, call: Call, model: CallModel, closes: list[Call]) -> Leak | None:
        if not closes:
            return Leak(fn, call, model, model.opens, None, self._chained(fn, call))
        if any(fn.inside(item.block, "finally") for item in closes):
            return None
        if any(fn.inside(item.block, "except") for item in closes) and len(closes) > 1:
            return None
        risky = self._risky(fn, call, closes)
        if not risky:
            return None
        held = aliases(fn.facts, call.value)
        later = fn.calls[fn.place_of(call) + 1 : fn.place_of(closes[0])]
        failed = set(fn.handlers_of(call.block))
        alone = all(
            receiver(fn, item) in held
            or self._harmless(fn, item)
            or any(number in failed for number, _ in fn.blocks_of(item.block))
            for item in later
        )
        return Leak(fn, call, model, model.opens, closes[0], False, alone)

    @staticmethod
    def _same_name(fn: Fn, held: set[Vid]) -> set[Vid]:
        """What its name stands for in a `finally`: `fd = None` after `os.close(fd)` says there that nothing is left to close."""
        names = {item.name for item in fn.facts.bindings if item.value in held}
        named = {item.value for item in fn.facts.bindings if item.name in names}
        last = {vid for call in fn.calls if fn.inside(call.block, "finally") for vid in call.args}
        return {vid for vid in last if vid in named or not aliases(fn.facts, vid).isdisjoint(named)}

    @staticmethod
    def _aliases(fn: Fn, start: Vid) -> set[Vid]:
        held = aliases(fn.facts, start)
        path = _attribute_path(fn, start)
        if path:  # `self.lock` is read anew at each use
            held.update(vid for vid in fn.made_by("attr") if _attribute_path(fn, vid) == path)
        for call in fn.calls:  # `await engine.connect().__aenter__()`
            func = fn.facts.values[call.func]
            if func[0] == "attr" and func[1] in held and func[2] in ("__enter__", "__aenter__"):
                held |= aliases(fn.facts, call.value)
        return held

    def _given_on(self, fn: Fn, held: set[Vid], cls: ClassModel | None) -> set[Vid]:
        """`engine.connect().execution_options(...)`: what methods that give their own object back are bound to, and what puts
        itself around it: `grpc.intercept_channel(channel, ...)`."""
        if cls is None:
            return held
        for call in fn.calls:
            given = self.project.refs(fn, call.value) if receiver(fn, call) in held else ()
            wraps = not held.isdisjoint(call.args[:1]) and self._puts_around(fn, call, cls)
            if wraps or any(ref.kind == "libinst" and ref.name == cls.name for ref in given):
                held = held | aliases(fn.facts, call.value)
        return held

    def _puts_around(self, fn: Fn, call: Call, cls: ClassModel) -> bool:
        models = self.project.models(fn, call)
        return any(model.returns == cls.name and not (model.opens or model.registers_cleanup) for model in models)

    def _is_lease(self, fn: Fn, taken: Call) -> bool:
        """`lock = store.lock("daily", timeout=3600)`, `if lock.acquire(blocking=False)`: whoever has it keeps it for a while."""
        made = self.project.allocations.of(fn, receiver(fn, taken))
        caches = (
            (item.call, model.cache.expiry)
            for item in made
            for model in self.project.models(item.fn, item.call)
            if model.cache is not None and model.cache.expiry is not None
        )
        expires = any(argument_of(call, expiry) >= 0 for call, expiry in caches)
        return expires and fn.const(taken.kwarg("blocking")) is False

    def _given_back_elsewhere(self, fn: Fn, taken: Call) -> bool:
        """`self.slots`, which another function of the file releases without acquiring it: a slot is handed over on purpose.
        So is `LOCK`, `LOCKS[self.room]`, or what `self._lock()` gives."""
        path = _owner(fn, taken)
        if path is None or path[0] == "param":
            return False
        for other in self.project.functions_of(fn.file):
            own = (call for call in other.calls if other is not fn and _owner(other, call) == path)
            used = {other.callee_name(call) for call in own}
            if "release" in used and "acquire" not in used:
                return True
        return False

    def _connected(self, fn: Fn, held: set[Vid]) -> set[Vid]:
        """What a connection is unpacked into, also behind a call that only limits how long it may take."""
        found = set(held)
        for call in fn.calls:
            limits = (model.timeout for model in self.project.models(fn, call) if not model.effect)
            if call.args and call.args[0] in found and any(item and item.covers == "total" for item in limits):
                found |= aliases(fn.facts, call.value)
        parts = [vid for vid, value in enumerate(fn.facts.values) if value[0] == "unpack" and value[1] in found]
        return found.union(*(aliases(fn.facts, vid) for vid in parts))

    @staticmethod
    def _descriptors(fn: Fn, start: Vid) -> list[Vid]:
        """The first of what the result is unpacked into."""
        wanted = ("unpack", start, 0)
        return [vid for vid, value in enumerate(fn.facts.values) if value == wanted]

    def _class(self, fn: Fn, vid: Vid, model: CallModel) -> ClassModel | None:
        for ref in self.project.refs(fn, vid):
            for found in self.project.libraries.lineage(ref.name) if ref.kind == "libinst" else ():
                if found.close:
                    return found
        return self.project.libraries.cls(model.returns) if model.returns else None

    def _managed(self, fn: Fn, held: set[Vid], cls: ClassModel | None) -> bool:
        closes = cls is None or cls.closes_on_exit
        entered = [block.value for block in fn.facts.blocks if block.kind == "with"] if closes else ()
        return any(vid in held or (vid >= 0 and self._itself(fn, vid, held, cls)) for vid in entered)

    def _itself(self, fn: Fn, vid: Vid, held: set[Vid], cls: ClassModel | None) -> bool:
        """`with engine.connect().execution_options(...) as connection`: a method that gives its own object back, or who knows what."""
        value = fn.facts.values[vid]
        if cls is None or value[0] != "call" or receiver(fn, fn.facts.calls[value[1]]) not in held:
            return False
        refs = self.project.refs(fn, vid)
        return not refs or any(ref.kind == "libinst" and ref.name == cls.name for ref in refs)

    def _escapes(self, fn: Fn, held: set[Vid], opened: Call | None, *, handed: bool = True, lent: bool = False) -> bool:
        """True where somebody else may close it: it is returned, yielded (unless it is only `lent`), kept, or (`handed`,
        unless the function closes it itself, whatever comes) given to code that is not a library's."""
        facts = fn.facts
        given = [item.value for item in facts.returns if not (lent and item.is_yield)]
        if any(vid in held or self._made_from(fn, vid, held) for vid in given):
            return True
        if any(item.value in held for item in facts.stores):
            return True
        for vid, value in enumerate(facts.values):
            keeps = value[0] in (
                "list",
                "tuple",
                "set",
                "dict",
                "comp",
                "mut",
                "bool",
                "binop",
                "fmt",
                "yield",
                "store",
            )
            if lent and value[0] == "yield":
                continue
            if keeps and vid not in held and held.intersection(operands(value)) and not self._only_shown(fn, vid, held):
                return True
        for inner in self.project.functions_of(fn.file):
            outer = (inner.value(vid) for vid in inner.made_by("outer"))
            if any(value[1] in held and inner.outer(value) is fn for value in outer):
                return True
        others = (call for call in fn.calls if call is not opened and call.value not in held)
        return handed and any(self._hands_over(fn, call, held) for call in others)

    def _only_shown(self, fn: Fn, vid: Vid, inside: set[Vid]) -> bool:
        """`select([client], [], [], 3)`: a display that functions of libraries look at, and that nobody holds; what runs beside
        (`Thread(target=serve, args=(client,))`) may close it."""
        if fn.facts.values[vid][0] not in ("list", "tuple") or fn.made_of(vid):
            return False
        shown = [call for call in fn.calls if vid in call.passed]
        held = {item.value for item in fn.facts.bindings} | {item.value for item in fn.facts.returns}
        return (
            bool(shown)
            and vid not in held.union(item.value for item in fn.facts.stores)
            and all(self.project.models(fn, call) and not self._hands_over(fn, call, {vid, *inside}) for call in shown)
        )

    @staticmethod
    def _kept_by_result(fn: Fn, held: set[Vid]) -> bool:
        """`return OrdersStub(channel)`, `self.client = SFTPClient.from_transport(transport)`: an object that is made from the
        resource, and lives on with it."""
        given = [item.value for item in fn.facts.returns if item.value >= 0 and not item.is_yield]
        given += [item.value for item in fn.facts.stores if item.base >= 0]
        values = (fn.unguarded(vid) for vid in given)
        made = [fn.facts.calls[value[1]] for value in values if value[0] == "call"]
        return any(_of_class(fn, call) and not held.isdisjoint(call.passed) for call in made)

    def _made_from(self, fn: Fn, vid: Vid, held: set[Vid]) -> bool:
        """`return connection.cursor()`: what is returned keeps the resource in use."""
        value = fn.facts.values[vid] if vid >= 0 else ("",)
        if value[0] != "call" or receiver(fn, fn.facts.calls[value[1]]) not in held:
            return False
        return any(model.opens for model in self.project.models(fn, fn.facts.calls[value[1]]))

    def _hands_over(self, fn: Fn, call: Call, held: set[Vid]) -> bool:
        passed = held.intersection(call.args) or any(vid in held for _, vid in call.kwargs)
        if not passed:
            return self._duplicated(fn, call, held)
        models = self.project.models(fn, call)
        refs = self.project.callees(fn, call)
        if fn.callee_name(call) in _COLLECTS and not any("http" in model.effect for model in models):
            return True
        if not models and refs and all(ref.kind == "func" for ref in refs):
            return any(
                self._keeps(target, index)
                for target in self.project.targets(fn, call)
                for index in slots(fn, call, target, held)
            )
        if not models:
            return not refs or any(ref.kind != "lib" for ref in refs) or not self._reads_only(call)
        if any(model.spawn is not None or model.executor is not None for model in models):
            return self._runs_with(fn, call, held)
        return any(
            model.registers_cleanup or model.returns == "arg0" or model.response is not None or self._wraps(model)
            for model in models
        )

    def _runs_with(self, fn: Fn, call: Call, held: set[Vid]) -> bool:
        """Whether what runs beside, or in a thread, closes or keeps what it is given; of others' functions nothing is known."""
        targets = [edge.callee for edge in self.project.graph.callees(fn) if edge.call is call and edge.kind != "call"]
        display = fn.unguarded(call.kwarg("args"))
        given = display[1] if display[0] in ("list", "tuple") else call.args[1:]
        made = call._replace(args=tuple(given), kwargs=())
        return not targets or any(
            self._keeps(target, index) for target in targets for index in slots(fn, made, target, held)
        )

    @staticmethod
    def _duplicated(fn: Fn, call: Call, held: set[Vid]) -> bool:
        """`os.dup2(log.fileno(), sys.stderr.fileno())`: it is the process's own from now on."""
        asked = (fn.unguarded(vid) for vid in call.args) if fn.callee_name(call) == "dup2" else ()
        return any(value[0] == "call" and receiver(fn, fn.calls[value[1]]) in held for value in asked)

    def _keeps(self, fn: Fn, index: int) -> bool:
        """Whether a function of the project's closes what it is given as this parameter, or keeps or hands it on."""
        key = (fn.fqn, index)
        if key not in self._kept:
            self._kept[key] = True  # of a recursion nothing is known
            held = self._aliases(fn, index)
            entered = any(block.kind == "with" and block.value in held for block in fn.facts.blocks)
            ends = any(fn.callee_name(call) in _ENDS and receiver(fn, call) in held for call in fn.calls)
            whole = fn.facts.params[index].kind in ("args", "kwargs") or fn.facts.is_generator or bool(fn.decorators)
            self._kept[key] = whole or entered or ends or self._escapes(fn, held, None)
        return self._kept[key]

    @staticmethod
    def _reads_only(call: Call) -> bool:
        """A function of a library without a model that is passed one thing, such as a parser, only reads it."""
        return len(call.args) + len(call.kwargs) <= 2

    def _wraps(self, model: CallModel) -> bool:
        cls = self.project.libraries.cls(model.returns) if model.returns else None
        sent = "http" in model.effect  # `requests.put(url, data=file)`: the answer does not hold the file
        return bool(model.opens) or (cls is not None and bool(cls.close) and not sent)

    def _closes(self, fn: Fn, call: Call, held: set[Vid], model: CallModel, cls: ClassModel | None) -> bool:
        func = fn.facts.values[call.func]
        if func[0] == "attr" and func[1] in held:
            names = cls.close if cls is not None and cls.close else ("close", "aclose", "release", "shutdown", "quit")
            return func[2] in names or func[2] in ("close", "release")
        if held.intersection(call.args):
            return any(item.closes == model.opens for item in self.project.models(fn, call))
        return False

    @staticmethod
    def _chained(fn: Fn, call: Call) -> bool:
        used = [value for value in fn.facts.values if call.value in operands(value)]
        bound = any(binding.value == call.value for binding in fn.facts.bindings)
        return not bound and len(used) <= 1

    def _harmless(self, fn: Fn, call: Call) -> bool:
        """What cannot fail, or only by a bug: `Path(name)`, `len(items)`, and records of a log."""
        models = self.project.models(fn, call)
        return bool(models) and all((model.pure or {*model.effect} == {"log"}) and not model.raises for model in models)

    def _risky(self, fn: Fn, opened: Call, closes: list[Call]) -> bool:
        """Whether anything between opening and closing may raise or leave."""
        first, last = fn.place_of(opened), fn.place_of(closes[0])
        later = (
            call for call in fn.calls[first + 1 : last] if not call.span.holds(opened.span)
        )  # `wait_for(open(), 3)`
        if any(call not in closes and not self._harmless(fn, call) for call in later):
            return True
        lines = range(opened.span.line, closes[0].span.line)
        return any(item.span.line in lines for item in fn.facts.returns) or any(
            item.span.line in lines for item in fn.facts.raises
        )


def _of_class(fn: Fn, call: Call) -> bool:
    """`Stub(channel)`, `Client.from_transport(transport)`"""
    func = fn.value(call.func)
    owner = fn.value(func[1])[-1] if func[0] == "attr" else str(func[-1]).rpartition(".")[0]
    named = (fn.callee_name(call), str(owner).rpartition(".")[2])
    return any(name[:1].isupper() for name in named)


def _attribute_path(fn: Fn, vid: Vid) -> tuple[object, ...]:
    """What an attribute is read from and the names on the way, whatever was tested or changed before; () for other values."""
    names: list[object] = []
    value = fn.facts.values[vid]
    for _ in fn.facts.values:
        if value[0] == "phi" and len({object_root(fn, item) for item in value[1]}) == 1:  # changed in a branch
            value = fn.facts.values[object_root(fn, value[1][0])]
        elif value[0] in ("attr", *SAME):
            if value[0] == "attr":
                names.insert(0, value[2])
            value = fn.facts.values[value[1]]
        else:
            break
    return (value, *names) if names else ()


def _owner(fn: Fn, call: Call) -> tuple[object, ...] | None:
    """How the object is got at whose method is called."""
    func = fn.value(call.func)
    if func[0] == "name":
        return ("name", str(func[1]).rpartition(".")[0])
    return _spelled(fn, func[1]) if func[0] == "attr" else None


def _spelled(fn: Fn, vid: Vid) -> tuple[object, ...] | None:
    """How an object is got at that is not the function's own, for comparison with other functions of the file: `self.slots`,
    `LOCKS[self.room]`, `self._lock()`; None for what is made of its own values."""
    value = unchanged(fn, vid)
    if value[0] == "param":
        return ("param", fn.facts.params[value[1]].name)
    if value[0] in ("name", "const"):
        return value
    parts: tuple[tuple[object, ...] | None, ...] = (None,)
    if value[0] == "attr":
        parts = (_spelled(fn, value[1]), (value[2],))
    elif value[0] == "item":
        parts = (_spelled(fn, value[1]), _spelled(fn, value[2]))
    elif value[0] == "call" and not fn.facts.calls[value[1]].passed:
        parts = (_spelled(fn, fn.facts.calls[value[1]].func),)
    return None if None in parts else (value[0], *parts)
