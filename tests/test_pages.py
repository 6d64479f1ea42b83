"""Whole objects of an API: found by lists in its order, a page at a time, and never worth an error."""

import asyncio
import json
from collections.abc import Mapping, Sequence

import pytest

from clusterdns.cluster.model import EndpointSlice, Key, Namespace, Object, Service
from clusterdns.sources.kubernetes import pages
from clusterdns.sources.kubernetes.faults import ApiError, Reason
from clusterdns.sources.kubernetes.pages import Scope, WholeObjects
from clusterdns.sources.kubernetes.resources import NAMESPACES, SERVICES

RESOURCES = {one.kind: one for one in (NAMESPACES, SERVICES)}


@pytest.fixture(autouse=True)
def a_slow_machine_is_no_silent_api(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "SECONDS", 60.0)


class Api:
    """Pages of three Services."""

    def __init__(self, *names: str) -> None:
        self.keys = sorted(tuple(name.split("/")) for name in names)
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.fault: Exception | None = None

    async def get(self, path: str, parameters: Mapping[str, str], _: str) -> bytes:
        self.asked.append((path, dict(parameters)))
        if self.fault:
            raise self.fault
        at = int(parameters.get("continue") or 0)
        some = self.keys[at : at + 3]
        items = [{"metadata": {"namespace": own, "name": name}, "spec": {"of": name}} for own, name in some]
        token = str(at + 3) if at + 3 < len(self.keys) else ""
        metadata = {"resourceVersion": "5"} | ({"continue": token} if token else {})
        return json.dumps({"metadata": metadata, "items": items}).encode()


def read(api: Api, items: Sequence[Object], scope: Scope = Scope()) -> list[str | None]:  # noqa: B008 - frozen
    """What is found of each, as a worker would ask for it."""

    def walk(loop: asyncio.AbstractEventLoop) -> list[str | None]:
        with WholeObjects(RESOURCES, scope, api.get, loop) as whole:
            trees = [whole(item) for item in items]
        return [tree["spec"]["of"] if tree else None for tree in trees]

    async def main() -> list[str | None]:
        return await asyncio.to_thread(walk, asyncio.get_running_loop())

    return asyncio.run(main())


def services(*names: str) -> list[Service]:
    return [Service(Key(*name.split("/"))) for name in names]


def test_each_page_is_asked_for_once() -> None:
    names = [f"a/{letter}" for letter in "bcdefgh"] + ["b/a"]
    api = Api(*names)
    assert read(api, services(*names)) == [name.partition("/")[2] for name in names]
    assert [parameters.get("continue") for _, parameters in api.asked] == [None, "3", "6"]
    assert {path for path, _ in api.asked} == {"/api/v1/services"}


def test_only_pages_that_are_needed() -> None:
    api = Api(*[f"a/{letter}" for letter in "bcdefgh"])
    assert read(api, services("a/c", "a/d")) == ["c", "d"]
    assert len(api.asked) == 1


def test_what_is_gone_or_new_is_not_waited_for() -> None:
    """Objects and pages are of different moments."""
    api = Api("a/b", "a/d", "a/e", "a/f")
    assert read(api, services("a/a", "a/b", "a/c", "a/e", "a/f", "a/g")) == [None, "b", None, "e", "f", None]
    assert len(api.asked) == 2


def test_one_by_its_name_and_by_labels() -> None:
    api = Api("shop/web")
    assert read(api, services("shop/web"), Scope("shop", "web", "app=web")) == ["web"]
    wanted = {"limit": str(pages.PAGE), "labelSelector": "app=web", "fieldSelector": "metadata.name=web"}
    assert api.asked == [("/api/v1/namespaces/shop/services", wanted)]


def test_namespaces_are_in_none() -> None:
    api = Api("shop/web")
    read(api, [Namespace(Key("", "shop"))], Scope("shop"))
    assert api.asked[0][0] == "/api/v1/namespaces"


def test_other_kinds_are_not_asked_for() -> None:
    api = Api("shop/web")
    assert read(api, [EndpointSlice(Key("shop", "web"), Key("shop", "web"))]) == [None]
    assert api.asked == []


@pytest.mark.parametrize("fault", [ApiError(Reason.FORBIDDEN, "it is forbidden"), TimeoutError()])
def test_a_refusal_is_told_and_not_asked_for_again(fault: Exception, caplog: pytest.LogCaptureFixture) -> None:
    api = Api("a/b", "a/c")
    api.fault = fault
    assert read(api, services("a/b", "a/c")) == [None, None]
    assert len(api.asked) == 1
    assert "Service: shown without what only the API knows" in caplog.text


def test_what_is_no_page_is_no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api()

    async def get(*_: object) -> bytes:
        return b"<html>"

    monkeypatch.setattr(api, "get", get)
    assert read(api, services("a/b")) == [None]


def test_nobody_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "SECONDS", 0.01)
    api = Api()

    async def get(*_: object) -> bytes:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(api, "get", get)
    assert read(api, services("a/b", "a/c")) == [None, None]
