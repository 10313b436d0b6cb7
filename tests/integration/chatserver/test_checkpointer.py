"""The worker tells the head of the seal chain to a file and to a webhook."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from chatserver.worker.checkpointer import Checkpointer, append_checkpoint, post_checkpoint
from chatserver.worker.leases import Leases
from tests.support.sealed_chats import KEY, Record, sealed_chats
from transcripts.checkpoint import Checkpoint, read_checkpoints
from transcripts.errors import UnreadableError

pytestmark = pytest.mark.anyio


class Leading(Leases):
    """Of a worker that does what one does for all, or not."""

    def __init__(self, leads: bool) -> None:
        self._leads = leads

    @property
    def leads(self) -> bool:
        return self._leads


class Webhook:
    """Takes what is posted; answers with `status`, and says where else to go. Who goes there is welcome."""

    def __init__(self) -> None:
        self.taken: list[dict[str, object]] = []
        self.gone_elsewhere: list[str] = []
        self.status = 204
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"] or 0))
                elsewhere = self.path == "/elsewhere"
                if elsewhere:
                    hook.gone_elsewhere.append(self.command)
                elif hook.status == 204:
                    hook.taken.append(json.loads(body))
                self.send_response(200 if elsewhere else hook.status)
                self.send_header("Location", f"{hook.url}elsewhere")
                self.end_headers()

            do_GET = do_POST

            def log_message(self, *args: object) -> None: ...

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    hook = Webhook()
    yield hook
    hook.close()


def numbers(file: Path) -> list[int]:
    return [one.number for one in read_checkpoints(file.read_bytes())]


def checkpointer(engine: AsyncEngine, file: Path, url: str | None = None, *, leads: bool = True) -> Checkpointer:
    return Checkpointer(engine, KEY, Leading(leads), file=file, url=url)


async def more(record: Record) -> None:
    await record.fill(1)


async def test_each_change_is_told_once_to_each_place(tmp_path: Path, webhook: Webhook) -> None:
    file = tmp_path / "checkpoints.jsonl"
    async with sealed_chats(2) as record:
        works = checkpointer(record.store.engine, file, webhook.url)
        assert await works.run_once() == 2
        assert await works.run_once() == 0
        await more(record)
        assert await works.run_once() == 2
        again = checkpointer(record.store.engine, file, webhook.url)  # a worker that starts
        await again.run_once()
    first, second = numbers(file)
    assert first < second
    assert [one["number"] for one in webhook.taken] == [first, second, second]


async def test_a_place_that_fails_is_told_the_next_time_and_holds_up_no_other(tmp_path: Path, webhook: Webhook) -> None:
    file = tmp_path / "checkpoints.jsonl"
    async with sealed_chats(1) as record:
        works = checkpointer(record.store.engine, file, webhook.url)
        for webhook.status in (500, 302):
            await works.run_once()
        assert (len(numbers(file)), webhook.taken) == (1, [])
        webhook.status = 204
        assert await works.run_once() == 1
        assert len(webhook.taken) == 1
        file.unlink()
        (tmp_path / "away").mkdir()
        nowhere = checkpointer(record.store.engine, tmp_path / "away", webhook.url)
        assert await nowhere.run_once() == 1


async def test_one_worker_tells_for_all(tmp_path: Path) -> None:
    async with sealed_chats(1) as record:
        assert await checkpointer(record.store.engine, tmp_path / "file", leads=False).run_once() == 0


async def test_nothing_is_told_while_nothing_is_sealed(tmp_path: Path) -> None:
    async with sealed_chats(0) as record:
        assert await checkpointer(record.store.engine, tmp_path / "file").run_once() == 0


def made(number: int) -> Checkpoint:
    return Checkpoint(number=number, digest="00" * 32, at=1, key_id="k")


def test_a_line_that_was_cut_off_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "file"
    append_checkpoint(file, made(1))
    file.write_bytes(file.read_bytes() + made(2).line()[:20])
    append_checkpoint(file, made(3))
    assert numbers(file) == [1, 3]


def test_a_file_of_something_else_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("hello\n")
    with pytest.raises(UnreadableError):
        append_checkpoint(file, made(1))
    assert file.read_text() == "hello\n"


def test_nobody_at_the_webhook_is_an_error(webhook: Webhook) -> None:
    webhook.status = 404
    with pytest.raises(OSError, match="404"):
        post_checkpoint(webhook.url, made(1))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(webhook: Webhook, status: int) -> None:
    """The POST would become a GET that says nothing, and the answer to it look as if the checkpoint had been taken."""
    webhook.status = status
    with pytest.raises(OSError, match=str(status)):
        post_checkpoint(webhook.url, made(1))
    assert (webhook.taken, webhook.gone_elsewhere) == ([], [])
