import timeit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum import luhn

from transcripts.masking import mask
from transcripts.masking.issuers import issued_lengths

VISA = "4111111111111111"


@pytest.mark.parametrize(
    ("number", "last_four"),
    [
        (VISA, "1111"),
        ("4222222222222", "2222"),  # Visa, 13 digits
        ("4000000000000000006", "0006"),  # Visa, 19 digits
        ("5555555555554444", "4444"),
        ("2223003122003222", "3222"),
        ("378282246310005", "0005"),
        ("30569309025904", "5904"),
        ("6011111111111117", "1117"),
        ("3530111333300000", "0000"),
        ("6200000000000005", "0005"),
        ("6759649826438453", "8453"),
        ("2200000000000004", "0004"),
    ],
)
def test_every_issuer_s_cards_are_masked(number: str, last_four: str) -> None:
    masked = mask(f"My card is {number}, thanks.")
    assert masked.text == f"My card is •••• {last_four}, thanks."
    assert masked.kinds == ("card",)


@pytest.mark.parametrize(
    "written",
    [
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4111.1111.1111.1111",
        "4111/1111/1111/1111",
        "4111\u00a01111\u00a01111\u00a01111",
        "4111\u20111111\u20131111\u20141111",
        "4111 - 1111 - 1111 - 1111",
        "4111  1111. 1111-1111",
        "4111\n1111\n1111\n1111",
        "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
        "41 11 11 11 11 11 11 11",
        "41111 11111 111111",
        "411-11111111-11111",
        "41111111 11111111",
        "４１１１１１１１１１１１１１１１",
        "４１１１　１１１１　１１１１　１１１１",
        "٤١١١١١١١١١١١١١١١",
        "٤١١١ ١١١١ ١١١١ ١١١١",
        "4111\u200b1111\u200b1111\u200b1111",
    ],
)
def test_a_card_is_found_however_it_is_written(written: str) -> None:
    assert mask(f"pay with {written} ok").text == "pay with •••• 1111 ok"
    assert mask(written).text == "•••• 1111"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("4111 1111 1111 1111 12/25 123", "•••• 1111 12/25 123"),
        ("4111111111111111 12/2025 123", "•••• 1111 12/2025 123"),
        ("2 x 4111111111111111", "2 x •••• 1111"),
        ("1. 4111111111111111", "1. •••• 1111"),
        ("4111111111111111 5555555555554444", "•••• 1111 •••• 4444"),
        ("112-7788231-1234567 4111111111111111", "112-7788231-1234567 •••• 1111"),
        ("visa4111111111111111exp12/25", "visa•••• 1111exp12/25"),
        ("card #4111111111111111", "card #•••• 1111"),
        ("order 4111 1111 1111 1111", "order •••• 1111"),
        ("order AB 17, card number: 4111111111111111.", "order AB 17, card number: •••• 1111."),
    ],
)
def test_a_card_is_found_among_other_numbers(text: str, masked: str) -> None:
    assert mask(text).text == masked


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no digits here",
        "order 112-7788231-1234567",
        "502-0123456-7123457",  # as a whole it would be a Maestro card
        "112-3678823-1234566",  # and the last two groups one of Diners Club
        "4111111111111112",  # fails Luhn
        "9111111111111111",  # no issuer
        "1795000000000",
        "order 4012888888881881",
        "Bestellnummer: 4012888888881881",
        "#4012888888881881",
        "tracking no. 4012888888881881",
        "AB4012888888881881",
        "1Z4012888888881881",
        "+49 170 1234567",
        "+4222222222222",
        "call 555-123-4567 or 555-987-6543",
        "2025-11-22 14:03:59.123456",
        "420331019205590214397701234567",
        "123 456",
        "•••• 1111",
    ],
)
def test_other_numbers_are_left_alone(text: str) -> None:
    masked = mask(text)
    assert masked.text is text
    assert masked.kinds == ()


def test_cards_cannot_be_kept() -> None:
    assert mask(VISA, keep=("card",)).text == "•••• 1111"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("4242 4242 4242 4242 4242 4242 4242 4242", "•••• 4242 •••• 4242"),
        ("4242 4242 4242 4242 4242 4242 4242", "•••• •••• 4242"),
        ("•••• 4111 1111 1111 1111", "•••• •••• 1111"),
    ],
)
def test_what_is_left_of_a_card_may_begin_the_next(text: str, masked: str) -> None:
    assert mask(text).text == masked
    assert mask(masked).text is masked


cards = st.tuples(
    st.sampled_from(["4", "51", "55", "34", "37", "36", "6011", "62", "3530", "5018", "2221"]),
    st.text("0123456789", min_size=15, max_size=15),
    st.sampled_from([13, 14, 15, 16, 19]),
).map(lambda parts: _with_check_digit((parts[0] + parts[1] + parts[1])[: parts[2] - 1]))
separators = st.sampled_from(["", " ", "-", ".", "/", "\u00a0", " - ", "\u2013"])


def _with_check_digit(digits: str) -> str:
    return digits + str(luhn.calc_check_digit(digits))


@given(cards, separators)
def test_issued_cards_in_fours_never_get_through(number: str, separator: str) -> None:
    if len(number) not in issued_lengths(int(number[:4])):
        return
    written = separator.join(number[at : at + 4] for at in range(0, len(number), 4))
    masked = mask(f"it is {written}.").text
    # 19 digits in fours may also be 16 and a security code; never are more than these seven digits left.
    assert masked.startswith("it is •••• ")
    assert sum(char.isdigit() for char in masked) <= 7


noise = st.text("0123456789 -./•+#abcort\u00a0٤１\n", max_size=200)


@settings(max_examples=500)
@given(
    st.lists(st.one_of(cards, noise, separators, st.just("•••• "), st.just("order "), st.just("4111 "))).map("".join)
)
def test_masking_twice_changes_nothing(text: str) -> None:
    once = mask(text).text
    assert mask(once).text == once


@given(st.text())
def test_any_text_is_answered(text: str) -> None:
    assert isinstance(mask(text).text, str)


@pytest.mark.parametrize(
    "piece",
    [
        "4",
        "4 ",
        "4111 ",
        "4111111111111111 ",
        "4 1 1 1 ",
        "order ",
        "#",
        "order #4012888888881881 ",
        "a" + VISA,
        "   ",
        "4   ",
    ],
)
def test_time_grows_linearly(piece: str) -> None:
    # The ratio within one run: 16 times the text may not take much more than 16 times as long. Quadratic would be 256.
    short, long = piece * (4_096 // len(piece)), piece * (65_536 // len(piece))
    mask(long)
    small = min(timeit.repeat(lambda: mask(short), number=16, repeat=5)) / 16
    large = min(timeit.repeat(lambda: mask(long), number=1, repeat=5))
    assert large / small < 80
