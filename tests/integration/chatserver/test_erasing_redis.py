"""Redis' half of an erasure: nothing of a chat stays in its keys, nor in the files that Redis writes."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import update

import chatserver.stores.erasing
from chatserver.actions.signing_out import sign_out
from chatserver.broker.draft import body_hash
from chatserver.broker.keys import chat_key
from chatserver.broker.repair import LogRepair
from chatserver.errors import UnavailableError
from chatserver.stores.erasing import LiveChats
from chatserver.stores.schema import customers
from chatserver.stores.secrets import Secrets
from tests.support.backstage import SEAL_KEY, Backstage
from transcripts.database import write
from transcripts.erasure import Certificate, Eraser, Subject
from transcripts.errors import ErasureError
from transcripts.seal import Sealer

pytestmark = pytest.mark.anyio

SECRET = "the wistful axolotl of Xochimilco"
MARK = b"axolotl"
HASH = body_hash("message", SECRET, None)
TRACES = (MARK, HASH)


@pytest.fixture
def redis(stage: Backstage) -> Redis:
    return stage.valkey.redis()


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chatserver.stores.erasing, "_TRIES", 3)


@pytest.fixture
async def ticket(stage: Backstage, redis: Redis) -> AsyncIterator[int]:
    """A chat that is closed and sealed, and still in Redis with all that was said."""
    ticket, customer = await stage.open(SECRET)
    await stage.send(customer, ticket, 2, "And " + SECRET)
    agent = await stage.assign(ticket)
    await stage.send(agent, ticket, 2, None, "closed")
    await stage.persist()
    await stage.finaliser().run_once()
    assert found_in_keys(redis, ticket) == {MARK, HASH}
    redis.execute_command("WAITAOF", 1, 0, 5_000)
    assert set(found_in_files(stage)) == {MARK, HASH}
    yield ticket
    redis.close()


def found_in_keys(redis: Redis, ticket: int) -> set[bytes]:
    """What the chat's own keys have of it: the log, and the window by which a command that comes again is known."""
    meta = redis.hgetall(chat_key(ticket, b":m").decode())
    said = repr(redis.xrange(chat_key(ticket, b":x").decode())).encode() + b"".join(meta.values())
    return {mark for mark in TRACES if mark in said}


def found_in_files(stage: Backstage) -> set[bytes]:
    raw = b"".join(path.read_bytes() for path in (stage.valkey.folder / "valkey").rglob("*") if path.is_file())
    return {mark for mark in TRACES if mark in raw}


def place(stage: Backstage) -> LiveChats:
    return LiveChats(stage.chats, stage.valkey.url)


async def erase(stage: Backstage, ticket: int) -> Certificate:
    eraser = Eraser(stage.engine, Sealer(stage.engine, SEAL_KEY), places=[place(stage)])
    return await eraser.erase(Subject((ticket,)))


async def test_the_log_and_the_window_forget_what_was_said(stage: Backstage, redis: Redis, ticket: int) -> None:
    await erase(stage, ticket)
    assert found_in_keys(redis, ticket) == set()
    live = await stage.live(ticket)
    entries = await stage.entries(ticket)
    assert (live.seq, live.durable, live.state) == (len(entries), len(entries), "closed")
    page = await stage.chats.page(ticket)
    assert MARK not in b"".join(page.events)
    assert len(page.events) == len(entries)


async def test_the_files_are_written_anew_and_read(stage: Backstage, ticket: int) -> None:
    certificate = await erase(stage, ticket)
    assert found_in_files(stage) == set()
    (searched,) = [one for one in certificate.searched if one.place == "redis"]
    assert (searched.found, searched.unread) == (0, "")
    assert searched.files >= 2
    assert searched.bytes > 0


async def test_an_older_snapshot_is_written_anew_too(stage: Backstage, redis: Redis, ticket: int) -> None:
    redis.save()
    snapshot = stage.valkey.folder / "valkey" / "dump.rdb"
    try:
        assert MARK in snapshot.read_bytes()
        await erase(stage, ticket)
        assert MARK not in snapshot.read_bytes()
    finally:
        snapshot.unlink()


async def test_a_snapshot_that_still_has_it_is_found(
    stage: Backstage, redis: Redis, ticket: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis.config_set("rdbcompression", "no")
    redis.save()
    monkeypatch.setattr(chatserver.stores.erasing, "_has_snapshots", lambda redis: False)
    try:
        with pytest.raises(ErasureError, match=r"still in raw files \(redis\)"):
            await erase(stage, ticket)
    finally:
        (stage.valkey.folder / "valkey" / "dump.rdb").unlink()


async def test_what_is_still_in_a_file_is_found_there(stage: Backstage, redis: Redis, ticket: int) -> None:
    """Somebody else's key, in the file that is written on and in the one that was written anew."""
    redis.set("elsewhere", SECRET)
    try:
        redis.execute_command("WAITAOF", 1, 0, 5_000)
        assert (await place(stage).look([MARK])).found == (MARK,)
        with pytest.raises(ErasureError, match=r"still in raw files \(redis\)"):
            await erase(stage, ticket)
    finally:
        redis.delete("elsewhere")


async def test_what_would_be_compressed_is_found_too(stage: Backstage, redis: Redis, ticket: int) -> None:
    redis.config_set("rdbcompression", "yes")
    redis.set("elsewhere", "a" * 500 + SECRET * 20)
    try:
        await place(stage).scrub()
        assert (await place(stage).look([SECRET.encode()])).found == (SECRET.encode(),)
        assert redis.config_get("rdbcompression") == {"rdbcompression": "yes"}
    finally:
        redis.delete("elsewhere")


async def test_scrubbing_waits_for_its_end(stage: Backstage, redis: Redis, ticket: int) -> None:
    """Also for the end of one that began earlier: what it writes is what there was then."""
    redis.config_set("auto-aof-rewrite-percentage", "0")  # none but ours
    for number in range(25):
        redis.set(f"ballast:{number}", os.urandom(2_000_000))
    with redis.pipeline() as pipe:
        pipe.bgrewriteaof()
        pipe.delete(chat_key(ticket, b":x").decode(), chat_key(ticket, b":m").decode())
        pipe.execute()
    try:
        await place(stage).scrub()
        assert redis.info("persistence")["aof_rewrite_in_progress"] == 0
        assert MARK not in found_in_files(stage)
    finally:
        redis.delete(*[f"ballast:{number}" for number in range(25)])
        redis.config_set("auto-aof-rewrite-percentage", "100")


async def test_a_file_that_cannot_be_written_is_no_success(
    stage: Backstage, ticket: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Redis.info

    def failed(self: Redis, section: str) -> dict[str, object]:
        return asked(self, section) | {"aof_last_bgrewrite_status": "err"}

    monkeypatch.setattr(Redis, "info", failed)
    with pytest.raises(UnavailableError, match="could not write its file anew"):
        await erase(stage, ticket)


async def test_what_is_not_in_the_database_yet_is_not_erased(stage: Backstage) -> None:
    ticket, customer = await stage.open(SECRET)
    await stage.persist()
    await place(stage).settle((ticket,))
    await stage.send(customer, ticket, 2, "One more thing")
    with pytest.raises(ErasureError, match="is a worker running"):
        await place(stage).settle((ticket,))


async def test_a_chat_that_somebody_else_rebuilds_is_busy(stage: Backstage, redis: Redis, ticket: int) -> None:
    repair = LogRepair(stage.log)
    assert await repair.lock_rebase(ticket, "somebody")
    with pytest.raises(ErasureError, match="busy in Redis"):
        await place(stage).erase((ticket,))
    await repair.unlock_rebase(ticket, "somebody")
    await place(stage).erase((ticket,))


async def test_a_chat_that_redis_has_let_go_of_stays_away(stage: Backstage, redis: Redis, ticket: int) -> None:
    redis.delete(chat_key(ticket, b":m").decode(), chat_key(ticket, b":x").decode())
    await erase(stage, ticket)
    assert not await stage.log.exists(ticket)
    assert found_in_files(stage) == set()


async def test_files_on_another_machine_are_said_to_be_unread(
    stage: Backstage, ticket: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = Redis.config_get

    def elsewhere(self: Redis, *names: str) -> dict[str, str]:
        found = asked(self, *names)
        return found | {"dir": str(tmp_path)} if "dir" in names else found

    monkeypatch.setattr(Redis, "config_get", elsewhere)
    (searched,) = [one for one in (await erase(stage, ticket)).searched if one.place == "redis"]
    assert searched.unread == "its files are not on this machine"


async def test_a_redis_that_was_emptied_is_told_again_who_was_erased(stage: Backstage, redis: Redis) -> None:
    gone, here = [await stage.chats.directory.add_customer(site="default") for _ in range(2)]
    async with write(stage.engine) as connection:
        await connection.execute(update(customers).where(customers.c.id == gone).values(erased_at=1))
    secrets = Secrets(stage.link)
    await sign_out(stage.link, [gone])
    assert await secrets.is_revoked("of this sign-in", gone)
    redis.flushall()
    assert not await secrets.is_revoked("of this sign-in", gone)
    await stage.reconciler().run_once()
    assert await secrets.is_revoked("of this sign-in", gone)
    assert not await secrets.is_revoked("of this sign-in", here)
