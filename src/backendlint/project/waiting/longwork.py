"""Work that takes long while a client waits for the answer: mail, processes, sleep, external calls item by item."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from backendlint.facts.model import Call, Vid
from backendlint.facts.within import below
from backendlint.project.entities import Fn
from backendlint.project.graph.calls import Edge
from backendlint.project.graph.effects import Site, called
from backendlint.project.graph.feasible import happens
from backendlint.project.graph.inrequest import layers_down
from backendlint.project.linking.binding import receiver
from backendlint.project.loops.loops import loop_at, plain
from backendlint.project.loops.remembered import kept
from backendlint.project.values.limited import limited
from backendlint.project.values.numbers import number, rounds_of, until
from backendlint.project.values.turns import MAX_ROUNDS, Rounds, decided
from backendlint.project.values.uses import aliases
from backendlint.project.waiting.bulkwork import asked_by_row
from backendlint.project.web.answers import answers

if TYPE_CHECKING:
    from backendlint.project.model import Project

EACH = ("http", "grpc", "cloud", "mail", "search")
"""Effects that must not happen once an item while a client waits."""
LONG_SLEEP = 1.0
LONG_IN_ALL = 5.0
SHORT_PROCESS = 10.0
IN_FRONT = 60.0
"""Seconds; the last is what proxies wait for, if nobody tells them otherwise."""
_AT_ONCE = frozenset(
    "arch basename cat chgrp chmod chown cp date df dirname diskutil dmidecode dpkg-query echo env false findmnt free getconf getent "
    "groups head hostname hostnamectl id ifconfig ip journalctl kill killall ln locale ls lsb_release lsblk lscpu lsof lspci lsusb mkdir "
    "mv netstat nproc nvidia-smi pgrep pidof pkill pmap ps pwd readlink rm rmdir ss stat sw_vers sysctl system_profiler tail test "
    "timedatectl touch true tty uname uptime who whoami whereis which".split()
)
"""Programs that are done as soon as they are started."""
_BY_SIZE = frozenset("cat chgrp chmod chown cp df mv rm tail".split())
"""Of those, what takes as long as the files, and the disk that they are on."""
_MANAGES = frozenset("check diffsettings showmigrations sqlmigrate".split())
"""Commands of Django's that only say how things are: `call_command("showmigrations")`."""
_FOLLOWS = {"tail": frozenset({"-f", "-F", "--follow"}), "journalctl": frozenset({"-f", "--follow"})}
"""What has these go on for ever."""
_ASKS = frozenset({"--version", "-V", "--help", "-h"})
_PACKAGES = frozenset(
    {"-s", "--status", "-l", "--list", "-L", "--listfiles", "-S", "--search", "-q", "-qa", "-qi", "--query"}
)
_PACKAGERS = frozenset({"dpkg", "rpm"})
"""What knows the packages of a system, and what asks it for one."""
_GIT_ASKS = frozenset(
    {"branch", "config", "describe", "init", "log", "remote", "rev-list", "rev-parse", "show", "status", "tag"}
)
_BATCH = re.compile(r"(^|_)(batch|batches|batched)($|_)", re.IGNORECASE)


class LongWork(NamedTuple):
    """A call that makes a client wait."""

    fn: Fn
    call: Call
    kind: str
    """mail, subprocess, sleep, cpu, loop or rows."""
    name: str
    """Of what is called."""
    seconds: float
    """Of a sleep, in all its rounds."""
    rounds: int = 1
    """Of the loop in which a sleep stands, where its code counts them."""
    below: int = 0
    """Calls from there down to the external one."""
    limited: bool = False
    """Of a program: its function ends it after a while, at the latest when whoever stands in front gives up."""


class LongWorks:
    """Answers `all()`."""

    def __init__(self, project: Project) -> None:
        self.project = project

    def all(self) -> Iterator[LongWork]:
        """All such calls in functions that endpoints wait for; of a function's mails and programs the first."""
        for fn in self.project.all_functions():
            if fn.is_module or fn not in self.project.in_request:
                continue
            looped = list(self._loops(fn))
            yield from looped
            seen = {id(work.call) for work in looped}
            for call in asked_by_row(self.project, fn):
                if id(call) not in seen:
                    yield LongWork(fn, call, "rows", fn.callee_name(call), 0)
            yield from (work for work in self._single(fn) if id(work.call) not in seen)

    def _single(self, fn: Fn) -> Iterator[LongWork]:
        mails: list[Site] = []
        programs: list[Site] = []
        for site in self.project.effects.direct(fn):
            effects = site.model.effect
            if "mail" in effects:
                if site.model.sinks or "send" in site.model.name.rpartition(".")[2]:
                    mails.append(site)
            elif (
                "subprocess" in effects
                and (site.model.blocking or site.model.awaitable)
                and not at_once(fn, site.call)
                and any(not self._short(item) for item in self._waited(site))
                and not site.model.opens
                and site.model.spawn is None
            ):
                programs.append(site)
            elif "sleep" in effects and site.call.args and not self._retries(fn, site.call):
                pauses = self._pauses(fn, site.call)
                if max(pauses, default=0) >= LONG_SLEEP or sum(pauses) >= LONG_IN_ALL:
                    yield LongWork(fn, site.call, "sleep", called(self.project, site), sum(pauses), len(pauses))
        for site in mails[:1]:
            yield LongWork(fn, site.call, "mail", called(self.project, site), 0)
        for site in programs[:1]:
            limited = all(self._limited(item) for item in self._waited(site))
            yield LongWork(fn, site.call, "subprocess", called(self.project, site), 0, limited=limited)

    def _pauses(self, fn: Fn, call: Call) -> list[float]:
        """How long a sleep takes: once, in each round of a loop that counts them, or in all until a deadline."""
        loop = loop_at(fn, call.block)
        limit = until(self.project, fn, loop) if loop >= 0 else None
        if limit is not None:
            return [limit]
        count = rounds_of(self.project, fn, loop) if loop >= 0 else None
        turns = [{loop: turn} for turn in range(min(count, MAX_ROUNDS))] if count else [{}]
        taken = (turn for turn in turns if not turn or not self._skipped(fn, call, turn))
        return [seconds for turn in taken if (seconds := number(self.project, fn, call.args[0], turn)) is not None]

    def _skipped(self, fn: Fn, call: Call, rounds: Rounds) -> bool:
        """`if attempt: sleep(...)`: the first round does not."""
        tests = fn.tests_of(call.block)
        return any(decided(self.project, fn, test, rounds) is (not outcome) for test, outcome in tests)

    def _short(self, site: Site) -> bool:
        wait = self.project.timeouts.of(site.fn, site.call, site.model)
        return wait is not None and wait.kind == "seconds" and wait.seconds <= SHORT_PROCESS

    def _limited(self, site: Site) -> bool:
        wait = self.project.timeouts.of(site.fn, site.call, site.model)
        return wait is not None and (wait.kind == "unknown" or (wait.kind == "seconds" and wait.seconds <= IN_FRONT))

    def _waited(self, site: Site) -> list[Site]:
        """The call itself, or what its function waits for that is started and handed back: `await process.communicate()`;
        nothing for that, which is told where it is started."""
        programs = [item for item in self.project.effects.direct(site.fn) if "subprocess" in item.model.effect]
        if any(self._of(item, site) for item in programs if not (item.model.opens or item.model.spawn)):
            return []
        running = (self.project.libraries.call(f"{site.model.returns}.{name}") for name in ("wait", "communicate"))
        if not any("subprocess" in model.effect for model in running if model is not None):
            return [site]
        usual = (item for item in programs if item.fn.inside(item.call.block, "except") is None)  # not after a `kill()`
        return [item for item in usual if self._of(site, item)]

    @staticmethod
    def _of(started: Site, site: Site) -> bool:
        """Whether a call is a method's of what another one gives."""
        return receiver(site.fn, site.call) in aliases(started.fn.facts, started.call.value)

    def _retries(self, fn: Fn, call: Call) -> bool:
        """A pause between attempts: in a retry loop, or after a failure."""
        if fn.inside(call.block, "except") is not None:
            return True
        loops = {number for number, block in fn.blocks_of(call.block) if block.kind in ("for", "while")}
        return any(self.project.waits.loop(fn, loop) is not None for loop in loops)

    def _loops(self, fn: Fn) -> Iterator[LongWork]:
        """The first external call of each loop over any number of items."""
        found: set[int] = set()
        for call in fn.calls:
            loop = loop_at(fn, call.block, ("for", "comp"))
            if loop < 0 or loop in found or self._ends_early(fn, loop) or self._batches(fn, loop):
                continue
            iterable = fn.facts.blocks[loop].value
            if (
                self.project.fanouts.lengths.small(fn, iterable)
                or _of_one(fn, call, iterable)
                or not self._waits(fn, call)
            ):
                continue
            if limited(self.project, fn, iterable, loop):
                continue
            name, deep = self._external(fn, call)
            if name:
                found.add(loop)
                yield LongWork(fn, call, "loop", name, 0, below=deep)

    def _ends_early(self, fn: Fn, loop: int) -> bool:
        """True for retries, and where success leaves the loop: one item after the other is only tried."""
        if self.project.waits.loop(fn, loop) is not None:
            return True
        inside = below(fn.facts, loop)
        if any(block.exits == "break" and number in inside for number, block in enumerate(fn.facts.blocks)):
            return True
        given = [item for item in fn.facts.returns if not item.is_yield and item.block in inside]
        failed = [answer.span for answer in answers(self.project, fn) if answer.failed] if given else []
        return any(item.span not in failed for item in given)

    @staticmethod
    def _batches(fn: Fn, loop: int) -> bool:
        """A loop over batches: one call for many items is what one does to be quick."""
        iterable = fn.facts.blocks[loop].value
        return any(_BATCH.search(item.name) and _stems(fn, item.value, iterable) for item in fn.facts.bindings)

    def _waits(self, fn: Fn, call: Call) -> bool:
        """False for coroutines that are only made here, to be run together elsewhere (`group.create_task(send(x))`)."""
        if call.awaited:
            return True
        if any(self._starts(fn, other) for other in fn.calls if call.value in other.args):
            return False
        targets = self.project.targets(fn, call)
        models = self.project.models(fn, call)
        return not any(target.facts.is_async for target in targets) and not any(model.awaitable for model in models)

    def _starts(self, fn: Fn, call: Call) -> bool:
        return any(model.spawn is not None for model in self.project.models(fn, call))

    def _external(self, fn: Fn, call: Call) -> tuple[str, int]:
        """What is called there, and how many calls below it goes out."""
        for model in self.project.models(fn, call):
            if set(EACH).intersection(model.effect) and model.task is None:
                return f"`{called(self.project, Site(fn, call, model))}`", 0
        for target in self.project.targets(fn, call):
            if target.kind == "property" or not self.project.effects.has(target, *EACH):
                continue
            edge = Edge(fn, target, call, "call", call.span)
            if happens(self.project, edge, EACH):
                own = target.name == "__init__" and target.cls is not None
                name = target.cls.name if own and target.cls is not None else target.name
                ways = [self.project.effects.chain(target, effect) for effect in EACH]
                if all(site is None or _kept(fn, call, edges, site) for edges, site in ways):
                    continue
                return f"`{name}()`", min(
                    layers_down(self.project, edges, site.fn.cls) for edges, site in ways if site is not None
                )
        return "", 0


def _kept(fn: Fn, call: Call, edges: Iterable[Edge], site: Site) -> bool:
    """Whether a cache has the one answer for all items after the first: `cache.get("rates")` was asked before."""
    links = [(fn, call), *((edge.caller, edge.call) for edge in edges), (site.fn, site.call)]
    return any(link is not None and link.value in kept(caller, one=True) for caller, link in links)


def at_once(fn: Fn, call: Call, *, always: bool = False) -> bool:
    """Whether a program is one that ends at once, by its name as the code writes it; `always`: whatever it is given."""
    words = _command(fn, call)
    name = words[0].rpartition("/")[2] if words else ""
    if not _FOLLOWS.get(name, frozenset()).isdisjoint(words):
        return False
    if (name in _PACKAGERS and not _PACKAGES.isdisjoint(words)) or words == ["mount"]:
        return True
    asks = not (_GIT_ASKS if name == "git" else _ASKS).isdisjoint(words[1:2] if name == "git" else words[1:])
    return asks or name in _MANAGES or name in (_AT_ONCE - _BY_SIZE if always else _AT_ONCE)


def _command(fn: Fn, call: Call) -> list[str]:
    """The words of what is run, also where it was started before: `Popen("mount").communicate()`."""
    value = fn.unguarded(receiver(fn, call)) if not call.args and receiver(fn, call) >= 0 else ("",)
    started = fn.calls[value[1]] if value[0] == "call" else call
    return _words(fn, started.args[0]) if started.args else []


def _words(fn: Fn, vid: Vid) -> list[str]:
    """The words of a command that are written out: of a list, or of a text up to its first hole."""
    value = fn.unguarded(vid)
    while value[0] == "mut":  # what was appended to it comes after
        value = fn.unguarded(value[1])
    if value[0] in ("list", "tuple"):
        return [text for item in value[1] if isinstance(text := fn.const(item), str)]
    first = value[2][0] if value[0] == "fmt" and value[2] else vid
    func = fn.func_of(value)
    if func[0] == "attr" and func[2] == "format":
        first = func[1]
    text = fn.const(first)
    return text.split() if isinstance(text, str) else []


def _of_one(fn: Fn, call: Call, iterable: Vid) -> bool:
    """`for field, value in form.items(): if field == "mail": send(value)`: for the one item that is meant."""
    for test, outcome in fn.tests_of(call.block):
        value = fn.unguarded(test)
        if not outcome or value[0] != "compare" or value[1] != ("==",):
            continue
        sides = [fn.unguarded(vid) for vid in value[2]]
        items = [fn.unguarded(side[1]) if side[0] == "unpack" else side for side in sides]
        named = any(fn.const(vid) is not None for vid in value[2])
        if named and any(item[0] == "elem" and plain(fn, item[1]) == plain(fn, iterable) for item in items):
            return True
    return False


def _stems(fn: Fn, vid: Vid, iterable: Vid) -> bool:
    """The loop's variable, by itself or unpacked."""
    value = fn.facts.values[vid]
    while value[0] == "unpack":
        value = fn.facts.values[value[1]]
    return bool(value[0] == "elem" and value[1] == iterable)
