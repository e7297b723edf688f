"""Functions that refuse hosts, however far from where somebody asks they lie."""

from __future__ import annotations

from building import build

SOURCE = """
import ipaddress

def refuse(address):
    if ipaddress.ip_address(address).is_private:
        raise ValueError("inside")

def check(url):
    refuse(url)

def third(url):
    check(url)

def second(url):
    third(url)

def first(url):
    second(url)
"""


def test_looking_from_far_away_says_nothing_of_what_is_nearer() -> None:
    project = build(app=SOURCE)
    addresses = project.taint.reader.guards.addresses
    assert not addresses.tested(project.functions["app.first"]), "deeper than anybody looks"
    assert addresses.tested(project.functions["app.third"])
