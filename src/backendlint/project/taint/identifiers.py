"""Values that are called like secrets and are none: objects, keys by which rows are known, numbers of cloud accounts."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from backendlint.facts.model import Vid
from backendlint.project.entities import Cls, Fn, Ref
from backendlint.project.linking.decorators import takes_fields
from backendlint.project.taint.naming import identifier_words, sensitive
from backendlint.project.values.secrets import secret_like
from backendlint.project.values.uses import operands

if TYPE_CHECKING:
    from backendlint.project.model import Project

_TOKEN = "token"
_ROWS = frozenset({"token", "secret", "credential", "password", "key"})
"""What rows in which secrets are kept are called, or several of them."""
_SETS = frozenset({"builtins.set", "builtins.frozenset"})
_SEQUENCES = _SETS | {"builtins.list", "builtins.tuple"}
_ACCOUNT = ("account", "number")
_PINNED = frozenset({"pinned", "pinnable", "pinning", "pinnings", "unpin", "unpinned"})
_CLOUD = frozenset({"aws", "boto", "botocore", "aioboto", "gcp", "azure"})
_NUMBERS = frozenset({"builtins.int", "builtins.float"})
_TEXT_TYPES = (("name", "builtins.str"), ("name", "builtins.bytes"))
_TEXTS = ("__str__", "__repr__", "__format__")


_CARRIES = frozenset({"phi", "bool", "guard", "fmt", "conv", "binop", "slice"})
_CODES = frozenset({"token", "tokens", "code", "nonce", "otp", "challenge", "verifier"})
_PLAIN = frozenset(name for kind in (str, bytes) for name in dir(kind)) | {"get_secret_value"}


_OF_ROWS = frozenset({"delete", "refresh", "expunge", "merge"})
"""Methods of database sessions, which take rows."""


def _has_parts(fn: Fn, vid: Vid) -> bool:
    """Whether the function reads or sets attributes of the value that no text has (`token.id`, `self.token.revoked = True`)."""
    values = fn.facts.values
    own = values[vid]
    same = {vid}
    for number, value in enumerate(values):
        if (value == own and value[0] in ("attr", "name")) or (value[0] == "guard" and value[1] in same):
            same.add(number)
    read = any(value[0] == "attr" and value[1] in same and value[2] not in _PLAIN for value in values)
    read = read or any(not same.isdisjoint(call.args) and fn.callee_name(call) in _OF_ROWS for call in fn.calls)
    return read or any(store.base in same and store.name for store in fn.facts.stores)


def _is_asked_for(fn: Fn, vid: Vid) -> bool:
    """Whether the function asks if the value is of a class (`isinstance(token, Token)`), other than one of texts."""
    same = {vid, *(number for number in fn.made_by("guard") if fn.untested(number) == vid)}
    for call in fn.calls:
        if fn.value(call.func) == ("name", "builtins.isinstance") and len(call.args) == 2 and call.args[0] in same:
            return fn.unguarded(call.args[1]) not in _TEXT_TYPES
    return False


def _counts(fn: Fn, name: str, refs: tuple[Ref, ...]) -> bool:
    """Whether it is a number (`chars_per_token: int`), of words that a model reads or writes."""
    if refs and all(ref.kind == "libinst" and ref.name in _NUMBERS for ref in refs):
        return True
    same = (fn.const(item.value) for item in fn.facts.bindings if item.name == name and item.value >= 0)
    return any(isinstance(value, int | float) and not isinstance(value, bool) for value in same)


def kept_as_secret(fn: Fn, vid: Vid) -> bool:
    """Whether random text is kept under a secret's name, and is no part of a file's, an index's or a transaction's."""
    carrying = {vid}
    for number, value in enumerate(fn.facts.values):
        if value[0] in _CARRIES and not carrying.isdisjoint(operands(value)):
            carrying.add(number)
    names = [item.name for item in fn.facts.bindings if item.value in carrying]
    names += [item.name or str(fn.const(item.key)) for item in fn.facts.stores if item.value in carrying]
    names += [key for call in fn.calls for key, item in call.kwargs if item in carrying]
    for made in fn.made_by("dict"):
        names += [str(fn.const(key)) for key, item in fn.facts.values[made][1] if item in carrying and key >= 0]
    if any(item.value in carrying for item in fn.facts.returns):
        names.append(fn.name)
    return any(sensitive(name) == "secret" or not _CODES.isdisjoint(identifier_words(name)) for name in names)


def _is_bool(project: Project, cls: Cls, name: str) -> bool:
    refs = project.refs(cls.owner, cls.facts.annotations[name])
    return bool(refs) and all(ref.name == "builtins.bool" for ref in refs)


class Identifiers:
    """Answers `covers(fn, vid, name)`."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._clouds: dict[str, bool] = {}

    def covers(self, fn: Fn, vid: Vid, name: str) -> bool:
        """Whether the value is an object that prints no secret of its own, or what a row is known by."""
        if self._is_word(fn, vid, name) or self._is_answer(fn, vid) or self._is_flag(fn, vid, name):
            return True
        parts = identifier_words(name)
        if parts == ("pin",):
            return self.pins
        if parts[-2:] == _ACCOUNT:
            return self._is_cloud(fn)
        if parts[-1].removesuffix("s") not in _ROWS:
            return False
        refs = self.project.refs(fn, vid)
        if refs and (all(map(self._is_object, refs)) or self._are_names(parts, refs)):
            return True
        if parts[-1] != _TOKEN:
            return False
        if self.in_address(name) or (not refs and (_has_parts(fn, vid) or _is_asked_for(fn, vid))):
            return True
        if _counts(fn, name, refs):
            return True
        if not self._keyed:
            return False
        value = fn.facts.values[vid]
        owners = self.project.refs(fn, value[1]) if value[0] == "attr" and len(parts) == 1 else ()
        return "".join(parts[:-1]) in self._keyed or any(ref.name in self._keyed for ref in owners)

    @cached_property
    def pins(self) -> bool:
        """Whether the project fixes things in their places, which it calls `pinned`: there a `pin` is no code."""
        names = [name for fn in self.project.all_functions() for name in (fn.name, *(p.name for p in fn.facts.params))]
        for cls in self.project.classes.values():
            names += [cls.name, *cls.facts.attributes, *cls.facts.annotations]
        return any(not _PINNED.isdisjoint(identifier_words(name)) for name in set(names))

    def in_address(self, name: str) -> bool:
        """Whether rows are known by a field of that name, which everybody sees in the addresses of their pages."""
        return name in self._public and len(identifier_words(name)) > 1

    def _is_answer(self, fn: Fn, vid: Vid) -> bool:
        """Whether the value is a framework's response: what it holds is told where it is made."""
        refs = self.project.refs(fn, vid)
        return bool(refs) and all(ref.kind == "libinst" and self._is_response(ref.name) for ref in refs)

    def _is_response(self, name: str) -> bool:
        models = [self.project.libraries.call(owner) for owner in self.project.libraries.mro(name)]
        return any(model is not None and model.response is not None for model in models)

    def _is_flag(self, fn: Fn, vid: Vid, name: str) -> bool:
        """`field.secret` of classes that declare `secret: bool`; of an object of which nothing is known, of all that have one."""
        value = fn.facts.values[vid]
        if value[0] != "attr" or name not in self._flags:
            return False
        owners = [
            ref for ref in self.project.refs(fn, value[1]) if ref.kind == "inst" and ref.name in self.project.classes
        ]
        return all(self._declares(ref, name) for ref in owners) if owners else self._flags[name]

    def _declares(self, ref: Ref, name: str) -> bool:
        owners = self.project.hierarchy.mro(self.project.classes[ref.name])
        return any(name in owner.facts.annotations and _is_bool(self.project, owner, name) for owner in owners)

    @cached_property
    def _flags(self) -> dict[str, bool]:
        """Fields with names of secrets that classes declare as flags, and whether all classes do that have one."""
        found: dict[str, bool] = {}
        others: set[str] = set()
        for cls in self.project.classes.values():
            for name in cls.facts.annotations:
                if sensitive(name) and _is_bool(self.project, cls, name):
                    found[name] = True
                elif sensitive(name):
                    others.add(name)
            others.update(name for name in cls.facts.attributes if name not in cls.facts.annotations)
        return {name: name not in others for name in found}

    def _is_word(self, fn: Fn, vid: Vid, name: str) -> bool:
        """Whether the value is a class's constant, or an enumeration's member, that only names a kind of secret."""
        value = fn.facts.values[vid]
        if value[0] == "attr":
            owners = self.project.refs(fn, value[1])
        elif value[0] == "name":
            owners = self.project.resolver.dotted(value[1].rpartition(".")[0], fn.file.module)
        else:
            return False
        vids = [self._member(ref, name) for ref in owners if ref.kind == "class"]
        texts = [cls.owner.const(vid) for cls, vid in filter(None, vids)]
        return len(texts) == len(owners) > 0 and not any(secret_like(name, str(text)) for text in texts)

    def _member(self, ref: Ref, name: str) -> tuple[Cls, Vid] | None:
        """The class-level constant of that name."""
        for cls in self.project.hierarchy.mro(self.project.classes[ref.name]):
            vid = cls.facts.attributes.get(name, -1)
            if vid >= 0:
                return None if cls.owner.const(vid) is ... or self.project.hierarchy.stores(cls, name) else (cls, vid)
        return None

    def _is_cloud(self, fn: Fn) -> bool:
        """Whether the module works with a cloud, whose accounts have numbers that are in every address."""
        known = self._clouds.get(fn.path)
        if known is None:
            named = (fn.path, *(item.target for item in fn.file.imports))
            known = self._clouds[fn.path] = any(not _CLOUD.isdisjoint(identifier_words(text)) for text in named)
        return known

    @staticmethod
    def _are_names(parts: tuple[str, ...], refs: tuple[Ref, ...]) -> bool:
        """A set of secrets, of which each is there once: what they are called."""
        return parts[-1] == "secrets" and all(ref.name in _SETS for ref in refs)

    def _is_object(self, ref: Ref) -> bool:
        """A row of a model, or an instance of a class that does not say how it is printed; also several in a list."""
        if ref.name in _SEQUENCES and ref.arg is not None:
            return self._is_object(ref.arg)
        cls = self.project.classes.get(ref.name) if ref.kind == "inst" else None
        if cls is None:
            return False
        role = self.project.hierarchy.role(cls)
        if role in ("", "schema") and self._has_plain_fields(cls):
            return True
        return (role == "model" and not self._shows(cls)) or (role == "" and not self._is_printed(cls))

    def _has_plain_fields(self, cls: Cls) -> bool:
        """A data object, none of whose fields is called like a secret, printed as it is: `PaymentToken(id, status)`."""
        owners = self.project.hierarchy.mro(cls)
        written = any(name in owner.methods for owner in owners for name in _TEXTS)
        names = [name for owner in owners for name in owner.facts.annotations]
        return len(names) > 1 and not written and takes_fields(self.project, cls) and not any(map(sensitive, names))

    def _shows(self, cls: Cls) -> bool:
        """Whether the text of a row has a secret of it: `def __str__(self): return self.token`."""
        written = (self.project.method(cls, name) for name in _TEXTS)
        read = ((fn, fn.value(vid)) for fn in written if fn is not None for vid in fn.made_by("attr"))
        return any(sensitive(value[2]) and fn.unguarded(value[1]) == ("param", 0) for fn, value in read)

    def _is_printed(self, cls: Cls) -> bool:
        owners = self.project.hierarchy.mro(cls)
        written = any(name in owner.methods for owner in owners for name in _TEXTS)
        return (
            written
            or any(owner.facts.decorators for owner in owners)
            or bool(self.project.hierarchy.library_bases(cls))
        )

    @cached_property
    def _public(self) -> frozenset[str]:
        """Fields that stand in the address of their row's page, which Django's `get_absolute_url` makes."""
        found = (
            cls.methods["get_absolute_url"]
            for cls in self.project.classes.values()
            if "get_absolute_url" in cls.methods
        )
        return frozenset(
            fn.value(vid)[2]
            for fn in found
            for vid in fn.made_by("attr")
            if fn.unguarded(fn.value(vid)[1]) == ("param", 0)
        )

    @cached_property
    def _keyed(self) -> frozenset[str]:
        """Models whose primary key is called token: by their full names, and by their own in small letters."""
        found: set[str] = set()
        for table in self.project.data.models.tables.values():
            column = table.column(_TOKEN)
            if table.owner and (_TOKEN in table.primary_key or (column is not None and column.primary_key)):
                found |= {table.owner, table.owner.rpartition(".")[2].lower()}
        return frozenset(found)
