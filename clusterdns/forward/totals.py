"""What Forwarders have counted, added up: settings that make another one take nothing away."""

from collections import Counter
from collections.abc import Collection, Iterable

from clusterdns.forward.cache import Cache
from clusterdns.forward.membership import Upstreams
from clusterdns.forward.stages import Forwarder


class Totals:
    """Since the process began."""

    def __init__(self) -> None:
        self._ended: Counter[str] = Counter()

    def of(self, forwarders: Collection[Forwarder]) -> Counter[str]:
        """Of *forwarders*, which are all that there are now, and of those that have ended.

        By what was counted: ``refused``, ``loops``, ``broken``, and of caches ``misses``, ``prefetches``, ``stale``,
        ``failures``, and for each type of answers ``hits success``, ``evictions denial``.
        """
        found = Counter(self._ended)
        found.update(_of_forwarders(forwarders))
        found.update(_of_caches({id(one.cache): one.cache for one in forwarders}.values()))
        return found

    def end(self, forwarder: Forwarder, others: Iterable[Forwarder]) -> None:
        """It has ended; *others* have not, and may use its cache further."""
        self._ended.update(_of_forwarders([forwarder]))
        if all(one.cache is not forwarder.cache for one in others):
            self._ended.update(_of_caches([forwarder.cache]))


def _of_forwarders(forwarders: Iterable[Forwarder]) -> Counter[str]:
    found: Counter[str] = Counter()
    for one in forwarders:
        found["refused"] += one.admission.refused
        found["loops"] += one.loops
        found["broken"] += sum(group.broken for group in one.groups if isinstance(group, Upstreams))
    return found


def _of_caches(caches: Iterable[Cache]) -> Counter[str]:
    found: Counter[str] = Counter()
    for cache in caches:
        found["misses"] += cache.misses
        found["prefetches"] += cache.prefetches
        found["stale"] += cache.served_stale
        found["failures"] += cache.failure_hits
        for kind, tally in (("success", cache.success), ("denial", cache.denial)):
            found[f"hits {kind}"] += tally.hits
            found[f"evictions {kind}"] += tally.evictions
    return found
