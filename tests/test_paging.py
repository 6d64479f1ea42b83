"""Lists by pages: how large, and in what order they are asked for."""

import asyncio
import json

import pytest
from fake_api import service

from clusterdns.cluster.events import Kind
from clusterdns.cluster.model import Key, list_order
from clusterdns.sources.kubernetes.decoding import Decoder
from clusterdns.sources.kubernetes.faults import ApiError, Reason
from clusterdns.sources.kubernetes.paging import Paging, page_size
from clusterdns.sources.kubernetes.store import Listing, Store

KIND: Kind = "Service"


class Script:
    """``"10 web=5 db=6 >t"``: a page of version 10 with two Services and their versions, more behind the token t;
    ``"410 >t"``: what came before is compacted, the rest is behind t; ``"410"``: without that."""

    def __init__(self, **pages: str) -> None:
        """By token; ``_`` is the beginning, and ``_2`` what it is the second time."""
        self._pages, self.asked = pages, list[str]()

    async def __call__(self, parameters: dict[str, str]) -> bytes:
        token = parameters.get("continue", "_")
        again = self.asked.count(token)
        self.asked.append(token)
        version, *words = self._pages[token if not again else f"{token}{again + 1}"].split()
        offered = "".join(word[1:] for word in words if word[0] == ">")
        if version == "410":
            fault = ApiError(Reason.EXPIRED, "compacted")
            fault.token = offered
            raise fault
        items = []
        for name, at in (word.split("=") for word in words if word[0] != ">"):
            items.append(service(f"shop/{name}"))
            items[-1]["metadata"]["resourceVersion"] = at
        return json.dumps({"metadata": {"resourceVersion": version, "continue": offered}, "items": items}).encode()


def listed(script: Script) -> tuple[str, dict[str, int]]:
    async def pause() -> None: ...

    listing = Listing(Store(KIND))
    version = asyncio.run(Paging(script, Decoder(KIND)).list(listing, pause))
    assert {*listing.objects} == {*listing.versions}
    return version, {key.name: at for key, at in listing.versions.items()}


def test_one_after_the_other() -> None:
    script = Script(_="10 a=1 b=2 >x", x="10 >y", y="10 c=3")
    assert listed(script) == ("10", {"a": 1, "b": 2, "c": 3})
    assert script.asked == ["_", "x", "y"]


@pytest.mark.parametrize(
    ("pages", "version", "found", "asked"),
    [
        # b is gone, c has come; the page that the beginning ends in tells of the rest, too
        (
            {"_": "10 a=1 b=2 >x", "x": "410 >r", "r": "20 d=4 e=5", "_2": "30 a=21 c=22 d=4 >z"},
            "20",
            {"a": 21, "c": 22, "d": 4, "e": 5},
            ["_", "x", "r", "_"],
        ),
        # all that was in the beginning is gone, and there is nothing else
        ({"_": "10 a=1 >x", "x": "410 >r", "r": "20", "_2": "30"}, "20", {}, ["_", "x", "r", "_"]),
        # twice: the first rest is part of the beginning then
        (
            {"_": "10 a=1 >x", "x": "410 >r", "r": "20 c=2 >y", "y": "410 >s", "s": "30 e=3", "_2": "40 a=1 d=33"},
            "30",
            {"a": 1, "d": 33, "e": 3},
            ["_", "x", "r", "y", "s", "_"],
        ),
    ],
)
def test_the_beginning_is_listed_again_behind_the_rest(
    pages: dict[str, str], version: str, found: dict[str, int], asked: list[str]
) -> None:
    script = Script(**pages)
    assert listed(script) == (version, found)
    assert script.asked == asked


@pytest.mark.parametrize(
    "pages",
    [
        {"_": "10 a=1 >x", "x": "410"},
        {"_": "410"},
        {"_": "410 >r", "r": "410 >s", "s": "20"},  # without a page between them this may go on for ever
        {"_": "10 a=1 d=1 >x", "x": "410 >r", "r": "20 e=2", "_2": "30 b=1 >y", "y": "410"},
    ],
)
def test_then_all_is_to_be_listed_anew(pages: dict[str, str]) -> None:
    with pytest.raises(ApiError, match="compacted"):
        listed(Script(**pages))


@pytest.mark.parametrize(
    ("octets", "items", "size", "expected"),
    [(1 << 19, 100, 100, 100), (1 << 20, 100, 100, 50), (1000, 100, 100, 200), (1 << 26, 100, 100, 10), (9, 0, 70, 70)],
)
def test_a_page_that_suits(octets: int, items: int, size: int, expected: int) -> None:
    assert page_size(octets, items, size) == expected


def test_keys_are_listed_in_the_order_of_their_text() -> None:
    """As etcd has them: ``-`` is before ``/``."""
    assert min([Key("shop", "web"), Key("shop-a", "web")], key=list_order) == Key("shop-a", "web")
