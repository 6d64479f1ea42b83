"""Questions for others, stage by stage, in front of upstreams that say what a test wants."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from random import Random
from typing import Any

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import pytest
from packets import AA, AD, CD, RA, RD, TC, mutants, opt, option, query, read, summary
from replies import reply, signature
from strategies import OPTIONS, SHOP, alias, table_of

from clusterdns.cluster.model import Published
from clusterdns.engine import answer
from clusterdns.engine.cookies import Cookies
from clusterdns.engine.edns import TRAIL
from clusterdns.engine.manners import Manners
from clusterdns.forward.admission import Limits
from clusterdns.forward.answers import Foreign, Question, Unresolved
from clusterdns.forward.cache import Cache
from clusterdns.forward.kept import Bounds
from clusterdns.forward.routing import Routes, private_reverse
from clusterdns.forward.stages import AT_ONCE, PRESSED_SECONDS, Forwarder, Terms
from clusterdns.forward.walk import walk
from clusterdns.zone.names import Name, parse_name, to_text
from clusterdns.zone.reverse import IN_ADDR
from clusterdns.zone.tree import ZoneOptions

MARK = b"ourselves"[:8]
PATIENCE = 120.0  # seconds; only a fault waits so long: a thousand questions take a busy machine 8
OUT = "www.example.com"
ROOT_SOA = ". 300 SOA ns.example.com. admin.example.com. 1 7200 3600 86400 60"
UNLIMITED = Limits()
KEPT = tuple(map(parse_name, ("localhost", "local", "invalid")))


Script = Mapping[str, Sequence[str] | bytes | Exception]


class Upstream:
    """Says what *script* has for ``"www.example.com A"``: answers, a whole reply, or an exception to raise."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: list[str] = []
        self.options: list[bytes] = []
        self.questions: list[Question] = []
        self.held: asyncio.Event | None = None  # nothing is said before
        self.in_vain = self.closed = False

    async def resolve(self, question: Question, options: bytes = b"") -> Foreign:
        self.asked.append(to_text(question.name) + f" {question.rtype}")
        self.options.append(options)
        self.questions.append(question)
        if self.held:
            await self.held.wait()
        name = to_text(question.name).removesuffix(".")
        said = self.script.get(name)
        if isinstance(said, Exception):
            raise said
        if said is None:
            said = reply(name, question.rtype, authority=[ROOT_SOA], rcode=3)
        if not isinstance(said, bytes):
            said = reply(name, question.rtype, said)
        return walk(said, question)

    def shown(self) -> list[str]:
        return []

    async def close(self) -> None:
        self.closed = True


class Scene:
    def __init__(
        self,
        upstream: Script | None = None,
        stub: Script | None = None,
        services: Iterable[Published] = SHOP,
        options: ZoneOptions | None = None,
        limits: Limits = UNLIMITED,
        ranges: Iterable[Name] = (),
    ) -> None:
        self.upstream, self.stub = Upstream(upstream or {}), Upstream(stub or {})
        stubs = (parse_name("corp.example"),) if stub is not None else ()
        options = options or ZoneOptions(OPTIONS.domains, upstream=upstream is not None, stubs=stubs)
        falling = [apex for apex in (*options.domains, *options.reverse) if options.falls(apex)]
        routes = Routes(
            options.apexes(), stubs, kept=KEPT, ranges=ranges, falling=falling, upstream=upstream is not None
        )
        groups = (self.stub, self.upstream) if stubs else (self.upstream,)
        loop = asyncio.get_running_loop()
        self.now = 0.0
        self.pressed = False
        terms = Terms(MARK, limits, timeout=PATIENCE)  # of the real clock, too
        self.forwarder = Forwarder(routes, groups, Cache(Bounds()), terms, lambda: self.now, loop, lambda: self.pressed)
        manners = Manners(cookies=Cookies((bytes(16),)), clock=lambda: 1559731985)
        self.table = table_of(*services, options=options)
        self.server = answer.Responder(self.table, elsewhere=self.forwarder, manners=manners)

    async def ask(self, packet: bytes, transport: str = "udp", address: str = "192.0.2.7") -> bytes:
        response = self.server.answer(packet, transport, (address, 5353))
        if response is None or isinstance(response, bytes):
            assert response is not None
            return response
        got: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        response(got.set_result)
        return await got

    async def get(self, name: str, rtype: str = "A", **how: object) -> dns.message.Message:
        return read(await self.ask(query(name, rtype, edns=opt(), **how)))  # type: ignore[arg-type]

    async def said(self, name: str, rtype: str = "A", edns: bytes = opt(), flags: int = RD) -> str:
        return summary(await self.ask(query(name, rtype, edns=edns, flags=flags)))


def run(story: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE):
            await story()

    asyncio.run(bounded())


def ede(message: dns.message.Message) -> list[tuple[int, str | None]]:
    return [(int(one.code), one.text) for one in message.options if isinstance(one, dns.edns.EDEOption)]


ADDRESS = {OUT: [f"{OUT}. 300 A 192.0.2.1"]}


def test_a_name_outside_is_asked_for_once_and_kept() -> None:
    async def story() -> None:
        scene = Scene(ADDRESS)
        assert await scene.said(OUT) == "NOERROR ra | www.example.com. 300 IN A 192.0.2.1"
        scene.now += 100
        assert await scene.said("WWW.example.COM") == "NOERROR ra | WWW.example.COM. 200 IN A 192.0.2.1"
        assert scene.upstream.asked == ["www.example.com. 1"]
        assert await scene.said("nothing.example.com") == "NXDOMAIN ra | . SOA"
        assert await scene.said("nothing.example.com") == "NXDOMAIN ra | . SOA"
        assert len(scene.upstream.asked) == 2

    run(story)


@pytest.mark.parametrize("edns", [b"", opt(), opt(do=True), opt(options=option(10, b"8 octets"))])
@pytest.mark.parametrize("flags", [0, RD, RD | AD, RD | CD])
@pytest.mark.parametrize("name", [OUT, "Www.Example.com", "alias.example.com", "none.example.com", "big.example.com"])
def test_what_is_at_hand_is_the_same_on_both_paths(name: str, flags: int, edns: bytes) -> None:
    async def story() -> None:
        script: Script = {
            OUT: reply(OUT, "A", [f"{OUT}. 300 A 192.0.2.1", signature(f"{OUT}.", "A")], flags=0x81A0),
            "alias.example.com": ["alias.example.com. 60 CNAME www.example.com.", f"{OUT}. 300 A 192.0.2.1"],
            "big.example.com": [f"big.example.com. 300 A 192.0.2.{number}" for number in range(100)],
        }
        scene = Scene(script)
        packet = query(name, "A", flags=flags, edns=edns)
        first = await scene.ask(query(name, "A", flags=flags | RD, edns=edns))
        again = scene.server.answer(packet, "udp", ("192.0.2.7", 5353))
        slow = scene.server._slow(packet, "udp", ("192.0.2.7", 5353))
        assert again == slow
        assert again is not None
        assert not callable(again)
        assert (read(again).flags ^ read(first).flags) & ~RD == 0
        assert summary(again) == summary(first)
        assert len(scene.upstream.asked) == 1

    run(story)


def test_bits_and_signatures_go_to_those_who_want_them() -> None:
    async def story() -> None:
        signed = reply(OUT, "A", [f"{OUT}. 300 A 192.0.2.1", signature(f"{OUT}.", "A")], flags=0x81A0)
        scene = Scene({OUT: signed})
        plain, wants_ad = await scene.get(OUT), await scene.get(OUT, flags=RD | AD)
        dnssec = read(await scene.ask(query(OUT, edns=opt(do=True))))
        assert [len(message.answer) for message in (plain, wants_ad, dnssec)] == [1, 1, 2]
        assert [bool(message.flags & AD) for message in (plain, wants_ad, dnssec)] == [False, True, True]
        assert dnssec.ednsflags & dns.flags.DO
        unchecked = await scene.get(OUT, flags=RD | CD)
        assert unchecked.flags & CD
        assert [(one.dnssec_ok, one.checking_disabled) for one in scene.upstream.questions] == [
            (False, False),
            (True, False),
            (False, True),
        ]

    run(story)


def test_without_recursion_only_what_is_known_is_told() -> None:
    async def story() -> None:
        scene = Scene(ADDRESS)
        assert await scene.said(OUT, flags=0) == "REFUSED ra"
        await scene.said(OUT)
        assert (await scene.said(OUT, flags=0)).startswith("NOERROR ra | www")
        assert len(scene.upstream.asked) == 1

    run(story)


def test_the_longest_suffix_decides() -> None:
    async def story() -> None:
        scene = Scene(ADDRESS, stub={"db.corp.example": ["db.corp.example. 60 A 10.9.9.9"]})
        assert await scene.said("db.corp.example") == "NOERROR ra | db.corp.example. 60 IN A 10.9.9.9"
        assert await scene.said("web.shop.svc.cluster.local") == (
            "NOERROR aa ra | web.shop.svc.cluster.local. 5 IN A 10.96.0.10"
        )
        assert not scene.upstream.asked

    run(story)


def test_with_stub_domains_only_other_names_are_refused() -> None:
    async def story() -> None:
        scene = Scene(None, stub={})
        assert await scene.said(OUT) == "REFUSED ra"
        assert await scene.said("x.corp.example") == "NXDOMAIN ra | . SOA"

    run(story)


@pytest.mark.parametrize(
    ("name", "rtype", "expected"),
    [
        ("localhost", "A", "NOERROR aa ra | localhost. 300 IN A 127.0.0.1"),
        ("x.localhost", "AAAA", "NOERROR aa ra | x.localhost. 300 IN AAAA ::1"),
        ("printer.local", "A", "NXDOMAIN aa ra | local. SOA"),
        ("invalid", "TXT", "NXDOMAIN aa ra | invalid. SOA"),
    ],
)
def test_special_names_stay_home(name: str, rtype: str, expected: str) -> None:
    async def story() -> None:
        scene = Scene({})
        for flags in (0, RD):
            assert await scene.said(name, rtype, flags=flags) == expected
        assert not scene.upstream.asked

    run(story)


# Zones that fall through.

FALLING = ZoneOptions(OPTIONS.domains, fallthrough=(parse_name("."),), upstream=True)


def test_what_our_zones_lack_is_asked_for_and_nothing_else() -> None:
    async def story() -> None:
        scene = Scene({"x.cluster.local": ["x.cluster.local. 60 A 10.9.9.9"]}, options=FALLING)
        assert await scene.said("x.cluster.local") == "NOERROR ra | x.cluster.local. 60 IN A 10.9.9.9"
        assert await scene.said("nothing.shop.svc.cluster.local") == "NXDOMAIN ra | . SOA"
        assert await scene.said("idle.shop.svc.cluster.local") == "NXDOMAIN ra | . SOA"
        # Names of ours are below these (RFC 8020).
        assert await scene.said("_tcp.web.shop.svc.cluster.local") == "NOERROR ra | . SOA"
        assert await scene.said("10.in-addr.arpa", "SOA") == "NOERROR ra | . SOA"
        asked = len(scene.upstream.asked)
        assert await scene.said("web.shop.svc.cluster.local", "TXT") == "NOERROR aa ra | cluster.local. SOA"
        assert await scene.said("cluster.local") == "NOERROR aa ra | cluster.local. SOA"
        assert (await scene.said("in-addr.arpa", "SOA")).startswith("NOERROR aa ra | in-addr.arpa. 5 IN SOA")
        assert (await scene.said("10.0.96.10.in-addr.arpa", "PTR")).startswith("NOERROR aa ra")
        assert asked == len(scene.upstream.asked) == 5

    run(story)


def test_names_that_ours_are_below_are_not_denied() -> None:
    """Whoever says that they are not there (RFC 8020): the upstream, or a zone that is kept home."""

    async def story() -> None:
        options = ZoneOptions((parse_name("k8s.example"), parse_name("cluster.local")), upstream=True)
        denied = reply("www.example.com", "A", [f"{OUT}. 60 CNAME example."], [ROOT_SOA], rcode=3)
        scene = Scene({OUT: denied}, options=options)
        assert await scene.said("example") == "NOERROR ra | . SOA"
        assert await scene.said("local") == "NOERROR aa ra | local. SOA"
        assert await scene.said(OUT) == f"NOERROR ra | {OUT}. 60 IN CNAME example. | . SOA"
        assert await scene.said("x.example") == "NXDOMAIN ra | . SOA"

    run(story)


def test_nor_are_those_between_a_zone_and_a_stub_domain_inside_it() -> None:
    async def story() -> None:
        stub = parse_name("a.b.cluster.local")
        for falling in ((), (parse_name("."),)):
            options = ZoneOptions(OPTIONS.domains, fallthrough=falling, upstream=True, stubs=(stub,))
            server = Scene({}, options=options)
            rest = "ra | . SOA" if falling else "aa ra | cluster.local. SOA"
            assert await server.said("b.cluster.local") == f"NOERROR {rest}"
            assert await server.said("x.b.cluster.local") == f"NXDOMAIN {rest}"

    run(story)


def test_who_has_the_zone_above_is_asked_for_a_delegation() -> None:
    async def story() -> None:
        scene = Scene({}, stub={})
        assert await scene.said("corp.example", "DS") == "NOERROR ra | . SOA", "it is there, for all that we know"
        assert (scene.stub.asked, scene.upstream.asked) == ([], ["corp.example. 43"])

    run(story)


def test_what_falls_through_is_ours_again_once_we_have_it() -> None:
    async def story() -> None:
        scene = Scene({}, options=FALLING, services=())
        name = "10.0.96.10.in-addr.arpa"
        assert await scene.said(name, "PTR") == "NXDOMAIN ra | . SOA"
        scene = Scene({}, options=FALLING)
        assert (await scene.said(name, "PTR")).startswith("NOERROR aa ra | 10.0.96.10.in-addr.arpa. 5 IN PTR web.shop")

    run(story)


def test_ranges_of_ours_and_private_ones_stay_home() -> None:
    async def story() -> None:
        options = ZoneOptions(OPTIONS.domains, fallthrough=(IN_ADDR,), upstream=True)
        scene = Scene({}, options=options, ranges=[parse_name("96.10.in-addr.arpa")])
        assert await scene.said("9.9.96.10.in-addr.arpa", "PTR") == "NXDOMAIN aa ra | in-addr.arpa. SOA"
        assert not scene.upstream.asked
        assert await scene.said("9.9.97.10.in-addr.arpa", "PTR") == "NXDOMAIN ra | . SOA"
        scene = Scene({}, options=options, ranges=private_reverse())
        assert await scene.said("9.9.97.10.in-addr.arpa", "PTR") == "NXDOMAIN aa ra | in-addr.arpa. SOA"
        # Where the zone is not even ours, there is one all the same, and it is empty.
        scene = Scene({}, options=ZoneOptions(OPTIONS.domains, (), upstream=True), ranges=private_reverse())
        assert await scene.said("9.9.97.10.in-addr.arpa", "PTR") == "NXDOMAIN aa ra | 10.in-addr.arpa. SOA"
        assert not scene.upstream.asked

    run(story)


def test_nor_do_others_say_what_is_there() -> None:
    async def story() -> None:
        options = ZoneOptions(OPTIONS.domains, fallthrough=(IN_ADDR,), upstream=True)
        known, absent = "10.0.96.10.in-addr.arpa", "9.9.96.10.in-addr.arpa"
        script = {
            name: reply(
                name, "PTR", [f"{name}. 60 CNAME {end}.", f"{end}. 60 CNAME x.example.", "x.example. 9 PTR y.test."]
            )
            for name, end in (("1.in-addr.arpa", known), ("2.in-addr.arpa", absent))
        }
        scene = Scene(script, options=options, ranges=[parse_name("96.10.in-addr.arpa")])
        for _ in range(2):
            link = f"NOERROR ra | 1.in-addr.arpa. 60 IN CNAME {known}. | {known}. 5 IN PTR web.shop.svc.cluster.local."
            assert await scene.said("1.in-addr.arpa", "PTR") == link
            link = f"NXDOMAIN ra | 2.in-addr.arpa. 60 IN CNAME {absent}. | in-addr.arpa. SOA"
            assert await scene.said("2.in-addr.arpa", "PTR") == link

    run(story)


def test_who_has_not_read_its_objects_passes_nothing_on() -> None:
    async def story() -> None:
        scene = Scene(ADDRESS, options=FALLING)
        for zone in scene.table.zones:
            zone.miss = 2  # SERVFAIL
        assert await scene.said("x.cluster.local") == "SERVFAIL ra"
        assert (await scene.said(OUT)).startswith("NOERROR ra")

    run(story)


# Aliases.

Z = "svc.cluster.local"
DOCS = f"docs.shop.{Z}"
LINK = f"{DOCS}. 5 IN CNAME docs.example.org."


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (["docs.example.org. 60 A 192.0.2.5"], f"NOERROR aa ra | {LINK} | docs.example.org. 60 IN A 192.0.2.5"),
        (
            ["docs.example.org. 60 CNAME c.example.net.", "c.example.net. 30 A 192.0.2.6"],
            f"NOERROR aa ra | {LINK} | docs.example.org. 60 IN CNAME c.example.net. | c.example.net. 30 IN A 192.0.2.6",
        ),
        (None, f"NXDOMAIN aa ra | {LINK} | . SOA"),
        (Unresolved(22, "all upstreams are silent"), f"SERVFAIL aa ra | {LINK}"),
        (reply("docs.example.org", rcode=5), f"SERVFAIL aa ra | {LINK}"),
        # Back into our zones: they have the last word.
        (
            [f"docs.example.org. 60 CNAME web.shop.{Z}.", f"web.shop.{Z}. 99 A 192.0.2.66"],
            f"NOERROR aa ra | {LINK} | docs.example.org. 60 IN CNAME web.shop.{Z}. | web.shop.{Z}. 5 IN A 10.96.0.10",
        ),
        (
            [f"docs.example.org. 60 CNAME no.shop.{Z}."],
            f"NXDOMAIN aa ra | {LINK} | docs.example.org. 60 IN CNAME no.shop.{Z}. | cluster.local. SOA",
        ),
        (
            [f"docs.example.org. 60 CNAME {DOCS}."],
            "NOERROR aa ra | " + " | ".join([LINK, f"docs.example.org. 60 IN CNAME {DOCS}."] * 4),
        ),
    ],
    ids=["address", "chain", "NXDOMAIN", "failure", "refusal", "back", "back, absent", "a loop through both"],
)
def test_an_alias_that_leads_out(said: Sequence[str] | bytes | Exception | None, expected: str) -> None:
    async def story() -> None:
        scene = Scene({"docs.example.org": said} if said is not None else {})
        assert await scene.said(DOCS) == expected
        assert await scene.said(DOCS) == expected, "from the cache"
        assert len(scene.upstream.asked) == 1

    run(story)


@pytest.mark.parametrize(("rtype", "flags"), [("A", 0), ("CNAME", RD), ("ANY", RD)])
def test_who_wants_just_the_alias_gets_it(rtype: str, flags: int) -> None:
    async def story() -> None:
        scene = Scene({})
        assert await scene.said(DOCS, rtype, flags=flags) == f"NOERROR aa ra | {LINK}"
        assert not scene.upstream.asked

    run(story)


def test_why_an_alias_leads_nowhere_is_told() -> None:
    async def story() -> None:
        scene = Scene({"docs.example.org": Unresolved(22, "all upstreams are silent")})
        assert ede(await scene.get(DOCS)) == [(22, "all upstreams are silent")]

    run(story)


def test_an_alias_to_what_stays_home_has_what_is_said_of_that() -> None:
    async def story() -> None:
        scene = Scene({}, services=[alias("s/a", "x.invalid"), alias("s/b", "localhost")])
        link = f"b.s.{Z}. 5 IN CNAME localhost."
        assert await scene.said(f"a.s.{Z}") == f"NXDOMAIN aa ra | a.s.{Z}. 5 IN CNAME x.invalid. | invalid. SOA"
        assert await scene.said(f"b.s.{Z}") == f"NOERROR aa ra | {link} | localhost. 300 IN A 127.0.0.1"
        assert await scene.said(f"b.s.{Z}", "MX") == f"NOERROR aa ra | {link} | localhost. SOA"
        assert await scene.said(f"b.s.{Z}", "ANY") == f"NOERROR aa ra | {link}"
        assert await scene.said(f"b.s.{Z}", flags=0) == f"NOERROR aa ra | {link}"

    run(story)


def test_so_has_an_alias_of_others() -> None:
    async def story() -> None:
        home, other = "home.corp.example", "evil.example.com"
        stub: Script = {home: [f"{home}. 60 CNAME localhost."]}
        upstream: Script = {other: [f"{other}. 60 CNAME x.local.", "x.local. 60 A 192.0.2.66"]}
        scene = Scene(upstream, stub=stub)
        for _ in range(2):
            link = f"{home}. 60 IN CNAME localhost."
            assert await scene.said(home) == f"NOERROR ra | {link} | localhost. 300 IN A 127.0.0.1"
            assert await scene.said(other) == f"NXDOMAIN ra | {other}. 60 IN CNAME x.local. | local. SOA"
        assert len(scene.stub.asked) == len(scene.upstream.asked) == 1

    run(story)


DB = "db.corp.example"


@pytest.mark.parametrize(
    "said",
    [
        [f"{OUT}. 60 CNAME {DB}."],
        [f"{OUT}. 60 CNAME {DB}.", f"{DB}. 60 A 192.0.2.66"],
        [f"{OUT}. 60 CNAME {DB}.", f"{DB}. 60 CNAME evil.example.", "evil.example. 60 A 192.0.2.66"],
        reply(OUT, "A", [f"{OUT}. 60 CNAME {DB}."], [ROOT_SOA], rcode=3),
    ],
    ids=["nothing", "another address", "an alias", "NXDOMAIN"],
)
def test_what_the_upstream_says_of_a_stub_domain_does_not_count(said: Sequence[str] | bytes) -> None:
    async def story() -> None:
        scene = Scene({OUT: said}, stub={DB: [f"{DB}. 60 A 10.1.1.1"]})
        for _ in range(2):
            assert await scene.said(OUT) == f"NOERROR ra | {OUT}. 60 IN CNAME {DB}. | {DB}. 60 IN A 10.1.1.1"
        assert scene.stub.asked == [f"{DB}. 1"]

    run(story)


def test_what_a_stub_domain_says_of_names_that_nobody_was_named_for_counts() -> None:
    """Its servers are inside, and may see more than the upstream does."""

    async def story() -> None:
        said = [f"{DB}. 60 CNAME db.cloud.example.", "db.cloud.example. 60 A 10.2.2.2"]
        scene = Scene({}, stub={DB: said})
        expected = f"NOERROR ra | {DB}. 60 IN CNAME db.cloud.example. | db.cloud.example. 60 IN A 10.2.2.2"
        assert await scene.said(DB) == expected
        assert not scene.upstream.asked

    run(story)


@pytest.mark.parametrize(
    ("said", "errors"),
    [
        (Unresolved(23, "silence"), [(23, "silence")]),
        (reply(OUT, "A", rcode=5), [(22, "no upstream has an answer, but REFUSED")]),
        (reply(OUT, "A", rcode=2), [(22, "no upstream has an answer, but SERVFAIL")]),
        (reply(OUT, "A", rcode=2, edns=opt(options=option(15, b"\0\x06bogus"))), [(6, "bogus")]),
        ([f"{OUT}. 60 CNAME {DB}."], [(0, "aliases in a circle")]),
    ],
    ids=["silence", "REFUSED", "SERVFAIL", "SERVFAIL with a reason", "circle"],
)
def test_a_chain_of_others_that_nobody_follows_to_its_end_is_told(
    said: Sequence[str] | bytes | Exception, errors: list[tuple[int, str | None]]
) -> None:
    async def story() -> None:
        scene = Scene({OUT: said}, stub={DB: [f"{DB}. 60 CNAME {OUT}."]}, services=[alias("s/a", DB)])
        links = "" if isinstance(said, list) else f" | {DB}. 60 IN CNAME {OUT}."
        assert await scene.said(DB) == f"SERVFAIL ra{links}"
        asked = len(scene.upstream.asked)
        message = await scene.get(DB)
        assert message.rcode() == dns.rcode.SERVFAIL
        assert {*ede(message)} == {*errors, (13, None)}
        assert await scene.said(f"a.s.{Z}") == f"SERVFAIL aa ra | a.s.{Z}. 5 IN CNAME {DB}.{links}"
        assert len(scene.upstream.asked) == asked

    run(story)


def test_where_nobody_is_asked_for_the_end_of_a_chain_of_others_that_is_told() -> None:
    async def story() -> None:
        scene = Scene(stub={DB: [f"{DB}. 60 CNAME {OUT}."]}, services=[alias("s/a", OUT)])
        assert await scene.said(DB) == f"SERVFAIL ra | {DB}. 60 IN CNAME {OUT}."
        assert {*ede(await scene.get(DB))} == {(18, "nobody is asked for this name"), (13, None)}
        # An alias of ours is all that we have to give: its name is answered for.
        assert await scene.said(f"a.s.{Z}") == f"NOERROR aa ra | a.s.{Z}. 5 IN CNAME {OUT}."

    run(story)


def test_a_chain_from_a_stub_domain_is_followed_where_others_know_on() -> None:
    async def story() -> None:
        stub: Script = {"www.corp.example": [f"www.corp.example. 60 CNAME {OUT}."]}
        scene = Scene(ADDRESS, stub=stub)
        expected = f"NOERROR ra | www.corp.example. 60 IN CNAME {OUT}. | {OUT}. 300 IN A 192.0.2.1"
        assert await scene.said("www.corp.example") == expected
        assert await scene.said("www.corp.example") == expected
        assert scene.stub.asked == ["www.corp.example. 1"]
        assert scene.upstream.asked == [f"{OUT}. 1"]

    run(story)


def test_a_chain_from_others_into_our_zones_needs_nobody_else() -> None:
    async def story() -> None:
        web = f"web.shop.{Z}."
        scene = Scene({OUT: [f"{OUT}. 60 CNAME {web}"]})
        for _ in range(2):
            assert await scene.said(OUT) == f"NOERROR ra | {OUT}. 60 IN CNAME {web} | {web} 5 IN A 10.96.0.10"
        assert len(scene.upstream.asked) == 1

    run(story)


@pytest.mark.parametrize("do", [False, True])
def test_what_others_say_of_names_of_ours_in_the_middle_of_a_chain_is_dropped(do: bool) -> None:
    async def story() -> None:
        web = f"web.shop.{Z}."
        chain = [f"{OUT}. 60 CNAME a.example.com.", f"a.example.com. 50 CNAME {web}", f"{web} 9 CNAME evil.example."]
        signed = [record for one in chain for record in (one, signature(one.split()[0], "CNAME"))] if do else chain
        scene = Scene({OUT: [*signed, "evil.example. 300 A 192.0.2.66"]})
        for _ in range(2):
            message = read(await scene.ask(query(OUT, edns=opt(do=do))))
            assert [str(one) for one in message.answer if one.rdtype != 46] == [
                f"{OUT}. 60 IN CNAME a.example.com.",
                f"a.example.com. 50 IN CNAME {web}",
                f"{web} 5 IN A 10.96.0.10",
            ]
            assert sum(one.rdtype == 46 for one in message.answer) == (2 if do else 0)
        assert len(scene.upstream.asked) == 1

    run(story)


def test_what_was_to_be_said_of_a_chain_is_said_where_it_comes_back() -> None:
    """That it is stale, or what its server said of it; behind what our zones have to say."""

    async def story() -> None:
        web, gone = f"web.shop.{Z}.", f"gone.shop.{Z}."
        warned = opt(options=option(15, b"\0\x12blocked"))
        script: dict[str, Sequence[str] | bytes | Exception] = {
            OUT: [f"{OUT}. 60 CNAME {web}"],
            "warned.example": reply("warned.example", "A", [f"warned.example. 60 CNAME {web}"], edns=warned),
            "both.example": [f"both.example. 60 CNAME {gone}"],
        }
        scene = Scene(script)
        for _ in range(2):
            assert ede(await scene.get(OUT)) == []
            assert ede(await scene.get("warned.example")) == [(18, "blocked")]
        absent = await scene.get("both.example")
        scene.now += 100
        for name, target, reasons in ((OUT, web, []), ("warned.example", web, []), ("both.example", gone, ede(absent))):
            script[name] = Unresolved(22, "nobody")
            message = await scene.get(name)
            assert [str(one) for one in message.answer[:1]] == [f"{name}. 30 IN CNAME {target}"]
            assert {*ede(message)} == {*reasons, (3, None)}

    run(story)


def test_of_several_parts_of_a_chain_all_is_said() -> None:
    async def story() -> None:
        warned = [opt(options=option(15, code + text)) for code, text in ((b"\0\x12", b"one"), (b"\0\x04", b"two"))]
        first = reply(OUT, "A", [f"{OUT}. 60 CNAME x.cluster.local."], edns=warned[0])
        second = reply("x.cluster.local", "A", ["x.cluster.local. 60 A 10.9.9.9"], edns=warned[1])
        scene = Scene({OUT: first, "x.cluster.local": second}, options=FALLING)
        for _ in range(2):
            assert sorted(ede(await scene.get(OUT))) == [(4, "two"), (18, None)]

    run(story)


@pytest.mark.parametrize("do", [False, True])
def test_a_chain_into_a_zone_that_falls_through_is_followed_on_both_sides(do: bool) -> None:
    async def story() -> None:
        links = [f"{OUT}. 60 CNAME x.cluster.local.", "x.cluster.local. 60 CNAME y.cluster.local."]
        address = ["y.cluster.local. 9 A 10.9.9.9"]
        scene = Scene({OUT: links[:1], "x.cluster.local": links[1:], "y.cluster.local": address}, options=FALLING)
        for _ in range(2):
            message = read(await scene.ask(query(OUT, edns=opt(do=do))))
            assert len(message.answer) == 3
        assert scene.upstream.asked == [f"{OUT}. 1", "x.cluster.local. 1", "y.cluster.local. 1"]

    run(story)


def test_a_long_answer_behind_an_alias_is_cut() -> None:
    async def story() -> None:
        many = [f"docs.example.org. 60 A 192.0.2.{number}" for number in range(100)]
        scene = Scene({"docs.example.org": many})
        message = await scene.get(DOCS)
        assert message.flags & TC
        assert 10 < len(message.answer) < 100
        whole = read(await scene.ask(query(DOCS, edns=opt()), "tcp"))
        assert len(whole.answer) == 101

    run(story)


# Loops.


def test_a_question_that_comes_back_is_not_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        scene = Scene({})
        trail = option(TRAIL, b"somebody" + MARK)
        with caplog.at_level(logging.WARNING):
            for _ in range(3):
                message = read(await scene.ask(query(OUT, edns=opt(options=trail))))
                assert message.rcode() == dns.rcode.SERVFAIL
                assert ede(message) == [(0, "a forwarding loop: this question has been here before")]
        assert not scene.upstream.asked
        assert scene.forwarder.loops == 3
        assert len(caplog.records) == 1
        scene.now += 61
        with caplog.at_level(logging.WARNING):
            await scene.ask(query(OUT, edns=opt(options=trail)))
        assert len(caplog.records) == 2

    run(story)


def test_our_mark_goes_with_every_question() -> None:
    async def story() -> None:
        scene = Scene({})
        await scene.get(OUT)
        await scene.ask(query("a.example.com", edns=opt(options=option(TRAIL, b"somebody"))))
        assert scene.upstream.options == [option(TRAIL, MARK), option(TRAIL, b"somebody" + MARK)]
        many = option(TRAIL, b"somebody" * 8)
        assert read(await scene.ask(query("b.example.com", edns=opt(options=many)))).rcode() == dns.rcode.NXDOMAIN
        assert scene.upstream.options[2] == option(TRAIL, b"somebody" * 7 + MARK)

    run(story)


# Admission.


def test_a_client_that_asks_for_too_much_is_refused_and_no_other() -> None:
    async def story() -> None:
        scene = Scene({}, limits=Limits(per_client=2))
        scene.upstream.held = asyncio.Event()
        waiting = [asyncio.create_task(scene.ask(query(f"n{number}.example.com"))) for number in range(2)]
        await asyncio.sleep(0)
        for edns in (b"", opt(), opt(options=option(10, b"8 octets")), opt(options=option(3, b""))):
            message = read(await scene.ask(query("n3.example.com", edns=edns)))
            assert message.rcode() == dns.rcode.SERVFAIL
            assert message.flags & RA
            assert not message.flags & AA
            if edns:
                assert ede(message) == [(0, "too many questions of this client wait for other servers")]
                assert any(one.otype == 10 for one in message.options) == (edns[11:13] == b"\0\x0a")
        assert scene.forwarder.admission.refused == 4
        assert (await scene.said(f"web.shop.{Z}")).startswith("NOERROR aa")
        assert await scene.said("localhost") == "NOERROR aa ra | localhost. 300 IN A 127.0.0.1"
        assert await scene.said("n3.example.com", flags=0) == "REFUSED ra"
        other = asyncio.create_task(scene.ask(query("n0.example.com"), address="192.0.2.8"))
        await asyncio.sleep(0)
        scene.upstream.held.set()
        assert {read(await one).rcode() for one in (*waiting, other)} == {dns.rcode.NXDOMAIN}
        assert scene.forwarder.admission.inside == 0
        assert len(scene.upstream.asked) == 2, "two have asked for the same"

    run(story)


def test_while_nobody_answers_few_find_out_and_the_others_are_told_at_once() -> None:
    async def story() -> None:
        scene = Scene(ADDRESS, stub=ADDRESS)
        assert (await scene.said(OUT)).startswith("NOERROR")
        scene.now += 301
        held = scene.upstream.held = asyncio.Event()
        waiting = [asyncio.create_task(scene.ask(query("n0.example.com")))]
        await asyncio.sleep(0)
        scene.upstream.in_vain = True
        for edns in (opt(), opt(options=option(3, b""))):
            message = read(await scene.ask(query("n1.example.com", edns=edns)))
            assert (message.rcode(), ede(message)) == (2, [(22, "no upstream answers")])
        assert await scene.said("n1.example.com", edns=b"") == "SERVFAIL ra"
        stale = await scene.get(OUT)
        assert (stale.rcode(), ede(stale)) == (0, [(3, None)])
        assert (await scene.said("www.corp.example")).startswith("NXDOMAIN"), "other servers are asked"
        # Who wants to know what is being asked for waits with the others.
        waiting.append(asyncio.create_task(scene.ask(query("n0.example.com"))))
        await asyncio.sleep(0)
        assert scene.forwarder.admission.inside == 2
        held.set()
        assert {read(await one).rcode() for one in waiting} == {3}
        scene.upstream.in_vain = False
        assert (await scene.said("n1.example.com")).startswith("NXDOMAIN"), "nothing was kept of it"

    run(story)


def test_a_network_of_global_addresses_is_one_client() -> None:
    async def story() -> None:
        scene = Scene({}, limits=Limits(per_client=1))
        scene.upstream.held = asyncio.Event()
        first = asyncio.create_task(scene.ask(query("a.example.com"), address="2001:db8:0:1::7"))
        await asyncio.sleep(0)
        message = read(await scene.ask(query("b.example.com"), address="2001:db8:0:1:ffff::8"))
        assert message.rcode() == dns.rcode.SERVFAIL
        others = ["2001:db8:0:2::7", "fd00:10:244::7", "fd00:10:244::8", "192.0.2.7", "192.0.2.8"]
        waiting = [asyncio.create_task(scene.ask(query("b.example.com"), address=one)) for one in others]
        await asyncio.sleep(0)
        scene.upstream.held.set()
        assert {read(await one).rcode() for one in (first, *waiting)} == {dns.rcode.NXDOMAIN}
        assert not scene.forwarder.admission._clients

    run(story)


def test_what_is_known_is_told_however_many_wait() -> None:
    async def story() -> None:
        scene = Scene(ADDRESS, limits=Limits(per_client=1, total=1))
        await scene.get(OUT)
        scene.upstream.held = asyncio.Event()
        waiting = asyncio.create_task(scene.ask(query("a.example.com")))
        await asyncio.sleep(0)
        assert (await scene.said(OUT)).startswith("NOERROR")
        message = await scene.get("b.example.com")
        assert ede(message) == [(0, "too many questions wait for other servers")]
        scene.upstream.held.set()
        await waiting

    run(story)


class Paced(Scene):
    """What is to be done later is done when ``later`` is called."""

    def __init__(self, upstream: Script, **how: Any) -> None:
        super().__init__(upstream, **how)
        self.due: list[tuple[float, Callable[[], None]]] = []
        self.forwarder._timers = self
        self.got: list[bytes] = []

    def call_soon(self, callback: Callable[[], None]) -> asyncio.Handle:
        return asyncio.get_running_loop().call_soon(callback)

    def call_later(self, delay: float, callback: Callable[[], None]) -> asyncio.Handle:
        self.due.append((delay, callback))
        return asyncio.get_running_loop().call_soon(lambda: None)

    def later(self) -> float:
        """Does it, and returns how long it should have waited."""
        (delay, callback), *self.due = self.due
        callback()
        return delay

    def send(self, name: str, address: str = "192.0.2.7") -> None:
        """One datagram of a batch; what it gets goes to ``got``."""
        response = self.server.answer(query(name, edns=opt()), "udp", (address, 5353))
        assert response
        if isinstance(response, bytes):
            self.got.append(response)
        else:
            response(self.got.append)

    def codes(self) -> Counter[int]:
        return Counter(map(int, (read(one).rcode() for one in self.got)))


@pytest.mark.parametrize("most", [65, 500, 1000])
def test_a_burst_is_forwarded_as_far_as_a_client_may_ask(most: int) -> None:
    """All come in full batches, and are begun as soon as these have been read."""

    async def story() -> None:
        scene = Paced({}, limits=Limits(per_client=most))
        scene.pressed = True
        for one in range(most):
            scene.send(f"n{one}.example.com")
        assert not scene.got
        scene.send("more.example.com")
        assert [ede(read(one)) for one in scene.got] == [
            [(0, "too many questions of this client wait for other servers")]
        ]
        scene.pressed = False
        scene.later()
        await scene.forwarder.drain()
        assert scene.codes() == {dns.rcode.NXDOMAIN: most, dns.rcode.SERVFAIL: 1}
        assert len(scene.upstream.asked) == most

    run(story)


def test_while_packets_pile_up_less_is_begun() -> None:
    async def story() -> None:
        scene = Paced({})
        scene.upstream.held = asyncio.Event()
        scene.pressed = True
        for one in range(20):
            scene.send(f"n{one}.example.com")
        flights = [scene.forwarder.asker.flights]
        delays = []
        for _ in range(3):
            delays.append(scene.later())
            flights.append(scene.forwarder.asker.flights)
        assert (flights, delays) == ([1, 2, 3, 4], [PRESSED_SECONDS] * 3)
        scene.upstream.held.set()
        scene.pressed = False
        scene.later()
        await scene.forwarder.drain()
        assert scene.codes() == {dns.rcode.NXDOMAIN: 20}

    run(story)


def test_who_asks_little_does_not_wait_behind_a_flood() -> None:
    async def story() -> None:
        scene = Paced({})
        scene.upstream.held = asyncio.Event()
        scene.pressed = True
        for one in range(2000):
            scene.send(f"n{one}.example.com")
        scene.send("modest.example.net", "192.0.2.8")
        scene.later()
        scene.later()
        await asyncio.sleep(0)
        assert "modest.example.net. 1" in scene.upstream.asked
        scene.upstream.held.set()
        await scene.forwarder.close()
        assert not scene.forwarder.admission.inside

    run(story)


def test_a_flood_from_clients_without_number_begins_no_more() -> None:
    """It may come from any address that somebody writes into a packet."""

    async def story() -> None:
        scene = Paced({}, limits=Limits(total=100))
        scene.upstream.held = asyncio.Event()
        scene.pressed = True
        for one in range(200):
            scene.send(f"n{one}.example.com", f"192.0.2.{one}")
        assert (scene.forwarder.admission.inside, scene.forwarder.asker.flights) == (100, 1)
        assert scene.codes() == {dns.rcode.SERVFAIL: 100}
        await scene.forwarder.close()

    run(story)


def test_nobody_is_asked_for_whom_no_client_waits_any_more() -> None:
    async def story() -> None:
        scene = Paced(ADDRESS)
        scene.send(OUT)
        await scene.forwarder.drain()
        scene.now, scene.pressed = 301.0, True
        for name in ("n1.example.com", "n2.example.com", OUT):
            scene.send(name)
        scene.now += PATIENCE
        scene.later()
        await scene.forwarder.drain()
        assert scene.upstream.asked == [f"{OUT}. 1", "n1.example.com. 1"]
        said = [(message.rcode(), ede(message)) for message in map(read, scene.got[1:])]
        assert said == [(2, [(0, "too many questions wait for their turn")]), (0, [(3, None)]), (3, [])]

    run(story)


def test_what_becomes_known_while_it_waits_for_its_turn_is_not_asked_again() -> None:
    async def story() -> None:
        scene = Paced({**ADDRESS, "broken.example.com": Unresolved(22, "no upstream answers")})
        scene.pressed = True
        for name in (OUT, "broken.example.com", "n.example.com"):
            scene.send("first.example.com")
            scene.send(name)
            scene.send(name, "192.0.2.8")
            while scene.forwarder.admission.inside:
                scene.later()
                await asyncio.gather(*(one.task for one in scene.forwarder.asker._flights.values() if one.task))
        names = "first.example.com", OUT, "broken.example.com", "n.example.com"
        assert scene.upstream.asked == [f"{name}. 1" for name in names]
        assert scene.codes() == {0: 2, 2: 2, 3: 5}

    run(story)


def test_who_waits_for_a_turn_is_told_that_nobody_answers() -> None:
    async def story() -> None:
        scene = Paced({})
        scene.upstream.held = asyncio.Event()
        scene.pressed = True
        for one in range(3):
            scene.send(f"n{one}.example.com")
        scene.upstream.in_vain = True
        scene.later()
        assert [ede(read(one)) for one in scene.got] == [[(22, "no upstream answers")]] * 2
        scene.upstream.held.set()
        await scene.forwarder.drain()

    run(story)


def test_who_asks_for_what_is_under_way_waits_with_it_however_packets_pile_up() -> None:
    async def story() -> None:
        scene = Scene(ADDRESS)
        scene.upstream.held = asyncio.Event()
        scene.pressed = True
        waiting = [asyncio.create_task(scene.ask(query(OUT), address=f"192.0.2.{one}")) for one in range(64)]
        await asyncio.sleep(0)
        assert not scene.forwarder._queue
        scene.upstream.held.set()
        assert all(read(one).answer for one in await asyncio.gather(*waiting))
        assert scene.upstream.asked == [f"{OUT}. 1"]

    run(story)


def test_who_may_not_ask_gets_what_is_stale() -> None:
    async def story() -> None:
        scene = Scene(ADDRESS, limits=Limits(per_client=1, total=1))
        await scene.get(OUT)
        scene.now += 400
        scene.upstream.held = asyncio.Event()
        waiting = asyncio.create_task(scene.ask(query("a.example.com")))
        await asyncio.sleep(0)
        message = await scene.get(OUT)
        assert ([rrset.ttl for rrset in message.answer], ede(message)) == ([30], [(3, None)])
        assert scene.forwarder.cache.served_stale == 1
        scene.upstream.held.set()
        await waiting
        assert scene.upstream.asked[1:] == ["a.example.com. 1"]
        assert await scene.said(OUT) == f"NOERROR ra | {OUT}. 300 IN A 192.0.2.1", "who may ask, asks"

    run(story)


@pytest.mark.parametrize("edns", [b"", opt(), opt(do=True), opt(options=option(10, b"8 octets"))])
def test_any_is_for_those_whose_address_is_certain(edns: bytes) -> None:
    """Over UDP the response is as long as the query (RFC 8482 §4.4), whatever is known."""

    async def story() -> None:
        scene = Scene({OUT: [f"{OUT}. 300 A 192.0.2.1", f"{OUT}. 300 TXT {'x' * 200}"]})
        packet = query(OUT, "ANY", edns=edns)
        for _ in range(2):
            response = await scene.ask(packet)
            message = read(response)
            assert (message.rcode(), message.flags & TC, message.answer) == (dns.rcode.NOERROR, TC, [])
            assert len(response) <= 1.5 * len(packet)
            assert len(read(await scene.ask(packet, "tcp")).answer) == 2
        assert scene.upstream.asked == [f"{OUT}. 255"]
        assert await scene.said("localhost", "ANY") == "NOERROR aa ra | localhost. 300 IN A 127.0.0.1"

    run(story)


# Never passed on, and the end.


@pytest.mark.parametrize("rtype", [251, 252, 253, 254, 249, 250, 41, 0, 128])
def test_no_transfer_and_no_meta_type_is_passed_on(rtype: int) -> None:
    async def story() -> None:
        scene = Scene({})
        message = read(await scene.ask(query(OUT, rtype, edns=opt())))
        assert message.rcode() in (dns.rcode.REFUSED, 4, 1)
        assert message.flags & RA, "others are asked here, if not that"
        assert ede(message) == ([(30, None)] if rtype == 128 else [])
        assert not scene.upstream.asked

    run(story)


def test_no_other_class_and_no_other_opcode_is_passed_on() -> None:
    async def story() -> None:
        scene = Scene({})
        for rclass in (3, 4, 254, 255):
            message = read(await scene.ask(query(OUT, "A", rclass=rclass)))
            assert (message.rcode(), message.flags & RA) == (dns.rcode.REFUSED, RA)
        assert read(await scene.ask(query(OUT, edns=opt(version=1)))).flags & RA
        for opcode in (1, 2, 4, 5):
            assert (await scene.ask(query(OUT, flags=opcode << 11)))[3] & 15 == 4
        assert not scene.upstream.asked

    run(story)


def test_any_of_others_is_asked_for_as_it_is() -> None:
    async def story() -> None:
        scene = Scene({OUT: [f"{OUT}. 300 A 192.0.2.1", f'{OUT}. 300 TXT "x"']})
        assert summary(await scene.ask(query(OUT, "ANY", edns=opt()), "tcp")).count(" | ") == 2
        assert scene.upstream.asked == [f"{OUT}. 255"]

    run(story)


def test_the_end_waits_for_those_who_wait() -> None:
    async def story() -> None:
        scene = Scene(ADDRESS)
        await scene.forwarder.drain()
        scene.upstream.held = asyncio.Event()
        waiting = asyncio.create_task(scene.ask(query(OUT)))
        await asyncio.sleep(0)
        draining = asyncio.create_task(scene.forwarder.drain())
        await asyncio.sleep(0)
        assert not draining.done()
        scene.upstream.held.set()
        await draining
        assert read(await waiting).answer
        await scene.forwarder.close()
        assert scene.upstream.closed

    run(story)


def test_an_end_that_does_not_wait_tells_so() -> None:
    async def story() -> None:
        scene = Scene(ADDRESS)
        scene.upstream.held = asyncio.Event()
        waiting = asyncio.create_task(scene.ask(query(OUT, edns=opt())))
        await asyncio.sleep(0)
        await scene.forwarder.close()
        message = read(await waiting)
        assert (message.rcode(), ede(message)) == (dns.rcode.SERVFAIL, [(14, "the server is ending")])

    run(story)


def test_a_question_takes_no_longer_than_it_may() -> None:
    async def story() -> None:
        scene = Scene(ADDRESS)
        scene.forwarder._resolver._timeout = 0.01
        scene.upstream.held = asyncio.Event()
        message = await scene.get(OUT)
        assert (message.rcode(), ede(message)) == (dns.rcode.SERVFAIL, [(23, "no answer in time")])

    run(story)


def test_one_turn_of_the_loop_begins_a_few() -> None:
    async def story() -> None:
        scene = Scene(ADDRESS)
        scene.upstream.held = asyncio.Event()
        names = [f"n{number}.example.com" for number in range(20)]
        waiting = [asyncio.create_task(scene.ask(query(name))) for name in (*names, *names)]
        begun: list[int] = []
        while len(begun) < 5 or begun[-1] != begun[-2]:
            await asyncio.sleep(0)
            begun.append(scene.forwarder.asker.flights)
        assert [b - a for a, b in zip([0, *begun], begun, strict=False) if b > a] == [AT_ONCE] * 5
        assert scene.forwarder.asker.waiting == 40
        scene.upstream.held.set()
        await asyncio.gather(*waiting)
        assert len(scene.upstream.asked) == 20

    run(story)


def test_nobody_waits_behind_all_that_another_client_asks_for() -> None:
    async def story() -> None:
        scene = Scene(ADDRESS)
        waiting = [asyncio.create_task(scene.ask(query(f"n{number}.example.com"), "tcp")) for number in range(200)]
        waiting.append(asyncio.create_task(scene.ask(query(OUT), address="192.0.2.8")))
        await asyncio.gather(*waiting)
        assert scene.upstream.asked.index(f"{OUT}. 1") < 3 * AT_ONCE

    run(story)


def test_who_has_not_begun_at_the_end_is_told_too() -> None:
    async def story() -> None:
        scene = Scene(ADDRESS)
        waiting = [asyncio.create_task(scene.ask(query(f"n{number}.example.com"))) for number in range(20)]
        await asyncio.sleep(0)
        await scene.forwarder.close()
        assert {read(await one).rcode() for one in waiting} == {dns.rcode.SERVFAIL}
        assert scene.forwarder.admission.inside == 0

    run(story)


def test_whatever_comes_gets_one_answer_or_silence() -> None:
    seeds = [
        query(name, rtype, edns=edns)
        for name in (OUT, DOCS, "x.local", "localhost", "x.cluster.local", "1.0.96.10.in-addr.arpa", "loop.example.com")
        for rtype in ("A", "PTR", "ANY")
        for edns in (b"", opt(do=True), opt(options=option(TRAIL, b"somebody")), opt(options=option(10, b"8 octets")))
    ]
    script: Script = {
        **ADDRESS,
        "docs.example.org": [f"docs.example.org. 60 CNAME web.shop.{Z}."],
        "loop.example.com": [f"loop.example.com. 60 CNAME {DOCS}."],
    }

    async def story() -> None:
        scene = Scene(script, options=FALLING)
        for turn in range(8):
            expected: list[bytes] = []
            got: list[bytes] = []
            for packet in mutants(Random(turn), 200, seeds):
                response = scene.server.answer(packet, "udp", ("192.0.2.7", 5353))
                if callable(response):
                    expected.append(packet[:2])
                    response(got.append)
                elif response is not None:
                    assert response[:2] == packet[:2]
            await scene.forwarder.drain()
            assert sorted(one[:2] for one in got) == sorted(expected)
            assert all(read(one) for one in got)
        assert scene.forwarder.admission.inside == 0

    run(story)
