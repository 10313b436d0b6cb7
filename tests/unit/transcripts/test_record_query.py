from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcripts.search.analyser import codes, fold, terms, words
from transcripts.search.days import Days, parse_days
from transcripts.search.query import Clause, Query, parse


def row(*terms: str) -> Clause:
    return Clause((terms,))


def number(joined: str, *parts: str) -> Clause:
    return Clause((parts, (joined,)) if parts else ((joined,),), part=f"№{joined}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Blue kettles", Query(wishes=(row("blue"), row("kettl")))),
        ('"blue kettle"', Query(phrases=(row("blue", "kettl"),))),
        ("“blue kettle”", Query(phrases=(row("blue", "kettl"),))),
        ('blue "kettle', Query(wishes=(row("blue"), row("kettl")))),
        ("ret*", Query(wishes=(Clause((("ret",),), prefix=True),))),
        ("returns*", Query(wishes=(Clause((("returns",), ("return",)), prefix=True),))),
        ("a*", Query(wishes=(row("a"),))),
        ("blue -red", Query(wishes=(row("blue"),), unwanted=(row("red"),))),
        ('-"red lid"', Query(unwanted=(row("red", "lid"),))),
        ("re-red", Query(wishes=(Clause((("re", "red"), ("rere",))),))),
        ("ann@example.com", Query(wishes=(row("ann", "exampl", "com"),))),
        ("112-7788", Query(wishes=(number("1127788", "112", "7788"),))),
        ("4567", Query(wishes=(number("4567"),))),
        ('"4567" -4567', Query(phrases=(row("4567"),), unwanted=(row("4567"),))),
        ("555 123 4567", Query(wishes=(row("555"), row("123"), number("4567"), number("5551234567")))),
        ("5 lids 12", Query(wishes=(row("5"), row("lid"), row("12")))),
        ("東京", Query(wishes=(row("東京"),))),
        ("@東京", Query(wishes=(row("東京"),))),  # no address, though it has two words with the lone last character
        ("東京都", Query(wishes=(row("東京", "京都"),))),
        ("京", Query(wishes=(Clause((("京",),), prefix=True),))),
        ("#100009", Query(wishes=(number("100009"),), direct=(100009,))),
        ("100 009", Query(wishes=(row("100"), row("009"), number("100009")), direct=(100009,))),
        ("ticket:#100009", Query(tickets=(100009,))),
        ("rating:>=4", Query(ratings=frozenset({4, 5}))),
        ("From:Customer lid", Query(wishes=(row("lid"),), side="customer")),
        ("after:2025-02 before:2025-02", Query(days=Days(date(2025, 2, 1), date(2025, 3, 1)))),
        ("on:2024-02-29", Query(days=Days(date(2024, 2, 29), date(2024, 3, 1)))),
        # What makes no sense as a filter is searched for.
        ("ticket:100008", Query(wishes=(number("100008"),))),
        ("rating:9", Query(wishes=(row("9"),))),
        ("from:nobody", Query(wishes=(row("nobodi"),))),
        ("on:2025-02-30 on:9999", Query(wishes=(number("20250230", "2025", "02", "30"), number("9999")))),
        ("foo:bar", Query(wishes=(row("foo"), row("bar")))),
        ("http://x.test", Query(wishes=(row("http"), row("x"), row("test")))),
        ("", Query()),
        ('- " * : -- agent: -agent:', Query()),
    ],
)
def test_a_query_is_understood(text: str, expected: Query) -> None:
    assert parse(text) == expected


def test_filters_take_quoted_values_and_a_no() -> None:
    agent, topic = parse('agent:"Ann Lee" -topic:returns').filters
    assert (agent.name, agent.value, agent.clauses, agent.negated) == (
        "agent",
        "Ann Lee",
        (row("ann"), row("lee")),
        False,
    )
    assert (topic.name, topic.clauses, topic.negated) == ("topic", (row("return"),), True)


alphabet = st.sampled_from([*'ab1 -:*"#“”()@./年東é\0\n', "agent:", "on:", "rating:", "-", "ticket:"])


@given(st.lists(alphabet | st.text(max_size=3)).map("".join))
def test_any_query_is_understood_somehow(text: str) -> None:
    query = parse(text)
    for clause in query.clauses + query.unwanted:
        assert all(clause.alternatives)
        for term in (term for row, _ in clause.rows() for term in row):
            assert term
            assert not set(term) & set('" *():')


@pytest.mark.parametrize("piece", ["a", "-", '"', "a-", "agent:", "1 ", "東", "a" * 50 + "-", "'s"])
def test_only_the_beginning_of_a_very_long_query_is_read(piece: str) -> None:
    assert len(parse(piece * 100_000).clauses) <= 80


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Returning returned RETURNS", ["return"] * 3),
        ("Café Größe ŁÓDŹ Ærø", ["cafe", "gross", "lodz", "aero"]),
        ("ＡＢＣ １２３ ﬁne", ["abc", "123", "fine"]),
        ("cafe\u0301", ["cafe"]),
        ("Ann's don’t l'été", ["ann", "dont", "l", "ete"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("東京都A1", ["東京", "京都", "都", "a1"]),
        ("ｶﾞｷﾞ", ["ガギ", "ギ"]),
        ("ขอบคุณ"[:3], ["ขอ", "อบ", "บ"]),
        ("x_y - …", ["x", "y"]),
        ("\u0300 b", ["b"]),
        ("\ufe70a ½", ["\u064ba", "1⁄2"]),
        ("", []),
    ],
)
def test_text_becomes_terms(text: str, expected: list[str]) -> None:
    assert terms(text) == expected
    assert [word.term for word in words(text)] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("112-7788", {"1127788"}),
        ("100 009", {"100009"}),
        ("AB-1234", {"ab1234"}),
        ("SKU12345", {"12345"}),
        ("T-shirts and e-mails", {"tshirt", "email"}),
        ("22.11.2025", {"22112025"}),
        ("AB12 34", set()),
        ("no codes here", set()),
    ],
)
def test_numbers_have_other_forms(text: str, expected: set[str]) -> None:
    assert {code.term for code in codes(text)} == expected


@given(st.text())
def test_terms_are_safe_for_any_engine(text: str) -> None:
    for word in [*words(text), *codes(text)]:
        assert 0 <= word.start < word.end <= len(text)
        assert not any(char.isspace() or (char.isascii() and not char.isalnum()) for char in word.term)


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@pytest.mark.parametrize(("value", "days"), [("2025", (2025, 2026)), ("0001-01-01", (1, 1))])
def test_years_are_days_too(value: str, days: tuple[int, int]) -> None:
    found = parse_days("on", value)
    assert found is not None
    assert found.first is not None
    assert found.until is not None
    assert (found.first.year, found.until.year) == days
