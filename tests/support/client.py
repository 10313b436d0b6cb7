"""A client for tests: HTTP calls and one WebSocket, in either subprotocol.

No retries and no cleverness, so that tests see what the server does.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import secrets
from collections import deque
from collections.abc import Collection
from typing import Any

import httpx
import msgpack
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

JSON, MSGPACK = "chat.v1.json", "chat.v1.msgpack"
PATIENCE = 60.0  # what is due has come by then, on any machine; nothing waits for it to pass
SECRETS = {"resume_token", "customer_token", "claim", "pass"}  # random letters: now and then they make a word


class Refused(Exception):
    """The server answered with an error."""

    def __init__(self, frame: dict[str, Any]) -> None:
        super().__init__(f"{frame['code']}: {frame['message']}")
        self.frame = frame
        self.code: str = frame["code"]


class Socket:
    """One connection that has said hello. Frames without a waiting command are kept in `inbox` in their order."""

    def __init__(self, connection: ClientConnection, subprotocol: str, device: str) -> None:
        self.connection, self.subprotocol, self.device = connection, subprotocol, device
        self.inbox: deque[dict[str, Any]] = deque()
        self.welcome: dict[str, Any] = {}
        self.received: list[bytes | str] = []  # every frame as it came
        self._ids = 0
        self._values: deque[dict[str, Any]] = deque()

    @property
    def process(self) -> int:
        """The pid of the web process at the other end: the connection's name begins with it."""
        return int(self.welcome["connection"].split("-")[0])

    async def send(self, frame: dict[str, Any]) -> None:
        data = msgpack.packb(frame) if self.subprotocol == MSGPACK else json.dumps(frame)
        await self.connection.send(data)

    async def receive(self) -> dict[str, Any]:
        """The next value, whichever frame it came in; the server's pings are answered."""
        async with asyncio.timeout(PATIENCE):  # pings do not count: they come for ever
            while True:
                while not self._values:
                    data = await self.connection.recv()
                    self.received.append(data)
                    self._values.extend(decode(data))
                value = self._values.popleft()
                if value["op"] != "ping":
                    return value
                with contextlib.suppress(ConnectionClosed):  # what came before the end is read all the same
                    await self.send({"op": "pong"})

    async def call(self, op: str, **fields: Any) -> dict[str, Any]:
        """Sends a command and returns its reply; raises Refused."""
        return await self.reply(await self.start(op, **fields))

    async def start(self, op: str, **fields: Any) -> int:
        """Sends a command without waiting; its id."""
        self._ids += 1
        await self.send({"op": op, "id": self._ids, **fields})
        return self._ids

    async def reply(self, id_: int) -> dict[str, Any]:
        """The reply to a command that was sent; raises Refused."""
        value = await self.until_reply(id_)
        if value["op"] == "error":
            raise Refused(value)
        return value

    async def until_reply(self, id_: int) -> dict[str, Any]:
        """The reply to a command that was sent, an error or not."""
        for value in self.inbox:
            if value.get("id") == id_:
                self.inbox.remove(value)
                break
        else:
            while (value := await self.receive()).get("id") != id_:
                self.inbox.append(value)
        return value

    async def until(self, op: str, **fields: Any) -> dict[str, Any]:
        """The next value of this kind with these fields; what comes before it stays in the inbox."""
        for value in self.inbox:
            if fits(value, op, fields):
                self.inbox.remove(value)
                return value
        while not fits(value := await self.receive(), op, fields):
            self.inbox.append(value)
        return value

    async def until_any(self, ops: Collection[str], **fields: Any) -> dict[str, Any]:
        """The next value of one of these kinds with these fields; what comes before it stays in the inbox."""
        for value in self.inbox:
            if value["op"] in ops and fits(value, value["op"], fields):
                self.inbox.remove(value)
                return value
        while not ((value := await self.receive())["op"] in ops and fits(value, value["op"], fields)):
            self.inbox.append(value)
        return value

    async def closed(self) -> int:
        """Reads on until the end, for the close frame is behind everything else; the close code."""
        async with asyncio.timeout(PATIENCE):
            with contextlib.suppress(ConnectionClosed):
                while True:
                    self.inbox.append(await self.receive())
            await self.connection.wait_closed()
        return self.connection.close_code or 0

    async def close(self) -> None:
        await self.connection.close()

    async def cut(self) -> None:
        """Ends the TCP connection without a word, as a lost network does."""
        self.connection.transport.abort()
        await self.connection.wait_closed()

    async def send_raw(self, data: bytes | str) -> None:
        """Sends a frame as it is."""
        await self.connection.send(data)

    def seen(self, op: str, **fields: Any) -> list[dict[str, Any]]:
        """What has come of this kind and waits in the inbox."""
        return [value for value in self.inbox if fits(value, op, fields)]

    def has_received(self, text: str) -> bool:
        """Whether a text was in any frame, wherever but in a secret."""
        return any(text in repr(without_secrets(value)) for data in self.received for value in decode(data))

    async def round_trip(self) -> None:
        """Everything that the server had sent before is in the inbox then."""
        await self.send({"op": "ping"})
        await self.until("pong")


def without_secrets(value: Any) -> Any:
    """A frame, or a part of one, without its tokens."""
    if isinstance(value, dict):
        return {name: without_secrets(part) for name, part in value.items() if name not in SECRETS}
    return [without_secrets(part) for part in value] if isinstance(value, list) else value


def fits(value: dict[str, Any], op: str, fields: dict[str, Any]) -> bool:
    """Whether a frame is of this kind and has these fields."""
    return value["op"] == op and all(value.get(name) == wanted for name, wanted in fields.items())


def decode(data: bytes | str) -> list[dict[str, Any]]:
    """The values of one frame from the server."""
    if isinstance(data, str):
        return [json.loads(line) for line in data.split("\n")]
    unpacker = msgpack.Unpacker()
    unpacker.feed(data)
    return list(unpacker)


_networks = itertools.count(256)  # not random: of a thousand in 65,000 some pair would be the same


def new_address() -> str:
    """A loopback address in a network of its own: what is limited per network is not shared with other tests."""
    number = next(_networks)
    return f"127.{number // 256}.{number % 256}.1"


class Api:
    """The server's HTTP interface, as one browser at an address of its own."""

    def __init__(self, base: str, *, address: str | None = None) -> None:
        self.base = base
        # Plain HTTP only; loading the certificates would take longer than most tests.
        transport = httpx.AsyncHTTPTransport(local_address=address or new_address(), verify=False)
        self.http = httpx.AsyncClient(base_url=base, headers={"Origin": base}, timeout=PATIENCE, transport=transport)

    async def close(self) -> None:
        await self.http.aclose()

    async def post(self, path: str, body: dict[str, Any] | None = None, **options: Any) -> httpx.Response:
        return await self.http.post(path, json=body or {}, **options)

    async def customer(self, subprotocol: str = JSON, **options: Any) -> Socket:
        """A new anonymous customer with an open socket."""
        session = (await self.post("/api/v1/customer-sessions", {"site_key": "default"})).raise_for_status().json()
        socket = await self.socket(session["pass"], subprotocol, **options)
        socket.welcome["customer_token"] = session["customer_token"]
        return socket

    async def sign_in(self, email: str, password: str) -> httpx.Response:
        return await self.post("/api/v1/agent-sessions", {"email": email, "password": password})

    async def agent(self, email: str, password: str, subprotocol: str = JSON, **options: Any) -> Socket:
        """An agent, signed in, with an open socket."""
        (await self.sign_in(email, password)).raise_for_status()
        return await self.socket(await self.new_pass(), subprotocol, **options)

    async def new_pass(self, customer_token: str | None = None) -> str:
        headers = {"Authorization": f"Bearer {customer_token}"} if customer_token else {}
        found: str = (await self.post("/api/v1/passes", headers=headers)).raise_for_status().json()["pass"]
        return found

    async def connect(self, subprotocol: str = JSON, *, origin: str | None = None, device: str | None = None) -> Socket:
        """A socket that has not said hello."""
        connection = await connect(
            self.base.replace("http", "ws") + "/ws",
            origin=origin or self.base,  # type: ignore[arg-type]  # websockets' own string type
            subprotocols=[subprotocol],  # type: ignore[list-item]
            compression=None,
            open_timeout=PATIENCE,
            ping_interval=None,
            max_size=2**22,
        )
        return Socket(connection, subprotocol, device or new_device())

    async def socket(
        self,
        pass_: str | None = None,
        subprotocol: str = JSON,
        *,
        resume_token: str | None = None,
        device: str | None = None,
        chats: list[dict[str, Any]] | None = None,
    ) -> Socket:
        """A socket that has said hello."""
        socket = await self.connect(subprotocol, device=device)
        secret = {"pass": pass_} if pass_ else {"resume_token": resume_token}
        socket.welcome = await socket.call("hello", device=socket.device, chats=chats or [], **secret)
        return socket


def new_device() -> str:
    return "device-" + secrets.token_hex(8)


def new_chat_key() -> str:
    return secrets.token_hex(16)
