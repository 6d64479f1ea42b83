"""The query log: who asked what and was told what, a line each, written by a thread of its own.

While it is off nothing of it stands in a query's way; while it is on, a query waits neither for a line to be made nor
for a pipe that nobody reads.
"""

import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection
from queue import Empty, SimpleQueue
from random import random as any_fraction
from threading import Thread
from typing import NamedTuple

from msgspec import Struct

from clusterdns.engine.elsewhere import Later, Send
from clusterdns.engine.manners import Peer
from clusterdns.transports.answers import Answer, Answers

logger = logging.getLogger("clusterdns.query_log")

WAITING = 10_000  # lines to be written; beyond, they are left out
_TOGETHER = 256  # lines in one write
_END_SECONDS = 1.0  # that the end waits for a reader

SUCCESS, DENIAL, ERROR = "success", "denial", "error"
_TC = 0x02  # of octet 2


class Exchange(NamedTuple):
    """A query and its response, as the transport saw them."""

    query: bytes
    response: bytes
    proto: str  # udp | tcp
    client: Peer
    seconds: float  # between them
    at: float  # Unix seconds of the response


class Wanted(Struct, frozen=True):
    """*classes*: of responses, "all" or some of those that ``class_of`` gives; none: there is no log."""

    classes: Collection[str] = ()
    format: str = "common"  # common | json
    sample: int = 1  # one of so many
    rate: int = 1000  # lines a second


def class_of(response: bytes) -> str:
    """As CoreDNS sorts responses: SUCCESS, DENIAL (NXDOMAIN, NODATA) or ERROR."""
    rcode = response[3] & 0x0F
    if rcode == 3:
        return DENIAL
    if rcode:
        return ERROR
    return SUCCESS if response[6:8] != b"\0\0" or response[2] & _TC or response[8:10] == b"\0\0" else DENIAL


class QueryLog:
    """Use it on one loop; *lines* says how many were written and left out, and why."""

    def __init__(
        self,
        wanted: Wanted,
        write: Callable[[bytes], object],
        *,
        lines: Counter[str] | None = None,
        monotonic: Callable[[], float] = time.perf_counter,
        wall: Callable[[], float] = time.time,
        random: Callable[[], float] = any_fraction,
    ) -> None:
        """*write* may block.  *lines* goes on counting.  *monotonic*, *wall*: seconds.  *random*: from 0 up to 1."""
        self._wanted, self._write = wanted, write
        self._monotonic, self._wall, self._random = monotonic, wall, random
        self.lines: Counter[str] = _no_lines() if lines is None else lines
        self._queue: SimpleQueue[Exchange | None] = SimpleQueue()
        self._second, self._in_second = -1, 0
        self._told = self._left_out  # of the lines that were left out
        self._thread = Thread(target=self._run, name="query log", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Nothing more is noted; what waits is written."""
        self._queue.put(None)

    def wait(self) -> None:
        """Until all is written, if somebody reads it."""
        self._thread.join(_END_SECONDS)

    @property
    def _left_out(self) -> int:
        return self.lines["over_rate"] + self.lines["unread"]

    def around(self, answer: Answer) -> Answer:
        """The same answers, each noted."""

        def noted(packet: bytes, transport: str, peer: Peer) -> bytes | Later | None:
            started = self._monotonic()
            response = answer(packet, transport, peer)
            if response is None:
                return None
            if isinstance(response, bytes):
                self._note(packet, response, transport, peer, started)
                return response
            begin = response

            def late(send: Send) -> None:
                def sent(response: bytes) -> None:
                    send(response)
                    self._note(packet, response, transport, peer, started)

                begin(sent)

            return late

        return noted

    def _note(self, packet: bytes, response: bytes, transport: str, peer: Peer, started: float) -> None:
        wanted, now = self._wanted, self._monotonic()
        if "all" not in wanted.classes and class_of(response) not in wanted.classes:
            return
        if wanted.sample > 1 and self._random() * wanted.sample >= 1:
            return
        if int(now) != self._second:
            self._second, self._in_second = int(now), 0
        self._in_second += 1
        if self._in_second > wanted.rate:
            self.lines["over_rate"] += 1
        elif self._queue.qsize() >= WAITING:
            self.lines["unread"] += 1
        else:
            self._queue.put(Exchange(packet, response, transport, peer, now - started, self._wall()))

    def _run(self) -> None:
        from clusterdns.query_lines import as_json, common  # noqa: PLC0415 - dnspython's tables, which few need

        form = as_json if self._wanted.format == "json" else common
        ended = False
        while not ended:
            exchanges = [self._queue.get()]
            try:
                while len(exchanges) < _TOGETHER:
                    exchanges.append(self._queue.get_nowait())
            except Empty:
                pass
            ended = None in exchanges
            lines = [line for one in exchanges if one and (line := self._line(form, one))]
            try:
                self._write(b"".join(lines))
            except (OSError, ValueError):  # nobody reads any more, or it is closed
                self.lines["unread"] += len(lines)
            else:
                self.lines["written"] += len(lines)
            self._tell()

    def _line(self, form: Callable[[Exchange], bytes], exchange: Exchange) -> bytes:
        """b"" where it cannot be made: a mistake of ours, which costs this line and is told once."""
        try:
            return form(exchange)
        except Exception:
            self.lines["failed"] += 1
            if self.lines["failed"] == 1:
                logger.exception("a line of the query log cannot be made; report this as a bug")
            return b""

    def _tell(self) -> None:
        left_out = self._left_out
        if left_out >= 2 * self._told + 1:  # ever more rarely
            logger.warning("%d lines of the query log were left out so far: see query_log_rate", left_out)
            self._told = left_out


class QueryLogs:
    """The log that is wanted now, one after the other."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        """*write* as in QueryLog."""
        self._write = write
        self._wanted = Wanted()
        self._log: QueryLog | None = None
        self.lines: Counter[str] = _no_lines()

    def want(self, wanted: Wanted) -> None:
        """For those that ``around`` is asked for from now on."""
        if wanted == self._wanted:
            return
        if self._log:
            self._log.end()
        self._wanted, self._log = wanted, None
        if wanted.classes:
            self._log = QueryLog(wanted, self._write, lines=self.lines)
            self._log.start()

    def around(self, answers: Answers) -> Answers:
        """The same *answers* where there is no log."""
        log = self._log
        return (lambda tally: log.around(answers(tally))) if log else answers

    def close(self) -> None:
        if self._log:
            self._log.end()
            self._log.wait()


def to_standard_output(lines: bytes) -> None:
    """Behind what has been printed; past Python's buffer, so that a line is there as soon as it is written."""
    sys.stdout.flush()
    while lines:
        lines = lines[os.write(sys.stdout.fileno(), lines) :]


def _no_lines() -> Counter[str]:
    return Counter({"written": 0, "over_rate": 0, "unread": 0, "failed": 0})
