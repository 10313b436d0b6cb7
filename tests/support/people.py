"""Customers and agents of a test, and chats between them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from tests.support.client import JSON, PATIENCE, Api, Socket, new_chat_key, new_device
from tests.support.server import PASSWORD, RunningServer, make_agents

# One agent in two departments, a colleague, somebody in another department only, and a supervisor of all.
STAFF: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "ann": ("Ann", "agent", ("support", "places-json", "places-msgpack")),
    "ben": ("Ben", "agent", ("support",)),
    "cid": ("Cid", "agent", ("billing",)),
    "sue": ("Sue", "supervisor", ("support",)),
}


def add_staff(server: RunningServer, *who: str) -> None:
    """Puts these members of staff into the server's database."""
    make_agents(server.data, [(f"{login}@shop.example", *STAFF[login]) for login in who or STAFF], server.env)


@dataclass
class People:
    """Everybody in one test, a browser each. Use as an asynchronous context manager: their connections end with it."""

    server: RunningServer
    subprotocol: str = JSON
    cookies: dict[str, str] = field(default_factory=dict)  # of staff, by login: signing in costs a password hash
    _apis: list[Api] = field(default_factory=list)
    _sockets: list[Socket] = field(default_factory=list)

    def browser(self) -> Api:
        """Nobody yet."""
        api = Api(self.server.base)
        self._apis.append(api)
        return api

    async def customer(self, **options: Any) -> Socket:
        """A new anonymous customer, connected."""
        return self._keep(await self.browser().customer(options.pop("subprotocol", self.subprotocol), **options))

    async def customer_at(self, customer_token: str, **options: Any) -> Socket:
        """The same customer at another device, or again at the same."""
        api = self.browser()
        pass_ = await api.new_pass(customer_token)
        return self._keep(await api.socket(pass_, options.pop("subprotocol", self.subprotocol), **options))

    async def customer_by(self, pass_: str, **options: Any) -> Socket:
        """Whoever the pass is for."""
        return self._keep(await self.browser().socket(pass_, options.pop("subprotocol", self.subprotocol), **options))

    async def staff(self, login: str, **options: Any) -> Socket:
        """A member of staff, connected from a new device."""
        api = await self.signed_in(login)
        return self._keep(
            await api.socket(await api.new_pass(), options.pop("subprotocol", self.subprotocol), **options)
        )

    async def signed_in(self, login: str) -> Api:
        """A member of staff's browser."""
        api = self.browser()
        if login not in self.cookies:
            (await api.sign_in(f"{login}@shop.example", PASSWORD)).raise_for_status()
            self.cookies[login] = api.http.cookies["chat_session"]
        else:
            api.http.cookies.set("chat_session", self.cookies[login])
        return api

    async def resume(self, socket: Socket, **options: Any) -> Socket:
        """The same person and device again, by resume token."""
        return await self.resume_by(socket.welcome["resume_token"], device=socket.device, **options)

    async def resume_by(self, resume_token: str, **options: Any) -> Socket:
        """Whoever the token stands for."""
        subprotocol = options.pop("subprotocol", self.subprotocol)
        return self._keep(await self.browser().socket(None, subprotocol, resume_token=resume_token, **options))

    async def stranger(self, **options: Any) -> Socket:
        """A connection that has not said hello."""
        return self._keep(await self.browser().connect(options.pop("subprotocol", self.subprotocol), **options))

    def _keep(self, socket: Socket) -> Socket:
        self._sockets.append(socket)
        return socket

    async def __aenter__(self) -> People:
        return self

    async def __aexit__(self, *args: object) -> None:
        await self.close()

    async def close(self) -> None:
        for socket in self._sockets:
            await socket.cut()
        for api in self._apis:
            await api.close()


@dataclass
class Talk:
    """A chat that an agent has taken: both sides have one command behind them, so the next `n` of each is 2."""

    ticket: int
    customer: Socket
    agent: Socket
    opened: dict[str, Any]
    taken: dict[str, Any]

    @property
    def gen(self) -> int:
        gen: int = self.taken["gen"]
        return gen

    async def say(self, n: int, text: str, **more: Any) -> dict[str, Any]:
        """The customer says something."""
        return await self.customer.call("post_message", ticket=self.ticket, n=n, text=text, **more)

    async def answer(self, n: int, text: str, **more: Any) -> dict[str, Any]:
        """The agent says something."""
        return await self.agent.call(
            "post_message", **({"ticket": self.ticket, "n": n, "text": text, "gen": self.gen} | more)
        )

    async def note(self, n: int, text: str) -> dict[str, Any]:
        """The agent notes something down."""
        return await self.agent.call("post_note", ticket=self.ticket, n=n, text=text)

    async def end(self, n: int) -> dict[str, Any]:
        """The agent closes the chat."""
        return await self.agent.call("close_chat", ticket=self.ticket, n=n, gen=self.gen)


async def open_chat(customer: Socket, text: str = "Where is my parcel?", **fields: Any) -> dict[str, Any]:
    """Opens a chat; the ack."""
    return await customer.call("open_chat", **({"chat_key": new_chat_key(), "text": text} | fields))


async def start_talk(people: People, agent: str = "ann", **fields: Any) -> Talk:
    """A chat between a new customer and an agent."""
    customer, staff = await people.customer(), await people.staff(agent)
    opened = await open_chat(customer, **fields)
    taken = await staff.call("take_chat", ticket=opened["ticket"], n=1)
    await customer.until("entry", ticket=opened["ticket"], kind="assigned")
    return Talk(opened["ticket"], customer, staff, opened, taken)


def position(value: dict[str, Any]) -> dict[str, Any]:
    """The place in a chat that an entry or ack stands for."""
    return {name: value[name] for name in ("ticket", "epoch", "seq", "entry_id")}


async def elsewhere(connect: Callable[[], Awaitable[Socket]], *others: Socket) -> Socket:
    """Connects until it is another process than that of the others, which may still have to start."""
    async with asyncio.timeout(PATIENCE):
        while (socket := await connect()).process in {other.process for other in others}:
            await socket.close()
    return socket


__all__ = [
    "STAFF",
    "People",
    "Talk",
    "add_staff",
    "elsewhere",
    "new_device",
    "open_chat",
    "position",
    "start_talk",
]
