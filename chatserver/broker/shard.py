"""One Redis server: two connections, plain callbacks, no task or future per command.

Commands of a loop turn go out in one write, replies of a read are handed out in one go (measured: 20 instead of 60 µs
a message). The connections are made again by themselves, with jitter. Nothing is sent twice: a command whose reply was
lost is answered with `UnavailableError`, and whoever asked decides; scripts answer the same for the same command, so
asking again is safe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from chatserver.broker.address import Address
from chatserver.broker.asking import Asking, Command, is_forgotten_script
from chatserver.broker.keys import HOME, tag_of
from chatserver.broker.scripts import Script, script
from chatserver.broker.wire import Done, Wire, bulks, pack

CHANNELS_AT_ONCE = 512


class Shard(Asking):
    """Commands on one connection, subscriptions on another (their output buffers have other limits in Redis).

    `on_push(channel, payload)` gets messages in the order of each channel. `on_subscribed(channel)` is called at each
    confirmation, also after a reconnect: what was published in between is gone, and the receiver has to refill from
    the log. `on_doubt()`: what is asked of this server may be another's now. `tag` is
    of a slot that it has.
    """

    def __init__(
        self,
        address: Address,
        *,
        on_push: Callable[[bytes, bytes], None],
        on_subscribed: Callable[[bytes], None],
        on_doubt: Callable[[], None] = lambda: None,
        tag: bytes = HOME,
    ) -> None:
        self.address, self.tag = address, tag
        self._on_push, self._on_subscribed, self._on_doubt = on_push, on_subscribed, on_doubt
        self._channels: dict[bytes, bool] = {}  # whether the subscription stands
        self._commands = Wire(address, "commands", on_reply=None)
        # Sends one command that is packed already; a script that Redis has forgotten is not sent as a whole.
        self.send_packed: Callable[[bytes, Done], None] = self._commands.send
        self._pushes = Wire(address, "pushes", on_reply=self._pushed)
        # What its clock shows, ms UTC; 0: not known (`RedisClock`).
        self.now_ms: Callable[[], int] = self._commands.clock.now_ms
        self._commands.on_doubt = self._pushes.on_doubt = on_doubt
        self._pushes.on_ready = self._subscribe_all

    async def start(self) -> None:
        """Connects.

        Raises:
            ConfigError: Redis cannot be reached or refuses us.
        """
        await self._commands.start()
        await self._pushes.start()

    def begin(self) -> None:
        """Connects as soon as that works."""
        self._commands.begin()
        self._pushes.begin()

    async def stop(self) -> None:
        """Closes both connections; commands on the way are answered `UnavailableError`."""
        await self._commands.stop()
        await self._pushes.stop()

    @property
    def ready(self) -> bool:
        """Whether both connections are up and Redis answers in time."""
        return self.answers and self._pushes.up

    @property
    def answers(self) -> bool:
        """Whether commands are answered in time."""
        return self._commands.breaker.closed

    @property
    def waiting(self) -> int:
        """Commands without a reply."""
        return self._commands.waiting

    @property
    def replid(self) -> bytes:
        """The history of this server's data that commands sent now will meet (`Address.replid`)."""
        return self._commands.replid

    def send(self, args: Command, done: Done | None = None) -> None:
        self._commands.send(pack(tuple(args)), done or _ignore)

    def run(self, name: str, keys: Sequence[bytes], args: Command, done: Done) -> None:
        self.run_packed(name, 1 + len(keys) + len(args), bulks((len(keys), *keys, *args)), done)

    def run_packed(self, name: str, count: int, packed: bytes, done: Done) -> None:
        """Runs a script; `packed` are the `count` parts of the command that follow its name."""
        chosen = script(name)
        self._commands.send(chosen.by_name(count) + packed, partial(self._ran, chosen, count, packed, done))

    def _ran(self, chosen: Script, count: int, packed: bytes, done: Done, reply: Any) -> None:
        if is_forgotten_script(reply):
            # Restart without AOF, SCRIPT FLUSH. Redis has done nothing: send the whole text, once.
            self._commands.send(chosen.in_full(count) + packed, done)
        else:
            done(reply)

    def subscribe(self, channel: bytes) -> None:
        """From the next `on_subscribed(channel)` on, messages of the channel arrive."""
        self._channels[channel] = False
        self._ask_for((channel,))

    def unsubscribe(self, channel: bytes) -> None:
        """Ends a subscription."""
        if self._channels.pop(channel, None) is not None and self._pushes.up:
            self._pushes.send(pack((b"SUNSUBSCRIBE", channel)), None)

    @property
    def channels(self) -> list[bytes]:
        """What is subscribed to here."""
        return list(self._channels)

    def subscribe_again(self) -> None:
        """Asks once more for the subscriptions that do not stand."""
        self._ask_for(channel for channel, stands in self._channels.items() if not stands)

    def renew_pushes(self) -> None:
        """Ends the connection for subscriptions: it is made anew, and `on_subscribed` is called for each channel."""
        self._pushes.end()

    def _subscribe_all(self) -> None:
        self._channels = dict.fromkeys(self._channels, False)
        self._ask_for(self._channels)

    def _ask_for(self, channels: Iterable[bytes]) -> None:
        if not self._pushes.up:
            return
        by_slot: dict[bytes, list[bytes]] = {}  # a Cluster takes those of one slot at a time
        for channel in channels:
            by_slot.setdefault(tag_of(channel), []).append(channel)
        for some in by_slot.values():
            for at in range(0, len(some), CHANNELS_AT_ONCE):
                self._pushes.send(pack((b"SSUBSCRIBE", *some[at : at + CHANNELS_AT_ONCE])), None)

    def _pushed(self, reply: Any) -> None:
        if isinstance(reply, Exception):
            return  # on a full disk even PING is refused; it is a sign of life all the same
        kind, channel = reply[0], reply[1]
        if kind == b"smessage":
            self._on_push(channel, reply[2])
        elif kind == b"ssubscribe" and channel in self._channels:
            self._channels[channel] = True
            self._on_subscribed(channel)
        elif kind == b"sunsubscribe" and self._channels.get(channel):
            self._channels[channel] = False  # nobody has asked for that: its slot has moved
            self._on_doubt()


def _ignore(reply: Any) -> None:
    pass
