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


def leave_working_directory_alone() -> None:
    """Take the working directory, which `python -m` puts first, out of the import path.

    It is often the project that is scanned, whose `http/` or `yaml.py` must not be imported in place of the real one.
    """
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - pathlib is not imported yet
    if sys.path and sys.path[0] in ("", os.getcwd()) and package != os.getcwd():  # noqa: PTH109
        del sys.path[0]


if __name__ == "__main__":
    leave_working_directory_alone()
    main()
