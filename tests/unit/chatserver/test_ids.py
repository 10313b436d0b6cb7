import time
import uuid

from chatserver.ids import digest, new_epoch, new_id, new_token, participant_id


def test_new_id_is_a_uuid_of_version_7() -> None:
    for _ in range(1_000):
        text = new_id()
        parsed = uuid.UUID(text)
        assert str(parsed) == text
        assert parsed.version == 7
        assert parsed.variant == uuid.RFC_4122


def test_ids_sort_by_their_millisecond() -> None:
    before = time.time_ns() // 1_000_000
    ids = [new_id() for _ in range(2_000)]
    after = time.time_ns() // 1_000_000
    times = [int(text.replace("-", "")[:12], 16) for text in ids]
    assert times == sorted(times)
    assert before <= times[0] <= times[-1] <= after
    assert len(set(ids)) == 2_000


def test_tokens_are_random_and_say_what_they_are() -> None:
    tokens = {new_token("p_") for _ in range(1_000)}
    assert len(tokens) == 1_000
    assert all(token.startswith("p_") and len(token) == 2 + 27 for token in tokens)


def test_epoch_is_a_number_that_is_not_zero() -> None:
    epochs = {new_epoch() for _ in range(1_000)}
    assert len(epochs) > 990
    assert all(0 < epoch < 2**32 for epoch in epochs)


def test_digest_does_not_show_the_secret() -> None:
    assert digest("p_secret") == digest("p_secret") != digest("p_secreT")
    assert len(digest("")) == 43
    assert "secret" not in digest("p_secret")


def test_participant_is_a_pseudonym_in_one_chat() -> None:
    person, other = new_id(), new_id()
    assert participant_id(100_009, person) == participant_id(100_009, person)
    assert len({participant_id(ticket, who) for ticket in (100_009, 100_014) for who in (person, other)}) == 4
    assert len(participant_id(100_009, person)) == 16
    assert participant_id(100_009, "019a0000-0000-7000-8000-000000000000") == "kpvj3omejjhfwosv"
