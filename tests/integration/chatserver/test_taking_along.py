"""All data of a customer: their own, and with those who were merged into them."""

from __future__ import annotations

import io
import json
import zipfile

import pytest
from sqlalchemy import update

from chatserver.actions.taking_along import write_archive
from chatserver.stores.erasing import subject_of_customer
from chatserver.stores.schema import customers
from tests.support.backstage import Backstage
from transcripts import schema
from transcripts.database import write

pytestmark = pytest.mark.anyio


async def test_who_was_merged_goes_along_by_export_and_by_erasure_and_not_by_their_own_token(stage: Backstage) -> None:
    ids = [await stage.chats.directory.add_customer(site="default") for _ in range(4)]
    tickets = [(await stage.open(f"I am {number}"))[0] for number in range(4)]
    await stage.persist()
    async with write(stage.engine) as connection:
        for ticket, id_ in zip(tickets, ids, strict=True):
            chat = update(schema.chats).where(schema.chats.c.ticket == ticket)
            await connection.execute(chat.values(customer_id=id_))
        for one, other in ((1, 0), (2, 1)):  # the second into the first, the third into the second
            merged = update(customers).where(customers.c.id == ids[one])
            await connection.execute(merged.values(merged_into=ids[other]))

    async def taken(number: int, *, merged: bool) -> tuple[list[int], list[str]]:
        file = io.BytesIO()
        found = await write_archive(stage.engine, ids[number], file, merged=merged)
        with zipfile.ZipFile(file) as archive:
            names = {f"transcripts/chat-{ticket}.json" for ticket in found}
            assert names == {name for name in archive.namelist() if name.startswith("transcripts/")}
            known = json.loads(archive.read("customer.json"))
        return sorted(found), [known["id"], *(one["id"] for one in known.get("merged", ()))]

    assert await taken(0, merged=True) == (tickets[:3], ids[:3])
    assert await taken(1, merged=True) == (tickets[1:3], ids[1:3])
    for number in range(4):
        assert await taken(number, merged=False) == ([tickets[number]], [ids[number]])
    erased = await subject_of_customer(stage.engine, ids[0])
    assert (set(erased.customers), sorted(erased.tickets)) == (set(ids[:3]), tickets[:3])
