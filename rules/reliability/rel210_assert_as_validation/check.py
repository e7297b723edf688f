from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import libcst as cst

from backendlint.api import (
    Call,
    FileFacts,
    FunctionFacts,
    Hit,
    Profile,
    Span,
    Statement,
    Step,
    SyntaxSite,
    Value,
    around,
    called_name,
    caught,
    for_development,
    ingredients,
    name_of,
    only_for_types,
)

WORKS = re.compile(
    r"(pop|remove|discard|execute|commit|save|send|write|insert|update|delete|create|acquire|release|add|append|push|"
    r"publish|set|put|start|run|call|process|apply|register|consume|next|read|recv|increment|lock|enqueue|seed|produce|"
    r"store)(_\w+)?|queue_(?!size|len|name|key|url|id|depth|count|is|exists)\w+"
)
PURE_SET = re.compile(r"set|add|call|run|read|process|apply|next|lock|start|update|put|seed|store")
TYPE_TEST = re.compile(r"(isinstance|issubclass|callable|hasattr|(is|has)_\w+)")
PERMITS = re.compile(
    r"(^|_)(permi\w*|perms?|access|owners?|owns|authori[sz]\w*|allowed|privileges?)(_|$)", re.IGNORECASE
)
"""Words of functions that say whether somebody may do something: no type checker learns anything from them."""
_RANKS = r"is_(super_?user|staff|admin(istrator)?|moderator)"
"""Functions that say what somebody is allowed at all."""
RANK = re.compile(rf"^_*{_RANKS}$", re.IGNORECASE)
RANKED = re.compile(rf"\b{_RANKS}\b", re.IGNORECASE)
STATE = re.compile(
    r"(is|has|can|may|should|was|allow)_|"
    r"(\w+_)?(active|enabled|valid|verified|paid|deleted|authenticated|approved|confirmed|public|published)$"
)
VALIDATOR = re.compile(r"(^|\.)(field_|model_|root_)?validator$")
"""Decorators of pydantic, which turns an AssertionError into a validation error."""
SETUP = re.compile(r"__init__|_*(init|setup|set_up|register|configure|install|connect|ready)(_\w+)?")
"""Functions that start-up calls."""
VERBS = frozenset(["get", "post", "put", "patch", "delete", "dispatch"])
VIEW = re.compile(r"(View|ViewSet|Resource|Handler|Controller|Endpoint|Api|API)$")
PROMISED = frozenset({"validated_data", "cleaned_data"})
VALIDATED = PROMISED | {"data", "save"}
"""What a serializer or form has once `is_valid()` was called."""
BY_HAND = re.compile(r"(^|/)(migrations|alembic|scripts?|bin)/")
"""Folders of what somebody runs and watches."""
PROOF = re.compile(r"decode|verify|unsign|introspect|claims|token", re.IGNORECASE)
"""Calls that say who somebody is."""
HOW_FAR = re.compile(r"(^|_)(status|state|phase)$")
KIND = re.compile(r"(^|_)(type|kind)$")
ALL = ("builtins.Exception", "builtins.BaseException")
CHOOSES = frozenset({"in", "==", "is"})
VALIDATES = re.compile(r"(^|_)(validate|verify|check|ensure|clean|authenticate|authori[sz]e)(_|$)", re.IGNORECASE)
"""Functions that are there to say no."""
COMPARES = frozenset({"<", "<=", ">", ">="})
WHO = re.compile(
    r"(^|_)(users?|actors?|members?|customers?|owners?|authors?|guests?|requesters?|principals?)(_|$)", re.IGNORECASE
)
SENT = frozenset({"request", "content_type"})
"""What only a request or an upload has, or is."""
SECRET = re.compile(r"passw|passphrase|secret|signature|csrf|nonce|digest|hmac", re.IGNORECASE)
"""What is compared to find out who somebody is."""
SHOWN = 10
PROSE = re.compile(r"[^\W\d_]{2,}")
TEXT = re.compile(r"msg|message|error|text|reason", re.IGNORECASE)
BUG = re.compile(
    r"^\W*bug\b|\b(is|be|a) (a )?bug\b|\binvariant\b|\binternal error\b|\bimpossible\b|\bunreachable\b|\bsanity\b|"
    r"\b(should|must|can) (never|not) (happen|occur|be reached|get here)|\bcan't happen\b",
    re.IGNORECASE,
)
"""Of a message that tells whoever writes the code of a mistake in it."""
COPIES = frozenset({"dict", "list", "tuple", "set", "frozenset", "sorted", "str", "int", "float", "len"})
COMPUTES = frozenset({"max", "min", "abs", "sum", "round", "divmod", "pow"})
ASSERTS = re.compile(r"_*assert_")
"""Functions that are there to assert: tests call them."""
ENVIRONMENT = ("os.environ.get", "os.getenv")
BARE = "and without it callers get a bare AssertionError"
HANDLER = re.compile(  # decorators of functions that the outside calls: request handlers, tasks, commands
    r"(^|\.)(route|get|post|put|patch|delete|websocket|api_view|action|task|shared_task|command|view_config|expose)$"
)


def suspects(_file: FileFacts, function: FunctionFacts) -> Iterator[int | Span]:
    """Asserts that test something else than constants."""
    for item in function.statements:
        if item.kind == "assert" and function.values[item.value][0] != "const":
            yield item.span


def check(site: SyntaxSite) -> Iterator[Hit]:
    """One hit a row of asserts that say nothing, at the first that is told: they are read, and mended, together."""
    for found in judged(site):
        aside = found.profile is None and BARE in found.message and follows_another(site)
        yield replace(found, profile="strict", severity="note") if aside else found


def follows_another(site: SyntaxSite) -> bool:
    """Whether the same is told of the assert on the line before."""
    for item in site.function.statements:
        if item.kind == "assert" and item.block == site.block and item.span.end_line == site.span.line - 1:
            before = replace(site, span=item.span)
            same = any(found.profile is None and BARE in found.message for found in judged(before))
            return same or follows_another(before)
    return False


def judged(site: SyntaxSite) -> Iterator[Hit]:
    node = site.node
    function = site.function
    statement = next((item for item in function.statements if item.span == site.span), None)
    if not isinstance(node, cst.Assert) or statement is None:
        return
    outside = is_decorated(site, HANDLER) or is_view(site)
    answered = is_answered(site, statement)
    if answered == "named" and not outside:
        return
    if only_for_types(function, site.span) or ASSERTS.match(function.name):
        return
    where = f"`{function.name}()`" if function.name else "the module"
    work = working_call(site)
    if work is not None:
        name = called_name(site.file, function, work).rpartition(".")[2]
        message = (
            f"The assert in {where} does work: with `python -O` `{name}(...)` is not even called; "
            "call it first, then check its result with an `if` that raises."
        )
        yield hit(site, message)
        return
    direct, looked_up = origins(site, statement.value)
    narrows = is_narrowing(node.test)
    if node.msg is not None and is_configured(site, statement.value):
        message = f"The assert in {where} checks the configuration: with `python -O` the check is gone"
        yield hit(site, f"{message}{advice(site, node, answered)}")
        return
    if not direct and (narrows or not looked_up):
        return
    profile: Profile | None = None
    if narrows and node.msg is None:
        profile = "audit"
    elif outside and not speaks_of_bug(node):
        decided = is_decided_elsewhere(site, node, statement.value) and not is_promised(site, statement.value)
        reminds = node.msg is None and (is_decided_before(site, statement) or is_as_asked(site, statement.value))
        profile = None if (direct or decided) and not reminds else "strict"
    else:
        seen = is_public(function) and not (direct and is_inner(site)) and is_validation(site, node, statement.value)
        quiet = (
            bool(answered)
            or not function.name
            or is_decorated(site, VALIDATOR)
            or BY_HAND.search(site.file.path)
            or for_development(site.file.path)
            or is_program(site)
            or is_contract(site, statement.value)
            or is_promised(site, statement.value)
            or speaks_of_bug(node)
            or is_last_case(site, statement.value)
            or is_tested_before(site, statement.value)
        )
        profile = "strict" if quiet or not seen else None
    source = f"`{direct[0]}`, which callers pass in" if direct else f"what `{looked_up[0]}` gave"
    message = f"`assert {shorten(site.code(node.test))}` in {where} checks {source}: with `python -O` the check is gone"
    found = hit(site, f"{message}{advice(site, node, answered)}", profile)
    yield found if profile is not None else once_a_file(site, found)


def advice(site: SyntaxSite, node: cst.Assert, answered: str) -> str:
    if is_decorated(site, VALIDATOR):
        return ", raise a ValueError."
    if node.msg is not None or answered:
        return "; raise an exception of a class that callers can tell from a bug."
    return f", {BARE}; raise an exception that says what is wrong."


def is_program(site: SyntaxSite) -> bool:
    """A file that somebody starts with arguments, or that trains and runs models, and serves nobody."""
    imported = site.file.packages
    if not imported.isdisjoint(strings(site.options["serves"])):
        return False
    return not imported.isdisjoint(strings(site.options["models"])) or (
        not imported.isdisjoint(strings(site.options["starts"])) and starts(site.file.functions[0])
    )


def strings(value: object) -> frozenset[str]:
    return frozenset(value) if isinstance(value, list | tuple) else frozenset()


def starts(module: FunctionFacts) -> bool:
    """`if __name__ == "__main__":`, or the command line is read as soon as the module is loaded."""
    if any(module.values[call.func][::2] == ("attr", "parse_args") for call in module.calls):
        return True
    tests = (module.values[block.value] for block in module.blocks if block.kind == "if" and block.value >= 0)
    return any(
        test[0] == "compare" and any(module.values[item] == ("const", "__main__") for item in test[2]) for test in tests
    )


def is_decided_before(site: SyntaxSite, statement: Statement) -> bool:
    """How parameters stand to each other, below a test of what the code has made of the same ones: what must be so there."""
    function = site.function
    given = parameters(function, {statement.value})
    tests = {
        block.value for block in map(function.blocks.__getitem__, around(function, statement.block)) if block.value >= 0
    }
    made = ingredients(function, tests)
    chosen = [function.span_of(vid) for vid in made if function.values[vid][0] == "phi"]
    made |= ingredients(
        function,
        [
            block.value
            for block in function.blocks
            if block.kind == "if" and block.value >= 0 and any(span.holds(block.span) for span in chosen)
        ],
    )
    return len(given) > 1 and given <= parameters(function, made)


def is_as_asked(site: SyntaxSite, vid: int) -> bool:
    """`assert len(hits) <= most` of what was asked for with `most`: that there is no more is the other side's promise."""
    function, value = site.function, unguarded(site.function, vid)
    if value[0] != "compare" or COMPARES.isdisjoint(value[1]):
        return False
    for one, other in (value[2], value[2][::-1]):
        made = ingredients(function, (one,)) - ingredients(function, (other,))
        calls = [function.calls[item[1]] for item in map(function.values.__getitem__, made) if item[0] == "call"]
        given = ingredients(
            function, [item for call in calls if not site.span.holds(call.span) for item in call.passed]
        )
        if other in given:
            return True
    return False


def parameters(function: FunctionFacts, vids: set[int]) -> set[int]:
    return {function.values[vid][1] for vid in ingredients(function, vids) if function.values[vid][0] == "param"}


def is_configured(site: SyntaxSite, vid: int) -> bool:
    """A name of the module's own that stands for a variable of the environment, asked in a function."""
    value, module = unguarded(site.function, vid), site.file.functions[0]
    name = str(value[1]).rpartition(".")[2] if value[0] == "name" else ""
    bound = [item.value for item in module.bindings if item.name == name and item.value >= 0]
    return bool(site.function.name) and bool(bound) and all(reads_environment(site, module, item) for item in bound)


def reads_environment(site: SyntaxSite, module: FunctionFacts, vid: int) -> bool:
    """`os.environ["PIER_MAIL"]`, `os.environ.get("PIER_MAIL", "")`, `os.getenv("PIER_MAIL")`."""
    value = unguarded(module, vid)
    if value[0] == "item":
        return name_of(site.file, module, value[1]) == "os.environ"
    return value[0] == "call" and called_name(site.file, module, module.calls[value[1]]) in ENVIRONMENT


def is_answered(site: SyntaxSite, statement: Statement) -> str:
    """Inside a `try` that catches AssertionError ("named": the assert is how the code goes another way) or everything
    ("all"), and does not raise it again."""
    blocks, function = site.function.blocks, site.function
    tries = {number for number in around(function, statement.block) if blocks[number].kind == "try"}
    raising = {number for item in function.raises for number in around(function, item.block)}
    names = {
        name
        for number, item in enumerate(blocks)
        if item.kind == "except" and item.group in tries and number not in raising
        for name in caught(function, number) or ALL
    }
    return "named" if "builtins.AssertionError" in names else "all" if names.intersection(ALL) else ""


def is_inner(site: SyntaxSite) -> bool:
    """A function inside another one, which calls it with what it likes."""
    parent = site.function.parent
    return parent >= 0 and bool(site.file.functions[parent].name) and not site.function.cls


def hit(site: SyntaxSite, message: str, profile: Profile | None = None) -> Hit:
    return Hit(
        message,
        site.location(),
        profile=profile,
        severity="note" if profile else None,
        function=site.function.qualname or None,
    )


def once_a_file(site: SyntaxSite, found: Hit) -> Hit:
    """Of asserts of somebody's rank (`is_superuser`) in the same words the first is told, and where the others are."""
    own = written(site, site.span)
    if not RANKED.search(own):
        return found
    spans = sorted(
        item.span
        for function in site.file.functions
        if is_public(function)
        for item in function.statements
        if item.kind == "assert" and item.span.line != site.span.line and written(site, item.span) == own
    )
    if any(span < site.span for span in spans):
        return replace(found, profile="strict", severity="note")
    return replace(found, related=tuple(Step(site.location(span), "and here") for span in spans[:SHOWN]))


def written(site: SyntaxSite, span: Span) -> str:
    return " ".join(span.text_in(site.lines).split())


def shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 50 else line[:47] + "..."


def is_narrowing(test: cst.BaseExpression) -> bool:
    """Tests that tell a type checker what a thing is: `x`, `x is not None`, `isinstance(x, T)`, `is_user(x)`,
    `type(x) is T`."""
    if isinstance(test, cst.BooleanOperation):
        return is_narrowing(test.left) and is_narrowing(test.right)
    if isinstance(test, cst.UnaryOperation) and isinstance(test.operator, cst.Not):
        return isinstance(test.expression, cst.Name) or (
            isinstance(test.expression, cst.Call) and is_narrowing(test.expression)
        )
    if isinstance(test, cst.Call):
        return TYPE_TEST.fullmatch(plainly_called(test)) is not None and not permits(test)
    if isinstance(test, cst.Attribute):
        return not STATE.match(test.attr.value)
    if isinstance(test, cst.Comparison) and len(test.comparisons) == 1:
        target = test.comparisons[0]
        if plainly_called(test.left) == "type":
            return True
        if not isinstance(target.operator, cst.Is | cst.IsNot):
            return False
        return isinstance(target.comparator, cst.Name) and target.comparator.value == "None"
    return isinstance(test, cst.Name | cst.Subscript)


def asks_type(test: cst.BaseExpression) -> bool:
    """`isinstance(image, bytes) and len(image) > 0`: what programmers agree on."""
    if isinstance(test, cst.BooleanOperation):
        return asks_type(test.left) or asks_type(test.right)
    if isinstance(test, cst.Comparison):
        return any(plainly_called(item.comparator) == "type" for item in test.comparisons)
    return plainly_called(test) in ("isinstance", "issubclass")


def plainly_called(value: cst.BaseExpression) -> str:
    """`type` of `type(check)`; "" for what is no call of a bare name."""
    return value.func.value if isinstance(value, cst.Call) and isinstance(value.func, cst.Name) else ""


def permits(test: cst.BaseExpression) -> bool:
    """`has_permission_for(user, form)`, `is_superuser(request)`: who may do what."""
    if not isinstance(test, cst.Call) or not test.args:
        return False
    said = PERMITS if len(test.args) > 1 else RANK
    return said.search(plainly_called(test)) is not None


def working_call(site: SyntaxSite) -> Call | None:
    """A call in the test that changes something."""
    for call in site.function.calls:
        inside = site.span.holds(call.span)
        name = called_name(site.file, site.function, call).rpartition(".")[2]
        if inside and ((WORKS.fullmatch(name) and not PURE_SET.fullmatch(name)) or fills_in(site, call)):
            return call
    return None


def fills_in(site: SyntaxSite, call: Call) -> bool:
    """`assert form.is_valid()` where the code goes on with `form.cleaned_data`."""
    function = site.function
    func = function.values[call.func]
    if func[0] != "attr" or func[2] != "is_valid" or call.passed:
        return False
    base = unguarded(function, func[1])
    return any(
        value[0] == "attr" and value[2] in VALIDATED and unguarded(function, value[1]) == base
        for value in function.values
    )


def origins(site: SyntaxSite, vid: int) -> tuple[list[str], list[str]]:
    """Parameters that the value is made of (not `self`, `cls`), and calls before the assert that gave parts of it."""
    function = site.function
    direct: list[str] = []
    looked_up: list[str] = []
    seen: set[int] = set()
    todo = [vid]
    while todo:
        item = todo.pop()
        if item in seen or item < 0:
            continue
        seen.add(item)
        value = function.values[item]
        operation = value[0]
        if operation == "param":
            name = function.params[value[1]].name
            if name not in ("self", "cls", "mcs") and function.params[value[1]].kind not in ("args", "kwargs"):
                direct.append(name)
        elif function.name == "__post_init__" and operation == "attr" and unguarded(function, value[1]) == ("param", 0):
            direct.append(f"self.{value[2]}")  # what whoever makes it has passed
        elif operation in ("attr", "item", "not", "await", "conv", "guard", "elem"):
            todo.append(value[1])
        elif operation == "unary":
            todo.append(value[2])
        elif operation in ("compare", "bool"):
            todo.extend(reversed(value[2]))
        elif operation == "binop":
            todo.extend((value[3], value[2]))
        elif operation == "call":
            call = function.calls[value[1]]
            name = called_name(site.file, function, call).removeprefix("builtins.")
            if site.span.holds(call.span) or (call.args and name in COPIES):
                todo.extend((*reversed(call.args), call.func))
            elif name in COMPUTES:
                continue  # what the code itself has computed
            elif name.rpartition(".")[2][:1].isupper():
                todo.extend(call.passed)  # what it has made
            else:
                looked_up.append(name.rpartition(".")[2] + "()")
    return direct, looked_up


def is_validation(site: SyntaxSite, node: cst.Assert, vid: int) -> bool:
    """Whether the assert refuses what callers give, rather than remind readers of what must be so.

    With a message, that is a test of what was looked up, and of what was passed in one that data decides: how much, who, how
    far; without, one of who somebody is, of how far something has come, or in a function that is there to say no.
    """
    if is_narrowing(node.test) or asks_type(node.test):
        return False
    if permits(node.test):
        return True
    if says_why(node):
        parts = [site.function.values[item] for item in conditions(site, vid)]
        states = (part[0] == "attr" and STATE.match(str(part[2])) and origins(site, part[1])[1] for part in parts)
        if origins(site, vid)[0]:
            return any(is_of_data(site, item) for item in conditions(site, vid)) or any(states)
        return any(part[0] == "compare" for part in parts) or any(states)
    return not SETUP.fullmatch(site.function.name) and any(is_bounded(site, item) for item in conditions(site, vid))


def is_of_data(site: SyntaxSite, vid: int) -> bool:
    """Whether data may decide a test of what was passed in: how much there is, whose it is, how far it has come, what somebody
    has uploaded or sent. Which of several things it is, that it is there or that a predicate holds is what programmers agree on.
    """
    function = site.function
    if VALIDATES.search(function.name) or function.name == "__post_init__" or is_bounded(site, vid):
        return True
    value = unguarded(function, vid)
    if value[0] == "compare" and not COMPARES.isdisjoint(value[1]):
        return True
    named = [
        str(item[2]) for item in map(function.values.__getitem__, ingredients(function, (vid,))) if item[0] == "attr"
    ]
    named += [function.params[index].name for index in parameters(function, {vid})]
    return not SENT.isdisjoint(named) or (value[0] == "compare" and any(WHO.search(name) for name in named))


def is_contract(site: SyntaxSite, vid: int) -> bool:
    """What programmers agree on, and no data decides: a parameter that is one of some names, parameters that exclude each
    other, what the class says of itself (`self.kwarg in view.kwargs`)."""
    value = unguarded(site.function, vid)
    if value[0] == "compare" and is_of_class(site, value[2][0]):
        return True
    if value[0] == "not":
        value = unguarded(site.function, value[1])
        return value[0] == "bool" and all(unguarded(site.function, item)[0] == "param" for item in value[2])
    if value[0] == "bool":
        parts = [unguarded(site.function, item) for item in value[2]]
        return all(
            part[0] == "param"
            or (part[0] == "compare" and tuple(part[1]) == ("!=",) and is_given(site, part[2]))
            or is_left_out(site, part)
            for part in parts
        )
    if value[0] != "compare" or not set(value[1]) <= CHOOSES:
        return False
    return is_given(site, value[2]) or is_of_kind(site, value[2])


def is_of_kind(site: SyntaxSite, sides: Sequence[int]) -> bool:
    """`user.type == User.Type.PERSON` of a parameter: which of its kinds it is, as `isinstance` would ask."""
    function, value = site.function, unguarded(site.function, sides[0])
    named = value[0] == "attr" and KIND.search(str(value[2])) is not None
    of_given = named and unguarded(function, value[1])[0] == "param"
    return of_given and all(is_constant(function, item) for item in sides[1:])


def is_of_class(site: SyntaxSite, vid: int) -> bool:
    """`self.kwarg`, which the class's body sets."""
    function, value = site.function, unguarded(site.function, vid)
    own = value[0] == "attr" and function.cls and unguarded(function, value[1]) == ("param", 0)
    return bool(own) and value[2] in site.file.classes[function.cls].attributes


def is_left_out(site: SyntaxSite, part: Value) -> bool:
    """`not extra`, `"skip" not in kwargs`: one of the ways to say it."""
    function = site.function
    if part[0] == "not":
        return bool(unguarded(function, part[1])[0] == "param")
    if part[0] != "compare" or tuple(part[1]) != ("not in",):
        return False
    holder = unguarded(function, part[2][1])
    return holder[0] == "param" and function.params[holder[1]].kind == "kwargs"


def is_promised(site: SyntaxSite, vid: int) -> bool:
    """Whether all that is asked is what a form or serializer has after it was valid (`"crew" in form.validated_data`), which
    its own methods are handed."""
    function, parts = site.function, conditions(site, vid)
    for part in parts:
        value = unguarded(function, part)
        sides = value[2] if value[0] == "compare" else (part,)
        asked = [unguarded(function, item) for item in sides if not is_constant(function, item)]
        if not asked or any(promised_name(function, item) not in PROMISED for item in asked):
            return False
    return True


def promised_name(function: FunctionFacts, value: Value) -> str:
    """What an attribute or a parameter is called."""
    named = str(value[2]) if value[0] == "attr" else ""
    return function.params[value[1]].name if value[0] == "param" else named


def is_last_case(site: SyntaxSite, vid: int) -> bool:
    """`assert stage == Stage.SHUT` behind tests that have left the function for the other stages."""
    function = site.function
    value = unguarded(function, vid)
    if value[0] != "compare" or not set(value[1]) <= {"==", "is"}:
        return False
    left = (block for block in function.blocks if block.kind == "if" and block.exits and block.span < site.span)
    tests = (unguarded(function, block.value) for block in left if block.value >= 0)
    return any(
        test[0] == "compare" and tuple(test[1]) == tuple(value[1]) and alike(function, test[2][0], value[2][0])
        for test in tests
    )


def alike(function: FunctionFacts, one: int, other: int) -> bool:
    """Whether two values are the same parameter, name or attribute of one."""
    ours, theirs = unguarded(function, one), unguarded(function, other)
    if ours[0] == theirs[0] == "attr":
        return bool(ours[2] == theirs[2]) and alike(function, ours[1], theirs[1])
    return ours[0] in ("param", "name") and ours == theirs


def is_given(site: SyntaxSite, sides: Sequence[int]) -> bool:
    """A parameter beside constants."""
    function = site.function
    return unguarded(function, sides[0])[0] == "param" and all(is_constant(function, item) for item in sides[1:])


def conditions(site: SyntaxSite, vid: int) -> list[int]:
    """The parts of an `and` or `or`."""
    value = site.function.values[vid]
    return [part for item in value[2] for part in conditions(site, item)] if value[0] == "bool" else [vid]


def is_bounded(site: SyntaxSite, vid: int) -> bool:
    """A comparison of something that was passed in with what a token says, of secrets, or with constants: of how far it has
    come, or in a function that validates."""
    value = site.function.values[vid]
    if value[0] != "compare" or any(is_remainder(site, item) for item in value[2]):
        return False
    if is_state(site, value[2]):
        return True
    sides = [(item, *origins(site, item)) for item in value[2]]
    if not any(direct for _, direct, _ in sides):
        return False
    if any(PROOF.search(name) for _, _, looked_up in sides for name in looked_up[:1]):
        return True
    tells = VALIDATES.search(site.function.name) or any(is_secret(site, item) for item in value[2])
    return bool(tells) and all(
        is_constant(site.function, item) or (direct and not looked_up) for item, direct, looked_up in sides
    )


def is_secret(site: SyntaxSite, vid: int) -> bool:
    """`row["password"]`, `given_signature`."""
    function, value = site.function, unguarded(site.function, vid)
    if value[0] == "param":
        return SECRET.search(function.params[value[1]].name) is not None
    said = function.values[value[2]][1:] if value[0] == "item" else value[2:] if value[0] == "attr" else ()
    return bool(said) and SECRET.search(str(said[0])) is not None


def is_decided_elsewhere(site: SyntaxSite, node: cst.Assert, vid: int) -> bool:
    """Of what a handler has looked up: a check that says why, or of who may do what, of a state or of a constant."""
    parts = [unguarded(site.function, item) for item in conditions(site, vid)]
    return (
        says_why(node)
        or permits(node.test)
        or any(part[0] != "compare" or any(origins(site, item) == ([], []) for item in part[2]) for part in parts)
    )


def says_why(node: cst.Assert) -> bool:
    """Whether the message has words of its own, and is not just the values: `assert low < high, (low, high)`."""
    message = node.msg
    if isinstance(message, cst.Tuple):
        return any(has_words(item.value) for item in message.elements)
    return message is not None and has_words(message)


def speaks_of_bug(node: cst.Assert) -> bool:
    """`assert len(found) == len(asked), "Bug: one answer is missing"`: of what the code itself has got wrong, as asserts do."""
    message = node.msg
    if isinstance(message, cst.ConcatenatedString):
        message = message.left
    if isinstance(message, cst.FormattedString):
        texts = [part.value for part in message.parts if isinstance(part, cst.FormattedStringText)]
        return any(map(BUG.search, texts))
    return isinstance(message, cst.SimpleString) and BUG.search(message.raw_value) is not None


def has_words(message: cst.BaseExpression) -> bool:
    if isinstance(message, cst.SimpleString):
        return PROSE.search(message.raw_value) is not None
    if isinstance(message, cst.ConcatenatedString | cst.BinaryOperation):
        return has_words(message.left) or has_words(message.right)
    if isinstance(message, cst.FormattedString):
        texts = [part.value for part in message.parts if isinstance(part, cst.FormattedStringText)]
        return any(map(PROSE.search, texts))
    if isinstance(message, cst.Name):
        return TEXT.search(message.value) is not None
    return isinstance(message, cst.Call) and (
        any(has_words(item.value) for item in message.args)
        or (isinstance(message.func, cst.Attribute) and has_words(message.func.value))
    )


def is_remainder(site: SyntaxSite, vid: int) -> bool:
    """`slot = number % size` before `assert 0 <= slot < size`: what has been computed to be so, whatever was passed in."""
    value = unguarded(site.function, vid)
    return value[0] == "binop" and value[1] == "%" and not site.span.holds(site.function.span_of(vid))


def is_state(site: SyntaxSite, sides: Sequence[int]) -> bool:
    """`order.status == "open"` of an order that was looked up or passed in: what state it is in, others decide."""
    compared = unguarded(site.function, sides[0])
    named = compared[0] == "attr" and HOW_FAR.search(str(compared[2])) is not None
    return named and any(origins(site, sides[0])) and all(is_constant(site.function, item) for item in sides[1:])


def is_constant(function: FunctionFacts, vid: int) -> bool:
    """A literal, a container of them, or a member of an enumeration."""
    value = function.values[vid]
    if value[0] in ("list", "tuple", "set"):
        return all(is_constant(function, item) for item in value[1])
    return value[0] == "const" or (value[0] == "name" and any(part[:1].isupper() for part in value[1].split(".")))


def is_decorated(site: SyntaxSite, names: re.Pattern[str]) -> bool:
    """Whether a decorator's dotted name (without its arguments) matches."""
    function = site.function
    if function.parent < 0:
        return False
    owner = site.file.functions[function.parent]
    for vid in function.decorators:
        value = owner.values[vid]
        if value[0] == "call":
            value = owner.values[owner.calls[value[1]].func]
        name = value[1] if value[0] == "name" else f".{value[2]}" if value[0] == "attr" else ""
        if names.search(str(name)):
            return True
    return False


def is_view(site: SyntaxSite) -> bool:
    """Methods of views that are called like HTTP's."""
    function = site.function
    if not function.cls or function.name not in VERBS:
        return False
    cls = site.file.classes[function.cls]
    bases = [name_of(site.file, site.file.functions[cls.owner], vid) for vid in cls.bases]
    return any(VIEW.search(name) for name in (cls.name, *bases))


def is_public(function: FunctionFacts) -> bool:
    """Functions and methods that others call with what they like."""
    return not any(part.startswith("_") for part in function.qualname.split(".") if not part.endswith("__"))


def is_tested_before(site: SyntaxSite, vid: int) -> bool:
    """Whether every call in the file stands under the very test that the assert repeats, on what it passes."""
    function = site.function
    calls = [
        (caller, call)
        for caller in site.file.functions
        for call in caller.calls
        if called_name(site.file, caller, call).rpartition(".")[2] == function.name
    ]
    return bool(calls) and all(
        any(
            caller.blocks[number].kind == "if" and is_same(site, vid, caller, caller.blocks[number].value, call)
            for number in around(caller, call.block)
        )
        for caller, call in calls
    )


def is_same(site: SyntaxSite, vid: int, caller: FunctionFacts, other: int, call: Call) -> bool:
    """Whether a caller's test is the function's, with the arguments of the call for its parameters."""
    ours, theirs = site.function.values[vid], unguarded(caller, other)
    if ours[0] == "guard":
        return is_same(site, ours[1], caller, other, call)
    if ours[0] == "param":
        passed = argument(site.function, ours[1], call)
        return passed >= 0 and unguarded(caller, passed) == theirs and theirs[0] != "const"
    if ours[0] != theirs[0]:
        return False
    if ours[0] in ("const", "name"):
        return bool(ours[1] == theirs[1])
    if ours[0] == "attr":
        return ours[2] == theirs[2] and is_same(site, ours[1], caller, theirs[1], call)
    if ours[0] == "compare":
        pairs = zip(ours[2], theirs[2], strict=False)
        return tuple(ours[1]) == tuple(theirs[1]) and all(is_same(site, a, caller, b, call) for a, b in pairs)
    if ours[0] != "call":
        return False
    mine, its = site.function.calls[ours[1]], caller.calls[theirs[1]]
    pairs = zip((mine.func, *mine.args), (its.func, *its.args), strict=False)
    alike = len(mine.args) == len(its.args) and not mine.kwargs and not its.kwargs
    return alike and all(is_same(site, a, caller, b, call) for a, b in pairs)


def unguarded(function: FunctionFacts, vid: int) -> Value:
    value = function.values[vid] if vid >= 0 else ("",)
    while value[0] == "guard":
        value = function.values[value[1]]
    return value


def argument(function: FunctionFacts, index: int, call: Call) -> int:
    """What a call passes for a parameter; -1 where that cannot be seen."""
    name = function.params[index].name
    found = next((vid for key, vid in call.kwargs if key == name), -1)
    position = index - (function.params[0].name in ("self", "cls"))
    return found if found >= 0 or call.open_ended else call.args[position] if 0 <= position < len(call.args) else -1
