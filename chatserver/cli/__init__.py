"""The command line. Exit codes: 0 done, 1 refused with one clear line on stderr, 2 bad usage."""

from __future__ import annotations

import os
import sys
from importlib import import_module

import click

from chatserver import __version__
from chatserver.errors import ChatError

# A command is imported when it is used: `serve` is up half a second earlier, `mask` at once.
_COMMANDS = {
    "agent": "agents:agent",
    "bench": "bench:bench",
    "mask": "mask:mask_command",
    "migrate": "migrate:migrate_command",
    "serve": "serve:serve",
    "transcripts": "transcripts:transcripts",
    "worker": "serve:worker",
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(f"chatserver.cli.{module}"), name)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="chatserver")
def cli() -> None:
    """Self-hosted live chat: a WebSocket hub with ticket numbers and sealed, searchable transcripts."""


def main() -> None:
    """Runs the command line; no traceback reaches a user."""
    from transcripts.errors import TranscriptError

    os.umask(0o077)  # what we write holds chats and secrets: nobody else on this machine reads it
    try:
        cli()
    except (ChatError, TranscriptError) as error:
        print(f"chatserver: {getattr(error, 'message', None) or error}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        # `chatserver … | head`: whoever reads has enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
