"""MessagePack and JSON behind the same few methods; which one, the subprotocol decides."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Protocol

import msgpack
import msgspec

from chatserver.errors import BadFrameError
from chatserver.wire.commands import FREQUENT, Command

MAX_FRAME_BYTES = 32 * 1024


class Codec(Protocol):
    """One wire format. Entries come as MessagePack events from the log (broker/event.py)."""

    subprotocol: ClassVar[str]
    binary: ClassVar[bool]

    def decode(self, data: bytes | str) -> Any:
        """A frame as Python values; raises BadFrameError."""

    def decode_frequent(self, data: bytes | str) -> Command | None:
        """The command in a frame that is one of the frequent ones and has nothing in it that we do not know; None for
        any other, which `decode` and `commands.parse` read, and judge.
        """

    def encode(self, frame: Any) -> bytes:
        """A value for a frame."""

    def event(self, event: bytes) -> bytes:
        """An event as it goes into a frame of its own."""

    def embed(self, event: bytes) -> Any:
        """An event as a part of another frame."""

    def join(self, frames: Iterable[bytes]) -> bytes:
        """Several values in one frame."""


class MessagePack:
    """`chat.v1.msgpack`: events go out as the bytes they came in."""

    subprotocol: ClassVar[str] = "chat.v1.msgpack"
    binary: ClassVar[bool] = True
    _encoder = msgspec.msgpack.Encoder()
    _frequent = msgspec.msgpack.Decoder(FREQUENT)

    def decode_frequent(self, data: bytes | str) -> Command | None:
        try:
            return self._frequent.decode(data) if data.__class__ is bytes else None
        except (ValueError, RecursionError):
            return None

    def decode(self, data: bytes | str) -> Any:
        if isinstance(data, str):
            raise BadFrameError("chat.v1.msgpack takes binary frames.")
        try:
            # The package's container limits bound what a hostile frame can make us allocate.
            return msgpack.unpackb(
                data, max_str_len=MAX_FRAME_BYTES, max_bin_len=0, max_array_len=256, max_map_len=64, max_ext_len=0
            )
        except (ValueError, TypeError, RecursionError, msgpack.exceptions.UnpackException) as exc:
            raise BadFrameError("This is not one MessagePack map.") from exc

    def encode(self, frame: Any) -> bytes:
        return self._encoder.encode(frame)

    def event(self, event: bytes) -> bytes:
        return event

    def embed(self, event: bytes) -> Any:
        return msgspec.Raw(event)

    def join(self, frames: Iterable[bytes]) -> bytes:
        return b"".join(frames)


class Json:
    """`chat.v1.json`: events are encoded anew, lazily."""

    subprotocol: ClassVar[str] = "chat.v1.json"
    binary: ClassVar[bool] = False
    _encoder = msgspec.json.Encoder()
    _decoder = msgspec.json.Decoder()
    _frequent = msgspec.json.Decoder(FREQUENT)
    _event_decoder = msgspec.msgpack.Decoder()

    def decode_frequent(self, data: bytes | str) -> Command | None:
        try:
            return self._frequent.decode(data) if data.__class__ is str else None
        except (ValueError, RecursionError):
            return None

    def decode(self, data: bytes | str) -> Any:
        if isinstance(data, bytes):
            raise BadFrameError("chat.v1.json takes text frames.")
        try:
            return self._decoder.decode(data)
        except (ValueError, RecursionError) as exc:
            raise BadFrameError("This is not one JSON object.") from exc

    def encode(self, frame: Any) -> bytes:
        return self._encoder.encode(frame)

    def event(self, event: bytes) -> bytes:
        return self._encoder.encode(self._event_decoder.decode(event))

    def embed(self, event: bytes) -> Any:
        return self._event_decoder.decode(event)

    def join(self, frames: Iterable[bytes]) -> bytes:
        return b"\n".join(frames)


CODECS: dict[str, Codec] = {codec.subprotocol: codec for codec in (MessagePack(), Json())}


def choose(offered: Iterable[str]) -> Codec | None:
    """The codec of the first offered subprotocol that we speak."""
    return next((CODECS[name] for name in offered if name in CODECS), None)
