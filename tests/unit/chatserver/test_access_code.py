import hashlib
import hmac
import re

import pytest

from chatserver.actions.access_code import LENGTH, access_code, as_typed, matches

KEY = bytes(range(32))


def test_vectors() -> None:
    """These open transcripts that people have written down: they never change."""
    assert access_code(KEY, 100_009, 0) == "31MKBQ994Z"
    assert access_code(KEY, 100_009, 1) == "D84PZK3M2G"
    assert access_code(KEY, 100_014, 0) == "PCYSWGPSB3"


def test_it_is_the_first_fifty_bits_of_the_mac() -> None:
    mac = hmac.new(KEY, b"100009:0", hashlib.sha256).digest()
    bits = "".join(f"{byte:08b}" for byte in mac)[:50]
    values = [int(bits[at : at + 5], 2) for at in range(0, 50, 5)]
    assert access_code(KEY, 100_009, 0) == "".join("0123456789ABCDEFGHJKMNPQRSTVWXYZ"[value] for value in values)


def test_form() -> None:
    codes = {access_code(KEY, ticket, 0) for ticket in range(100_000, 102_000)}
    assert len(codes) == 2_000
    assert all(re.fullmatch(f"[0-9A-HJKMNP-TV-Z]{{{LENGTH}}}", code) for code in codes)


def test_key_ticket_and_generation_count() -> None:
    code = access_code(KEY, 100_009, 0)
    assert matches(KEY, 100_009, 0, code)
    assert not matches(bytes(32), 100_009, 0, code)
    assert not matches(KEY, 100_014, 0, code)
    assert not matches(KEY, 100_009, 1, code)


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("7k3mpq2xwa", "7K3MPQ2XWA"),
        ("7K3MP-Q2XWA", "7K3MPQ2XWA"),
        (" 7K3MP Q2XWA ", "7K3MPQ2XWA"),
        ("OoIiLlUu", "001111VV"),
        ("7K3\u00a0MP\u2013Q2XWA", "7K3MPQ2XWA"),
    ],
)
def test_as_people_type_it(typed: str, read: str) -> None:
    assert as_typed(typed) == read


@pytest.mark.parametrize("typed", ["", "31MKBQ994", "31MKBQ994ZF", "ü", "\x00", "x" * 100_000, "31MKBQ994Z\n"])
def test_nearly_right_is_wrong(typed: str) -> None:
    assert not matches(KEY, 100_009, 0, typed)
