"""A chat as the Python client has it: what may overtake what."""

from typing import Any

from chatserver.client.chat_state import ChatState

TICKET, EPOCH = 100009, 7


def page(*, durable: int, **more: Any) -> dict[str, Any]:
    state = {"state": "active", "durable": durable}
    return {
        "ticket": TICKET,
        "epoch": EPOCH,
        "top": 0,
        "state": state,
        "reads": {},
        "entries": [],
        "more": False,
    } | more


def test_durable_is_not_taken_back_by_a_page_that_was_read_before_it() -> None:
    chat = ChatState(TICKET, staff=True)
    chat.take_page(page(durable=46, reset=True))
    chat.take_durable({"ticket": TICKET, "epoch": EPOCH, "seq": 54})
    chat.take_page(page(durable=46, reset=True))
    assert chat.durable == (EPOCH, 54)


def test_durable_of_another_history_says_nothing() -> None:
    chat = ChatState(TICKET, staff=True)
    chat.take_page(page(durable=46, reset=True))
    chat.take_page(page(durable=40, reset=True, epoch=EPOCH + 1))
    assert chat.durable == (EPOCH + 1, 40)
