import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcripts.search.analyser import codes, other_forms, parts, terms
from transcripts.search.spelling import distance, guesses, nearest
from transcripts.search.suggestion import suggestion

words = st.text("abcé", max_size=8)


def plain_distance(one: str, other: str) -> int:
    """The textbook's, without shortcuts."""
    costs = {(at, 0): at for at in range(len(one) + 1)} | {(0, at): at for at in range(len(other) + 1)}
    for i, letter in enumerate(one, start=1):
        for j, wanted in enumerate(other, start=1):
            costs[i, j] = min(costs[i - 1, j] + 1, costs[i, j - 1] + 1, costs[i - 1, j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                costs[i, j] = min(costs[i, j], costs[i - 2, j - 2] + 1)
    return costs[len(one), len(other)]


@given(one=words, other=words, most=st.sampled_from([1, 2]))
def test_slips_are_counted(one: str, other: str, most: int) -> None:
    assert min(distance(one, other, most), most + 1) == min(plain_distance(one, other), most + 1)


def test_the_nearest_come_first_and_no_others() -> None:
    assert nearest("kettel", ["kettle", "metal", "settle", "kettel", "ketl"]) == ["kettle"]
    assert nearest("delivrey", ["delivery", "deliveries", "delve"]) == ["delivery"]


def test_guesses_are_few_slips_away_and_said_often() -> None:
    near = ["refund", "refuse", "defund"]
    assert guesses(near, {"refund": 9, "defund": 20}, 0, "refnd") == ("refund",)
    assert guesses(near, {"refund": 30}, 1, "refnd") == ("refund",)
    assert guesses(near, {"refund": 3}, 1, "refnd") == ()


def test_a_suggestion_is_written_as_it_was_said() -> None:
    (typed,) = terms("delivrey")
    said = ["Deliveries. My Delivery!"]
    assert suggestion('late Delivrey -box "x"', {typed: ("deliveri",)}, said) == 'late delivery -box "x"'
    assert suggestion("late delivrey", {typed: ("deliveri",)}, ["nothing of it"]) is None


def test_a_long_number_is_found_by_its_parts() -> None:
    assert parts("order 1234567") == ["№1234567", "№234567", "№34567", "№4567"]
    assert "№7788" in parts("my 112-77-88")
    assert parts("on 2025-03-09 or 22.11.2025 at 12:30") == []
    assert parts("12345") == parts("no number") == parts("1" * 30) == []


@pytest.mark.parametrize(
    "text", ["AB-1234567 e-mail", "on 2025-03-09, no. 12 34 56", "22.11.2025 1-2-3", "nothing", ""]
)
def test_other_forms_are_codes_and_parts(text: str) -> None:
    assert other_forms(text) == [*(code.term for code in codes(text)), *parts(text)]


def test_digits_of_other_scripts_are_digits() -> None:
    assert terms("٣٤٥ ３４５") == ["345", "345"]
