"""What can fail for its values alone: reads of the request and conversions, which know no outage."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING

from backendlint.facts.model import Call, Vid
from backendlint.facts.within import below, log_call
from backendlint.project.entities import Fn, Ref
from backendlint.project.libraries.model import CallModel
from backendlint.project.linking.decorators import takes_fields
from backendlint.project.loops.loops import block_at
from backendlint.project.rows.lost import stored_in
from backendlint.project.values.uploads import reads_memory
from backendlint.project.web.requests import request_reads

if TYPE_CHECKING:
    from backendlint.project.model import Project

_VALUES = frozenset(
    "get pop items keys values setdefault strip lstrip rstrip split replace lower upper encode decode startswith endswith format "
    "join removeprefix removesuffix isdigit index count copy".split()
)
"""Methods of the language's own values."""
_OF_TEXTS = frozenset(
    "strip lstrip rstrip split lower upper encode decode isdigit title capitalize casefold zfill".split()
)
"""Those of texts alone."""
_MAKING = frozenset({"__init__", "__post_init__", "__new__", "model_post_init"})
"""Methods that run while an object is made; so may those that are decorated (validators)."""
_OF_LISTS = frozenset(
    "append extend isoformat timestamp astimezone hexdigest digest group rsplit is_integer partition rpartition title capitalize "
    "casefold zfill ljust rjust isspace isalpha isalnum isnumeric isdecimal isupper islower strftime total_seconds utcoffset "
    "fullmatch localize _replace _asdict geturl model_dump model_dump_json".split()
)
_ASKS_NOBODY = re.compile(
    r"builtins\.(?!open$|input$|exec$|eval$|compile$|__import__$|breakpoint$)\w+|"
    r"(ast|base64|binascii|bisect|calendar|collections|copy|csv|dataclasses|datetime|decimal|difflib|enum|fnmatch|fractions|functools|"
    r"hashlib|heapq|hmac|html|inspect|io|ipaddress|itertools|json|math|numbers|operator|random|re|secrets|statistics|string|struct|textwrap|"
    r"typing|unicodedata|urllib\.parse|uuid|zlib|zoneinfo)\.[\w.]+|(bz2|gzip|lzma)\.(de)?compress|time\.\w*time(_ns)?|os\.path\.(basename|dirname|join|normpath|split|splitext)"
)
"""What reads and makes values."""
_SILENT = frozenset({"log", "cpu"})
_MAX_DEPTH = 3
"""Functions of the project inside one another that are read for what a `try` does."""


def only_converts(project: Project, fn: Fn, handler: int) -> bool:
    """Whether nothing but conversions of values and reads of the request is tried: `json.loads(text)` knows no outage."""
    tried = below(fn.facts, fn.facts.blocks[handler].group)
    calls = [call for call in fn.calls if call.block in tried]
    if not calls:
        return any(request_reads(project, fn, tried)) or _only_assigns(project, fn, tried)
    return all(_is_conversion(project, fn, call) for call in calls)


def asks_nobody(project: Project, fn: Fn, call: Call, depth: int = _MAX_DEPTH, *, inside: bool = False) -> bool:
    """Whether it is known of a call that it makes a value of others, or only logs: no disk, network or database is asked."""
    models = project.models(fn, call)
    if log_call(fn.file, fn.facts, call) is not None or reads_memory(project, fn, call, models):
        return True
    if call.awaited or any(set(item.effect) - _SILENT or item.orm or item.spawn or item.executor for item in models):
        return False
    if any(item.blocking and not item.effect for item in models):
        return False
    targets = project.targets(fn, call)
    refs = project.callees(fn, call)
    if refs and all(_is_exception(project, ref) for ref in refs):
        return True
    if targets:
        # of what calls itself, its other calls tell
        others = [target for target in targets if target is not fn or not inside]
        return depth > 0 and all(
            asks_nobody(project, target, inner, depth - 1, inside=True) for target in others for inner in target.calls
        )
    if refs and all(_only_fills(project, ref) or _is_empty(project, ref) for ref in refs):
        return True
    if refs and all(_only_computes(project, ref) for ref in refs):
        return True
    value = fn.unguarded(call.func)
    if models or _ASKS_NOBODY.fullmatch(str(value[-1])):
        return True
    if value[0] == "attr" and _describes(fn, value[1]):
        return True
    if value[0] == "name":
        return _of_class(str(value[1]))
    return value[0] == "attr" and (value[2] in _VALUES or value[2] in _OF_LISTS or _finds(fn, value[2], call))


def _of_class(dotted: str) -> bool:
    """`Prefix.strip(text)`: a method of a library's class that is called like one of texts."""
    owner, _, name = dotted.rpartition(".")
    return name in _OF_TEXTS and owner.rpartition(".")[2][:1].isupper()


def _describes(fn: Fn, vid: Vid) -> bool:
    """`model._meta` of `model._meta.get_field(name)`: what Django keeps of a model's class."""
    value = fn.unguarded(vid)
    return value[0] == "attr" and bool(value[2] == "_meta")


def _only_computes(project: Project, ref: Ref) -> bool:
    """`phonenumbers.parse(text)`, `x509.load_pem_x509_certificate(text)`: of a package that does nothing else."""
    library = project.libraries.library_of(ref.name) if ref.kind in ("lib", "libinst") else None
    return library is not None and library.kind in ("values", "crypto")


def _finds(fn: Fn, name: str, call: Call) -> bool:
    """`text.find("/")`: no collection is searched for a text alone."""
    return name in ("find", "rfind") and len(call.passed) == 1 and isinstance(fn.const(call.passed[0]), str)


def _only_assigns(project: Project, fn: Fn, tried: Collection[int]) -> bool:
    """`form.author = user.id`: what a class of fields refuses is a value, and no row is asked for what it lies next to."""
    stores = [item for item in fn.facts.stores if item.block in tried and item.base >= 0]
    read = [
        value[1]
        for vid, value in enumerate(fn.facts.values)
        if value[0] in ("attr", "await") and block_at(fn, fn.facts.span_of(vid)) in tried
    ]
    return (
        bool(stores)
        and all(_is_of_fields(project, fn, item.base) for item in stores)
        and not any(fn.facts.values[vid][0] == "await" or stored_in(project, fn, vid) is not None for vid in read)
    )


def _is_of_fields(project: Project, fn: Fn, vid: Vid) -> bool:
    classes = [project.classes.get(ref.name) for ref in project.refs(fn, vid) if ref.kind == "inst"]
    return bool(classes) and all(cls is not None and takes_fields(project, cls) for cls in classes)


def _is_conversion(project: Project, fn: Fn, call: Call, depth: int = _MAX_DEPTH) -> bool:
    models = project.models(fn, call)
    if not models:
        return (
            _reads(project, fn, call) or _validates(project, fn, call) or _converts_below(project, fn, call, depth - 1)
        )
    quiet = not any(model.effect or model.blocking for model in models)
    return all(_converts(model) for model in models) or (quiet and _reads(project, fn, call))


def _converts_below(project: Project, fn: Fn, call: Call, depth: int) -> bool:
    """A function of the project that only converts (whatever it raises); an exception that is made."""
    refs = project.callees(fn, call)
    if refs and all(_is_exception(project, ref) or _only_fills(project, ref) for ref in refs):
        return True
    targets = project.targets(fn, call) if depth > 0 else ()
    return bool(targets) and all(
        all(_is_conversion(project, target, inner, depth) for inner in target.calls) for target in targets
    )


def _only_fills(project: Project, ref: Ref) -> bool:
    """A class of fields whose making holds what it is given against their types, and does nothing else."""
    cls = project.classes.get(ref.name) if ref.kind == "class" else None
    if cls is None or project.hierarchy.role(cls) == "model" or not takes_fields(project, cls):
        return False
    own = [
        fn
        for owner in project.hierarchy.mro(cls)
        for fn in owner.methods.values()
        if fn.decorators or fn.name in _MAKING
    ]
    return not any(project.effects.of(fn) for fn in own)


def _is_empty(project: Project, ref: Ref) -> bool:
    """A class of the project that does nothing while it is made."""
    cls = project.classes.get(ref.name) if ref.kind == "class" else None
    return cls is not None and all(
        not owner.facts.decorators
        and _MAKING.isdisjoint(owner.methods)
        and len(owner.bases) == len(owner.facts.bases)
        and all(base.kind == "class" or base.name == "builtins.object" for base in owner.bases)
        for owner in project.hierarchy.mro(cls)
    )


def _is_exception(project: Project, ref: Ref) -> bool:
    return ref.kind in ("class", "lib") and project.hierarchy.subclass_of(ref.name, "builtins.BaseException")


def _validates(project: Project, fn: Fn, call: Call) -> bool:
    """`phone_validator(number)`: an object of Django's that looks at a value and refuses it."""
    classes = [project.classes.get(ref.name) for ref in project.refs(fn, call.func) if ref.kind == "inst"]
    return bool(classes) and all(
        cls is not None
        and any(base.startswith("django.core.validators.") for base in project.hierarchy.library_bases(cls))
        for cls in classes
    )


def _reads(project: Project, fn: Fn, call: Call) -> bool:
    """`body.get("name")`, `text.encode()`."""
    value = fn.facts.values[call.func]
    return value[0] == "attr" and value[2] in _VALUES and not project.targets(fn, call)


def _converts(model: CallModel) -> bool:
    """Nothing but a value comes out: of a text, a number, or the request."""
    silent = model.pure or model.decodes or bool(model.schema) or model.source == "request"
    return silent and not model.effect and not model.blocking
