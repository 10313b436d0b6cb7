"""What happens to a text at the edge, before anybody stores or sees it."""

import pytest

from tests.support.client import Refused
from tests.support.people import People, open_chat, start_talk

pytestmark = pytest.mark.anyio

CARD = "4111 1111 1111 1111"
MASKED = "•••• 1111"


async def test_card_is_masked_for_everybody(people: People) -> None:
    talk = await start_talk(people)
    ack = await talk.say(2, f"Take it from {CARD} please")
    assert ack["text"] == f"Take it from {MASKED} please"
    entry = await talk.agent.until("entry", ticket=talk.ticket, kind="message")
    assert (entry["text"], entry["masked"]) == (f"Take it from {MASKED} please", ["card"])
    back = await talk.answer(2, f"You mean {CARD}?")
    assert back["text"] == f"You mean {MASKED}?"
    note = await talk.note(3, f"Card {CARD}")
    assert note["text"] == f"Card {MASKED}"
    await talk.customer.until("entry", ticket=talk.ticket, text=f"You mean {MASKED}?")
    for socket in (talk.customer, talk.agent):
        assert not socket.has_received("1111 1111")


async def test_card_is_masked_although_its_author_wants_to_keep_it(people: People) -> None:
    talk = await start_talk(people)
    ack = await talk.say(2, CARD, keep=["card"])
    assert ack["text"] == MASKED
    entry = await talk.agent.until("entry", ticket=talk.ticket, kind="message")
    assert (entry["keep"], entry["masked"]) == (["card"], ["card"])


async def test_what_is_no_card_is_sent_as_it_is_when_its_author_says_so(people: People) -> None:
    talk = await start_talk(people)
    said = f"my password is hunter2, card {CARD}"
    hidden = await talk.say(2, said)
    assert hidden["text"] == f"my password is ••••••, card {MASKED}"
    kept = await talk.say(3, said, keep=["password", "card"])
    assert kept["text"] == f"my password is hunter2, card {MASKED}"
    await talk.agent.until("entry", ticket=talk.ticket, text=hidden["text"])
    entry = await talk.agent.until("entry", ticket=talk.ticket, kind="message")
    assert (entry["text"], entry["keep"], entry["masked"]) == (kept["text"], ["password", "card"], ["card"])


async def test_card_is_masked_in_everything_a_customer_says_at_the_beginning(people: People) -> None:
    customer, agent = await people.customer(), await people.staff("ann")
    await agent.call("watch", topic="department:support")
    opened = await open_chat(customer, f"My card {CARD}", topic=f"t {CARD}", order=f"o {CARD}", name=f"n {CARD}")
    assert opened["text"] == f"My card {MASKED}"
    state = opened["page"]["state"]
    assert (state["topic"], state["order"], state["customer_name"]) == (f"t {MASKED}", f"o {MASKED}", f"n {MASKED}")
    while (await agent.until("event", topic="department:support", type="queued"))["item"]["ticket"] != opened["ticket"]:
        pass
    page = (await agent.call("take_chat", ticket=opened["ticket"], n=1))["page"]
    assert page["entries"][1]["text"] == f"My card {MASKED}"
    assert not agent.has_received("1111 1111")
    assert not customer.has_received("1111 1111")


async def test_card_is_masked_in_a_rating(people: People) -> None:
    talk = await start_talk(people)
    await talk.end(2)
    ack = await talk.customer.call("rate_chat", ticket=talk.ticket, n=2, rating=5, text=f"Refund {CARD}")
    assert ack["text"] == f"Refund {MASKED}"
    assert (await talk.agent.until("entry", kind="rated"))["text"] == f"Refund {MASKED}"


async def test_text_has_a_limit_in_characters(people: People) -> None:
    talk = await start_talk(people)
    assert talk.customer.welcome["limits"]["text_chars"] == 4096
    with pytest.raises(Refused, match="too_big"):
        await talk.say(2, "ü" * 4097)
    await talk.say(2, "ü" * 4096)
    with pytest.raises(Refused, match="too_big"):
        await talk.note(2, "x" * 4097)
    with pytest.raises(Refused, match="too_big"):
        await open_chat(talk.customer, "x" * 4097)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("a\x00b\x07c\x1bd\x7fe\x85f", "abcdef"),
        ("tab\tand\nline\r\nand\rmore", "tab\tand\nline\nand\nmore"),
        ("safe\u202egpj.exe\u2066x\u2069", "safegpj.exex"),
        ("\ufeffmark", "mark"),
        ("u\u0308ber", "über"),
        ("trailing \n\n", "trailing"),
        ("family 👨‍👩‍👧 stays, عربي too", None),
        ("  leading stays", None),
    ],
)
async def test_control_characters_go(people: People, sent: str, kept: str | None) -> None:
    talk = await start_talk(people)
    ack = await talk.say(2, sent)
    assert ack.get("text") == kept
    assert (await talk.agent.until("entry", kind="message"))["text"] == (kept or sent)


@pytest.mark.parametrize("text", ["", " ", "\n\t ", "\x00\x01", "\u202e\u2069"])
async def test_nothing_to_read_is_invalid(people: People, text: str) -> None:
    talk = await start_talk(people)
    with pytest.raises(Refused, match="no text"):
        await talk.say(2, text)
    await talk.say(2, "Something")


async def test_name_and_topic_are_one_line(people: People) -> None:
    opened = await open_chat(await people.customer(), name=" Sam\n\x07 Sample ", topic="A\u202e\tB", product=" \n ")
    state = opened["page"]["state"]
    assert (state["customer_name"], state["topic"]) == ("Sam Sample", "A B")
    assert "product" not in state


async def test_markup_is_text(people: People) -> None:
    talk = await start_talk(people)
    html = '<img src=x onerror="alert(1)"> & \\u003c {{template}} \'; DROP TABLE chats; --'
    assert "text" not in await talk.say(2, html)
    assert (await talk.agent.until("entry", kind="message"))["text"] == html
