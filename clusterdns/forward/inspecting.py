"""A look at the cache, and flushing it; in steps, since it may be large."""

from collections.abc import Callable, Iterator, Sequence

from clusterdns.forward.answers import Question
from clusterdns.forward.asking import Asker
from clusterdns.forward.cache import Cache
from clusterdns.forward.kept import failure_octets, present_octets
from clusterdns.views.cache import Counts, Entry, Numbers, rcode_name
from clusterdns.views.explain_names import type_name
from clusterdns.zone.names import Name, to_text

Matches = Callable[[Name], bool]


class Inspection:
    """Of the cache of an Asker.  Iterators yield None where they have found nothing, so that others have their turn.

    *leaving*: those before it that are still waited for, and what they leave to it.
    """

    def __init__(
        self,
        cache: Cache,
        asker: Asker,
        clock: Callable[[], float],
        leaving: Sequence[tuple[Cache, Asker]] = (),
    ) -> None:
        self._cache, self._asker, self._clock, self._leaving = cache, asker, clock, leaving

    def counts(self) -> Counts:
        cache, asker = self._cache, self._asker
        success, denial = (
            Numbers(tally.entries, tally.octets, tally.hits, tally.evictions) for tally in (cache.success, cache.denial)
        )
        failure = Numbers(len(cache.failures), int(cache.failures.currsize), cache.failure_hits, 0)
        return Counts(
            *(cache.bounds.octets, success, denial, failure, cache.misses, cache.served_stale, cache.prefetches),
            *(asker.flights, asker.prefetching, asker.waiting),
        )

    def entries(self, matches: Matches) -> Iterator[Entry | None]:
        """Those of now whose name *matches*, as they are when they are come to."""
        for question in _questions(self._cache):
            yield self._entry(question) if matches(question.name) else None

    def flush(self, matches: Matches) -> Iterator[bool]:
        """Whether one more went.  Answers to what has been asked before are not kept either.

        These come first: whatever they bring meanwhile is in the cache when that is looked through.
        """
        every = [(self._cache, self._asker), *self._leaving]
        for _, asker in every:
            for question in asker.under_way():
                if matches(question.name):
                    asker.let_go(question)
                yield False
        # What is left to the cache comes into it from the others: these are looked through before it.
        for cache in reversed([*dict.fromkeys(cache for cache, _ in every)]):
            for question in _questions(cache):
                yield matches(question.name) and cache.forget(question)

    def _entry(self, question: Question) -> Entry | None:
        cache, now = self._cache, self._clock()
        name, rtype, dnssec_ok, checking_disabled = question
        common = to_text(name), type_name(rtype), dnssec_ok, checking_disabled
        if kept := cache.entries.get(question):
            kind = "denial" if kept.tally is cache.denial else "success"
            left, rcode = kept.left(now), rcode_name(kept.foreign.rcode)
            if left <= 0 and not cache.stale(question, now):
                return None
            return Entry(*common, kind, rcode, left, stale=left <= 0, hits=kept.hits, octets=present_octets(kept))
        if (failure := cache.failures.get(question)) and now < failure.until:
            left, rcode = int(failure.until - now) + 1, rcode_name(failure.outcome.rcode)
            return Entry(*common, "failure", rcode, left, stale=False, hits=0, octets=failure_octets(failure))
        return None


def _questions(cache: Cache) -> list[Question]:
    kept = cache.entries
    return [*kept, *(question for question in cache.failures if question not in kept)]
