"""The figures of all upstreams since the process began: those that leave, or come back, take nothing away."""

from collections.abc import Iterator

from clusterdns.forward.figures import Figures
from clusterdns.forward.servers import Server

MOST_GONE = 64  # of those that nobody asks any more; a file may name others every day


class Ledger:
    """*forgotten*: foreign messages of upstreams whose figures are not kept any more."""

    def __init__(self) -> None:
        self._figures: dict[tuple[str, Server], Figures] = {}  # in the order of their last beginning
        self.forgotten = 0

    def of(self, domain: str, server: Server) -> Figures:
        """For an Upstream that is *server*, and asked for names in *domain*: the same as before, if it was that before.

        It counts as one of their users.
        """
        figures = self._figures[domain, server] = self._figures.pop((domain, server), Figures())
        figures.users += 1
        self._forget()
        return figures

    def __iter__(self) -> Iterator[tuple[Server, Figures]]:
        """A server that is asked for several domains comes several times."""
        return ((server, figures) for (_, server), figures in self._figures.items())

    @property
    def foreign(self) -> int:
        """Messages of all upstreams that did not belong to their question."""
        return self.forgotten + sum(figures.foreign for figures in self._figures.values())

    def _forget(self) -> None:
        gone = [key for key, figures in self._figures.items() if not figures.users]
        for key in gone[: max(0, len(gone) - MOST_GONE)]:
            self.forgotten += self._figures.pop(key).foreign
