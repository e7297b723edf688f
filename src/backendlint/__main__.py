"""`python -m backendlint` and the `backendlint` script."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line and leave with its exit code, at once: taking a large project apart would take a second."""
    from backendlint.cli import run

    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
