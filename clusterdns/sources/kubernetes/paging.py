"""A list by pages, of which the beginning may grow too old before the end has come."""

from collections.abc import Awaitable, Callable

from clusterdns.cluster.model import Key, list_order
from clusterdns.sources.kubernetes.decoding import Decoder, Page, page_of
from clusterdns.sources.kubernetes.faults import ApiError
from clusterdns.sources.kubernetes.store import Listing

PAGE_OCTETS = 1 << 19  # that a page should have: it is looked through at once
FIRST_PAGE, LEAST_PAGE, MOST_PAGE = 100, 10, 500  # objects

Ask = Callable[[dict[str, str]], Awaitable[bytes]]  # parameters of the request -> JSON; raises ApiError
Pause = Callable[[], Awaitable[None]]


class Paging:
    """Of one kind; keeps the size of page that suits it."""

    def __init__(self, ask: Ask, decoder: Decoder) -> None:
        self._ask, self._decoder = ask, decoder
        self._size = FIRST_PAGE

    async def list(self, listing: Listing, pause: Pause) -> str:
        """Fills *listing*; returns the resourceVersion from which a watch makes it whole.  Raises ApiError.

        All pages are as of the first one's resourceVersion, and that is no older than the request.  Where it is
        compacted before the last page, the server offers a token for the rest as it is then (``ListMeta.continue`` of
        the 410).  What came before is from a time that no watch can begin at: so it is listed again behind the rest,
        and a watch from the rest's version tells what changed in between.
        """
        token, outdated, refused = "", set[Key](), False
        while True:
            try:
                page, _ = await self._page(token, listing, pause)
            except ApiError as fault:
                if not fault.token or refused:
                    raise
                outdated, token, refused = set(listing.versions), fault.token, True
                continue
            token, refused = page.token, False
            if not token:
                break
        if outdated:
            await self._renew(outdated, listing, pause)
        return page.version

    async def _renew(self, outdated: set[Key], listing: Listing, pause: Pause) -> None:
        """Lists from the beginning until behind the last one of *outdated*."""
        last, token = max(map(list_order, outdated)), ""
        listing.forget(outdated)
        while True:
            page, end = await self._page(token, listing, pause)
            token = page.token
            if not token or end >= last:
                return

    async def _page(self, token: str, listing: Listing, pause: Pause) -> tuple[Page, str]:
        """And how far it comes in the order of lists."""
        end = ""
        text = await self._ask({"limit": str(self._size)} | ({"continue": token} if token else {}))
        page = page_of(text)
        for item in page.items:
            seen = self._decoder.item(item)
            listing.take(seen)
            end = list_order(seen.key)
            await pause()
        self._size = page_size(len(text), len(page.items), self._size)
        return page, end


def page_size(octets: int, items: int, size: int) -> int:
    """How many objects to ask for, after a page of *size* (*items* came) was *octets* long."""
    fitting = PAGE_OCTETS * items // max(octets, 1) if items else size
    return max(LEAST_PAGE, min(MOST_PAGE, 2 * size, fitting))
