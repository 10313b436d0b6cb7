"""What is counted, and what becomes of it in the form that Prometheus takes."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from chatserver import figures
from chatserver.errors import BadFrameError, GapError, UnknownCommandError
from chatserver.figures import BOUNDS, FIGURES, Distribution, Kind, Process, Report, Sample, Times
from chatserver.web.answers import Answers
from chatserver.web.metrics import COMPLETE, exposition
from chatserver.wire.commands import BY_OP, CloseChat, Command, PlainPost, PostMessage

Shown = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def shown(*reports: Report, complete: bool = True) -> Shown:
    """{(name, labels in their order): value} of what a scraper reads."""
    found: Shown = {}
    for family in text_string_to_metric_families(exposition(reports, complete=complete).decode()):
        for sample in family.samples:
            key = sample.name, tuple(sorted(sample.labels.items()))
            assert key not in found  # twice the same is refused as a whole
            found[key] = sample.value
    return found


def said(process: str, *samples: Sample, role: str = "web") -> Report:
    return Report("node", process, role, list(samples))


def labels(process: str, role: str = "web", **more: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted({"node": "node", "process": process, "role": role, **more}.items()))


@given(st.lists(st.floats(0, 20) | st.sampled_from(BOUNDS)))
def test_times_are_counted_up_to_each_bound(taken: list[float]):
    times = Times()
    for seconds in taken:
        times.take(seconds)
    found = shown(said("1", figures.COMMAND_SECONDS(times.distribution, "attach")))
    for bound in BOUNDS:
        key = "chat_command_seconds_bucket", labels("1", op="attach", le=str(bound))
        assert found[key] == sum(seconds <= bound for seconds in taken)
    assert found["chat_command_seconds_count", labels("1", op="attach")] == len(taken)
    assert found["chat_command_seconds_sum", labels("1", op="attach")] == pytest.approx(sum(taken))


def test_each_process_has_its_own_values():
    web, worker = figures.DELIVERED(7), figures.PERSISTED(5)
    found = shown(said("1", web), said("2", figures.DELIVERED(8)), said("3", worker, role="worker"))
    assert found == {
        (COMPLETE, ()): 1,
        ("chat_entries_delivered_total", labels("1")): 7,
        ("chat_entries_delivered_total", labels("2")): 8,
        ("chat_entries_persisted_total", labels("3", "worker")): 5,
    }


def test_it_says_when_the_others_could_not_be_asked():
    assert shown(said("1"), complete=False) == {(COMPLETE, ()): 0}


@pytest.mark.parametrize(
    "sample",
    [
        Sample("chat_of_the_future_total", [], 1),
        Sample("chat_connections", [], 1),
        Sample("chat_connections", ["staff", "abroad"], 1),
        Sample("chat_connections", ["staff"], Distribution(1.0, [1])),
        Sample("chat_command_seconds", ["attach"], 1),
        Sample("chat_command_seconds", ["attach"], Distribution(1.0, [1, 2])),
    ],
)
def test_what_another_version_means_by_a_name_is_left_out(sample: Sample):
    assert shown(said("1", sample, figures.DELIVERED(1))) == {
        (COMPLETE, ()): 1,
        ("chat_entries_delivered_total", labels("1")): 1,
    }


def test_every_figure_can_be_shown_and_sent_to_another_process():
    values = {Kind.TIMES: Times().distribution}
    samples = [figure(values.get(figure.kind, 3), *figure.labels) for figure in FIGURES.values()]
    report = said("1", *samples)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(report), type=Report) == report
    names = {name for name, _ in shown(report)}
    for figure in FIGURES.values():
        assert (f"{figure.name}_bucket" if figure.kind is Kind.TIMES else figure.name) in names
        assert (figure.kind is Kind.COUNTER) == figure.name.endswith("_total")


def test_a_process_says_how_it_is():
    process = Process("worker")
    process.lag.take(0.2)
    report = process.report([figures.PERSISTED(1)])
    found = {sample.figure: sample.value for sample in report.samples}
    assert report.role == "worker"
    assert found.keys() >= {"chat_entries_persisted_total", "chat_process_cpu_seconds_total", figures.STARTED_AT}
    assert found["chat_loop_lag_seconds"] == process.lag.distribution
    assert found["chat_process_resident_memory_bytes"] > 2**20  # type: ignore[operator]
    assert Process("worker").name != process.name


def answered(answers: Answers) -> dict[tuple[str, ...], object]:
    return {
        (sample.figure, *sample.labels): sample.value
        for sample in answers.samples()
        if not isinstance(sample.value, Distribution) and sample.value
    }


def test_commands_are_counted_by_how_they_were_answered():
    answers = Answers()
    fields = {"id": 1, "ticket": 10006, "n": 1, "text": "Hello"}
    for kind in (PlainPost, PostMessage, PlainPost):
        answers.taken(kind(**fields), 0.001)
    answers.refused(PlainPost(**fields), GapError())
    answers.refused(CloseChat(id=1, ticket=10006, n=1), GapError())
    answers.refused(None, UnknownCommandError("There is no command 'my name is Sam'."))
    answers.refused(None, BadFrameError())
    assert answered(answers) == {
        ("chat_commands_total", "post_message", "ack"): 3,
        ("chat_commands_total", "post_message", "gap"): 1,
        ("chat_commands_total", "close_chat", "gap"): 1,
        ("chat_commands_total", "unknown", "unknown_command"): 1,
        ("chat_commands_total", "unknown", "invalid"): 1,
    }


def every_kind(kind: type[Command]) -> set[type[Command]]:
    return {kind}.union(*map(every_kind, kind.__subclasses__()))


def test_every_form_of_a_command_has_the_name_that_clients_use():
    for kind in every_kind(Command) - {Command}:
        answers = Answers()
        answers.times[kind].take(0.1)
        taken = [name for figure, name, *_ in answered(answers) if figure == "chat_commands_total"]
        assert len(taken) == 1
        assert taken[0] in BY_OP
