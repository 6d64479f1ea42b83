"""One question to several upstreams: the first who knows wins."""

import asyncio
from collections.abc import Iterable

from clusterdns.errors import shortened
from clusterdns.forward.answers import ANSWERS, Foreign, Question, Unresolved
from clusterdns.forward.hedging import Hedges
from clusterdns.forward.tries import Tries, TryError
from clusterdns.forward.upstream import Upstream
from clusterdns.zone.extended_errors import NETWORK_ERROR, NO_REACHABLE_AUTHORITY
from clusterdns.zone.prepared import SERVFAIL

TEXT_CHARACTERS = 200

_SILENT = TryError("silence", "no reply")


class Race:
    """A try begins when none is under way, or when the latest may be taken for lost; one of them earlier, as a hedge.

    All are listened to until the race ends: a name that takes an upstream seconds is answered to the first of them.
    """

    def __init__(
        self, question: Question, options: bytes, plan: Iterable[tuple[Upstream, bool]], hedges: Hedges
    ) -> None:
        """*plan*: whom to ask in which order, each with whether over a stream."""
        self._question, self._options, self._plan, self._hedges = question, options, [*plan], hedges
        self._tries, self._hedged = Tries(), False
        self._begun: dict[Upstream, tuple[int, float]] = {}  # tries of each, and when the last of them began
        self._under_way: dict[asyncio.Task[Foreign], tuple[Upstream, bool]] = {}
        self._faults: dict[Upstream, TryError] = {}  # the latest of each that was asked
        self._out: set[tuple[Upstream, bool]] = set()  # that need not be asked again, as in the plan
        self._refusal: Foreign | None = None

    async def run(self) -> Foreign:
        """Raises Unresolved when nobody is left.  Cancel it when the time is over, then ``cancel`` and ``rest``."""
        now = asyncio.get_running_loop().time
        while True:
            latest = self._begin(now())
            if not self._under_way:
                return self.rest()
            while self._under_way:
                due, hedge = self._due(latest)
                left = None if due is None else due - now()
                done, _ = await asyncio.wait(self._under_way, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                answers = [foreign for task in done if (foreign := self._judged(task))]
                if answers:
                    return answers[0]
                if not done and (not hedge or self._hedge()):
                    break

    def cancel(self) -> None:
        """Ends what is under way."""
        for task in self._under_way:
            _end(task)
        self._under_way.clear()

    def rest(self) -> Foreign:
        """What remains to be said without an answer: what an upstream gave as its reason.  Raises Unresolved."""
        if self._refusal:
            return self._refusal
        whys = {fault.why for fault in self._faults.values()}
        code = NETWORK_ERROR if whys & {"network", "local"} else NO_REACHABLE_AUTHORITY
        text = "; ".join(f"{upstream}: {fault.text}" for upstream, fault in self._faults.items())
        raise Unresolved(code, shortened(text or "no upstream", TEXT_CHARACTERS))

    def _begin(self, now: float) -> Upstream | None:
        """The next try, if there is another; who is asked."""
        while self._plan:
            upstream, stream = self._plan.pop(0)
            if (upstream, stream) in self._out:
                continue
            asking = upstream.exchange(self._question, self._options, self._tries, stream=stream, patient=True)
            self._under_way[asyncio.get_running_loop().create_task(asking)] = upstream, stream
            self._begun[upstream] = self._begun.get(upstream, (0, 0.0))[0] + 1, now
            self._faults.setdefault(upstream, _SILENT)
            return upstream
        return None

    def _due(self, latest: Upstream | None) -> tuple[float | None, bool]:
        """When another try may begin beside that of *latest*, if there is another, and whether it is a hedge."""
        following = next((one[0] for one in self._plan if one not in self._out), None)
        if latest is None or following is None:
            return None, False
        tries, began = self._begun[latest]
        due = began + latest.retry_wait(tries)
        if following in self._begun:
            tries, before = self._begun[following]
            due = max(due, before + following.again_wait(tries))
        elif not self._hedged:
            return began + latest.hedge_wait, True
        return due, False

    def _hedge(self) -> bool:
        """Whether there may be one; of one question there is no other."""
        self._hedged = True
        return self._hedges.take()

    def _judged(self, task: "asyncio.Task[Foreign]") -> Foreign | None:
        """Its answer, if that says something."""
        if task not in self._under_way:  # another reply of the same upstream came first
            _end(task)
            return None
        upstream, stream = self._under_way.pop(task)
        fault = task.exception()
        if isinstance(fault, TryError):
            _forget_way(fault)
            self._faults[upstream] = fault
            if fault.why == "bad":
                self._drop(upstream)
            elif fault.why != "silence":
                self._out.add((upstream, stream))  # what is under way another way may still succeed
            return None
        foreign = task.result()
        if foreign.rcode in ANSWERS:
            return foreign
        if self._refusal is None or foreign.rcode == SERVFAIL != self._refusal.rcode:
            self._refusal = foreign
        self._drop(upstream)
        return None

    def _drop(self, upstream: Upstream) -> None:
        """It has had its say; another try would bring the same."""
        self._out |= {(upstream, False), (upstream, True)}
        for task in [task for task, (other, _) in self._under_way.items() if other is upstream]:
            del self._under_way[task]
            _end(task)


def _end(task: "asyncio.Task[Foreign]") -> None:
    """Whatever has become of it is of no interest, and must not be logged as forgotten."""
    task.add_done_callback(_ended)
    task.cancel()


def _ended(task: "asyncio.Task[Foreign]") -> None:
    try:
        fault = task.exception()
    except asyncio.CancelledError:  # now the task does not hold it any more
        return
    if fault:
        _forget_way(fault)


def _forget_way(fault: BaseException) -> None:
    """Which code an error has come through.  Tracebacks hold frames, these the task, and that the error.

    Such circles wait for the collector, and while upstreams are dead it would walk them for 100 ms at a time.
    """
    fault.__traceback__ = fault.__context__ = None
