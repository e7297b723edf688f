"""Secrets and personal data recognised by what they are called."""

from __future__ import annotations

import itertools
import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backendlint.project.entities import Fn

_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_SECRET = frozenset("password passwd passphrase passcode secret secrets pwd credential credentials apikey".split())


def _pairs(text: str) -> frozenset[tuple[str, str]]:
    """`a b, c d` -> {(a, b), (c, d)}."""
    return frozenset((pair.split()[0], pair.split()[1]) for pair in text.split(","))


_SECRET_PAIRS = _pairs(
    "api key, secret key, private key, access key, signing key, encryption key, access token, refresh token, auth token, "
    "bearer token, reset token, session token, api token, id token, jwt token, client secret, authorization header, "
    "master key, webhook secret, otp code, session key, pass word, recovery code, recovery codes, "
    "backup codes, connection string, login token, verification token, confirmation token, user token, aes key, "
    "seed phrase, db pass, database pass, smtp pass, mail pass, email pass, user pass, admin pass, root pass, redis pass, "
    "password pepper, hash pepper, "
    "mysql pass, postgres pass, pg pass, ldap pass, ftp pass, ssh pass, db pw, user pw"
)
_PUBLIC_PAIRS = _pairs("public key, public keys, pub key, publishable key, public cert, public certificate")
_SECRET_ALONE = frozenset({"token", "jwt", "otp", "totp"})
"""Secrets only where they are the whole name or its end."""
_SECRET_WHOLE = frozenset({("pin",), ("pin", "code"), ("card", "pin"), ("user", "pin"), ("pepper",)})
_STORED = frozenset(
    tuple(name.split())
    for name in (
        "password hash",
        "password digest",
        "hashed password",
        "passwd hash",
        "pw hash",
        "pwd hash",
        "pin hash",
        "pin digest",
    )
)
"""What a database keeps of passwords: to be guessed at leisure by whoever sees it."""
_HEADERS = frozenset(
    tuple(name.split())
    for name in (
        "authorization",
        "http authorization",
        "proxy authorization",
        "auth header",
        "authorization header",
        "http authorization header",
    )
)
"""What a request shows who sends it by: a token, or a name with its password."""
_HARMLESS = frozenset(
    (
        "hash hashed digest count counts length len name names id ids type types field fields column url uri path file "
        "filename dir folder expiry expires expire expired expiration ttl lifetime age valid invalid is has min max minimum "
        "maximum limit policy policies validator validators validation strength rule rules form page view label prompt help "
        "error errors exception message msg changed required enabled disabled exists missing ok checked check header prefix "
        "suffix regex pattern format backend hasher hashers context manager service provider class cls model serializer "
        "schema index expr expression attempts attempt retries timestamp date time at set unset masked redacted encrypted public env var "
        "variable kind template subject link button title text placeholder reset_url scheme algorithm bits usage num number "
        "version status state mode option options request response factory generator store storage config settings charset "
        "alphabet chars characters choices optional hours minutes seconds days hour minute second day ms encoder decoder "
        "weak strong short long parser function func method callback event tokenizer arn audience audiences issuer realm scope scopes "
        "present outcome outcomes script mask leak leaks reset resets override overrides refresh update updates change changes in after "
        "before until seconds second sec secs length size result results flag flags source origin owner target action exp iat leeway "
        "directory directories sentinel endpoint endpoints baseurl queryset total totals attribute attributes strategy strategies"
    ).split()
)
"""A last or first word that makes the name speak *about* a secret."""
_DONE = re.compile(r"\w{2,}(ed|ing|able|ible|ly|tion|sion|ment|ance|ence|[^u]er|[^t]or)")
"""Endings of what is done with a secret, or of who does it: `token_updated`, `secret_handling`, `credential_loader`."""
_NOT_DONE = frozenset("string decrypted decoded unencrypted unhashed unmasked user master order number pepper".split())
"""Words with such an ending that leave it the secret."""
_WITHIN = frozenset({"in", "from"})
"""Between a claim and the token in which it is: `role_in_jwt`, `user_id_from_token`."""
_GONE = ((), ("sign",), ("signed",), ("log",), ("logged",), ("check",), ("opt",))
"""Before an `in` that says what somebody does: `sign_in_token`."""
_LISTED = frozenset("missing required optional undefined unused unset".split())
"""What is said of secrets that something needs, which are names then: `optional_db_secrets`, `missing_passwords`."""
_VERBS = frozenset("is was has had does did require requires can cannot may must should shall without".split())
"""Words that make a name a statement: `learner_can_edit_password`, `login_with_no_password`."""
_KEPT_UNDER = frozenset("password passwd credential credentials param parameter token secrets".split())
"""Words before a last `key` under which a secret is kept: `password_key`."""
_OTHER_TOKENS = frozenset(
    (
        "cancel cancellation page next continuation cursor sync eos bos pad padding unk mask special stop start end max prompt "
        "completion total input output cached idempotency concurrency change snapshot stopping fencing lock lease reservation "
        "pagination resume resumption claims per gas fee erc 20 nft governance collateral liquidity"
    ).split()
)
"""Words before `token` that make it a word, a place, a ticket, a coin, or what a directory calls a user."""
_HOLDERS = frozenset({"username", "user", "login", "namespace"})
"""Last words of names of whoever has the secret."""
_KUBERNETES = re.compile(r"(\w+_)?(k8s|kube)\w*_secrets?", re.IGNORECASE)
"""An object of Kubernetes, which settings call by its name."""
_PERSONAL = frozenset({"ssn", "cvv", "cvc", "iban", "passport"})
_PERSONAL_PAIRS = _pairs(
    "card number, credit card, social security, tax id, account number, date birth, birth date, passport number, "
    "national id, medical record, bank account, routing number, sort code, driver license, drivers license"
)
_SPEAKS = frozenset(
    "is has num max min no use check validate invalid incorrect missing enable enabled disable wrong bad empty weak allow require "
    "requires required sanitized masked redacted obfuscated anonymized include exclude expired forgot change changed "
    "regex pattern show hide remaining".split()
)
"""First words that make the name speak about a secret: a flag, or the code of an error."""
HIDES = r"mask|redact|hide|anonymi[sz]e|obfuscat|censor|scrub"
"""Parts of the names of functions that make secrets fit to be shown."""
_SHOWS = re.compile(
    r"(show|include|with|reveal|expose)\w*_(secret|password|token|credential|key|sensitive)", re.IGNORECASE
)
_KEYS = frozenset({"id", "ids", "uuid", "guid", "pk"})
_CONTACT = frozenset({"email", "phone", "dob", "birthdate", "birthday"})
_CONTACT_HARMLESS = _HARMLESS | frozenset({"sent", "client", "sender", "host", "port", "user", "use", "tls"})


@lru_cache(maxsize=65536)
def identifier_words(name: str) -> tuple[str, ...]:
    """The lower-case words of an identifier: `userAPIKey2` -> user, api, key, 2."""
    return tuple([word.lower() for word in _WORDS.findall(name)])


def snake(name: str) -> str:
    """`OrderLine` -> order_line; what stands together in capitals stays together: `SMSCode` -> smscode."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def place_words(fn: Fn) -> set[str]:
    """The words of a function's name, its class's, its file's and that of the folder."""
    *_, folder, file = ("", *fn.path.removesuffix(".py").split("/"))
    return {*identifier_words(fn.facts.qualname), *identifier_words(file), *identifier_words(folder)}


def asks_to_show(name: str) -> bool:
    """`include_secrets`, `with_token`: whether a flag says by its name that a secret is to be shown."""
    return _SHOWS.match(name) is not None


def names_key(name: str) -> bool:
    """Whether the name is that of a row's key, which is a number or a UUID most often."""
    return not _KEYS.isdisjoint(identifier_words(name)[-1:])


def is_public(name: str) -> bool:
    """`signer_public_key_data`: the half of a pair that is there to be given away."""
    parts = identifier_words(name)
    return any(pair in _PUBLIC_PAIRS for pair in itertools.pairwise(parts))


@lru_cache(maxsize=65536)
def sensitive(name: str) -> str:
    """`secret`, `personal` (identity and payment data), `contact` (email, phone, birthday), or ""."""
    parts = identifier_words(name)
    if not parts:
        return ""
    pairs = {tuple(parts[i : i + 2]) for i in range(len(parts) - 1)}
    about = parts[-1] in _HARMLESS or parts[-1] in _HOLDERS or parts[0] in _SPEAKS
    about = about or _KUBERNETES.fullmatch(name) is not None
    about = (
        about
        or (parts[0] == "reset" and "password" in parts)
        or "env" in parts
        or pairs & {("last", "4"), ("last", "four")} != set()
        or _by_its_end(parts)
    )
    if parts in _STORED or parts in _HEADERS:
        return "secret"
    if not about:
        whole = parts in _SECRET_WHOLE or parts[-1] in _SECRET_ALONE or parts[-2:] == ("service", "key")
        if whole or _SECRET.intersection(parts) or _SECRET_PAIRS & pairs:
            return "secret"
        if _PERSONAL.intersection(parts) or _PERSONAL_PAIRS & pairs:
            return "personal"
    elif _PERSONAL_PAIRS & pairs and (parts[-1] in ("number", "date") or parts[-2:] in _PERSONAL_PAIRS):
        return "personal"
    if parts[-1] in _CONTACT or pairs & {("email", "address"), ("phone", "number")}:
        return "contact" if parts[0] not in _CONTACT_HARMLESS else ""
    return ""


def speaks_about(name: str) -> bool:
    """Whether a name has a secret in it and is that of something else: `secret_paths`, `password_field`."""
    return not _SECRET.isdisjoint(identifier_words(name)) and sensitive(name) == ""


def _by_its_end(parts: tuple[str, ...]) -> bool:
    """Whether its words say that the name is no secret but something about one, or a token of another kind."""
    last, before = parts[-1], parts[-2] if len(parts) > 1 else ""
    if last.endswith("s") and last[:-1] in _HARMLESS:
        return True
    if before in _WITHIN and parts[-3:-2] not in _GONE and sensitive("_".join(parts[:-2])) != "secret":
        return True
    if last not in _NOT_DONE and last not in _SECRET and _DONE.fullmatch(last):
        return True
    if last.endswith("s") and not _LISTED.isdisjoint(parts[:-1]):
        return True
    if not _VERBS.isdisjoint(parts[1:]) or "no" in parts[1:-1] or ("or" in parts and not _HARMLESS.isdisjoint(parts)):
        return True  # `secret_id_or_value`
    return before in {"key": _KEPT_UNDER, "token": _OTHER_TOKENS, "tokens": _OTHER_TOKENS}.get(last, ())
