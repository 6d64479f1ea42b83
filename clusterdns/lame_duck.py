"""The end of a server that others still send queries to: it answers on until they have learnt that it goes."""

import asyncio
import logging
from typing import Protocol

logger = logging.getLogger("clusterdns")

_LOOK_SECONDS = 0.1  # between looks at whether it is quiet


class Traffic(Protocol):
    @property
    def queries(self) -> int:
        """So far."""

    @property
    def under_way(self) -> int:
        """Answers that somebody waits for."""


async def lame_duck(traffic: Traffic, most: float, quiet: float) -> None:
    """Returns when nobody has asked for *quiet* seconds and nobody waits, after *most* seconds at the latest."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    first = seen = traffic.queries
    quiet_since = began
    logger.info("SIGTERM: answering until nobody has asked for %g s, for %g s at most (lameduck)", quiet, most)
    while (now := loop.time()) < began + most and (now - quiet_since < quiet or traffic.under_way):
        await asyncio.sleep(min(_LOOK_SECONDS, began + most - now))
        if (queries := traffic.queries) != seen:
            seen, quiet_since = queries, loop.time()
    why = "lameduck is over" if loop.time() >= began + most else "nobody asks any more"
    answered = f"{seen - first} {'query' if seen - first == 1 else 'queries'}"
    logger.info("ending after %.1f s, %s since SIGTERM: %s", loop.time() - began, answered, why)
