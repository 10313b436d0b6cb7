"""A client that repeats old commands on purpose says nothing that the server could take for a new one."""

from random import Random

from chatserver.client.chat_state import Frame
from chatserver.client.mischief import Mischief


def note(n: int, text: str, ticket: int = 100_001) -> Frame:
    return {"op": "post_note", "ticket": ticket, "n": n, "text": text, "id": n}


def always(*acked: Frame) -> Mischief:
    mischief = Mischief(duplicate=0.0, replay=1.0, random=Random(1))
    for frame in acked:
        mischief.answered(frame, {"op": "ack"})
    return mischief


def test_what_was_acknowledged_comes_again_without_its_id() -> None:
    mischief = always(note(1, "first"))
    assert mischief.copies(note(2, "second")) == [{"op": "post_note", "ticket": 100_001, "n": 1, "text": "first"}]


def test_a_number_that_went_to_another_command_takes_those_behind_it_along() -> None:
    """Redis lost 2 and 3, 2 was then refused, and 3 goes out as 2: an old 3 would be said once more."""
    mischief = always(note(1, "first"), note(2, "lost"), note(3, "after it"), note(3, "elsewhere", ticket=100_002))
    again = [mischief.copies(note(2, "after it"))[0]["text"] for _ in range(40)]
    assert set(again) == {"first", "elsewhere"}


def test_a_command_whose_answer_was_lost_is_still_itself() -> None:
    mischief = always(note(2, "second"))
    assert [one["text"] for one in mischief.copies(note(2, "second"))] == ["second"]
    closing = {"op": "close_chat", "ticket": 100_001, "n": 2, "id": 9}
    assert mischief.copies(closing) == []
