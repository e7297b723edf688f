"""Holds a library model against the library itself: names exist, positions and keywords are those of the signature."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import importlib.util
import inspect
import warnings
from collections.abc import Iterator
from typing import Any

from backendlint.project.libraries.lookup import Libraries
from backendlint.project.libraries.model import Arg, LibraryModel, Param, Timeout

EXEMPT = ("gone since", "new in", "made at run time")
"""In an entry's note: newer versions lack the name, older ones a parameter, or no version has it before it runs."""
_ABSENT = object()


def installed(library: LibraryModel) -> bool:
    """True where at least one of its modules can be imported here."""
    return any(_module(name) is not None for name in library.modules)


def problems(libraries: Libraries, library: LibraryModel) -> Iterator[str]:
    """What the model says and the library denies."""
    for kind in ("calls", "decorators", "classes", "exceptions", "attributes"):
        for name in libraries.names(kind):
            model = _model(libraries, kind, name)
            if model.library != library.library or any(text in model.note for text in EXEMPT):
                continue
            yield from (f"{kind}: {name}: {text}" for text in _check(kind, name, model))
    for alias in libraries.names("aliases"):
        if any(alias == module or alias.startswith(module + ".") for module in library.modules):
            yield from _check_alias(alias, libraries.canonical(alias))


def dangling(libraries: Libraries, library: LibraryModel) -> Iterator[str]:
    """Types and bases that no model knows, though their library is modelled."""
    for kind in ("calls", "attributes", "classes", "exceptions"):
        for name in libraries.names(kind):
            model = _model(libraries, kind, name)
            if model.library != library.library:
                continue
            for text in _types(model):
                if not _known(libraries, text):
                    yield f"{kind}: {name}: no model of {text}"


def _types(model: Any) -> Iterator[str]:
    raw = [getattr(model, field, "") for field in ("returns", "enters", "type", "iterates")]
    raw += [*getattr(model, "bases", ()), *getattr(model, "attributes", {}).values(), *getattr(model, "raises", ())]
    for text in raw:
        name = text.partition("[")[0]
        if "." in name and not name.startswith(("builtins.", "typing.")):
            yield name


def _known(libraries: Libraries, name: str) -> bool:
    if libraries.library_of(name) is None:
        return True
    if libraries.cls(name) is not None or libraries.exception(name) is not None:
        return True
    canonical = libraries.canonical(name)
    return any(known == canonical or known.startswith(canonical + ".") for known in libraries.names("calls"))


def _model(libraries: Libraries, kind: str, name: str) -> Any:
    lookups: dict[str, Any] = {
        "calls": libraries.call,
        "decorators": libraries.decorator,
        "attributes": libraries.attribute,
        "classes": libraries.cls,
        "exceptions": libraries.exception,
    }
    model = lookups[kind](name)
    assert model is not None, f"{kind}: {name} cannot be found under its own name"
    return model


def _module(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.suppress(Exception):
            return importlib.import_module(name)
        return None


def _resolve(dotted: str) -> tuple[Any, Any]:
    """(owner, object) of a dotted name; `_ABSENT` objects are missing; owner None: its module is not there."""
    parts = dotted.split(".")
    for cut in range(len(parts), 0, -1):
        module = _module(".".join(parts[:cut]))
        if module is None:
            continue
        owner, found = None, module
        for index, part in enumerate(parts[cut:], cut):
            owner = found
            found = inspect.getattr_static(owner, part, _ABSENT) if _is_class(owner) else _get(owner, part)
            if found is _ABSENT and _is_class(owner):
                found = _get(owner, part)
            if found is _ABSENT:
                return (None if index == cut and cut < len(parts) - 1 else owner), _ABSENT
        return owner, found
    return None, _ABSENT


def _is_class(thing: Any) -> bool:
    """Without `__class__`, which lazy objects answer by loading what they stand for."""
    return issubclass(type(thing), type)


def _get(owner: Any, name: str) -> Any:
    with contextlib.suppress(Exception):
        return getattr(owner, name, _ABSENT)
    return _ABSENT


def _check(kind: str, name: str, model: Any) -> Iterator[str]:
    dotted = name.removesuffix(".*")
    if _module(dotted.partition(".")[0]) is None or _optional_module_missing(dotted):
        return
    owner, found = _resolve(dotted)
    if found is _ABSENT:
        factory = callable(owner) and not _is_class(owner)
        if not factory and not (_is_class(owner) and (kind == "attributes" or hasattr(owner, "__getattr__"))):
            yield "does not exist"
        return
    if kind in ("classes", "exceptions"):
        if not _is_class(found) and not callable(found):
            yield "is no class"
        elif kind == "exceptions" and _is_class(found):
            yield from _check_bases(found, model.bases)
    elif kind in ("calls", "decorators") and not name.endswith(".*"):
        yield from _check_signature(owner, found, model)


def _optional_module_missing(dotted: str) -> bool:
    """True where a submodule cannot be imported here: it needs another package, or is one (namespace packages)."""
    parts = dotted.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        module = _module(".".join(parts[:cut]))
        if module is None:
            continue
        if getattr(module, "__path__", None) and getattr(module, "__file__", None) is None:
            return True
        with contextlib.suppress(ImportError, AttributeError, ValueError):
            missing = ".".join(parts[: cut + 1])
            return _module(missing) is None and importlib.util.find_spec(missing) is not None
        return False
    return True


def _check_bases(found: type, bases: tuple[str, ...]) -> Iterator[str]:
    for base in bases:
        _, known = _resolve(base)
        if _is_class(known) and not issubclass(found, known):
            yield f"does not inherit from {base}"


def _check_alias(alias: str, canonical: str) -> Iterator[str]:
    if _module(alias.partition(".")[0]) is None or _module(canonical.partition(".")[0]) is None:
        return
    if _optional_module_missing(alias) or _optional_module_missing(canonical):
        return
    for name in (alias, canonical):
        _, found = _resolve(name)
        if found is _ABSENT and name == canonical:
            yield f"aliases: {alias}: {name} does not exist"


def _check_signature(owner: Any, found: Any, model: Any) -> Iterator[str]:
    bound = _is_class(owner) and not isinstance(found, staticmethod)
    function = found.__func__ if isinstance(found, staticmethod | classmethod) else found
    if _is_class(function):
        bound = False
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (ValueError, TypeError):
        return
    if bound:
        parameters = (
            parameters[1:] if parameters and parameters[0].kind is not parameters[0].VAR_POSITIONAL else parameters
        )
    for where, arg in _args(model):
        yield from (f"{where}: {text}" for text in _fits(arg, parameters))
    for where, param in _settings(model):
        yield from (f"{where}: {text}" for text in _default_fits(param, parameters))


def _args(model: Any, where: str = "") -> Iterator[tuple[str, Arg]]:
    """All references to the call's own arguments in a model."""
    if isinstance(model, Arg):
        yield where, model
    elif isinstance(model, Param | Timeout):
        positions = (model.position,) if model.position >= 0 else ()
        yield where, Arg(positions=positions, keywords=model.keywords)
    elif dataclasses.is_dataclass(model):
        for field in dataclasses.fields(model):
            yield from _args(getattr(model, field.name), f"{where}.{field.name}".lstrip("."))
    elif isinstance(model, tuple):
        for item in model:
            yield from _args(item, where)


def _settings(model: Any, where: str = "") -> Iterator[tuple[str, Param | Timeout]]:
    """All settings with defaults in a model."""
    if isinstance(model, Param | Timeout):
        yield where, model
    elif dataclasses.is_dataclass(model):
        for field in dataclasses.fields(model):
            yield from _settings(getattr(model, field.name), f"{where}.{field.name}".lstrip("."))


def _default_fits(setting: Param | Timeout, parameters: list[inspect.Parameter]) -> Iterator[str]:
    """Where the signature states a plain default, the model has the same; durations may be given in other units."""
    for parameter in parameters:
        stated = parameter.default
        if parameter.name not in setting.keywords or not isinstance(stated, str | int | float):
            continue
        if setting.default != stated and not _endless(setting, stated) and not isinstance(setting.default, str):
            yield f"default of {parameter.name} is {stated!r}, not {setting.default!r}"


def _endless(setting: Param | Timeout, stated: object) -> bool:
    """The signature's way to say "for ever", where the model says null."""
    if not isinstance(setting, Timeout) or setting.default is not None:
        return False
    return (setting.zero_disables and stated == 0) or (setting.negative_disables and stated == -1)


def _fits(arg: Arg, parameters: list[inspect.Parameter]) -> Iterator[str]:
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    star = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    double = any(p.kind is p.VAR_KEYWORD for p in parameters)
    names = {p.name for p in parameters if p.kind is not p.POSITIONAL_ONLY and p.kind is not p.VAR_POSITIONAL}
    signature = ", ".join(p.name for p in parameters)
    for keyword in arg.keywords:
        if keyword not in names and not double:
            yield f"no parameter {keyword!r} in ({signature})"
    for position in arg.positions:
        if position >= len(positional):
            if not star:
                yield f"no position {position} in ({signature})"
            continue
        parameter = positional[position]
        named = arg.keywords and parameter.kind is not parameter.POSITIONAL_ONLY
        if named and parameter.name not in arg.keywords:
            yield f"position {position} is {parameter.name!r} in ({signature})"
