"""What would be done with names of others, told without asking anybody."""

from collections.abc import Callable, Sequence

from clusterdns.engine.elsewhere import Later, Resolve, Send
from clusterdns.engine.reply import Reply
from clusterdns.forward.home import LOCALHOST, kept_reply
from clusterdns.forward.routing import UPSTREAM, Routes
from clusterdns.zone import causes
from clusterdns.zone.causes import Cause
from clusterdns.zone.names import Name, to_text
from clusterdns.zone.prepared import NOERROR, REFUSED
from clusterdns.zone.reverse import parse_reverse


class Telling:
    """An ``engine.elsewhere.Elsewhere`` for explanations."""

    def __init__(self, routes: Routes, servers: Callable[[int], Sequence[str]]) -> None:
        """*servers*: those of a group as *routes* number them, as text."""
        self._routes, self._servers = routes, servers

    def takes(self, name: Name) -> bool:
        return self._routes.takes(name)

    def tells(self, name: Name) -> bool:
        return self._routes.tells(name)

    def cause(self, name: Name) -> Cause | None:
        """Who is asked for *name*, or why nobody is; None: there is nobody."""
        route = self._routes.of(name)
        shown = to_text(name)
        if route.home is not None:
            if route.home == LOCALHOST:
                return causes.LOCALHOST.of(name=shown)
            reverse = parse_reverse(route.home) is not None
            return (causes.KEPT_REVERSE if reverse else causes.KEPT_HOME).of(name=shown, domain=to_text(route.home))
        if route.group is None:
            return None
        which = "upstream" if route.group == UPSTREAM else f"stub domain {to_text(route.suffix)}"
        return causes.FORWARDED.of(name=shown, servers=", ".join(self._servers(route.group)), which=which)

    def known(
        self, packet: bytes, end: int, name: bytes, rtype: int, limit: int, opt: bytes, address: str
    ) -> bytes | None:
        del packet, end, name, rtype, limit, opt, address
        return None

    def ask(self, resolve: Resolve) -> bytes | Later:
        """The aliases of ours where they lead there; what is kept home; else nothing ever comes."""
        route, inside = self._routes.of(resolve.target, resolve.query.qtype), resolve.inside
        if route.home is not None:
            exists = self._routes.is_above(resolve.target)
            return inside.finish(resolve, kept_reply(resolve, route.home, exists=exists))
        if resolve.chain:
            return inside.finish(resolve, Reply(NOERROR, resolve.flags, [*resolve.chain]))
        return inside.finish(resolve, Reply(REFUSED)) if route.group is None else _never


def _never(_: Send) -> None:
    """Nobody is asked."""
