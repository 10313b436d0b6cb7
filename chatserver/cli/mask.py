"""`chatserver mask`: the masking rules as a filter."""

from __future__ import annotations

import os
import sys

import click
import msgspec

from chatserver.config import Settings
from chatserver.errors import ConfigError


class _Line(msgspec.Struct):
    text: str


@click.command("mask")
def mask_command() -> None:
    """Mask texts by this installation's rules: JSON lines {"text"} on standard input, {"masked"} on standard output, in
    the same order.
    """
    mask = Settings.from_env(os.environ).masker.mask
    decode, encode = msgspec.json.Decoder(_Line).decode, msgspec.json.Encoder().encode
    for number, line in enumerate(sys.stdin.buffer, 1):
        if not line.strip():
            continue
        try:
            text = decode(line).text
        except msgspec.MsgspecError as exc:
            raise ConfigError(f'line {number} is not {{"text": …}}: {exc}') from exc
        sys.stdout.buffer.write(encode({"masked": mask(text).text}) + b"\n")
    sys.stdout.buffer.flush()
