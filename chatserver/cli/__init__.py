"""The command line (DESIGN §7). Exit codes: 0 done, 1 refused with one clear line on stderr, 2 bad usage."""

from __future__ import annotations

import os
import sys

import click

from chatserver import __version__
from chatserver.cli.agents import agent
from chatserver.cli.mask import mask_command
from chatserver.cli.serve import migrate_command, serve, worker
from chatserver.cli.transcripts import transcripts
from chatserver.errors import ChatError
from transcripts.errors import TranscriptError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="chatserver")
def cli() -> None:
    """Self-hosted live chat: a WebSocket hub with ticket numbers and sealed, searchable transcripts."""


for command in (serve, worker, migrate_command, agent, transcripts, mask_command):
    cli.add_command(command)


def main() -> None:
    """Runs the command line; no traceback reaches a user."""
    try:
        cli()
    except (ChatError, TranscriptError) as error:
        print(f"chatserver: {getattr(error, 'message', None) or error}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        # `chatserver … | head`: whoever reads has enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
