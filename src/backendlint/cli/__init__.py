"""The command line: flags to a Request, a Report to an exit code. A command is a module in `commands/`."""

from __future__ import annotations

import errno
import importlib
import os
import pkgutil
import sys
from collections.abc import Sequence
from typing import cast

import click

from backendlint import __version__
from backendlint.cli import commands
from backendlint.errors import BackendlintError

TRACEBACK = "BACKENDLINT_TRACEBACK"
"""Set in the environment, an internal error shows its traceback."""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""The machine has no room left: nobody's bug."""


class Commands(click.Group):
    """Commands by module name, imported when asked for: `new_rule.py` holds the `command` called `new-rule`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(
            module.name.replace("_", "-")
            for module in pkgutil.iter_modules(commands.__path__)
            if not module.name.startswith("_")
        )

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"{commands.__name__}.{cmd_name.replace('-', '_')}")
        return cast(click.Command, module.command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(ctx)
        if args and not args[0].startswith("-") and args[0] not in known:
            from backendlint.ruleset.nearest import did_you_mean

            hint = did_you_mean(args[0], known) or f"; there are {', '.join(known)}"
            ctx.fail(f"no command `{args[0]}`{hint}")
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="backendlint")
def cli() -> None:
    """Review Python backends: reliability, security, performance, API design and operations.

    Exit codes: 0 clean, 1 findings, 2 a mistake in how it was called or configured, 3 a part of the scan failed.
    """


def run(args: Sequence[str]) -> int:
    """Run the command line; returns the exit code and never lets an exception out."""
    try:
        outcome = cli.main(args=list(args), prog_name="backendlint", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return 2
    except SystemExit as error:  # click's shell completion ends that way
        return error.code if isinstance(error.code, int) else 0
    except (click.Abort, KeyboardInterrupt):
        click.echo("backendlint: interrupted", err=True)
        return 130
    except BackendlintError as error:
        click.echo(f"backendlint: {error}", err=True)
        return error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        if error.errno not in _FULL:
            return _internal_error(error)
        click.echo(f"backendlint: {error}", err=True)
        return 3
    except Exception as error:  # noqa: BLE001 - the last resort: a message instead of a traceback
        return _internal_error(error)
    return outcome if isinstance(outcome, int) else 0


def _internal_error(error: Exception) -> int:
    if os.environ.get(TRACEBACK):
        import traceback

        traceback.print_exception(error)
    click.echo(
        f"backendlint: internal error: {type(error).__name__}: {error}\n"
        f"This is a bug of ours. Please report it with what {TRACEBACK}=1 prints.",
        err=True,
    )
    return 3
