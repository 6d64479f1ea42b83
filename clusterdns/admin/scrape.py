"""``/metrics``: one page at a time, and none of it on the loop."""

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from clusterdns.metrics import Sample

if TYPE_CHECKING:
    from clusterdns.exposition import Written

Take = Callable[[], Callable[[], Iterable[Sample]]]


class Scrape:
    """*take* copies, on the loop; what it returns is called in a worker.

    Who asks while a page is written waits for the next one, so that many who ask cost no more than one worker.
    """

    def __init__(self, take: Take) -> None:
        self._take = take
        self._one_by_one = asyncio.Lock()

    async def page(self, accept: str, accept_encoding: str) -> "Written":
        """*accept* and *accept_encoding* as in the request, "" where there is none."""
        async with self._one_by_one:
            return await asyncio.to_thread(_write, self._take(), accept, accept_encoding)


def _write(samples: Callable[[], Iterable[Sample]], accept: str, accept_encoding: str) -> "Written":
    from clusterdns import exposition  # noqa: PLC0415 - a tenth of a second, and not everybody is scraped

    return exposition.write(samples(), accept, accept_encoding)
