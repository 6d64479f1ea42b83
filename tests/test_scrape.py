"""Who asks for the page of metrics at the same time gets one page after the other."""

import asyncio
import threading
from collections.abc import Callable, Iterable

import pytest

from clusterdns.admin.scrape import Scrape
from clusterdns.metrics import Sample


def test_one_page_is_written_at_a_time_and_not_on_the_loop() -> None:
    begun, threads, under_way = list[int](), set[int](), list[int]()

    def take() -> Callable[[], Iterable[Sample]]:
        begun.append(len(begun))

        def samples() -> Iterable[Sample]:
            threads.add(threading.get_ident())
            under_way.append(1)
            assert len(under_way) == 1
            under_way.pop()
            return [Sample("clusterdns_ready", len(begun))]

        return samples

    async def life() -> None:
        scrape = Scrape(take)
        pages = await asyncio.gather(*(scrape.page("", "") for _ in range(5)))
        shown = [line for page in pages for line in page.body.decode().splitlines() if line.startswith("clusterdns_r")]
        assert shown == [f"clusterdns_ready {number}.0" for number in (1, 2, 3, 4, 5)]
        assert threading.get_ident() not in threads

    asyncio.run(life())


def test_a_page_that_fails_keeps_nobody_waiting() -> None:
    def take() -> Callable[[], Iterable[Sample]]:
        raise ValueError("no")

    async def life() -> None:
        scrape = Scrape(take)
        for _ in range(2):
            with pytest.raises(ValueError, match="no"):
                await scrape.page("", "")

    asyncio.run(life())
