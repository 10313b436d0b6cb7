import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transcripts.masking import Masker, PatternError, site_pattern


@pytest.mark.parametrize(
    ("pattern", "text", "masked"),
    [
        (r"EMP-\d{6}", "I am EMP-123456, hello", "I am •••• 3456, hello"),
        (r"EMP-\d{6}", "I am emp-１２３４５６", "I am •••• 3456"),
        (r"KD[- ]?\d{5,9}", "KD 12345 and kd1234567", "•••• and •••• 4567"),
        (r"(?:member|club) [A-Z]{2}\d{2}", "Club AB12!", "•••• AB12!"),
        (r"X\d{3}", "AX123 X1234 X123", "AX123 X1234 ••••"),
        (r"\$[0-9A-F]{4}", "id $00fF", "id ••••"),
    ],
)
def test_what_a_site_pattern_finds_is_masked(pattern: str, text: str, masked: str) -> None:
    masker = Masker(patterns=[site_pattern("staff", pattern)])
    found = masker.mask(text)
    assert found == (masked, ("staff",))
    assert masker.mask(found.text).text == found.text
    assert masker.mask(text, keep=("staff",)).text is text


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        (r"\d+", "greatest length"),
        (r"(a+)+b", "greatest length"),
        (r"a*bcd", "greatest length"),
        (r"a{2,}b", "not allowed"),
        (r"a.cd", "not allowed"),
        (r"(?=abc)", "only"),
        (r"(abc)\1", "not allowed"),
        (r"^abc", "not allowed"),
        (r"[a-z", "not allowed"),
        (r"(abc", "missing"),
        (r"abc)", "not understood"),
        (r"abc{3,2}", "wrong way"),
        (r"[z-a]bc", "compile"),
        (r"ab", "fewest"),
        (r"a{60}b{60}", "more than"),
        (r"(?:a{0,9}){9}", "more than|too many"),
        (r"(?:a?){30}a{30}", "too many"),
        (r"(?:a|a|a){9}", "too many"),
        (r"\d{0,20}\d{0,20}x", "too many"),
        (r"(((((abc)))))", "deeply"),
        ("straße", "ASCII"),
        ("", "fewest"),
    ],
)
def test_a_pattern_that_may_be_slow_or_is_none_is_refused(pattern: str, why: str) -> None:
    with pytest.raises(PatternError, match=why):
        site_pattern("staff", pattern)


@pytest.mark.parametrize("name", ["", "A", "a b", "9a", "a" * 40])
def test_a_name_is_a_word(name: str) -> None:
    with pytest.raises(PatternError, match="name"):
        site_pattern(name, "abc")


@settings(max_examples=1000)
@given(st.text(r"ab1{}[]()?|\\d,-^:+*.", max_size=14))
def test_every_pattern_is_taken_or_refused_and_what_is_taken_is_quick(pattern: str) -> None:
    try:
        taken = site_pattern("staff", pattern)
    except PatternError:
        return
    text = "ab1" * 400 + "a" * 400 + "1" * 400
    begun = time.thread_time()
    for _ in taken.regex.finditer(text):
        pass
    assert time.thread_time() - begun < 5  # takes a few ms; what is exponential would never end
    assert re.compile(pattern)
