"""Long work in steps, between which the loop turns."""

import asyncio
from collections.abc import Generator

import pytest

from clusterdns.errors import PeerError
from clusterdns.forward.slices import MOST_WAITING, in_slices


def counting(seen: list[str], name: str, steps: int = 3) -> Generator[None, None, str]:
    for number in range(steps):
        seen.append(f"{name}{number}")
        yield
    return name


def failing() -> Generator[None, None, str]:
    yield
    raise PeerError("malformed")


def test_the_loop_turns_between_steps() -> None:
    async def story() -> None:
        seen: list[str] = []
        task = asyncio.create_task(in_slices(counting(seen, "a")))
        while not task.done():
            seen.append(".")
            await asyncio.sleep(0)
        assert await task == "a"
        told = "".join(seen)
        assert all(f"{step}." in told for step in ("a0", "a1", "a2"))

    asyncio.run(story())


def test_one_is_under_way_at_a_time() -> None:
    async def story() -> None:
        seen: list[str] = []
        found = await asyncio.gather(*(in_slices(counting(seen, name)) for name in "abc"))
        assert found == ["a", "b", "c"]
        assert seen == [f"{name}{number}" for name in "abc" for number in range(3)]

    asyncio.run(story())


def test_who_fails_or_is_cancelled_makes_room() -> None:
    async def story() -> None:
        seen: list[str] = []
        with pytest.raises(PeerError, match="malformed"):
            await in_slices(failing())
        cancelled = [asyncio.create_task(in_slices(counting(seen, "x"))) for _ in range(3)]
        await asyncio.sleep(0)
        for task in cancelled:
            task.cancel()
        await asyncio.gather(*cancelled, return_exceptions=True)
        assert await in_slices(counting(seen, "a")) == "a"

    asyncio.run(story())


def test_no_more_than_can_be_done_soon_wait() -> None:
    async def story() -> None:
        seen: list[str] = []
        waiting = [asyncio.create_task(in_slices(counting(seen, "w"))) for _ in range(MOST_WAITING + 1)]
        await asyncio.sleep(0)
        with pytest.raises(PeerError, match="too many large replies at once"):
            await in_slices(counting(seen, "x"))
        assert await asyncio.gather(*waiting) == ["w"] * (MOST_WAITING + 1)
        assert await in_slices(counting(seen, "a")) == "a"

    asyncio.run(story())
