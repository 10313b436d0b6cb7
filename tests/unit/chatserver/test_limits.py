from chatserver.model.limits import AGENT_RATE, CUSTOMER_RATE, Meter, Rate


def taken(meter: Meter, times: int, now: float) -> int:
    return sum(meter.take(now) == 0 for _ in range(times))


def test_burst_and_then_the_rate() -> None:
    meter = Meter(Rate(10, 1))
    assert taken(meter, 50, 0.0) == 10
    assert taken(meter, 50, 0.999) == 0
    assert taken(meter, 50, 1.0) == 1
    assert taken(meter, 50, 3.0) == 2


def test_pause_gives_the_burst_back_and_no_more() -> None:
    meter = Meter(Rate(10, 1))
    assert taken(meter, 50, 0.0) == 10
    assert taken(meter, 50, 1_000.0) == 10


def test_wait_is_when_the_next_one_works() -> None:
    meter = Meter(Rate(2, 4))
    assert [meter.take(0.0) for _ in range(3)] == [0, 0, 251]
    assert meter.take(0.1) == 151
    assert meter.take(0.252) == 0


def test_refusals_are_counted_in_a_row() -> None:
    meter = Meter(Rate(1, 1))
    assert taken(meter, 6, 0.0) == 1
    assert meter.refused == 5
    assert meter.take(1.0) == 0
    assert meter.refused == 0


def test_long_run_has_the_rate() -> None:
    meter = Meter(Rate(5, 10))
    assert sum(meter.take(step / 100) == 0 for step in range(10_000)) in range(1_000, 1_006)


def test_defaults_are_those_of_the_protocol_page() -> None:
    assert (Rate(10, 1), Rate(20, 10)) == (CUSTOMER_RATE, AGENT_RATE)
