import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcripts.ticket import FIRST_COUNTER, is_ticket, parse_ticket, ticket_of

counters = st.integers(FIRST_COUNTER, 10**12)


@pytest.mark.parametrize(("counter", "ticket"), [(10_000, 100_009), (10_001, 100_014)])
def test_a_counter_gets_one_check_digit(counter: int, ticket: int) -> None:
    assert ticket_of(counter) == ticket
    assert is_ticket(ticket)


def test_counters_below_the_first_are_refused() -> None:
    with pytest.raises(ValueError, match="start at 10000"):
        ticket_of(9_999)


@given(counters, st.data())
def test_any_single_wrong_digit_is_found(counter: int, data: st.DataObject) -> None:
    digits = list(str(ticket_of(counter)))
    place = data.draw(st.integers(0, len(digits) - 1))
    digits[place] = data.draw(st.sampled_from([d for d in "0123456789" if d != digits[place]]))
    assert parse_ticket("".join(digits)) is None


@given(counters, st.data())
def test_any_swap_of_neighbours_is_found(counter: int, data: st.DataObject) -> None:
    digits = list(str(ticket_of(counter)))
    place = data.draw(st.integers(0, len(digits) - 2))
    if digits[place] == digits[place + 1]:
        return
    digits[place], digits[place + 1] = digits[place + 1], digits[place]
    assert parse_ticket("".join(digits)) is None


@pytest.mark.parametrize(
    "text",
    [
        "100009",
        "#100009",
        "# 100 009",
        " 100-009 ",
        "１００００９",
        "＃１００ ００９",
        "100\u00a0009",
        "10\u2013000\u20119",
        "١٠٠٠٠٩",
    ],
)
def test_a_ticket_is_read_as_people_write_it(text: str) -> None:
    assert parse_ticket(text) == 100009


@pytest.mark.parametrize("text", ["", "#", "100008", "1oo009", "100009x", "##100009", "²100009", "5", "-", "9" * 400])
def test_anything_else_is_no_ticket(text: str) -> None:
    assert parse_ticket(text) is None


@given(st.text())
def test_any_text_is_answered(text: str) -> None:
    found = parse_ticket(text)
    assert found is None or is_ticket(found)
