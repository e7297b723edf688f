"""SEC401: of the patterns' hits, what TLS is not verified by somebody's choice, or only by a helper that hands the option on."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from backendlint.api import (
    Call,
    Fn,
    Hit,
    Location,
    Project,
    Span,
    Vid,
    aliases,
    called_name,
    calls_at,
    for_development,
    functions_in,
    here_and_in,
    ingredients,
    lines_of,
    object_root,
    unchanged,
)

UNVERIFIED = "Certificates are not verified here"
THROUGH = "The request that this makes"
"""How the messages begin that are judged here."""
CHOICE = (
    "Where this setting is off, certificates are not verified, and anyone on the way can read and change the traffic; offer "
    "the path of a CA's file instead."
)
VERIFIES = re.compile(r"verif|validat|check|secure|tls|ssl|cert", re.IGNORECASE)
SKIPS = re.compile(
    r"insecure|(skip|no|without|disable|ignore|unverified)_?\w*(verif|validat|check|tls|ssl|cert)", re.IGNORECASE
)
NONE = frozenset({"none", "no", "off", "never", "disabled", "disable", "false", "skip"})
OLD = "SSL and TLS below 1.2"
VERIFY = "verify_mode"
DISPLAYS = ("list", "tuple", "dict", "set")
LOOPBACK = re.compile(r"://(localhost|127\.0\.0\.1|\[::1\])")
CERTIFICATE = frozenset({"getpeercert", "get_peer_certificate", "get_peer_cert_chain", "getpeercertchain"})
SPEAKS = frozenset("send sendall sendfile write request get post put urlopen login sendmail".split())
"""Methods that send something to the other side."""
WRAPS = ("wrap_socket", "wrap_bio")
HOST = "The certificate's host name"
NOTHING = (
    "A plain `SSLContext` verifies neither the certificate nor the host's name, so anyone on the way can read and change "
    "the traffic; make it with `ssl.create_default_context()`."
)
KEYED = " goes into it, so "
"""In the messages of broken hashes of a secret."""
HASHES = frozenset({"md5", "sha1"})
SECRET = re.compile(
    r"(?!.*(csrf_?field|_name|_id|length|password|passwd)$).*(secret|private_?key|signing_?key|api_?key|auth_?token|"
    r"access_?token|session_?(token|key)|reset_?token)",
    re.IGNORECASE,
)
PATHS = re.compile(r"(os\.path\.join|(pathlib\.)?Path|(builtins\.)?open|.*\.joinpath)")
"""What puts a path together, or takes one."""
WORD = re.compile(r"[A-Za-z_]\w+")
MIXES = ("fmt", "binop", "call")
"""Values that are made of more than one text."""
FEW = 2
"""So many proofs that a file makes in one way are told one by one."""
EVERYWHERE = 4
"""In so many files of a project requests without verification are told one by one."""
DEEP = 2
"""Helpers through which the option is followed."""


def check(project: Project, hit: Hit) -> Iterator[Hit]:
    if hit.message.startswith((UNVERIFIED, HOST)) and looks_at_certificate(project, hit.location):
        return
    if any(to_own_machine(project, fn, call) for fn, call in calls_at(project, hit.location)):
        return
    if KEYED in hit.message and any(
        names_a_file(fn, call) or hashes_it_alone(fn, call) for fn, call in calls_at(project, hit.location)
    ):
        yield replace(hit, profile="strict", confidence="low")
        return
    if KEYED in hit.message:
        yield first_of_file(project, hit)
        return
    if hit.message.startswith(THROUGH):
        if not any(hands_on(project, fn, call, DEEP) for fn, call in calls_at(project, hit.location)):
            return
    elif hit.message.startswith(OLD) and compares_only(project, hit.location):
        return
    elif not hit.message.startswith(UNVERIFIED):
        plain = hit.message.startswith(HOST) and any(
            of_plain(fn, hit.location) for fn in functions_in(project, hit.location)
        )
        yield replace(hit, message=NOTHING) if plain else hit
        return
    called = any(is_named_so(fn, call) for fn, call in calls_at(project, hit.location))
    if called or any(chosen(fn, block, span) for fn, block, span in places(project, hit.location)):
        yield replace(hit, message=CHOICE, profile="strict", severity="note", confidence="medium")
    elif for_development(hit.location.path.rpartition("/")[2]):
        yield replace(hit, profile="strict", confidence="low")
    else:
        yield first_of_project(project, hit)


def looks_at_certificate(project: Project, location: Location) -> bool:
    """Whether the function connects for the other side's certificate alone, whatever that is, and sends nothing."""
    for fn in functions_in(project, location)[1:]:
        called = {fn.callee_name(call) for call in fn.calls}
        if called & CERTIFICATE and not called & SPEAKS:
            return True
    return False


def to_own_machine(project: Project, fn: Fn, call: Call) -> bool:
    """Whether a function makes the address of the request, and writes this machine in it: `f"{scheme}://localhost{port}"`."""
    value = fn.unguarded(call.args[0]) if call.args else ("",)
    targets = project.targets(fn, fn.calls[value[1]]) if value[0] == "call" else ()
    made = [(target, target.unguarded(given)) for target in targets for given in target.returned]
    return bool(made) and all(
        text[0] == "fmt" and any(LOOPBACK.search(str(target.const(part))) for part in text[2]) for target, text in made
    )


def first_of_project(project: Project, hit: Hit) -> Hit:
    """Where all the project's clients verify nothing (`requests.get(url, verify=False)`), that is told where it begins."""
    alike = [
        fn.location(call.span)
        for fn, call in project.graph.calls_with("verify")
        if fn.const(call.kwarg("verify")) is False
        and not for_development(fn.path.rpartition("/")[2])
        and not is_named_so(fn, call)
        and not chosen(fn, call.block, call.span)
    ]
    everywhere = len({place.path for place in alike}) > EVERYWHERE
    return first_of(alike, hit, "more places", ", so anyone") if everywhere else hit


def first_of_file(project: Project, hit: Hit) -> Hit:
    """Where a file proves all it says with one broken hash of a secret, that is told where it begins."""
    lines = lines_of(project, hit.location.path)
    calls = ((fn, call) for fn in functions_in(project, hit.location) for call in fn.calls)
    keyed = ((fn, call) for fn, call in calls if fn.callee_name(call) in HASHES and is_keyed(lines, call.span))
    alike = {fn.location(call.span) for fn, call in keyed}
    return first_of(alike, hit, "more places of the file", ", so what proves") if len(alike) > FEW else hit


def names_a_file(fn: Fn, call: Call) -> bool:
    """`os.path.join(folder, "." + md5(key).hexdigest())`: the digest is a name, and proves nothing."""
    return any(
        PATHS.fullmatch(fn.dotted(item.func)) and call.value in ingredients(fn.facts, item.args) for item in fn.calls
    )


def hashes_it_alone(fn: Fn, call: Call) -> bool:
    """`md5(api_key.encode())`: an id of whoever has the key; no message is signed with it."""
    if len(call.args) != 1:
        return False
    value = fn.value(call.args[0])
    if value[0] == "call" and fn.callee_name(fn.calls[value[1]]) == "encode":
        func = fn.value(fn.calls[value[1]].func)
        value = fn.value(func[1]) if func[0] == "attr" else ("name",)
    return value[0] not in MIXES


def first_of(places: Collection[Location], hit: Hit, others: str, before: str) -> Hit:
    """The hit, if it is the first of these places, with how many others there are; as advice, if it is a later one."""
    first, *more = sorted((place.path, place.line, place.column) for place in places)
    here = (hit.location.path, hit.location.line, hit.location.column)
    if here == first:
        return replace(hit, message=here_and_in(hit, f"{len(more)} {others}", before=before))
    return replace(hit, profile="strict") if here in more else hit


def is_keyed(lines: Sequence[str], span: Span) -> bool:
    """`md5((self.private_key + text).encode())`."""
    text = "".join(lines[span.line - 1 : span.end_line])
    return any(SECRET.match(word) for word in WORD.findall(text))


def of_plain(fn: Fn, location: Location) -> bool:
    """Whether the context is `ssl.SSLContext()`, and nothing sets its `verify_mode`."""
    held = next((item.base for item in fn.facts.stores if item.span.line == location.line), -1)
    made = fn.unguarded(object_root(fn, held)) if held >= 0 else ("",)
    call = fn.calls[made[1]] if made[0] == "call" else None
    return (
        call is not None
        and called_name(fn.file, fn.facts, call) == "ssl.SSLContext"
        and not call.passed
        and all(item.name != "verify_mode" for item in fn.facts.stores)
    )


def compares_only(project: Project, location: Location) -> bool:
    """Whether the context that is made so meets no connection: a key is held against its certificate with it."""
    for fn in functions_in(project, location):
        for call in fn.calls:
            if any(starts_at(fn.facts.span_of(vid), location) for vid in call.passed):
                return not leaves(fn, call.value)
    return False


def leaves(fn: Fn, made: Vid) -> bool:
    """Whether a value goes on from the function, or makes a connection; of a module, others may take it."""
    same = aliases(fn.facts, made)
    users = [fn.value(user) for vid in same for user in fn.made_of(vid)]
    wrapped = any(value[0] == "attr" and value[2] in WRAPS for value in users)
    passed = any(same.intersection(call.passed) for call in fn.calls)
    kept = any(value[0] in DISPLAYS for value in users)
    given = {item.value for item in fn.facts.returns} | {item.value for item in fn.facts.stores}
    return fn.is_module or wrapped or passed or kept or not same.isdisjoint(given)


def is_named_so(fn: Fn, call: Call) -> bool:
    """`insecure_transport = HTTPTransport(verify=False)`: there is another one, and somebody chooses."""
    return any(item.value == call.value and SKIPS.search(item.name) for item in fn.facts.bindings)


def places(project: Project, location: Location) -> Iterator[tuple[Fn, int, Span]]:
    """The call or assignment that was found."""
    yield from ((fn, call.block, call.span) for fn, call in calls_at(project, location))
    for fn in functions_in(project, location):
        for item in fn.facts.stores:
            if starts_at(item.span, location):
                yield fn, item.block, item.span


def starts_at(span: Span, location: Location) -> bool:
    return (span.line, span.column + 1) == (location.line, location.column)


def verified_by_others(fn: Fn, span: Span) -> bool:
    """`if mode == "verify-full": context.verify_mode = ssl.CERT_REQUIRED`, after it was switched off for the other modes."""
    modes = [item for item in fn.facts.stores if item.name == VERIFY]
    if all(item.span != span for item in modes):
        return False
    return any(
        item.span != span and not fn.dotted(item.value).endswith("CERT_NONE") and any(fn.tests_of(item.block))
        for item in modes
    )


def chosen(fn: Fn, block: int, span: Span) -> bool:
    """Below `if not verify_ssl:` or `if insecure:`, or beyond `if verify_ssl: return ...`; or one of several modes."""
    if verified_by_others(fn, span):
        return True
    return any(off(fn, test, truth) for test, truth in fn.tests_before(block, span, ("return", "raise")))


def off(fn: Fn, test: Vid, truth: bool) -> bool:
    """Whether a test that came out so says that verifying is switched off."""
    value = fn.unguarded(test)
    if value[0] == "not":
        return off(fn, value[1], not truth)
    if value[0] == "bool":
        return any(off(fn, item, truth) for item in value[2])
    if value[0] == "compare" and len(value[1]) == 1 and isinstance(fn.const(value[2][1]), bool | str):
        same = value[1][0] in ("is", "==")
        asked = fn.const(value[2][1])
        if isinstance(asked, str):  # `if verify_mode == "none":`
            return truth == same and asked.lower() in NONE and VERIFIES.search(last_name(fn, value[2][0])) is not None
        return off(fn, value[2][0], truth == (same == asked))
    name = last_name(fn, test)
    return bool(SKIPS.search(name) if truth else VERIFIES.search(name) and not SKIPS.search(name))


def last_name(fn: Fn, vid: Vid) -> str:
    """What the setting is called, wherever it is kept."""
    value = fn.unguarded(vid)
    if value[0] == "param":
        return fn.facts.params[value[1]].name
    if value[0] in ("name", "attr"):
        return str(value[-1]).rpartition(".")[2]
    if value[0] == "item":
        return str(fn.const(value[2]))
    if value[0] == "call":
        call = fn.facts.calls[value[1]]
        return str(fn.const(call.args[0])) if call.args else fn.callee_name(call)
    return next((item.name for item in fn.facts.bindings if item.value == vid), "")


def hands_on(project: Project, fn: Fn, call: Call, depth: int) -> bool:
    """Whether the function that is called gives the option to a request."""
    if any("http" in site.model.effect for site in project.effects.handed(fn, call)):
        return True  # `breaker.call(session.get, url, verify=False)`
    for target in project.graph.run_by(fn, call):
        for inner in target.calls:
            if not any(given(target, key, vid) for key, vid in inner.kwargs):
                continue
            if any("http" in model.effect for model in project.models(target, inner)):
                return True
            if depth and hands_on(project, target, inner, depth - 1):
                return True
    return False


def given(fn: Fn, key: str, vid: Vid) -> bool:
    """`verify=verify` or `**options`."""
    value = unchanged(fn, vid)
    if value[0] != "param":
        return False
    param = fn.facts.params[value[1]]
    return param.name == "verify" if key == "verify" else key == "**" and param.kind == "kwargs"
