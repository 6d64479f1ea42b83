"""The sockets that are served now.  A change opens what is new before it closes what is not wanted any more."""

import asyncio
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import chain

from clusterdns.transports.answers import Answers
from clusterdns.transports.crowd import Crowd, Limits
from clusterdns.transports.doors import Doors, server_of
from clusterdns.transports.inherited import Pairs
from clusterdns.transports.sockets import Address, allow_files, bind_pairs
from clusterdns.transports.stream import StreamListener
from clusterdns.transports.udp import UdpListener

_WILDCARDS = ("0.0.0.0", "::")
_OTHER_FILES = 128  # open files beside connections: sockets, watches, manifests while they are read
_Pairs = list[tuple[UdpListener, StreamListener]]


class Listeners:
    """By the address they were configured with: a wildcard stands for several sockets, port 0 for a found one."""

    def __init__(self, inherited: Pairs | None = None) -> None:
        """*inherited*: sockets that are there already, by their addresses."""
        self._inherited = inherited or {}
        self._open: dict[Address, _Pairs] = {}
        self._leaving: list[_Pairs] = []  # that receive no more and owe answers
        self._seeing_off: set[asyncio.Task[None]] = set()
        self._before = 0  # queries of listeners that are closed
        self.crowd = Crowd()
        self.doors = Doors()

    def bind(self, wanted: Iterable[Address], answers: Answers) -> dict[Address, _Pairs]:
        """Sockets for those of *wanted* that have none yet, not served before ``serve``.

        Raises OperatorError when one cannot be had; none stays open then.
        """
        new: dict[Address, _Pairs] = {}
        try:
            for address in wanted:
                if address not in self._open and address not in new:
                    shared = address in self._inherited
                    pairs = self._sockets(address)
                    new[address] = [self._listeners(address, *pair, answers, shared=shared) for pair in pairs]
        except BaseException:
            discard(new)
            raise
        return new

    def _listeners(
        self, address: Address, udp: socket.socket, tcp: socket.socket, answers: Answers, *, shared: bool
    ) -> tuple[UdpListener, StreamListener]:
        bound = address[0], udp.getsockname()[1]
        datagrams, streams = (self.doors.tally(bound, proto) for proto in ("udp", "tcp"))
        return (
            UdpListener(udp, answers(datagrams), datagrams, shared=shared),
            StreamListener(tcp, answers(streams), self.crowd, streams),
        )

    def _sockets(self, address: Address) -> list[tuple[socket.socket, socket.socket]]:
        self._make_room(*address)
        inherited = self._inherited.pop(address, None)
        return [inherited] if inherited else bind_pairs(address)

    def _make_room(self, host: str, port: int) -> None:
        """Who comes back to a place goes before what those who left it still owe."""
        for udp in [udp for pairs in self._leaving for udp, _ in pairs]:
            if not udp.closed and udp.address[1] == port and (host == udp.address[0] or host in _WILDCARDS):
                udp.close()

    async def serve(self, wanted: Iterable[Address], new: dict[Address, _Pairs], patience: float = 0.0) -> None:
        """Serves *new*, from ``bind``, and closes what is not in *wanted*; the others are not touched.

        What is closed takes no more queries, and has *patience* seconds for the answers that are waited for.
        """
        for pairs in new.values():
            for udp, stream in pairs:
                udp.start()
                await stream.start()
        keep = {*wanted}
        for address in [address for address in self._open if address not in keep]:
            self._leaving.append(self._open.pop(address))
            await self._leave(self._leaving[-1], patience)
        self._open |= new

    def limit(self, limits: Limits, others: int = 0) -> None:
        """From the next connection on; silence counts from the next message on.

        *others*: sockets that may be open besides, to upstreams; where the system allows fewer, both get their share.
        """
        wanted = limits.total + others
        files = min(wanted, allow_files(wanted + _OTHER_FILES) - _OTHER_FILES)
        self.crowd.limits = limits._replace(total=max(1, limits.total * files // wanted))

    def answer_with(self, answers: Answers, new: Mapping[Address, _Pairs]) -> None:
        """From the next query on, here and at *new*, from ``bind``."""
        for pairs in (*self._open.values(), *new.values()):
            for listener in (one for pair in pairs for one in pair):
                listener.answer = answers(listener.tally)

    @property
    def bound(self) -> list[Address]:
        """Where queries are answered, with the ports that port 0 became."""
        return [udp.address for pairs in self._open.values() for udp, _ in pairs]

    @property
    def servers(self) -> list[str]:
        """How metrics name what is listened on."""
        found = {server_of((host, pairs[0][0].address[1])): None for (host, _), pairs in self._open.items()}
        return list(found)

    @property
    def queries(self) -> int:
        """That have come in so far."""
        return self._before + sum(udp.queries + stream.queries for udp, stream in self._all())

    @property
    def under_way(self) -> int:
        """Queries whose answers are waited for."""
        return sum(udp.under_way + stream.under_way for udp, stream in self._all())

    @property
    def pressed(self) -> bool:
        """Datagrams come faster than they are answered."""
        return any(udp.pressed for pairs in self._open.values() for udp, _ in pairs)

    async def close(self) -> None:
        for task in self._seeing_off:
            task.cancel()
        await asyncio.gather(*self._seeing_off, return_exceptions=True)
        self._leaving += self._open.values()
        self._open.clear()
        while self._leaving:
            await self._close(self._leaving[0])

    def _all(self) -> Iterator[tuple[UdpListener, StreamListener]]:
        return chain.from_iterable((*self._open.values(), *self._leaving))

    async def _leave(self, pairs: _Pairs, patience: float) -> None:
        """*pairs* are in ``_leaving`` already."""
        for udp, stream in pairs:
            udp.leave()
            await stream.leave()
        if not patience or all(udp.emptied.is_set() and stream.emptied.is_set() for udp, stream in pairs):
            await self._close(pairs)
            return
        task = asyncio.create_task(self._see_off(pairs, patience))
        self._seeing_off.add(task)
        task.add_done_callback(self._seeing_off.discard)

    async def _see_off(self, pairs: _Pairs, patience: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                for udp, stream in pairs:
                    await udp.emptied.wait()
                    await stream.emptied.wait()
        await self._close(pairs)

    async def _close(self, pairs: _Pairs) -> None:
        for udp, stream in pairs:
            udp.close()
            await stream.close()
        self._leaving.remove(pairs)
        self._before += sum(udp.queries + stream.queries for udp, stream in pairs)


def discard(new: dict[Address, _Pairs]) -> None:
    """Closes sockets from ``bind`` that will not be served after all."""
    for pairs in new.values():
        for udp, stream in pairs:
            udp.discard()
            stream.discard()
