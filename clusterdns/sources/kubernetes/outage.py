"""What the log says about an API server that cannot be followed: a line when it is lost, one when it is back."""

import logging
from collections.abc import Callable

from clusterdns.sources.kubernetes.faults import OF_THE_WAY, ApiError, Reason

logger = logging.getLogger("clusterdns.kubernetes")


class Outage:
    """Of all kinds together: they are lost and come back together."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._since: float | None = None
        self._troubled: set[str] = set()  # kinds
        self._told: set[Reason] = set()  # in this outage
        self.knows_something = False  # whether there is anything to go on serving

    def trouble(self, kind: str, fault: ApiError) -> None:
        """*kind* cannot be followed for now.  Told once for each reason."""
        if self._since is None:
            self._since = self._monotonic()
        self._troubled.add(kind)
        if fault.reason not in self._told:
            self._told.add(fault.reason)
            meanwhile = "what is known is served on" if self.knows_something else "nothing is served yet"
            of = "" if fault.reason in OF_THE_WAY else f" ({kind})"
            logger.warning("the Kubernetes API cannot be followed%s: %s; %s", of, fault, meanwhile)

    def well(self, kind: str) -> None:
        self._troubled.discard(kind)
        if self._since is not None and not self._troubled:
            logger.info("the Kubernetes API is followed again after %.1f s", self._monotonic() - self._since)
            self._since = None
            self._told.clear()
