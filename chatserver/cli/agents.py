"""`chatserver agent add`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click

from chatserver.cli.common import data_option, database, settings_of
from chatserver.errors import ConfigError
from chatserver.stores.directory import Directory, NewAgent


@click.group()
def agent() -> None:
    """Members of staff."""


@agent.command("add")
@click.argument("email")
@click.option("--name", required=True, help="As customers see it.")
@click.option("--role", type=click.Choice(["agent", "supervisor", "admin"]), default="agent", show_default=True)
@click.option(
    "--department",
    "departments",
    multiple=True,
    metavar="D",
    help="May be given more than once; made if it is not there.",
)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking.")
@data_option
def add(
    email: str, name: str, role: str, departments: tuple[str, ...], password_stdin: bool, data: Path | None
) -> None:
    """Add a member of staff who may sign in."""
    if "@" not in email.strip("@"):
        raise click.BadParameter("an email address has an @ in it", param_hint="EMAIL")
    if password_stdin:
        password = sys.stdin.readline().rstrip("\n")
    elif sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        raise ConfigError("no password: pipe one in with --password-stdin")
    new = NewAgent(email=email, name=name, role=role, departments=departments, password=password)
    asyncio.run(_add(new, data))
    click.echo(f"{email.strip().lower()} may sign in as {role}.")


async def _add(new: NewAgent, data: Path | None) -> None:
    async with database(settings_of(data=data), create=True) as engine:
        await Directory(engine).add_agent(new)
