"""What the name of a table or model tells of how many rows it will have."""

from __future__ import annotations

import re

from backendlint.project.taint.naming import identifier_words

_STEMS = (
    r"role|permission|setting|config|countr|currenc|language|locale|categor|type|status|plan|tier|feature|flag|option|version|field|"
    r"page|module|bracket|tag|label|group|link|menu|section|theme|widget|provider|source|storage|path|hint|topic|audience|"
    r"migration|metadata|schema|region|timezone|unit|template|environment|classification|severit|priorit"
)
_SMALL_WORD = re.compile(rf"(?:sub|user|work)?(?:{_STEMS})(?:e?s|y|ies)?")
_COMPOUND = re.compile(rf"([a-z]+)(?:{_STEMS})(?:e?s|y|ies)?")
_STATES = (("state",), ("states",))
_GROWING = frozenset(
    """
    user account customer client patient student employee member person people contact supplier vendor publisher author company owner
    follower subscriber order invoice payment transaction booking reservation appointment visit purchase sale refund shipment delivery
    movement transfer message comment post reply thread answer question notification email mail letter sms event log audit history
    activity entry record row item ticket issue case incident alert finding vulnerability task job run execution build
    submission attempt request response session token hit click view search upload document file photo image picture video attachment
    asset media measurement reading sample observation metric value score result review rating vote like follow article product book
    edition recipe track song album game movie meal device host machine server zone address certificate invitation invite
    membership subscription registration commit push loan claim trip ride journey flight haul parcel package lead offer quote fine
    charge deposit withdrawal
    """.split()
)
"""People and parties, what they do, what happens, and what is collected."""
_HAPPENING = frozenset(
    """
    order invoice payment transaction booking reservation appointment visit purchase sale refund shipment delivery movement transfer
    message event log history activity entry job run execution request click view measurement reading sample observation trip ride
    journey flight parcel fine charge deposit withdrawal
    """.split()
)
"""What happens again and again to one party or at one place."""
_EVENTS = frozenset("message event log history activity click view visit payment transaction".split())
"""... and to anything, also to what there is little of: an `entry` of a configuration is a part of it."""


def stays_small(name: str) -> bool:
    """Whether a table's or model's name tells that it has few rows for good: one of its words, so no `Resource` is a source and no
    `pilotage_order` a tag; in a table also behind what nothing sets apart (`shop_ordertype`). Of what happens there are many,
    also where it happens to something of which there are few: `PageView`."""
    if _last(name) in _EVENTS:
        return False
    words = identifier_words(name)
    if words in _STATES or (name.islower() and words[-1:] in _STATES):
        return True
    return any(_SMALL_WORD.fullmatch(word) or (name.islower() and _is_compound(word)) for word in words)


def _is_compound(word: str) -> bool:
    """`ordertype`, `usergroups`: a thing of which there are many, and what there are few of."""
    found = _COMPOUND.fullmatch(word)
    return found is not None and _singular(found[1]) in _GROWING


def accumulates(name: str) -> bool:
    """Whether a table's or model's name tells of things that keep coming, so that its rows become many."""
    return _last(name) in _GROWING and not stays_small(name)


def keeps_happening(name: str) -> bool:
    """Whether a table's or model's name tells of what happens again and again to one party or at one place."""
    return _last(name) in _HAPPENING and not stays_small(name)


def _last(name: str) -> str:
    """The last word in the singular: what each row is; "" where there is no word."""
    return next(map(_singular, reversed(identifier_words(name))), "")


def _singular(word: str) -> str:
    if word in _GROWING or word[:-1] in _GROWING:
        return word if word in _GROWING else word[:-1]
    return word[:-3] + "y" if word.endswith("ies") else word.removesuffix("es")
