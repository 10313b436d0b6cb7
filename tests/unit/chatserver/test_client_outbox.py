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


def test_all_that_was_refused_is_taken_back_one_after_the_other_with_nothing_behind_it() -> None:
    line = line_of("one", "two", "three")
    for command in list(line.commands):
        line.drop(command)
    assert [command.n for command in line.refused] == [1, 1, 1]
    for n, text in enumerate(["one", "two", "three"], 1):
        back = line.take_back(entry(n, text))
        assert back
        back.accept(ack(n))
    assert [command.n for command in line.commands] == [1, 2, 3]
    line.add(Command("post_message", {"text": "four"}))
    assert sent(line) == [(4, "four")]


def test_what_only_says_the_same_as_an_entry_sent_since_is_not_taken_back() -> None:
    line = line_of("ok")
    line.drop(line.commands[0])
    line.add(Command("post_message", {"text": "ok"}))
    line.commands[0].accept(ack(1))
    assert line.take_back(entry(1, "ok")) is None
    line.durable(7, 9)
    assert line.take_back(entry(1, "ok")) is None
    assert line.take_back(entry(2, "ok")) is None
    assert line.take_back({"kind": "opened"}) is None
    assert [command.text for command in line.refused] == ["ok"]


def test_a_masked_text_is_still_the_same_command() -> None:
    (command,) = line_of("my card is 4111 1111 1111 1111").commands
    assert command.says(entry(1, "my card is •••• 1111", masked=["card"]))
    assert not command.says(entry(1, "my card is •••• 1111"))


def test_a_text_that_the_server_has_tidied_is_still_the_same_command() -> None:
    (command,) = line_of("Cafe\u0301\r\nau\u202e lait ").commands
    assert command.says(entry(1, "Café\nau lait"))
    assert not command.says(entry(1, "Café\nau"))
    assert not command.says(entry(1, "Café\nau lait") | {"kind": "note"})


def sent(line: Line, *, in_flight: int = 16) -> list[tuple[int, str | None]]:
    """Everything that goes out now."""
    found = []
    while command := line.to_send(in_flight):
        found.append((command.n, command.text))
    return found


def ack(n: int, *, epoch: int = 7) -> dict[str, Any]:
    return {"n": n, "epoch": epoch, "seq": n + 1}


def test_no_more_is_on_its_way_than_the_server_takes() -> None:
    line = line_of(*"abc")
    assert sent(line, in_flight=2) == [(1, "a"), (2, "b")]
    line.flying -= 1
    line.commands[0].accept(ack(1))
    assert sent(line, in_flight=2) == [(3, "c")]


def test_a_new_connection_repeats_what_was_not_acknowledged_under_the_same_numbers() -> None:
    line = line_of(*"abc")
    sent(line)
    line.commands[0].accept(ack(1))
    line.again()
    assert sent(line) == [(2, "b"), (3, "c")]


def test_the_number_of_a_refused_command_goes_to_the_next() -> None:
    line = line_of(*"abc")
    sent(line)
    line.hold(1.0)
    line.drop(line.commands[1])
    assert sent(line) == []  # until every answer is in
    line.commands[0].accept(ack(1))
    line.again()
    assert sent(line) == [(2, "c")]
    line.add(Command("post_message", {"text": "d"}))
    assert sent(line) == [(3, "d")]


def test_a_gap_goes_back_to_what_the_server_has() -> None:
    line = line_of(*"abc")
    sent(line)
    for command in line.commands:
        command.accept(ack(command.n))
    line.hold(1.0, rewind_to=1)
    line.again()
    assert sent(line) == [(2, "b"), (3, "c")]


def test_only_what_is_durable_leaves_from_the_front_and_a_reset_repeats_the_rest() -> None:
    line = line_of(*"abc")
    sent(line)
    a, b, c = line.commands
    a.accept(ack(1))
    c.accept(ack(3))
    line.durable(8, 100)  # another history
    assert line.commands == [a, b, c]
    line.durable(7, 100)
    assert a.is_durable
    assert line.commands == [b, c]
    line.reset()
    line.again()
    assert sent(line) == [(2, "b"), (3, "c")]


def test_an_open_chat_goes_out_alone() -> None:
    line = Line()
    line.add(Command("open_chat", {"chat_key": "0" * 32, "text": "Hello"}))
    line.add(Command("post_message", {"text": "more"}))
    assert sent(line) == [(1, "Hello")]
    line.commands[0].accept(ack(1))
    assert sent(line) == [(2, "more")]


def test_numbers_that_arrived_after_all_are_not_given_away() -> None:
    line = line_of(*"abcd")
    sent(line)
    line.hold(1.0, rewind_to=1)  # of `c`, while `b` was held up in the server
    for command in line.commands:
        command.accept(ack(command.n))
        line.arrived(command.n)
    line.durable(7, 4)
    line.again()
    line.add(Command("post_message", {"text": "e"}))
    assert sent(line) == [(5, "e")]
