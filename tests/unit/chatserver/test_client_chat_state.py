"""A chat as the Python client has it: what may overtake what."""

from typing import Any

import pytest

from chatserver.client.chat_state import ChatState

TICKET, EPOCH = 100009, 7


def page(*, durable: int, **more: Any) -> dict[str, Any]:
    state = {"state": "active", "durable": durable, "participants": []}
    return {
        "ticket": TICKET,
        "epoch": EPOCH,
        "top": 0,
        "state": state,
        "reads": {},
        "entries": [],
        "more": False,
    } | more


def test_durable_is_what_a_reset_page_says_also_in_the_same_epoch() -> None:
    chat = ChatState(TICKET, staff=True)
    chat.take_page(page(durable=42, reset=True))
    chat.take_page(page(durable=38, reset=True))  # 39 to 42 are other entries than those that SQL has
    assert chat.durable == (EPOCH, 38)


def test_durable_of_another_history_says_nothing() -> None:
    chat = ChatState(TICKET, staff=True)
    chat.take_page(page(durable=46, reset=True))
    chat.take_page(page(durable=40, reset=True, epoch=EPOCH + 1))
    assert chat.durable == (EPOCH + 1, 40)


def entry(seq: int, *, prev: int | None = None, epoch: int = EPOCH) -> dict[str, Any]:
    before = seq - 1 if prev is None else prev
    who = {"participant": "cu", "role": "customer"}
    return {"epoch": epoch, "seq": seq, "prev": before, "kind": "message", "entry_id": f"{epoch}-{seq}"} | who


def numbers(chat: ChatState) -> list[tuple[int, int]]:
    return [(one["epoch"], one["seq"]) for one in chat.log]


def test_staff_take_every_number_and_customers_what_everybody_may_see() -> None:
    staff, customer = ChatState(TICKET, staff=True), ChatState(TICKET, staff=False)
    for chat in (staff, customer):
        chat.take_page(page(durable=0, top=1, entries=[entry(1)]))
        chat.take_entry(entry(3, prev=1))  # 2 is a note
    assert numbers(staff) == [(EPOCH, 1)]
    assert staff.needs_pull
    assert numbers(customer) == [(EPOCH, 1), (EPOCH, 3)]
    staff.take_entry(entry(2))
    assert numbers(staff) == [(EPOCH, 1), (EPOCH, 2), (EPOCH, 3)]
    assert not staff.needs_pull


def test_a_page_of_another_history_begins_again_also_when_it_does_not_say_so() -> None:
    chat = ChatState(TICKET, staff=True)
    chat.take_page(page(durable=0, top=2, entries=[entry(1), entry(2)]))
    other = page(durable=0, epoch=8, top=2, ok=True, entries=[entry(1, epoch=8), entry(2, epoch=8)])
    assert chat.begins_again(other)
    chat.take_page(other)
    assert numbers(chat) == [(8, 1), (8, 2)]


def test_an_ack_of_somebody_who_is_not_in_the_chat_yet_needs_a_page() -> None:
    chat = ChatState(TICKET, staff=True)
    chat.take_page(page(durable=0, top=1, entries=[entry(1)]))
    ack = {"ticket": TICKET, "epoch": EPOCH, "seq": 2, "prev": 1, "at": 5, "entry_id": "x", "n": 1}
    assert chat.own_entry(ack, kind="note", fields={"text": "hm"}, device="d") is None


def test_what_was_acked_before_a_reset_is_believed_when_the_log_shows_it() -> None:
    chat = ChatState(TICKET, staff=True)
    chat.take_page(page(durable=0, epoch=8, top=1, entries=[entry(1, epoch=8)]))
    chat.take_entry(entry(2))  # of a history that this client has not been told of; then Redis loses it
    assert chat.take_page(page(durable=0, reset=True, top=1, entries=[entry(1)])) == [entry(1)]
    assert numbers(chat) == [(EPOCH, 1)]
    assert chat.needs_pull  # or it is newer than the page
    chat.take_page(page(durable=0, ok=True, top=1))
    assert not chat.needs_pull


@pytest.mark.parametrize("staff", [True, False])
def test_an_entry_whose_body_was_erased_needs_no_data(staff: bool) -> None:
    chat = ChatState(TICKET, staff=staff)
    state = {"state": "active", "durable": 1, "participants": [], "close_reason": "customer", "rating": 4}
    chat.take_page(page(durable=1, top=1, state=state, entries=[entry(1)]))
    for seq, kind in enumerate(("message", "closed", "rated", "note", "opened"), 2):
        erased = entry(seq) | {"kind": kind, "at": 9, "erased_at": 10}
        assert chat.take_entry(erased) == [erased]
    assert (chat.phase, chat.info["closed_at"]) == ("closed", 9)
    assert (chat.info["close_reason"], chat.info["rating"]) == ("customer", 4)
