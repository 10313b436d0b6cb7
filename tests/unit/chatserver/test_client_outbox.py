"""The numbers of a device's commands in one chat."""

from typing import Any

from chatserver.client.outbox import Command, Line


def line_of(*texts: str) -> Line:
    line = Line()
    for text in texts:
        line.add(Command("post_message", {"text": text}))
    return line


def entry(n: int, text: str, **more: Any) -> dict[str, Any]:
    return {"kind": "message", "n": n, "text": text} | more


def test_a_refused_command_that_is_in_the_log_has_its_number() -> None:
    line = line_of("one", "two", "three")
    one, two, three = line.commands
    one.place = (7, 1)
    line.drop(two)  # refused: `three` has its number now
    found = line.find(2)
    assert found is three
    assert not found.says(entry(2, "two"))
    back = line.take_back(entry(2, "two"))
    assert [command.n for command in line.commands] == [1, 2, 3]
    assert line.commands == [one, back, three]
    assert line.last_n == 3


def test_a_masked_text_is_still_the_same_command() -> None:
    (command,) = line_of("my card is 4111 1111 1111 1111").commands
    assert command.says(entry(1, "my card is •••• 1111", masked=["card"]))
    assert not command.says(entry(1, "my card is •••• 1111"))


def test_an_entry_that_the_server_has_tidied_is_nobody_elses() -> None:
    line = line_of("one ", "two")
    assert line.take_back(entry(1, "one")) is None
