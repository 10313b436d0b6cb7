import json
import time
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum import ean, luhn
from stdnum.iso7064 import mod_97_10

from tests.support.golden_masking import FILE, golden
from transcripts.masking import KINDS, Masked, Masker, mask
from transcripts.masking.folding import Folded
from transcripts.masking.issuers import issued_lengths
from transcripts.masking.table import RULES

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
        ("4111 1111 1111 1111 12/25 123", "•••• 1111 ••/•• •••"),
        ("4111111111111111 12/2025 123", "•••• 1111 ••/•• •••"),
        ("4111111111111111 100 euros", "•••• 1111 100 euros"),
        ("2 x 4111111111111111", "2 x •••• 1111"),
        ("1. 4111111111111111", "1. •••• 1111"),
        ("4111111111111111 5555555555554444", "•••• 1111 •••• 4444"),
        ("112-7788231-1234567 4111111111111111", "112-7788231-1234567 •••• 1111"),
        ("visa4111111111111111exp12/25", "visa•••• 1111exp••/••"),
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
    if len(number) not in issued_lengths(int(number[:4])) or ean.is_valid(number):
        return  # a product's number with 13 digits stays; Visa has given out no such cards for decades
    written = separator.join(number[at : at + 4] for at in range(0, len(number), 4))
    masked = mask(f"it is {written}.").text
    # 19 digits in fours may also be 16 and a security code; never are more than these seven digits left.
    assert masked.startswith("it is •••• ")
    assert sum(char.isdigit() for char in masked) <= 7


pieces = st.one_of(
    cards,
    separators,
    st.text("0123456789 -./•+#abcort\u00a0٤１\n", max_size=60),
    st.text(max_size=20),
    st.sampled_from(
        [
            "•••• ",
            "order ",
            "4111 ",
            "pin ",
            "is ",
            "my ",
            "password ",
            ": ",
            "cvv ",
            "account ",
            "routing ",
            "and ",
            "iban de89 ",
            "12/27 ",
            "is my password ",
            "078-05-1120",
            "ab123456c",
            "046 454 286",
            "2341 2341 2346",
            "DE89370400440532013000",
            "hunter2",
            "'",
            "code ",
        ]
    ),
)
texts = st.lists(pieces, max_size=30).map("".join)


@settings(max_examples=500)
@given(texts)
def test_masking_twice_changes_nothing(text: str) -> None:
    once = mask(text).text
    assert mask(once).text == once


@settings(max_examples=300)
@given(texts, st.sets(st.sampled_from(KINDS)))
def test_what_is_switched_off_or_kept_is_the_same_but_for_cards(text: str, kinds: set[str]) -> None:
    without_cards = kinds - {"card"}
    assert Masker(off=without_cards).mask(text) == mask(text, without_cards) == mask(text, kinds)


@given(st.text())
def test_any_text_is_answered(text: str) -> None:
    masked = mask(text)
    assert masked.kinds or masked.text is text


@pytest.mark.parametrize("row", golden(), ids=lambda row: row["text"][:40])
def test_golden_cases(row: dict[str, Any]) -> None:
    assert row in json.loads(FILE.read_text())


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_can_be_switched_off(kind: str) -> None:
    text = EXAMPLES[kind]
    assert mask(text).kinds == (kind,)
    assert Masker(off={kind}).mask(text) == Masked(text)


EXAMPLES = {
    "card": f"my card is {VISA}",
    "iban": "DE89 3704 0044 0532 0130 00",
    "account": "account number 12345678",
    "ssn": "078-05-1120",
    "nino": "AB123456C",
    "sin": "my SIN is 046 454 286",
    "aadhaar": "2341 2341 2346",
    "password": "my password is hunter2",
    "pin": "my PIN is 4711",
    "code": "482913 is your code",
}


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"card"}))
def test_a_kind_can_be_kept(kind: str) -> None:
    assert mask(EXAMPLES[kind], keep=(kind,)) == Masked(EXAMPLES[kind])


def test_what_is_kept_hides_no_card() -> None:
    # A sound IBAN around a card's number: with the IBAN kept, the card is masked.
    iban = "ES" + mod_97_10.calc_check_digits("41111111111111110000ES") + " 4111111111111111 0000"
    assert mask(iban).kinds == ("iban",)
    assert "4111111111111111" not in mask(iban, keep=("iban", "card")).text


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("DE89 3704 0044 0532 0130 00", "DE88 3704 0044 0532 0130 00"),
        ("2341 2341 2346", "2341 2341 2345"),
        ("046-454-286", "046-454-287"),
        ("078-05-1120", "000-05-1120"),
        ("078-05-1120", "078-00-1120"),
        ("912-70-1234", "912-40-1234"),
        ("AB123456C", "BG123456C"),
        ("AB123456C", "AB123456E"),
        ("NL91ABNA0417164300", "NL91ABNA04171643001"),
    ],
)
def test_without_words_the_check_decides(right: str, wrong: str) -> None:
    assert mask(right).kinds
    assert not mask(wrong).kinds


@pytest.mark.parametrize("number", ["536224358", "536 22 4358", "536-224358"])
def test_a_label_may_stand_further_away_however_the_number_is_grouped(number: str) -> None:
    assert mask(f"my ssn that i use for the house loan {number}").text.endswith("loan •••• 4358")


def test_the_countries_are_those_of_the_registry() -> None:
    registry = {
        line[:2].lower(): line.partition('bban="')[2].rstrip('"').replace("!", "")
        for line in files("stdnum").joinpath("iban.dat").read_text().splitlines()
        if 'bban="' in line
    }
    assert RULES["ibans"] == registry


def test_the_words_of_the_table_are_folded_once_each() -> None:
    words = [word for row in RULES["labels"] for word in row["words"]]
    assert [word for word in words if Folded(word).text != word] == []
    for row in RULES["labels"]:
        assert sorted(set(row["words"])) == sorted(row["words"])


def dominoes(count: int) -> str:
    """Cards of which each begins with the last four digits of the one before: none is found before that one is."""
    digits, parts = "4000000000000002", ["4000000000000002"]
    for number in range(count):
        start = f"{digits[-4:]}{number:011}"
        parts.append(start[4:] + str(luhn.calc_check_digit(start)))
        digits = start + parts[-1][-1]
    return " ".join(parts)


def test_a_chain_of_cards_ends() -> None:
    text = dominoes(200)
    masked = mask(text)
    assert mask(masked.text).text == masked.text


PIECES = [
    "4", "4 ", "4111 ", "4111111111111111 ", "4 1 1 1 ", "order ", "#", "order #4012888888881881 ", "a" + VISA, "   ",
    "4   ", "pin ", "pin 1234 ",
    "my pin is ", "password ", "password:", "password is x ", "a password for the ", "'", "password '",
    "is my password ", "hunter2 is ", "exp ", "12/27 ",
    "4111111111111111 exp exp exp ", "4111111111111111 12/27 123 ", "DE89", "DE89 3704 ", "de8", "ab 12 34 56 ",
    "078-05-", "123-", "123 ", "1234 ",
    "046-454-286 ", "account number 12345678, ", "and 12345678 ", "code is ", "1234 is my ", "1.", "1,1", "٤",
    "1\u200b", "\u200b", "4111 x ", "4111 1111 and ", "no. ", "is ",
    "é4", "•", "•••• 1111 ", "social 123456789 ", "12 ", "G-1234",
]  # fmt: skip


@pytest.mark.parametrize("piece", PIECES)
def test_time_grows_linearly(piece: str) -> None:
    assert _grows_linearly(lambda size: piece * (size // len(piece)))


def test_time_grows_linearly_along_a_chain_of_cards() -> None:
    assert _grows_linearly(lambda size: dominoes(size // 13))


@settings(max_examples=40, deadline=None)
@given(st.lists(pieces, min_size=1, max_size=8).map("".join).filter(bool))
def test_time_grows_linearly_whatever_is_repeated(piece: str) -> None:
    assert _grows_linearly(lambda size: piece * (size // len(piece) + 1))


_SHORT, _TIMES = 2_500, 32
# The longer text may need four rounds where the shorter needs one: 4 × 32. What is quadratic takes 32 × 32.
_LIMIT = 2 * 4 * _TIMES


def _grows_linearly(text_of: Callable[[int], str]) -> bool:
    """Compares CPU time with CPU time, so it matters little what else the machine does; asked again when in doubt."""
    short, long = text_of(_SHORT), text_of(_TIMES * _SHORT)
    return any(_cpu(long) < _LIMIT * min(_cpu(short) for _ in range(3)) for _ in range(5))


def _cpu(text: str) -> float:
    begun = time.thread_time()
    mask(text)
    return time.thread_time() - begun
