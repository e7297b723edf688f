"""`python -m backendlint` and the `backendlint` script."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line and leave with its exit code, at once: taking a large project apart would take a second."""
    fill_closed_streams()
    sys.unraisablehook = unraisable
    try:
        from backendlint.cli import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        code = 130
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def unraisable(problem: sys.UnraisableHookArgs) -> None:
    """End where an interruption arrives in code that cannot let it out, such as a destructor."""
    if problem.exc_type is KeyboardInterrupt:
        os._exit(130)
    sys.__unraisablehook__(problem)


def fill_closed_streams() -> None:
    """Give a closed stdin, stdout or stderr a place that swallows all: the next file opened would take its number.

    A closed stdin stays None to Python: whoever wants to read it must be told that there is nothing.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - descriptors, open to the end
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


def leave_working_directory_alone() -> None:
    """Take the working directory, which `python -m` puts first, out of the import path.

    It is often the project that is scanned, whose `http/` or `yaml.py` must not be imported in place of the real one.
    """
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - pathlib is not imported yet
    try:
        here = os.getcwd()  # noqa: PTH109
    except OSError:  # it was removed
        here = ""
    if sys.path and sys.path[0] in ("", here) and package != here:
        del sys.path[0]


if __name__ == "__main__":
    leave_working_directory_alone()
    main()
