"""A connection that does not say hello."""

from concurrent.futures import Future


def test_silence_ends_after_ten_seconds(silent: list[Future[int]]) -> None:
    """They have been waiting since the first test of this folder."""
    assert [future.result() for future in silent] == [4008, 4008]
