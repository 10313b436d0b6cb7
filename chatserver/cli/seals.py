"""`chatserver transcripts verify | rekey`: what the seals say, and the key that makes them."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import BinaryIO

import click
import msgspec

from chatserver.cli.common import data_option, database, require_installation, settings_of
from chatserver.cli.erase import told
from chatserver.cli.progress import progress
from chatserver.cli.terminal import one_line
from chatserver.config import Settings
from chatserver.errors import ConfigError
from chatserver.keys import public_seal_keys, replace_seal_key
from transcripts.audit import broken_seals
from transcripts.checkpoint import Checkpoint, broken_checkpoints, read_checkpoints
from transcripts.database import read
from transcripts.erasure import Certificate, doubt, is_certificate
from transcripts.errors import UnreadableError
from transcripts.formats.verifying import verify_file
from transcripts.public_keys import read_published
from transcripts.strict_json import read_json


@click.command("verify")
@click.argument("files", nargs=-1, type=click.File("rb"))
@click.option(
    "--keys",
    type=click.File("rb"),
    help="Public keys to trust (/.well-known/chat-seal-keys.json); default: this installation's.",
)
@click.option("--all", "everything", is_flag=True, help="Every seal of this installation's database, too.")
@data_option
def verify_command(files: tuple[BinaryIO, ...], keys: BinaryIO | None, everything: bool, data: Path | None) -> None:
    """Check exported transcripts against their seals; names the first entry that is not as it was.

    The certificate of an erasure has to be as it was signed. A file of checkpoints (CHAT_CHECKPOINT_FILE) is compared
    with the chain of this installation's database.
    """
    if not files and not everything:
        raise click.UsageError("Name files to verify, or --all.")
    trusted = _trusted(keys, data)
    failed = 0
    for file in files:
        good, said = _verified(file.read(), trusted, data)
        failed += not good
        # What a file says of itself (the name of its key) may have been written to look like another line of ours.
        click.echo(f"{file.name}: {'verified' if good else 'NOT VERIFIED'}: {one_line(said)}", err=not good)
    if everything:
        problems = asyncio.run(_broken_seals(settings_of(data=data), trusted))
        for problem in problems:
            click.echo(f"NOT VERIFIED: {problem}", err=True)
        if not problems:
            click.echo("verified: all seals of the database hold")
        failed += bool(problems)
    raise SystemExit(1 if failed else 0)


def _verified(body: bytes, trusted: dict[str, bytes], data: Path | None) -> tuple[bool, str]:
    """Whether a file holds, and a sentence."""
    try:
        if body.startswith(_CHECKPOINT):
            return asyncio.run(_compared(read_checkpoints(body), trusted, settings_of(data=data)))
        if body.lstrip().startswith(b"{") and is_certificate(value := read_json(body)):
            why = doubt(value, trusted)
            return why is None, why or told(msgspec.convert(value, Certificate))
        found = verify_file(body, trusted)
    except UnreadableError as exc:
        return False, f"this is no exported transcript and no certificate: {exc}"
    if found.first:
        return False, found.first.message
    erased = f", {found.erased} erased" if found.erased else ""
    return True, f"chat #{found.ticket}, {found.entries} entries{erased}, key {', '.join(found.key_ids)}"


_CHECKPOINT = b'{"at":'  # canonical JSON: the first of its keys; a transcript's is another


async def _compared(checkpoints: list[Checkpoint], trusted: dict[str, bytes], settings: Settings) -> tuple[bool, str]:
    async with database(settings) as engine, read(engine) as connection:
        async for problem in broken_checkpoints(connection, checkpoints, trusted):
            return False, problem
    return True, f"{len(checkpoints)} checkpoints, the chain is the same up to segment {checkpoints[-1].number}"


async def _broken_seals(settings: Settings, trusted: dict[str, bytes]) -> list[str]:
    async with database(settings) as engine, read(engine) as connection:
        with progress("Verifying") as bar:
            return [problem async for problem in broken_seals(connection, trusted, bar)]


def _trusted(keys: BinaryIO | None, data: Path | None) -> dict[str, bytes]:
    if keys is None:
        settings = settings_of(data=data)
        if not os.environ.get("CHAT_SEAL_KEY"):
            require_installation(settings)
        return public_seal_keys(settings.data, os.environ)
    try:
        return read_published(keys.read())
    except UnreadableError as exc:
        raise ConfigError(f"{keys.name} has no keys to trust: {exc}") from exc


@click.command("rekey")
@data_option
def rekey_command(data: Path | None) -> None:
    """Seal with a new key from the next start on; the old public key stays published."""
    settings = settings_of(data=data)
    require_installation(settings)
    old, new = replace_seal_key(settings.data, os.environ)
    click.echo(f"From the next start on seals are made with key {new.key_id}; key {old.key_id} stays published.")
