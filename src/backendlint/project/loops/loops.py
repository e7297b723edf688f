"""Loops: which code runs once for each item, for how many items, and what of it depends on the item."""

from __future__ import annotations

import re
from itertools import takewhile
from typing import TYPE_CHECKING

from backendlint.facts.model import Block, Call, Return, Span, Value, Vid
from backendlint.project.entities import Fn, Refs
from backendlint.project.values.configured import configured
from backendlint.project.values.uses import made_of

if TYPE_CHECKING:
    from backendlint.project.graph.calls import Edge
    from backendlint.project.model import Project

FEW = 20
"""A loop over fewer constants than this does not grow with the data."""
STEPS = 6
HANDFUL = 5
"""So many rows of a query are no more than a handful."""
VIEWS = ("items", "keys", "values")
"""Methods of dicts that go through them."""
LOOPS = ("for", "while", "comp")
_SET_OPERATIONS = ("-", "&", "|", "+")
_SAME = ("guard", "await", "star")
_BATCHES = re.compile(r"chunk|batch|page|slices|window|partition|attempt|retr|poll|in_groups|buckets", re.IGNORECASE)
_GIVES_BATCHES = re.compile(
    r"chunk|batch|pages|paginat|slices|window|partition|attempt|retr|poll|in_groups|buckets", re.IGNORECASE
)
"""Functions that give batches; `page()` gives one page, that is items."""
_AS_THEY_COME = re.compile(r"(?:^|_)(?:listen|subscribe|consume|watch|tail|follow)(?:_|$)", re.IGNORECASE)
"""Functions that give one item whenever there is one: no round could be put together with the next."""
_CUTS = ("split", "rsplit", "partition", "rpartition")
_STEPS_BETWEEN = ("/", "\\", "::")
_CODE = frozenset({"_meta", "__mapper__", "__table__"})
_OF_CODE = frozenset({"sorted_tables", "get_table_names", "get_app_configs", "all_models", "__subclasses__"})
"""What lists a program's own tables, columns, relations and classes: as many as are written down."""
_ZIPS = (("name", "builtins.zip"), ("name", "itertools.zip_longest"), ("name", "itertools.product"))


def loops_around(fn: Fn, block: int) -> list[tuple[int, Block]]:
    """The `for` loops and comprehensions around a block, innermost first."""
    return [(number, item) for number, item in fn.blocks_of(block) if item.kind in ("for", "comp")]


def loop_at(fn: Fn, block: int, kinds: tuple[str, ...] = ("for", "while")) -> int:
    """The innermost loop around a block, or -1."""
    return next((number for number, item in fn.blocks_of(block) if item.kind in kinds), -1)


def block_at(fn: Fn, span: Span) -> int:
    """The innermost block that contains a place, by its span (for values, which know no block)."""
    best, size = 0, (10**9, 0)
    for number, block in enumerate(fn.facts.blocks):
        start, end = block.span[:2], block.span[2:]
        if start <= span[:2] and span[2:] <= end and not _in_header(fn, block, span):
            extent = (block.span.end_line - block.span.line, block.span.end_column - block.span.column)
            if extent <= size or (number and fn.facts.blocks[number].parent == best):
                best, size = number, extent
    return best


def _in_header(fn: Fn, block: Block, span: Span) -> bool:
    """Whether the place is in what a `for`, `if` or `with` evaluates before its body."""
    if block.kind not in ("for", "if", "with", "comp") or block.value < 0:
        return False
    return fn.facts.span_of(block.value).holds(span)


def plain(fn: Fn, vid: Vid) -> Vid:
    """The value without guards and awaits."""
    value = fn.facts.values[vid]
    while value[0] in _SAME:
        vid = value[1]
        value = fn.facts.values[vid]
    return vid


def side_by_side(fn: Fn, vid: Vid) -> tuple[Vid, ...]:
    """What `zip(rows, names)` goes through, in this order; of `enumerate(rows)` the number is -1, of `rows.items()` the key. Empty
    for other values."""
    value = fn.facts.values[plain(fn, vid)] if vid >= 0 else ("",)
    call = fn.facts.calls[value[1]] if value[0] == "call" else None
    if call is not None and not call.passed and fn.func_of(value)[::2] == ("attr", "items"):
        return (-1, fn.func_of(value)[1])
    if call is None or not call.args or any(fn.facts.values[item][0] == "star" for item in call.args):
        return ()
    func = fn.facts.values[call.func]
    if func == ("name", "builtins.enumerate"):
        return (-1, call.args[0])
    return tuple(call.args) if func in _ZIPS else ()


def behind(fn: Fn, value: Value) -> Vid:
    """The iterable of which a value is an element: `rows` for `row` in `for number, row in enumerate(rows)`; -1 for others."""
    elem = fn.facts.values[value[1]] if value[0] == "unpack" else ("",)
    parts = side_by_side(fn, elem[1]) if elem[0] == "elem" else ()
    return parts[value[2]] if parts and 0 <= value[2] < len(parts) else -1


def iterables(fn: Fn, vid: Vid) -> list[Vid]:
    """What a loop over the value goes through."""
    return [item for item in side_by_side(fn, vid) if item >= 0] or [vid]


def grows(project: Project, fn: Fn, number: int) -> bool:
    """Whether a loop runs once for each row or item of data; False for a few constants, batches, attempts,
    messages of a queue, and bodies that always leave after the first item."""
    block = fn.facts.blocks[number]
    if block.value < 0 or block.exits in ("return", "break", "raise"):
        return False
    vid = plain(fn, block.value)
    if "queue-consume" in going_through(project, fn, vid):  # `async for message in consumer`: each when it comes
        return False
    return not _named_batch(project, fn, block) and not _few(project, fn, vid, 4)


def going_through(project: Project, fn: Fn, vid: Vid) -> set[str]:
    """The effects of going through an object of a library: a query is sent, or messages of a queue are waited for."""
    classes = (project.libraries.cls(ref.name) for ref in project.refs(fn, vid) if ref.kind == "libinst")
    return {effect for cls in classes if cls is not None for effect in cls.iter_effect}


def _named_batch(project: Project, fn: Fn, block: Block) -> bool:
    elements = (item for ref in project.refs(fn, block.value) for item in project.resolver.element(ref))
    single = any(
        item.kind == "inst" and project.hierarchy.role(project.classes[item.name]) == "model" for item in elements
    )
    for binding in () if single else fn.facts.bindings:  # `for page in Page.objects.all()`: a page of a book
        if binding.span.line == block.span.line and _BATCHES.search(binding.name):
            value = fn.facts.values[plain(fn, binding.value)]
            if value[0] in ("elem", "unpack"):
                return True
    value = fn.facts.values[plain(fn, block.value)]
    if value[0] != "call":
        return False
    func = fn.facts.values[fn.facts.calls[value[1]].func]
    name = str(func[1] if func[0] == "name" else func[2] if func[0] == "attr" else "").rpartition(".")[2]
    return bool((not single and _GIVES_BATCHES.search(name)) or _AS_THEY_COME.search(name))


def few(project: Project, fn: Fn, vid: Vid) -> bool:
    """Whether an iterable gives a few constants only."""
    return _few(project, fn, plain(fn, vid), 4)


def _few(project: Project, fn: Fn, vid: Vid, depth: int) -> bool:
    value = fn.facts.values[vid]
    if value[0] in ("list", "tuple", "set"):
        return not any(fn.facts.values[item][0] == "star" for item in value[1])
    if value[0] in ("dict", "const") or configured(project, fn, vid):
        return True
    if value[0] == "comp" and depth:  # no more than what it goes through, or than an enumeration has members
        return _is_member(project, fn, value[2]) or all(
            _few(project, fn, plain(fn, item.value), depth - 1) for item in _loops_of(fn, value[4])
        )
    if value[0] == "phi" and depth:
        return all(_few(project, fn, plain(fn, item), depth - 1) for item in value[1] if item != vid)
    if value[0] == "call":
        return _few_called(project, fn, vid, depth)
    if value[0] == "param" and _few_handed(project, fn, value[1], depth):
        return True
    if depth and _of_table(project, fn, vid, depth):
        return True
    if value[0] == "slice":
        return _few_taken(fn, value) or (depth > 0 and _few(project, fn, plain(fn, value[1]), depth - 1))
    if value[0] == "binop" and value[1] in _SET_OPERATIONS and depth:
        sides = value[2:4] if value[1] in ("|", "+") else value[2:3]
        return all(_few(project, fn, plain(fn, item), depth - 1) for item in sides)
    if value[0] == "attr" and depth and value[2] in VIEWS:
        return _few(project, fn, plain(fn, value[1]), depth - 1)
    if _names_code(fn, value) or (value[0] == "item" and _names_code(fn, fn.facts.values[plain(fn, value[1])])):
        return True  # also `apps.all_models["shop"]`
    refs = project.refs(fn, vid)
    if refs and all(ref.kind == "class" or (ref.kind == "lib" and ref.name[:1].isupper()) for ref in refs):
        return True  # an enumeration
    if _of_enum(project, refs):
        return True
    if value[0] == "attr" and depth:
        return _few_of_class(project, project.refs(fn, value[1]), str(value[2]), depth)
    return bool(value[0] == "name" and depth) and _few_named(project, fn, str(value[1]), depth)


def _few_handed(project: Project, fn: Fn, slot: int, depth: int) -> bool:
    """A parameter for which whoever calls writes down constants (`grant(clerk, ["read", "write"])`), hands on a setting, or
    leaves the default, which nobody goes through where it is None."""
    edges = project.graph.callers(fn) if depth else []
    return bool(edges) and all(
        edge.call is not None and _few_passed(project, edge, edge.call, slot, depth - 1) for edge in edges
    )


def _few_passed(project: Project, edge: Edge, call: Call, slot: int, depth: int) -> bool:
    fn, bound = edge.caller, edge.bound()
    default, home = edge.callee.facts.params[slot].default, edge.callee.parent
    if slot not in bound and default >= 0 and home is not None and not call.open_ended:
        return home.const(default) is None or _constants(home, default)
    handed = [vid for vid, part in bound.get(slot, ()) if not part]
    return bool(handed) and all(
        _constants(fn, vid) or configured(project, fn, vid) or _of_table(project, fn, vid, depth) for vid in handed
    )


def _constants(fn: Fn, vid: Vid) -> bool:
    """A display of constants."""
    value = fn.unguarded(vid)
    return value[0] in ("list", "tuple", "set") and all(fn.unguarded(item)[0] == "const" for item in value[1])


def _of_table(project: Project, fn: Fn, vid: Vid, depth: int) -> bool:
    value = fn.unguarded(vid)
    return value[0] == "item" and _few_entries(project, fn, value[1], depth)


def _few_entries(project: Project, fn: Fn, table: Vid, depth: int) -> bool:
    """`RIGHTS[role]` of a table that writes down a few for each key."""
    entries = _entries(project, fn, table, depth)
    return bool(entries) and all(_few(project, home, plain(home, vid), depth - 1) for home, vid in entries)


def _entries(project: Project, fn: Fn, table: Vid, depth: int) -> list[tuple[Fn, Vid]]:
    """What a table that a module or a class writes down has for its keys; of a table of tables, what these have."""
    home, vid = _written_at(project, fn, plain(fn, table))
    value = home.facts.values[plain(home, vid)]
    if value[0] == "dict":
        return [(home, item) for key, item in value[1]] if all(key >= 0 for key, _ in value[1]) else []
    tables = _entries(project, home, value[1], depth - 1) if value[0] == "item" and depth else []
    return [entry for owner, item in tables for entry in _entries(project, owner, item, depth - 1)]


def _written_at(project: Project, fn: Fn, vid: Vid) -> tuple[Fn, Vid]:
    """Where a module's variable, or an attribute of a class, has its value; else the place itself."""
    value = fn.facts.values[vid]
    if value[0] == "name":
        target = project.modules.resolve(str(value[1]), fn.file.module)
        if target.kind == "variable" and target.file is not None and target.vid >= 0 and not target.rest:
            return project.module_function(target.file), target.vid
    if value[0] == "attr":
        owners = [project.classes[ref.name] for ref in project.refs(fn, value[1]) if ref.kind in ("class", "inst")]
        stated = project.hierarchy.attribute(owners[0], str(value[2])) if len(owners) == 1 else None
        return stated or (fn, vid)
    return fn, vid


def _of_enum(project: Project, refs: Refs) -> bool:
    """`set[Kind]` of an enumeration: as many at most as it has members."""
    elements = [ref.arg for ref in refs]
    return bool(elements) and all(
        item is not None and item.kind == "inst" and project.hierarchy.is_a(project.classes[item.name], "enum.Enum")
        for item in elements
    )


def _is_member(project: Project, fn: Fn, vid: Vid) -> bool:
    """`Kind[name]`, `Kind(value)`: nobody asks for one twice."""
    value = fn.facts.values[plain(fn, vid)]
    if value[0] not in ("item", "call"):
        return False
    refs = project.refs(fn, value[1] if value[0] == "item" else fn.facts.calls[value[1]].func)
    owners = [project.classes[ref.name] for ref in refs if ref.kind == "class"]
    return len(owners) == len(refs) == 1 and project.hierarchy.is_a(owners[0], "enum.Enum")


def _few_named(project: Project, fn: Fn, dotted: str, depth: int) -> bool:
    """What a module or a class writes down under a name."""
    target = project.modules.resolve(dotted, fn.file.module)
    if target.kind == "class" and len(target.rest) == 1:
        owner_name, _, name = dotted.rpartition(".")
        return _few_of_class(project, project.resolver.dotted(owner_name, fn.file.module), name, depth)
    if target.kind == "variable" and target.file is not None and target.vid >= 0 and not target.rest:
        owner = project.module_function(target.file)
        return owner is not fn and _few(project, owner, plain(owner, target.vid), depth - 1)
    return False


def _loops_of(fn: Fn, block: int) -> list[Block]:
    """The loops of a comprehension, by its innermost block."""
    inside = takewhile(lambda item: item.kind in ("comp", "if"), (item for _, item in fn.blocks_of(block)))
    return [item for item in inside if item.kind == "comp"]


def _names_code(fn: Fn, value: Value) -> bool:
    """`Order._meta.get_fields`, `Order.__mapper__.relationships`"""
    if value[0] not in ("attr", "name"):
        return False
    owner, _, name = str(value[-1]).rpartition(".")
    base = fn.facts.values[plain(fn, value[1])] if value[0] == "attr" else ("name", owner)
    return name in _OF_CODE or (base[0] in ("attr", "name") and str(base[-1]).rpartition(".")[2] in _CODE)


def _is_code(fn: Fn, vid: Vid) -> bool:
    """`Order._meta` itself."""
    value = fn.facts.values[plain(fn, vid)]
    return value[0] in ("attr", "name") and str(value[-1]).rpartition(".")[2] in _CODE


def _few_taken(fn: Fn, value: Value) -> bool:
    """`rows[:3]`"""
    start, end = (fn.const(item) if item >= 0 else 0 for item in value[2:4])
    start = 0 if start is None else start
    return isinstance(start, int) and isinstance(end, int) and 0 < end - start <= HANDFUL and start >= 0


def _few_of_class(project: Project, owners: Refs, name: str, depth: int) -> bool:
    """An attribute that a class itself sets to a few constants, and that no method changes; not a field with a default."""
    for ref in owners if len(owners) == 1 else ():
        for cls in project.hierarchy.mro(project.classes[ref.name]) if ref.kind in ("class", "inst") else ():
            vid = cls.facts.attributes.get(name, -1)
            if vid >= 0:
                changed = name in cls.facts.annotations or project.hierarchy.stores(cls, name)
                return not changed and _few(project, cls.owner, plain(cls.owner, vid), depth - 1)
    return False


def _few_called(project: Project, fn: Fn, vid: Vid, depth: int) -> bool:
    call = fn.facts.calls[fn.facts.values[vid][1]]
    names = {ref.name for ref in project.callees(fn, call)}
    func = fn.facts.values[call.func]
    if _names_code(fn, func) or any(_is_code(fn, item) for item in call.args):
        return True  # also `relations_of(Order._meta)`
    if names & {"itertools.count"}:
        return True  # numbers without end: batches, attempts
    if names & {"builtins.range"}:
        numbers = project.constants(fn, call.args[min(len(call.args), 2) - 1]) if call.args else None
        if len(call.args) == 3:
            return True  # steps: batches
        return bool(numbers) and all(isinstance(number, int) and number <= FEW for number in numbers or ())
    if names & {
        "builtins.enumerate",
        "builtins.sorted",
        "builtins.reversed",
        "builtins.list",
        "builtins.tuple",
        "builtins.set",
        "builtins.frozenset",
        "builtins.dict",
        "builtins.dict.fromkeys",
        "collections.OrderedDict",
    }:
        return bool(call.args) and bool(depth) and _few(project, fn, plain(fn, call.args[0]), depth - 1)
    if names & {"builtins.zip"}:  # ends with the shortest
        return bool(depth) and any(_few(project, fn, plain(fn, item), depth - 1) for item in call.args)
    if func[0] == "attr" and func[2] in (*VIEWS, "difference", "intersection", "copy") and depth:
        return _few(project, fn, plain(fn, func[1]), depth - 1)
    if func[0] == "attr" and func[2] == "union" and depth:
        return all(_few(project, fn, plain(fn, item), depth - 1) for item in (func[1], *call.args))
    owner, _, name = str(func[1]).rpartition(".") if func[0] == "name" else ("", "", "")
    if owner and name in VIEWS and depth:  # `STEPS.items()` of another module
        return _few_named(project, fn, owner, depth)
    if func[0] == "attr" and func[2] in _CUTS and call.args and fn.const(call.args[0]) in _STEPS_BETWEEN:
        return True  # the steps of one path
    return bool(depth) and _few_returned(project, fn, call, depth)


def _few_returned(project: Project, fn: Fn, call: Call, depth: int) -> bool:
    """Whether all that the called function can be gives a display that is written there (`return [First(), Second()]`), a
    handful of rows (`return rows[:5]`), or what a module writes down (`return list(LIMITS.items())`)."""
    targets = project.targets(fn, call)
    return bool(targets) and all(
        target is not fn
        and bool(target.facts.returns)
        and all(_written_out(target, item) or _of_module(project, target, item, depth) for item in target.facts.returns)
        for target in targets
    )


def _written_out(fn: Fn, back: Return) -> bool:
    """A display with something in it (an empty one may be what a subclass is to fill), or a handful of rows."""
    value = fn.facts.values[plain(fn, back.value)] if back.value >= 0 and not back.is_yield else ("",)
    if value[0] == "slice":
        return _few_taken(fn, value)
    if value[0] not in ("list", "tuple", "set") or not value[1]:
        return False
    return not any(fn.facts.values[item][0] == "star" for item in value[1])


def _of_module(project: Project, fn: Fn, back: Return, depth: int) -> bool:
    """Few constants that a module writes down under a name, in whatever they are wrapped, or some of them."""
    vid = plain(fn, back.value) if back.value >= 0 and not back.is_yield and fn.cls is None else -1
    value = fn.facts.values[vid] if vid >= 0 else ("",)
    sources = [item.value for item in _loops_of(fn, value[4])] if value[0] == "comp" else [vid]
    named = [_named(project, fn, item) for item in sources]
    return all(name and _written_down(project, fn, name) for name in named) and _few(project, fn, vid, depth - 1)


def _named(project: Project, fn: Fn, vid: Vid) -> str:
    """The name that calls of a library wrap: `list(LIMITS.items())`."""
    for _ in range(STEPS if vid >= 0 else 0):
        value = fn.facts.values[plain(fn, vid)]
        call = fn.facts.calls[value[1]] if value[0] == "call" else None
        if call is None or project.targets(fn, call):
            return str(value[1]) if value[0] == "name" else ""
        vid = call.args[0] if call.args else call.func
    return ""


def _written_down(project: Project, fn: Fn, dotted: str) -> bool:
    """`LIMITS`, `limits.LIMITS.items`: a display with something in it, or what is made of one."""
    table, _, view = dotted.rpartition(".")
    target = project.modules.resolve(table if view in VIEWS else dotted, fn.file.module)
    if target.kind != "variable" or target.file is None or target.vid < 0:
        return False
    owner = project.module_function(target.file)
    value = owner.facts.values[plain(owner, target.vid)]
    return bool(value[0] == "call" or (value[0] in ("dict", "list", "tuple", "set") and value[1]))


def depends(fn: Fn, vids: list[Vid], number: int) -> bool:
    """Whether any of the values is made from the loop's item."""
    iterable = fn.facts.blocks[number].value
    same = {iterable, plain(fn, iterable)}
    todo, seen = list(vids), set(vids)
    while todo:
        vid = todo.pop()
        if vid < 0:
            continue
        value = fn.facts.values[vid]
        if value[0] in ("elem", "unpack") and value[1] in same:
            return True
        if value[0] == "call":
            call = fn.facts.calls[value[1]]
            parts = [call.func, *call.passed]
        else:
            parts = list(made_of(value))
        for part in parts:
            if part not in seen:
                seen.add(part)
                todo.append(part)
    return False


def stops_early(fn: Fn, block: int, loop: int) -> bool:
    """Whether the code's own branch leaves the loop for good afterwards: it runs once at most."""
    for number, item in fn.blocks_of(block):
        if number == loop:
            return False
        if item.exits in ("return", "break", "raise"):
            return True
    return False


def when_full(project: Project, fn: Fn, block: int, loop: int) -> bool:
    """Whether the code runs only when a batch is full: below `if len(batch) >= 500`, or `if index % 500 == 0`."""
    for number, item in fn.blocks_of(block):
        if number == loop:
            return False
        if item.kind == "if" and item.value >= 0 and _counts(project, fn, item.value):
            return True
    return False


def for_one_item(fn: Fn, block: int, loop: int) -> bool:
    """Whether the code runs for one constant item of the loop: below `if name == "total"`, `if key == "total" and ...` of
    `for key, value in totals.items()`."""
    for number, item in fn.blocks_of(block):
        if number == loop:
            return False
        if item.kind == "if" and item.value >= 0 and _says_which(fn, item.value, fn.facts.blocks[loop].value):
            return True
    return False


def _says_which(fn: Fn, test: Vid, iterable: Vid) -> bool:
    """Whether a test holds for one constant item of the iterable alone, or for a handful."""
    value = fn.facts.values[plain(fn, test)]
    if value[0] == "bool":
        return bool(value[1] == "and") and any(_says_which(fn, part, iterable) for part in value[2])
    if value[0] != "compare" or value[1] not in (("==",), ("in",)):
        return False
    if value[1] == ("in",):  # `if name in ("total", "average"):`
        some = fn.facts.values[plain(fn, value[2][1])]
        written = some[0] in ("tuple", "list", "set") and 0 < len(some[1]) <= HANDFUL
        constant = written and all(fn.facts.values[plain(fn, vid)][0] == "const" for vid in some[1])
        return constant and _is_item(fn, value[2][0], iterable)
    texts = [fn.facts.values[plain(fn, vid)][0] == "const" for vid in value[2]]
    return any(texts) and any(_is_item(fn, vid, iterable) for vid in value[2])


def _is_item(fn: Fn, vid: Vid, iterable: Vid) -> bool:
    """The loop's item, the key where it goes through a mapping's `items()`, or what such a text is cut into."""
    value = fn.facts.values[plain(fn, vid)]
    if value[0] == "item":
        func = fn.func_of(fn.facts.values[plain(fn, value[1])])
        return func[0] == "attr" and func[2] in _CUTS and _is_item(fn, func[1], iterable)
    if value[0] == "unpack" and value[2] == 0 and _of_mapping(fn, iterable):
        value = fn.facts.values[value[1]]
    return bool(value[0] == "elem" and plain(fn, value[1]) == plain(fn, iterable))


def _of_mapping(fn: Fn, iterable: Vid) -> bool:
    value = fn.facts.values[plain(fn, iterable)]
    return value[0] == "call" and fn.callee_name(fn.facts.calls[value[1]]) == "items"


def _counts(project: Project, fn: Fn, vid: Vid) -> bool:
    value = fn.facts.values[vid]
    if value[0] == "bool":
        return any(_counts(project, fn, item) for item in value[2])
    if value[0] != "compare" or not {">", ">=", "=="}.intersection(value[1]):
        return False
    first = fn.facts.values[plain(fn, value[2][0])]
    bound = value[2][1]
    if first[0] == "binop" and first[1] == "%":
        return True
    if first[0] != "call" or fn.const(bound) in (0, 1):
        return False
    return any(ref.name == "builtins.len" for ref in project.callees(fn, fn.facts.calls[first[1]]))
