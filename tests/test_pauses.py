"""What kept queries waiting is measured: the collector's work, and a loop that comes late."""

import asyncio
import gc

from clusterdns.pauses import FAILED, Pauses


def test_collections_are_timed_by_generation() -> None:
    times = iter([1.0, 1.5, 2.0, 2.25])
    pauses = Pauses(lambda: next(times))

    async def life() -> None:
        gc.disable()
        try:
            pauses.start()
            gc.collect(2)
            gc.collect(0)
        finally:
            pauses.stop()
            gc.enable()
        pauses.stop()

    asyncio.run(life())
    assert {generation: (one.count, one.total) for generation, one in pauses.collector.items()} == {
        0: (1, 0.25),
        1: (0, 0.0),
        2: (1, 0.5),
    }
    assert not [one for one in gc.callbacks if getattr(one, "__self__", None) is pauses]


def test_a_late_loop_is_what_a_request_for_health_would_have_met() -> None:
    pauses = Pauses()
    for seconds in (0.0001, 0.3, FAILED + 1):
        pauses.late(seconds)
    assert (pauses.loop.count, pauses.health.count, pauses.health_failures) == (3, 3, 1)


def test_it_looks_again_and_again() -> None:
    async def life() -> None:
        pauses = Pauses()
        loop = asyncio.get_running_loop()
        pauses._look(loop.time() - 2.0)
        assert pauses.loop.count == 1
        assert pauses.loop.total >= 2.0
        assert pauses._next
        assert not pauses._next.cancelled()
        pauses.stop()
        assert pauses._next.cancelled()

    asyncio.run(life())
