"""`python -m bench [speed|scaling|profile|pack]`: see --help."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from bench import pack, profile, scaling, speed, trees


def main() -> int:
    """Run what is asked for; 1 where a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("what", nargs="?", choices=["speed", "scaling", "profile", "pack", "all"], default="speed")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "backendlint-bench")
    parser.add_argument("--rounds", type=int, default=3, help="the best of so many runs counts")
    parser.add_argument("--tree", type=Path, help="measure this folder instead of Django's sdist")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    tree = given.tree or trees.django(given.work)
    met = True
    if given.what in ("speed", "all"):
        met &= speed.speed(tree, given.rounds)
    if given.what == "profile":
        profile.profile(tree)
    if given.what in ("pack", "all"):
        met &= pack.pack(tree, given.rounds)
    if given.what in ("scaling", "all"):
        met &= scaling.scaling(tree, trees.many(given.work))
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
