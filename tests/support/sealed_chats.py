"""Random chats that went through the real record: written, sealed, lawfully redacted, exported."""

from __future__ import annotations

import contextlib
import json
import random
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from transcripts import schema
from transcripts.database import open_database, read, write
from transcripts.entry import ChatBatch, Entry, Opening, Participant
from transcripts.export import as_json
from transcripts.migrate import upgrade
from transcripts.seal import Sealer, SealKey
from transcripts.store import Store
from transcripts.ticket import ticket_of

KEY = SealKey.from_bytes(bytes(range(32)))
KEYS = {KEY.key_id: KEY.public}
START = 1_795_000_000_000
EPOCH = 7
SECRET = "Kowalski-7421"
"""Stands in every note, and nowhere else."""

TEXTS = (
    "Where do I send the blue kettle?",
    "To the address on the label.",
    "<b>bold</b> & \"quoted\" 'text' <script>alert(1)</script>",
    "two\nlines\r\nand a tab\t.",
    "شكراً، وصلت الغلاية مكسورة (رقم 112-7788231).",
    "ההזמנה שלי לא הגיעה, מספר 99-1.",
    "我的订单在哪里？注文番号は？주문 번호 123",
    "👍🏽 merci, ça marche — naïve façade",
    "card •••• 1111, all good",
    "https://shop.example/returns?a=1&b=2",
    "a" * 300,
    '=HYPERLINK("http://x")',
    "\u202eright-to-left override",
    "From here on it is the first word of a line",
    ".",
)
NAMES = ("Mia", "Zoë <i>Ng</i>", "محمد", "李雷", "Ann, the first\n")


class Record:
    """A record of its own, with chats in it."""

    def __init__(self, store: Store, sealer: Sealer, seed: int) -> None:
        self.store, self._sealer = store, sealer
        self._random = random.Random(seed)
        self.tickets: list[int] = []

    async def fill(self, chats: int) -> None:
        """Adds so many sealed chats: of a few entries to many, with notes, some rated after they were closed."""
        tickets = [ticket_of(10_000 + len(self.tickets) + number) for number in range(chats)]
        await self.store.append([self._chat(ticket) for ticket in tickets])
        await self._sealer.seal_many(tickets)
        for ticket in tickets:
            if self._random.random() < 0.5:
                await self._append(ticket, "rated", data={"rating": self._random.randint(1, 5)})
        await self._sealer.seal_many(tickets)
        self.tickets += tickets

    async def redact(self, ticket: int) -> list[int]:
        """Takes random entries' bodies away as an erasure does, and says so in a sealed entry; their numbers."""
        entries = [one for one in await self.store.entries(ticket, limit=1000, staff=True) if one.kind != "redacted"]
        chosen = sorted(self._random.sample([one.seq for one in entries], self._random.randint(1, len(entries))))
        async with write(self.store.engine) as connection:
            await connection.execute(
                update(schema.entries)
                .where(schema.entries.c.ticket == ticket, schema.entries.c.seq.in_(chosen))
                .values(author_name=None, text=None, data=None, salt=None, erased_at=START)
            )
        await self._append(ticket, "redacted", data={"entries": chosen})
        await self._sealer.seal(ticket)
        return chosen

    async def file(self, ticket: int, audience: str) -> dict[str, Any]:
        """The exported file, as a JSON reader gives it."""
        decoded: dict[str, Any] = json.loads(json.dumps(await as_json(self.store, ticket, audience)))
        return decoded

    async def _append(self, ticket: int, kind: str, *, data: dict[str, Any]) -> None:
        chats = schema.chats.c
        async with read(self.store.engine) as connection:
            last, public = (
                await connection.execute(select(chats.last_seq, chats.last_public_seq).where(chats.ticket == ticket))
            ).one()
        entry = self._entry(ticket, last + 1, public, kind, "system", text=None, name=None, data=data)
        await self.store.append([ChatBatch(ticket=ticket, epoch=EPOCH, entries=(entry,))])

    def _chat(self, ticket: int) -> ChatBatch:
        pick = self._random.choice
        mia, ann = pick(NAMES), "Ann Lee"
        said: list[dict[str, Any]] = [
            {"kind": "opened", "role": "customer", "name": mia, "data": {"topic": pick(TEXTS), "order": "112-7788231"}},
            {"kind": "message", "role": "customer", "name": mia, "text": pick(TEXTS)},
            {"kind": "assigned", "role": "agent", "name": ann, "data": {"owner": "p-ann", "name": ann, "gen": 1}},
        ]
        for _ in range(self._random.randint(0, 12)):
            match self._random.random():
                case x if x < 0.25:
                    note = f"{SECRET}: {pick(TEXTS)}"
                    said.append({"kind": "note", "role": "agent", "name": ann, "text": note, "audience": "staff"})
                case x if x < 0.6:
                    said.append({"kind": "message", "role": "agent", "name": ann, "text": pick(TEXTS)})
                case _:
                    said.append({"kind": "message", "role": "customer", "name": mia, "text": pick(TEXTS)})
        said.append({"kind": "closed", "role": "agent", "name": ann, "data": {"reason": pick(("agent", "customer"))}})
        entries, public = [], 0
        for seq, fields in enumerate(said, 1):
            entries.append(self._entry(ticket, seq, public, **fields))
            public = seq if entries[-1].audience == "all" else public
        return ChatBatch(
            ticket=ticket,
            epoch=EPOCH,
            opening=Opening(customer_id="customer", topic="Returns"),
            entries=tuple(entries),
            participants=(Participant(participant_id="p-customer", role="customer"),),
        )

    def _entry(self, ticket: int, seq: int, prev: int, kind: str, role: str, **fields: Any) -> Entry:
        return Entry(
            ticket=ticket,
            seq=seq,
            prev=prev,
            entry_id=f"e{ticket}-{seq}",
            at=START + ticket * 1000 + seq * self._random.randint(500, 90_000_000),
            kind=kind,
            role=role,
            participant_id=f"p-{'ann' if role == 'agent' else role}",
            audience=fields.pop("audience", "all"),
            **fields,
        )


@contextlib.asynccontextmanager
async def sealed_chats(count: int, *, seed: int = 5) -> AsyncIterator[Record]:
    """A record with so many sealed chats, in a SQLite database that goes with it."""
    with tempfile.TemporaryDirectory() as folder:
        engine = open_database(f"sqlite:///{Path(folder) / 'chat.db'}")
        try:
            await upgrade(engine)
            record = Record(Store(engine), Sealer(engine, KEY, now=lambda: START), seed)
            await record.fill(count)
            yield record
        finally:
            await engine.dispose()
