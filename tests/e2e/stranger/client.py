"""A chat client by a stranger: written from docs/protocol.md alone, with `websockets`, `msgpack` and nothing of ours.

It keeps a log a chat and an outbox of commands. Whatever happens to its connection, it comes back, resumes from its
position and sends again, under the same numbers, what was not acknowledged.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import secrets
import urllib.error
from collections.abc import Awaitable, Callable
from typing import Any

import msgpack
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from .chat import Chat, Command, Frame

WAIT_FOR_PREDECESSOR = 0.3  # seconds, as the page says
STOP = range(4400, 4500)  # close codes after which one does not come back
STOP_TOO = {1009, 1002, 1003, 1007, 1008}
DECIDED_LATER = {"unavailable", "rate_limited"}  # same n, later


class Stopped(Exception):
    """The server does not want us back."""


class Client:
    """One person at one device."""

    def __init__(
        self, base: str, subprotocol: str, new_pass: Callable[[], Awaitable[str]], *, staff: bool = False
    ) -> None:
        self.base, self.subprotocol, self.new_pass, self.staff = base, subprotocol, new_pass, staff
        self.device = "stranger-" + secrets.token_hex(8)
        self.chats: dict[int, Chat] = {}
        self.welcome: Frame = {}
        self.topics: dict[str, Frame] = {}
        self.connections = 0
        self.changed = asyncio.Condition()
        self._socket: ClientConnection | None = None
        self._resume_token: str | None = None
        self._id = 0
        self._replies: dict[int, asyncio.Future[Frame]] = {}
        self._opening: dict[str, Frame] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._tries = 0
        self._running: asyncio.Task[None] | None = None

    # -- life

    async def start(self) -> None:
        self._running = asyncio.create_task(self._live())
        await self.until(lambda: bool(self.welcome))

    async def stop(self) -> None:
        tasks = [*self._tasks, *([self._running] if self._running else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def cut(self) -> None:
        """The network is gone, without a word."""
        if self._socket:
            self._socket.transport.abort()

    async def until(self, condition: Callable[[], bool], patience: float = 120) -> None:
        """Waits until something is so."""

        def settled() -> bool:
            return condition() or bool(self._running and self._running.done())

        async with asyncio.timeout(patience), self.changed:
            await self.changed.wait_for(settled)
        if not condition() and self._running:
            self._running.result()

    async def _live(self) -> None:
        try:
            await self._run()
        finally:
            async with self.changed:
                self.changed.notify_all()

    async def _run(self) -> None:
        refused = 0
        while True:
            try:
                await self._connect_once(fresh=refused > 0)
                refused = 0
            except ConnectionClosed as closed:
                code = closed.rcvd.code if closed.rcvd else 1006
                refused = refused + 1 if code == 4401 else 0
                if code == 4401 and refused == 1:
                    continue  # one new pass, then stop
                if code in STOP or code in STOP_TOO:
                    raise Stopped(str(code)) from closed
            except urllib.error.HTTPError as refusal:
                if refusal.code not in (429, 503):
                    raise Stopped(str(refusal)) from refusal
            except (OSError, WebSocketException, TimeoutError):
                pass
            finally:
                self._lose_connection()
            self._tries += 1
            await asyncio.sleep(random.uniform(0, min(20, 0.5 * 2**self._tries)))

    def _lose_connection(self) -> None:
        self._socket = None
        for reply in self._replies.values():
            reply.cancel()
        self._replies.clear()

    async def _connect_once(self, *, fresh: bool) -> None:
        url = self.base.replace("http", "ws", 1) + "/ws"
        offered: list[Any] = [self.subprotocol]
        async with connect(url, origin=self.base, subprotocols=offered, compression=None, ping_interval=None) as socket:  # type: ignore[arg-type]
            if self._resume_token and not fresh:
                secret = {"resume_token": self._resume_token}
            else:
                secret = {"pass": await self.new_pass()}
            positions = [chat.position() for chat in self.chats.values()]
            hello = {"op": "hello", "id": 0, "device": self.device, "chats": positions, **secret}
            await self._write(socket, hello)
            silence = 30.0
            while True:
                async with asyncio.timeout(silence):
                    data = await socket.recv()
                for frame in self._decode(data):
                    if frame["op"] == "welcome":
                        silence = 2 * frame["ping_every"] / 1000
                        self._socket, self._tries = socket, 0
                        self.connections += 1
                    await self._take(frame)
                async with self.changed:
                    self.changed.notify_all()

    # -- frames

    def _decode(self, data: bytes | str) -> list[Frame]:
        if isinstance(data, str):
            return [json.loads(line) for line in data.split("\n")]
        unpacker = msgpack.Unpacker()
        unpacker.feed(data)
        return list(unpacker)

    async def _write(self, socket: ClientConnection, frame: Frame) -> None:
        await socket.send(msgpack.packb(frame) if self.subprotocol == "chat.v1.msgpack" else json.dumps(frame))

    async def _call(self, op: str, **fields: Any) -> Frame:
        """One command, one reply. Cancelled when the connection ends before it comes."""
        socket = self._socket
        if socket is None:
            raise asyncio.CancelledError
        self._id += 1
        reply: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self._replies[self._id] = reply
        with contextlib.suppress(ConnectionClosed):
            await self._write(socket, {"op": op, "id": self._id, **fields})
        return await reply

    async def _take(self, frame: Frame) -> None:
        op = frame["op"]
        if op == "ping" and self._socket:
            await self._write(self._socket, {"op": "pong"})
        elif op == "welcome":
            self._welcomed(frame)
        elif op == "entry":
            self._entry(frame)
        elif op == "durable":
            self._durable(frame)
        elif op == "page" and "id" not in frame:
            self._page(frame)  # the server itself says that the history was rebuilt
        elif op == "snapshot" and "id" not in frame:
            self.topics[frame["topic"]] = frame
        elif op == "event" and "version" in frame:
            self._topic_event(frame)
        elif op in ("ack", "page", "snapshot", "error"):
            self._replied(frame)

    def _welcomed(self, frame: Frame) -> None:
        self.welcome, self._resume_token = frame, frame["resume_token"]
        for page in frame["chats"]:
            if "error" not in page:
                self._page(page)
        for chat in self.chats.values():
            self._send_outbox(chat)
        for fields in self._opening.values():
            self._spawn(self._open(fields))
        for topic in list(self.topics):
            self._spawn(self.watch(topic))

    def _replied(self, frame: Frame) -> None:
        # Applied at once and in order: what follows an ack counts on it.
        if frame["op"] == "page":
            self._page(frame)
        waiting = self._replies.pop(frame.get("id", -1), None)
        if waiting and not waiting.done():
            waiting.set_result(frame)

    def _entry(self, entry: Frame) -> None:
        chat = self.chats.get(entry["ticket"])
        if chat is None:
            return
        if chat.epoch and entry["epoch"] != chat.epoch:
            self._spawn(self._pull(chat))
            return
        chat.accept(entry)
        self._recognise(chat, [entry])
        self._pull_if_early(chat)

    def _durable(self, frame: Frame) -> None:
        chat = self.chats.get(frame["ticket"])
        if chat and frame["epoch"] == chat.epoch:
            chat.durable = max(chat.durable, frame["seq"])
            self._prune(chat)

    def _prune(self, chat: Chat) -> None:
        """What is durable leaves the outbox."""
        chat.outbox = [one for one in chat.outbox if not (one.acked and one.seq <= chat.durable)]

    def _page(self, page: Frame) -> None:
        chat = self.chats.get(page["ticket"])
        if chat is None:
            return
        if page.get("reset"):
            chat.entries.clear()
            chat.early.clear()
            chat.durable = 0
            for command in chat.outbox:
                command.acked = False  # not durable: again, unless we find it below
        chat.epoch = page["epoch"]
        chat.state = page["state"]
        chat.gen = page["state"].get("gen", chat.gen)
        for entry in page["entries"]:
            chat.accept(entry)
        self._recognise(chat, page["entries"])
        self._durable({"ticket": chat.ticket, "epoch": chat.epoch, "seq": page["state"]["durable"]})
        if page["more"]:
            self._spawn(self._pull(chat))
        elif page.get("reset"):
            self._send_outbox(chat)

    def _recognise(self, chat: Chat, entries: list[Frame]) -> None:
        """Our own commands whose ack was lost."""
        for entry in entries:
            if entry.get("device") == self.device:
                chat.next_n = max(chat.next_n, entry["n"] + 1)
                for command in chat.outbox:
                    if command.n == entry["n"]:
                        command.acked, command.seq = True, entry["seq"]

    def _pull_if_early(self, chat: Chat) -> None:
        if chat.early and (chat.pulling is None or chat.pulling.done()):
            chat.pulling = self._spawn(self._wait_and_pull(chat))

    async def _wait_and_pull(self, chat: Chat) -> None:
        await asyncio.sleep(WAIT_FOR_PREDECESSOR)
        if chat.early:
            await self._pull(chat)

    async def _pull(self, chat: Chat) -> None:
        await self._call("pull", **chat.position())

    def _topic_event(self, event: Frame) -> None:
        topic = self.topics.get(event["topic"])
        if topic is None or not topic or event["version"] <= topic["version"]:
            return
        if event["version"] != topic["version"] + 1:
            self._spawn(self.watch(event["topic"]))
            return
        topic["version"] = event["version"]
        if event["type"] == "queued":
            topic["state"]["waiting"].append(event["item"])
        elif event["type"] == "left":
            topic["state"]["waiting"] = [
                item for item in topic["state"]["waiting"] if item["ticket"] != event["ticket"]
            ]

    def _spawn(self, work: Awaitable[Any]) -> asyncio.Task[Any]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)  # type: ignore[arg-type]
        task.add_done_callback(self._tasks.discard)  # type: ignore[arg-type]
        return task  # type: ignore[return-value]

    # -- what a person does

    async def watch(self, topic: str) -> None:
        self.topics.setdefault(topic, {})
        self.topics[topic] = await self._call("watch", topic=topic)

    async def open(self, text: str) -> Chat:
        """Opens a chat; the key is kept until it is acknowledged."""
        fields = {"chat_key": secrets.token_hex(16), "text": text}
        self._opening[fields["chat_key"]] = fields
        self._spawn(self._open(fields))
        await self.until(lambda: fields["chat_key"] not in self._opening)
        return next(chat for chat in self.chats.values() if chat.claim and chat.claim["key"] == fields["chat_key"])

    async def _open(self, fields: Frame) -> None:
        while True:
            reply = await self._call("open_chat", **fields)
            if reply["op"] == "ack":
                break
            assert reply["code"] in DECIDED_LATER, reply
            await asyncio.sleep(reply["retry_after_ms"] / 1000)
        chat = self.chats.setdefault(reply["ticket"], Chat(reply["ticket"], self.staff))
        chat.claim = {"key": fields["chat_key"], "claim": reply["claim"], "access_code": reply["access_code"]}
        chat.next_n = max(chat.next_n, 2)
        self._page(reply["page"])
        self._opening.pop(fields["chat_key"], None)
        async with self.changed:
            self.changed.notify_all()

    async def take(self, ticket: int) -> Chat:
        chat = self.chats.setdefault(ticket, Chat(ticket, self.staff))
        self.do(chat, "take_chat")
        await self.until(lambda: chat.state.get("owner") is not None)
        return chat

    def do(self, chat: Chat, op: str, **fields: Any) -> Command:
        """Puts a command into the outbox, and sends it when there is a connection."""
        command = Command(op, fields, chat.next_n)
        chat.next_n += 1
        chat.outbox.append(command)
        self._send(chat, command)
        return command

    def _send_outbox(self, chat: Chat) -> None:
        for command in chat.outbox:
            if not command.acked:
                self._send(chat, command)

    def _send(self, chat: Chat, command: Command) -> None:
        if self._socket:
            self._spawn(self._execute(chat, command))

    async def _execute(self, chat: Chat, command: Command) -> None:
        while not command.acked:
            fields = dict(command.fields)
            if chat.gen and command.op in ("post_message", "close_chat"):
                fields["gen"] = chat.gen
            reply = await self._call(command.op, ticket=chat.ticket, n=command.n, **fields)
            if reply["op"] == "ack":
                self._acked(chat, command, reply)
            elif reply["code"] in DECIDED_LATER:
                await asyncio.sleep(reply["retry_after_ms"] / 1000)
            elif reply["code"] == "gap":
                await asyncio.sleep(0.05)  # one before it is on its way again
            else:
                raise AssertionError(reply)
        async with self.changed:
            self.changed.notify_all()

    def _acked(self, chat: Chat, command: Command, ack: Frame) -> None:
        command.acked, command.seq = True, ack["seq"]
        if "page" in ack:
            chat.gen = ack.get("gen", chat.gen)
            self._page(ack["page"])
            return
        if ack["epoch"] != chat.epoch:
            self._spawn(self._pull(chat))
            return
        kinds = {"post_message": "message", "post_note": "note", "close_chat": "closed", "rate_chat": "rated"}
        own = {name: ack[name] for name in ("ticket", "seq", "prev", "epoch", "entry_id", "at", "n")}
        own |= {"kind": kinds[command.op], "device": self.device}
        if text := ack.get("text", command.fields.get("text")):
            own["text"] = text
        chat.accept(own)
        self._pull_if_early(chat)
        self._prune(chat)  # it may have been durable before we came to read the ack


__all__ = ["Client", "Stopped"]
