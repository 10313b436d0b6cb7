"""Many commands at a time: all replies in their order, and `gently` lets others in between."""

import asyncio
from collections.abc import Sequence

import pytest

from chatserver.broker.asking import PIECE, Asking, Command
from chatserver.broker.breaker import unavailable
from chatserver.broker.wire import Done
from chatserver.errors import UnavailableError

pytestmark = pytest.mark.anyio


class Turns(Asking):
    """Answers each command with itself at the end of the turn of the event loop in which it came."""

    def __init__(self, *, refused: int | None = None) -> None:
        self.turns: list[int] = []  # how many came in each
        self._refused = refused

    def send(self, args: Command, done: Done | None = None) -> None:
        if not self.turns or self.turns[-1] < 0:
            self.turns.append(0)
            asyncio.get_running_loop().call_soon(self._end)
        self.turns[-1] += 1
        if done:
            done(unavailable() if args[0] == self._refused else args[0])

    def run(self, name: str, keys: Sequence[bytes], args: Command, done: Done) -> None:
        self.send(args, done)

    def _end(self) -> None:
        self.turns.append(-1)

    @property
    def came(self) -> list[int]:
        return [count for count in self.turns if count > 0]


async def test_at_once_is_in_one_turn() -> None:
    link = Turns()
    assert await link.calls([(number,) for number in range(20)]) == list(range(20))
    assert link.came == [20]


@pytest.mark.parametrize("count", [0, 1, PIECE, PIECE + 1, 100, 1_000])
async def test_gently_is_in_pieces_and_the_replies_keep_their_order(count: int) -> None:
    commands = [(number,) for number in range(count)]
    for asked in ("calls", "scripts"):
        link = Turns()
        if asked == "calls":
            found = await link.calls(commands, gently=True)
        else:
            found = await link.scripts("settle", [([], command) for command in commands], gently=True)
        assert found == list(range(count))
        assert sum(link.came) == count
        assert max(link.came, default=0) <= max(PIECE, count // 30)
        assert len(link.came) <= 33


async def test_one_that_is_refused_keeps_none_from_being_sent() -> None:
    link = Turns(refused=3)
    with pytest.raises(UnavailableError):
        await link.calls([(number,) for number in range(40)], gently=True)
    assert sum(link.came) == 40
