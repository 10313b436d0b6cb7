"""The checker finds what is wrong: a right run is spoilt in one way at a time."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from tests.chaos import history as h
from tests.chaos.losses import Losses, Window
from tests.chaos.made_up import AGENT, CUSTOMER, DEVICES, EPOCH, TICKET, Run, good_run
from tests.chaos.verdict import Kind

THANKS = 13  # where "thanks" is


def lose_an_entry(run: Run) -> None:
    run.remove(5)


def lose_the_last(run: Run) -> None:
    del run.entries[-1]


def lose_the_chat(run: Run) -> None:
    run.entries.clear()


def say_it_twice(run: Run) -> None:
    run.entries.insert(5, msgspec.structs.replace(run.entries[4], entry_id="again", n=99))
    run.entries[:] = [msgspec.structs.replace(entry, seq=place) for place, entry in enumerate(run.entries, 1)]


def the_same_command_twice(run: Run) -> None:
    run.rewrite(THANKS, n=run.entries[THANKS - 3].n, device=DEVICES[AGENT], participant_id="agent-1")


def swap_two(run: Run) -> None:
    one, two = run.entries[3], run.entries[5]
    run.rewrite(4, text=two.text, n=two.n, entry_id=two.entry_id)
    run.rewrite(6, text=one.text, n=one.n, entry_id=one.entry_id)


def another_id(run: Run) -> None:
    run.rewrite(6, entry_id="another")


def nobody_said_it(run: Run) -> None:
    run.rewrite(6, text="who was that?")


def refused_but_there(run: Run) -> None:
    place = run.find(h.Acked, CUSTOMER, seq=4)
    run.records[place] = h.Refused(CUSTOMER, run.records[place].at, TICKET, 2, "invalid", "message", "question 0")


def acked_for_another(run: Run) -> None:
    place = run.find(h.Acked, CUSTOMER, seq=4)
    run.change(place, seq=6, entry_id="id-6")


def wrong_prev(run: Run) -> None:
    run.rewrite(6, prev=3)


def wrong_last_seq(run: Run) -> None:
    run.last_seq += 1


def older_than_before(run: Run) -> None:
    run.rewrite(6, at=1)


def two_owners(run: Run) -> None:
    run.rewrite(5, participant_id="agent-2", device="device-of-ben", n=1)


def an_older_gen(run: Run) -> None:
    run.rewrite(THANKS, kind="assigned", text=None, data={"owner": "agent-2", "gen": 1})


def released_and_still_talking(run: Run) -> None:
    run.rewrite(4, kind="released", text=None, data={"reason": "agent_lost", "gen": 2})


def words_after_the_end(run: Run) -> None:
    run.rewrite(15, kind="message", text="question 9")
    run.log(h.Sent, CUSTOMER, TICKET, 8, "message", "question 9")


def two_tickets(run: Run) -> None:
    run.log(h.Opened, CUSTOMER, "key-1", TICKET + 10)


def read_with_a_gap(run: Run) -> None:
    del run.records[run.find(h.Seen, CUSTOMER, seq=5)]


def read_with_a_gap_by_staff(run: Run) -> None:
    del run.records[run.find(h.Seen, AGENT, seq=6)]


def read_in_another_order(run: Run) -> None:
    one, two = run.find(h.Seen, CUSTOMER, seq=5), run.find(h.Seen, CUSTOMER, seq=7)
    run.records[one], run.records[two] = run.records[two], run.records[one]


def read_twice(run: Run) -> None:
    place = run.find(h.Seen, CUSTOMER, seq=5)
    run.records.insert(place + 1, run.records[place])


def the_same_words_under_two_numbers(run: Run) -> None:
    run.change(run.find(h.Seen, CUSTOMER, seq=7), text="answer 0")


def a_note_for_the_customer(run: Run) -> None:
    run.change(run.find(h.Seen, CUSTOMER, seq=7), kind="note")


def lack_the_end(run: Run) -> None:
    del run.records[run.find(h.Seen, AGENT, seq=15)]


def never_told(run: Run) -> None:
    del run.records[run.find(h.Acked, CUSTOMER, seq=THANKS)]


def an_ack_for_nothing(run: Run) -> None:
    run.log(h.Acked, CUSTOMER, TICKET, 40, EPOCH, 5, "id-5", False)


SPOILT: dict[Callable[[Run], None], Kind] = {
    lose_an_entry: Kind.LOST,
    lose_the_last: Kind.LOST,
    lose_the_chat: Kind.LOST,
    say_it_twice: Kind.DUPLICATED,
    the_same_command_twice: Kind.DUPLICATED,
    swap_two: Kind.REORDERED,
    another_id: Kind.RENUMBERED,
    nobody_said_it: Kind.PHANTOM,
    refused_but_there: Kind.PHANTOM,
    acked_for_another: Kind.PHANTOM,
    wrong_prev: Kind.WRONG_COUNTER,
    wrong_last_seq: Kind.WRONG_COUNTER,
    older_than_before: Kind.WRONG_COUNTER,
    two_owners: Kind.TWO_OWNERS,
    an_older_gen: Kind.TWO_OWNERS,
    released_and_still_talking: Kind.TWO_OWNERS,
    words_after_the_end: Kind.REORDERED,
    two_tickets: Kind.TWO_TICKETS,
    read_with_a_gap: Kind.GAP,
    read_with_a_gap_by_staff: Kind.GAP,
    read_in_another_order: Kind.REORDERED,
    read_twice: Kind.DUPLICATED,
    the_same_words_under_two_numbers: Kind.DUPLICATED,
    a_note_for_the_customer: Kind.LEAKED,
    lack_the_end: Kind.INCOMPLETE,
    never_told: Kind.UNDECIDED,
    an_ack_for_nothing: Kind.PHANTOM,
}


def test_a_right_run_is_right() -> None:
    verdict = good_run().check()
    assert verdict.violations == []
    assert verdict.counts["Acked"] == 14


@pytest.mark.parametrize("spoil", SPOILT, ids=lambda spoil: spoil.__name__)
def test_what_is_wrong_is_found(spoil: Callable[[Run], None]) -> None:
    run = good_run()
    spoil(run)
    assert SPOILT[spoil] in run.check().kinds()


# -- (c): Redis loses its newest entries, not yet durable


def lossy_run(*, last_words: int = 2) -> Run:
    """Sam's last words were acked and seen, not durable; then Redis lost them. Nobody has finished yet."""
    run = good_run()
    run.records = [record for record in run.records if not isinstance(record, h.Finished)]
    later = [record for record in run.records if getattr(record, "seq", 0) > THANKS]
    later += [record for record in run.records if type(record) is h.Sent and record.kind in ("closed", "rated")]
    run.records = [record for record in run.records if record not in later]
    del run.entries[THANKS:]
    run.n = {CUSTOMER: 6, AGENT: 6}
    for number in range(last_words):
        run.n[CUSTOMER] += 1
        run.log(h.Sent, CUSTOMER, TICKET, run.n[CUSTOMER], "message", f"last words {number}")
        entry = run.append("message", CUSTOMER, f"last words {number}")
        run.ack(CUSTOMER, entry)
        run.see(AGENT, entry)
    run.losses = Losses([Window(run.clock, run.clock + 1)])
    return run


def come_back(run: Run) -> None:
    """Sam returns, is told `reset`, and says again what was not durable, in a new epoch."""
    said = run.entries[THANKS:]
    del run.entries[THANKS:]
    run.clock += 5
    for who in (CUSTOMER, AGENT):
        run.log(h.Reset, who, TICKET, EPOCH + 1)
        for entry in run.entries:
            if who == AGENT or entry.audience == "all":
                run.see(who, entry, epoch=EPOCH + 1)
    for old in said:
        entry = msgspec.structs.replace(old, seq=len(run.entries) + 1, entry_id=f"{old.entry_id} again")
        run.entries.append(entry)
        run.ack(CUSTOMER, entry, epoch=EPOCH + 1)
        run.see(AGENT, entry, epoch=EPOCH + 1)


def test_what_came_back_once_is_right() -> None:
    run = lossy_run()
    come_back(run)
    run.finish()
    verdict = run.check()
    assert verdict.violations == []
    assert verdict.counts["came back"] == 2


def test_what_came_back_twice_is_found() -> None:
    run = lossy_run()
    come_back(run)
    run.entries.append(msgspec.structs.replace(run.entries[-1], seq=len(run.entries) + 1, entry_id="third", n=9))
    run.finish()
    assert Kind.DUPLICATED in run.check().kinds()


def test_what_did_not_come_back_with_its_sender_is_lost() -> None:
    run = lossy_run()
    del run.entries[THANKS:]
    run.log(h.Finished, CUSTOMER, ())
    assert run.check().kinds() == {Kind.LOST}


def test_what_is_lost_with_its_sender_is_counted() -> None:
    run = lossy_run()
    del run.entries[THANKS:]
    verdict = run.check()
    assert verdict.violations == []
    assert verdict.counts["lost, sender gone"] == 2


def test_what_was_durable_is_never_lost() -> None:
    run = lossy_run()
    run.durable(THANKS + 1)
    del run.entries[THANKS:]
    verdict = run.check()
    assert verdict.kinds() == {Kind.LOST}
    assert len([one for one in verdict.violations if "durable" in one.what]) == 2  # to the sender, and to the reader


def test_what_was_durable_keeps_its_number_whatever_redis_lost() -> None:
    run = lossy_run()
    run.durable(THANKS + 1)
    come_back(run)
    run.finish()
    assert Kind.RENUMBERED in run.check().kinds()


def test_without_a_loss_nothing_acked_may_be_missing() -> None:
    run = lossy_run()
    del run.entries[THANKS:]
    run.losses = Losses()
    assert run.check().kinds() == {Kind.LOST}


def test_a_loss_before_the_ack_excuses_nothing() -> None:
    run = lossy_run()
    del run.entries[THANKS:]
    run.losses = Losses([Window(1, 2)])
    assert run.check().kinds() == {Kind.LOST}


def test_what_is_lost_may_not_be_old() -> None:
    run = lossy_run()
    del run.entries[THANKS:]
    run.losses = Losses([Window(run.clock + 10, run.clock + 11)])
    verdict = run.check()
    assert verdict.kinds() == {Kind.TOO_OLD}
    assert 10 <= verdict.oldest_loss < 10.1


def test_time_without_a_database_does_not_make_it_old() -> None:
    run = lossy_run()
    del run.entries[THANKS:]
    run.losses = Losses([Window(run.clock + 10, run.clock + 11)], [Window(run.clock, run.clock + 9, "sql_locked")])
    assert run.check().violations == []


def test_history_survives_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "history"
    writer = h.Writer(path)
    run = good_run()
    for record in run.records:
        writer.write(record)
    writer.close()
    with path.open("ab") as file:
        file.write(path.read_bytes()[:3])  # killed while writing
    assert list(h.read_history([path])) == run.records
