import threading
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import RFC_4122, UUID

import pytest

from topcoin.kernel import ids
from topcoin.kernel.ids import new_id

COUNTER_END = 0x1000


@pytest.fixture
def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The milliseconds that ids see; a fresh sequence, so that no other test's ids are ahead of them."""
    milliseconds = [1_700_000_000_000]
    monkeypatch.setattr(ids, "_sequence", ids._Sequence())
    monkeypatch.setattr(time, "time_ns", lambda: milliseconds[0] * 1_000_000)
    return milliseconds


def fields(value: UUID) -> tuple[int, int]:
    """Milliseconds and counter, cut out of the text by hand (RFC 9562, section 5.7)."""
    text = value.hex
    return int(text[:12], 16), int(text[13:16], 16)


def test_layout_is_that_of_rfc_9562(stopped_clock: list[int]) -> None:
    value = new_id()
    assert value.version == 7
    assert value.variant == RFC_4122
    assert fields(value) == (stopped_clock[0], 0)


def test_ids_count_within_a_millisecond_and_start_anew_in_the_next(stopped_clock: list[int]) -> None:
    assert [fields(new_id())[1] for _ in range(3)] == [0, 1, 2]
    stopped_clock[0] += 1
    assert fields(new_id()) == (stopped_clock[0], 0)


def test_a_full_counter_borrows_from_the_next_millisecond(stopped_clock: list[int]) -> None:
    made = [new_id() for _ in range(COUNTER_END + 1)]
    assert made == sorted(made)
    assert fields(made[-2]) == (stopped_clock[0], COUNTER_END - 1)
    assert fields(made[-1]) == (stopped_clock[0] + 1, 0)


def test_a_clock_set_back_does_not_set_ids_back(stopped_clock: list[int]) -> None:
    first = new_id()
    stopped_clock[0] -= 3_600_000
    assert new_id() > first


def test_the_random_bits_differ(stopped_clock: list[int]) -> None:
    first, second = new_id(), new_id()
    assert fields(first)[0] == fields(second)[0] == stopped_clock[0]
    assert first.int & (1 << 62) - 1 != second.int & (1 << 62) - 1


def test_ids_of_many_threads_are_distinct_and_rise_in_each() -> None:
    threads, each = 8, 2_000
    together = threading.Barrier(threads)

    def make(_: int) -> list[UUID]:
        together.wait()
        return [new_id() for _ in range(each)]

    with ThreadPoolExecutor(threads) as pool:
        made = list(pool.map(make, range(threads)))
    assert all(run == sorted(run) for run in made)
    assert len({value for run in made for value in run}) == threads * each
