"""One kind of objects, kept like the API server has it: listed, watched, and listed again where that is not enough."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress

from msgspec import Struct

from clusterdns.cluster.events import Event, KindStatus
from clusterdns.cluster.model import Key
from clusterdns.collector import collector_paused
from clusterdns.errors import printable, shortened
from clusterdns.sources.kubernetes.client import Client, Stream
from clusterdns.sources.kubernetes.comparing import Comparison
from clusterdns.sources.kubernetes.decoding import Decoder, Seen, number, versions_of
from clusterdns.sources.kubernetes.faults import ApiError, Reason
from clusterdns.sources.kubernetes.lines import Lines
from clusterdns.sources.kubernetes.outage import Outage
from clusterdns.sources.kubernetes.pace import Backoff, Clock
from clusterdns.sources.kubernetes.paging import Paging
from clusterdns.sources.kubernetes.resources import METADATA_LIST, Resource
from clusterdns.sources.kubernetes.store import Listing, Store

logger = logging.getLogger("clusterdns.kubernetes")

SLICE_SECONDS = 0.001  # of decoding, by each kind, after which waiting queries have their turn
COMPARED = 100  # objects of a page
_LASTING = 10.0  # seconds that a watch was open, after which what was before it does not count
_STORM = 3  # faults of a reason that make trouble of what is else only the end of a stream
_GARBLED = 3  # of them, and a new list has to help
NAMED = 3  # objects in a line of the log

_RELIST = frozenset((Reason.EXPIRED, Reason.DISORDER, Reason.HISTORY, Reason.DIVERGED, Reason.BUG))
_NO_STREAM = (Reason.FAILED, Reason.SILENT)  # beside 4xx; those of a list by pages are told


class Timing(Struct, frozen=True):
    """Seconds."""

    silence: float = 75.0  # without even a bookmark, which comes once a minute
    initial: float = 10.0  # between two objects of a streaming list, before pages are tried
    watch: float = 300.0  # that a watch lasts; up to twice as long
    compare: float = 300.0  # between two comparisons; up to half as long again
    grace: float = 5.0  # that a watch may be behind a list
    between_pages: float = 0.05  # of a comparison, which has time


class Surroundings(Struct, frozen=True):
    """What the reflectors of one server share."""

    client: Client
    changed: Callable[[Sequence[Event]], None]  # gets what is one step
    triggered: Callable[[Seen], None]  # gets what says when it came about, before ``changed`` is told of it
    outage: Outage
    clock: Clock
    random: Callable[[], float]  # as random.random
    timing: Timing


class Reflector:
    """Follows one kind for ever.  Use it on one loop."""

    def __init__(self, resource: Resource, around: Surroundings) -> None:
        self.resource, self._around, self._timing = resource, around, around.timing
        self.store = Store(resource.kind)
        self.synced = asyncio.Event()
        self.restarts: Counter[str] = Counter()
        self.relists: Counter[str] = Counter()
        self.repaired = 0
        self._decoder = Decoder(resource.kind)
        self._backoff = Backoff(around.random)
        self._paging = Paging(self._page, self._decoder)
        self._streams_lists = True  # until it did not answer such a request at all
        self._doubtful = False  # the server may have become another one since the last watch
        self._reached = False  # by the try that is under way
        self._opened_at: float | None = None
        self._stream: Stream | None = None
        self._demand: ApiError | None = None  # why we ended the stream ourselves
        self._hurry = asyncio.Event()  # ends a pause between tries
        self._compare_now = asyncio.Event()
        self._last: ApiError | None = None
        self._error = ""
        self._error_since: float | None = None  # Unix seconds
        self._event_at: float | None = None
        self._told_at: float | None = None  # when the server last said how far it is
        self._resumed_at: float | None = None  # when it last began to tell what happened since

    async def run(self) -> None:
        """Endless; whatever happens costs a try at most."""
        comparing = asyncio.create_task(self._compare_for_ever())
        try:
            while True:
                fault = await self._until_fault()
                await self._rest(self._judge(fault))
        finally:
            comparing.cancel()
            with suppress(asyncio.CancelledError):
                await comparing

    def refresh(self) -> None:
        """Compare now; where the server could not be reached, try again now."""
        self._compare_now.set()
        self._hurry.set()

    def status(self) -> KindStatus:
        now = self._around.clock.monotonic()
        event_age, bookmark_age = (None if at is None else now - at for at in (self._event_at, self._told_at))
        resumed_age = None if self._resumed_at is None else now - self._resumed_at
        ages = [age for age in (event_age, bookmark_age, resumed_age) if age is not None]
        return KindStatus(
            self.resource.kind,
            self.synced.is_set(),
            len(self.store.objects),
            min(ages, default=None),
            self._error,
            self.repaired,
            self.store.position,
            event_age,
            bookmark_age,
            dict(self.restarts),
            dict(self.relists),
            len(self.store.unreadable),
            self._error_since,
        )

    async def _until_fault(self) -> ApiError:
        self._reached, self._opened_at = False, None
        try:
            await self._follow()
        except ApiError as error:
            fault = error
        except Exception as error:
            # A mistake of ours.  It costs a list and not the server: no event may end the process.
            logger.exception("%s cannot be followed", self.resource.path)
            fault = ApiError(Reason.BUG, f"clusterdns itself fails ({type(error).__name__}); report this as a bug")
        demand, self._demand = self._demand, None
        return demand or fault

    def _judge(self, fault: ApiError) -> float:
        """Seconds to wait."""
        now = self._around.clock.monotonic()
        if self._opened_at is not None and now - self._opened_at >= _LASTING:
            self._backoff.forget()
        delay = self._backoff.delay(fault)
        garbled = fault.reason is Reason.GARBLED and self._backoff.count(Reason.GARBLED) >= _GARBLED
        if fault.reason in _RELIST or garbled:
            self.relists[fault.reason] += 1
            self.store.position = ""
        else:
            self.restarts[fault.reason] += 1
            self._doubtful |= fault.reason is not Reason.ENDED
        self._last = fault
        if not self._reached or self._backoff.count(fault.reason) >= _STORM:
            self._error = printable(shortened(str(fault)))
            if self._error_since is None:
                self._error_since = self._around.clock.wall()
            self._around.outage.trouble(self.resource.kind, fault)
        else:
            logger.debug("%s: %s", self.resource.path, fault)
        return delay

    async def _rest(self, seconds: float) -> None:
        if seconds:
            await self._sleep(seconds, self._hurry)
        self._hurry.clear()

    async def _sleep(self, seconds: float, until: asyncio.Event) -> None:
        """Or *until* that is set."""
        waiting = [
            asyncio.ensure_future(self._around.clock.sleep(seconds)),
            asyncio.ensure_future(until.wait()),
        ]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()

    async def _follow(self) -> None:
        """Raises ApiError, sooner or later."""
        if not self.store.position:
            await self._list()
        elif self._doubtful:
            await self._check_history()
        self._doubtful = False
        async with self._open({"resourceVersion": self.store.position}) as stream:
            if not self._cut_short:
                self._resumed_at = self._opened_at
            await self._take(stream, Lines(), iter(()))

    async def _check_history(self) -> None:
        """A server whose etcd was restored would wait in silence until it has come as far as we are."""
        try:
            text = await self._around.client.get(self.resource.path, self._selected({"limit": "1"}), METADATA_LIST)
        except ApiError as fault:
            if fault.reason not in (Reason.FAILED, Reason.BUSY):
                raise
            return  # its etcd may be away: it can be watched all the same, and a comparison finds the rest
        at, reached = number(versions_of(text).version), number(self.store.position)
        if 0 < at < reached:
            raise ApiError(Reason.HISTORY, f"the server is at {at}, though it had told of {reached}")

    async def _list(self) -> None:
        """Returns after a list by pages; one by stream goes on as a watch."""
        if self._streams_lists:
            lists = self.store.lists
            try:
                await self._list_by_stream()
            except ApiError as fault:
                refused = 400 <= fault.code < 500 and fault.reason is Reason.FAILED
                if self.store.lists > lists or not (refused or fault.reason in _NO_STREAM):
                    raise
                self._streams_lists = fault.reason is not Reason.SILENT
                logger.debug("%s: no streaming list: %s", self.resource.path, fault)
        await self._list_by_pages()

    async def _list_by_stream(self) -> None:
        """KEP-3157: what there is comes as events, then a bookmark that ends them, and then what happens."""
        parameters = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
        async with self._open(parameters) as stream:
            lines = Lines()
            with collector_paused():
                rest = await self._take_initial(stream, lines)
            await self._take(stream, lines, rest)

    async def _list_by_pages(self) -> None:
        with collector_paused():
            listing, turns = Listing(self.store), self._turns()
            await self._finish(listing, await self._paging.list(listing, turns.pause), turns)

    async def _page(self, parameters: dict[str, str]) -> bytes:
        text = await self._around.client.get(self.resource.path, self._selected(parameters), self.resource.list_accept)
        self._reached = True
        return text

    async def _take_initial(self, stream: Stream, lines: Lines) -> Iterator[bytes]:
        """Returns the lines behind the list that have come with it."""
        listing, turns = Listing(self.store), self._turns()
        while True:
            ready = iter(lines.feed(await self._read(stream, self._timing.initial)))
            for line in ready:
                seen = self._decoder.line(line)
                if seen.ends_list:
                    await self._finish(listing, seen.version, turns)
                    return ready
                if seen.type != "BOOKMARK":
                    listing.take(seen)
                await turns.pause()

    async def _take(self, stream: Stream, lines: Lines, ready: Iterator[bytes]) -> None:
        """What happens, until ApiError.  What has come together is handed over together."""
        turns, events = self._turns(), list[Event]()
        while True:
            try:
                for line in ready:
                    seen = self._decoder.line(line)
                    if event := self.store.apply(seen):
                        events.append(event)
                        if seen.triggered:
                            self._around.triggered(seen)
                    if seen.type == "BOOKMARK":
                        self._told_at = self._around.clock.monotonic()
                    if self._error:
                        self._well()
                    await turns.pause()
            finally:
                if events:
                    self._event_at = self._around.clock.monotonic()
                    self._around.changed(events)
                    events = []
            ready = lines.feed(await self._read(stream, self._timing.silence))

    async def _read(self, stream: Stream, within: float) -> bytes:
        data = await stream.read(within)
        if not data:
            raise ApiError(Reason.ENDED, "the server ended the watch")
        return data

    async def _finish(self, listing: Listing, version: str, turns: "Turns") -> None:
        """Puts *listing* in the place of what was known, in one step for everybody else."""
        events = list[Event]()
        if self.synced.is_set():
            for few in self.store.differences(listing):
                events += few
                await turns.pause()
        self.store.replace(listing, version)
        self._told_at = self._around.clock.monotonic()
        self._around.changed(events)
        self.synced.set()

    @asynccontextmanager
    async def _open(self, parameters: dict[str, str]) -> AsyncIterator[Stream]:
        """A watch.  Raises ApiError."""
        seconds = self._timing.watch * (1 + self._around.random())
        common = {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(int(seconds))}
        asked = self._selected(common | parameters)
        async with self._around.client.watch(self.resource.path, asked, self.resource.watch_accept) as stream:
            self._stream, self._reached, self._opened_at = stream, True, self._around.clock.monotonic()
            if not self._cut_short:
                self._well()
            try:
                yield stream
            finally:
                self._stream = None

    @property
    def _cut_short(self) -> bool:
        """Whether the last watch began well and ended with an error: that one has begun says nothing then."""
        return self._last is not None and self._last.streamed

    def _well(self) -> None:
        self._error, self._error_since = "", None
        self._around.outage.well(self.resource.kind)

    def _selected(self, parameters: dict[str, str]) -> dict[str, str]:
        return parameters | ({"fieldSelector": self.resource.selector} if self.resource.selector else {})

    def _turns(self) -> "Turns":
        return Turns(self._around.clock.monotonic)

    async def _compare_for_ever(self) -> None:
        while True:
            await self._sleep(self._timing.compare * (1 + self._around.random() / 2), self._compare_now)
            self._compare_now.clear()
            if self._stream is None or not self.synced.is_set():
                continue  # whoever comes back looks by itself
            began = self._around.clock.monotonic()
            try:
                diverged = await self._compare()
            except ApiError as fault:
                logger.debug("%s: not compared: %s", self.resource.path, fault)
            except Exception:
                # A mistake of ours.  The next comparison comes all the same: without any, what is lost stays lost.
                logger.exception("%s cannot be compared", self.resource.path)
            else:
                if diverged:
                    self._repair(diverged)
                else:
                    self._told_at = max(self._told_at or began, began)

    async def _compare(self) -> list[Key]:
        """The objects that are otherwise than the server has them, though the watch had time to tell."""
        store = self.store
        lists, comparison, token = store.lists, Comparison(store.versions), ""
        deleted = set[Key]()
        store.deleted = deleted
        try:
            while True:
                parameters = self._selected({"limit": str(COMPARED)} | ({"continue": token} if token else {}))
                page = versions_of(await self._around.client.get(self.resource.path, parameters, METADATA_LIST))
                comparison.take(page.entries)
                token = page.token
                if not token:
                    break
                await self._around.clock.sleep(self._timing.between_pages)
            if not comparison.clean:
                await self._around.clock.sleep(self._timing.grace)
        finally:
            store.deleted = None
        return comparison.diverged(page.version, deleted) if store.lists == lists else []

    def _repair(self, diverged: Sequence[Key]) -> None:
        self.repaired += len(diverged)
        names = ", ".join(map(str, diverged[:NAMED])) + (", ..." if len(diverged) > NAMED else "")
        text = f"{len(diverged)} objects of the kind {self.resource.kind} are otherwise than the API has them: {names}"
        logger.warning("%s; they are listed again", printable(text))
        if self._stream:
            self._demand = ApiError(Reason.DIVERGED, text)
            self._stream.abort()


class Turns:
    """Gives the loop away when it has been held for long enough."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._until = monotonic() + SLICE_SECONDS

    async def pause(self) -> None:
        if self._monotonic() >= self._until:
            await asyncio.sleep(0)
            self._until = self._monotonic() + SLICE_SECONDS
