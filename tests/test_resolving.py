"""A chain that no server follows to its end is followed from one to the next, and not for ever.

What servers and zones of ours make of it together is in ``test_stages``.
"""

import asyncio
from collections.abc import Callable

import pytest
from msgspec import structs
from replies import reply

from clusterdns.forward.answers import Foreign, Question, Unresolved
from clusterdns.forward.resolving import MAX_PARTS, Resolver, up_to
from clusterdns.forward.routing import Routes
from clusterdns.forward.walk import walk
from clusterdns.steps import Steps, at_once
from clusterdns.zone.names import parse_name, to_text

WWW = Question(parse_name("www.example.com"), 1)


class Links:
    """A server that knows one alias of each name, and follows none."""

    in_vain = False

    def __init__(self, target: Callable[[str], str | None], addresses: int = 1) -> None:
        self.target, self.addresses = target, addresses
        self.asked: list[str] = []

    async def resolve(self, question: Question, options: bytes = b"") -> Foreign:
        name = to_text(question.name)
        self.asked.append(name)
        target = self.target(name)
        answer = [f"{name} 60 A 192.0.{one >> 8}.{one & 255}" for one in range(self.addresses)]
        if target:
            answer = [f"{name} 60 CNAME {target}"]
        return walk(reply(name.removesuffix("."), question.rtype, answer), question)

    def shown(self) -> list[str]:
        return []

    async def close(self) -> None: ...


def resolved(server: Links) -> Foreign:
    return asyncio.run(Resolver(Routes({}, ()), (server,), bytes(8), 30.0)(WWW))


def test_a_chain_is_followed_to_its_end() -> None:
    chain = {"www.example.com.": "a.example.net.", "a.example.net.": "b.example.org."}
    server = Links(chain.get)
    foreign = resolved(server)
    assert (foreign.answers, to_text(foreign.end), foreign.partial) == (3, "b.example.org.", False)
    assert server.asked == [*chain, "b.example.org."]


def test_a_large_answer_may_stand_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    sliced: list[int] = []

    async def counted(steps: Steps[Foreign]) -> Foreign:
        sliced.append(1)
        return at_once(steps)

    monkeypatch.setattr("clusterdns.forward.resolving.in_slices", counted)
    server = Links({"www.example.com.": "a.example.net.", "a.example.net.": "b.example.org."}.get, addresses=1000)
    assert (resolved(server).answers, sliced) == (1002, [1])


CUT: dict[str, tuple[bool, int, bool]] = {  # cacheable, TTL -> cacheable
    "an answer": (True, 60, True),
    "a denial without a SOA, which goes": (False, 0, True),
    "an answer for this once": (False, 60, False),
}


@pytest.mark.parametrize(("cacheable", "ttl", "kept"), CUT.values(), ids=CUT)
def test_whether_what_is_left_of_an_answer_may_be_kept(cacheable: bool, ttl: int, kept: bool) -> None:
    end = parse_name("a.example.net")
    answer = ["www.example.com. 60 CNAME a.example.net.", "a.example.net. 60 A 192.0.2.1"]
    foreign = structs.replace(walk(reply("www.example.com", "A", answer), WWW), cacheable=cacheable, ttl=ttl)
    left = up_to(foreign, WWW.name, lambda name: name == end)
    assert (left.answers, left.ttl, left.cacheable) == (1, 60, kept)


@pytest.mark.parametrize("length", [2, 3])
def test_a_circle_is_an_error_as_soon_as_it_closes(length: int) -> None:
    names = ["www.example.com.", "a.example.net.", "b.example.org."][:length]
    server = Links(dict(zip(names, names[1:] + names[:1], strict=True)).get)
    with pytest.raises(Unresolved, match="circle"):
        resolved(server)
    assert server.asked == names


def test_so_is_a_chain_that_becomes_longer_and_longer() -> None:
    server = Links(lambda name: f"x.{name}")
    with pytest.raises(Unresolved, match="too long"):
        resolved(server)
    assert len(server.asked) == MAX_PARTS
