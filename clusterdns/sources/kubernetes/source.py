"""Objects from a live API server, followed for a server."""

import random
from collections.abc import AsyncIterator, Callable, Sequence

from clusterdns.cluster.events import Event, SourceStatus
from clusterdns.errors import Problem
from clusterdns.sources.kubernetes.access import Credentials
from clusterdns.sources.kubernetes.pace import SYSTEM_CLOCK, Clock


class Kubernetes:
    """The source of a server.  Use its methods on one loop, ``rounds`` once at a time."""

    name = "kubernetes"

    def __init__(
        self,
        credentials: Credentials,
        *,
        pods: bool = False,
        clock: Clock = SYSTEM_CLOCK,
        random: Callable[[], float] = random.random,
    ) -> None:
        """*pods*: whether pods are followed, too (``pods: verified``)."""
        self._credentials, self._pods, self._clock, self._random = credentials, pods, clock, random

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Of objects that cannot be read."""
        return ()

    def refresh(self) -> None:
        """Compare with the server now, and try again at once where it could not be reached."""

    def status(self) -> SourceStatus:
        raise NotImplementedError

    async def rounds(self) -> AsyncIterator[Sequence[Event]]:
        """See ``events.Source``.  Raises OperatorError before the first round if the credentials are wrong.

        The first round comes when every kind has been listed.
        """
        raise NotImplementedError
        yield ()  # an iterator
