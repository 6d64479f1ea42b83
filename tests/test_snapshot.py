"""The last good state on disk: what is read is what was written, and nothing else is ever taken for it."""

import asyncio
import logging
import os
import re
import signal
import subprocess
import sys
from hashlib import blake2b
from pathlib import Path
from typing import get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import damaged
from support import writing_of

from clusterdns.cluster.model import (
    Endpoint,
    Endpoints,
    EndpointSlice,
    Key,
    Namespace,
    Object,
    Place,
    Pod,
    Port,
    Service,
    ServicePort,
    Subset,
)
from clusterdns.sources import confirmed, packed, snapshot
from clusterdns.sources.snapshot import NAME, Identity, Objects, SnapshotFile, SnapshotKeeper, fingerprints

HERE = Identity("https://192.0.2.1:6443", "cluster.local.")
KINDS = ("Namespace", "Service", "EndpointSlice")
WEB = Service(Key("shop", "web"), cluster_ips=(b"\x0a\x60\x00\x01",), ports=(ServicePort("http", "tcp", 80, "http"),))
PIECE = EndpointSlice(
    Key("shop", "web-x"), WEB.key, ports=(Port("http", "tcp", 8080),), endpoints=(Endpoint(b"\x0a\xf4\0\1", 3, "a"),)
)
OBJECTS: Objects = {"Namespace": [Namespace(Key("", "shop"))], "Service": [WEB], "EndpointSlice": [PIECE]}


def file_in(folder: Path, identity: Identity = HERE) -> SnapshotFile:
    return SnapshotFile(str(folder), identity)


text = st.text(max_size=8)
numbers = st.integers(0, 2**32)
addresses = st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16)
keys = st.builds(Key, text, text)
common = {
    "place": st.builds(Place, text, numbers, numbers),
    "labels": st.dictionaries(text, text, max_size=3),
}


def tuples(of: "st.SearchStrategy[object]") -> "st.SearchStrategy[tuple[object, ...]]":
    return st.lists(of, max_size=3).map(tuple)


ports = st.builds(Port, text, text, numbers)
endpoints = st.builds(Endpoint, addresses, st.integers(0, 7), text, text, text)
services = st.builds(
    Service,
    keys,
    **common,
    type=text,
    headless=st.booleans(),
    cluster_ips=tuples(addresses),
    external_name=text,
    selector=st.none() | st.dictionaries(text, text, max_size=3),
    ports=tuples(st.builds(ServicePort, text, text, numbers, numbers | text, numbers)),
    publish_not_ready=st.booleans(),
    ip_families=tuples(st.sampled_from([4, 6])),
    external_ips=tuples(text),
    load_balancer=tuples(text),
)
slices = st.builds(
    EndpointSlice,
    keys,
    keys,
    **common,
    family=st.sampled_from([0, 4, 6]),
    ports=tuples(ports),
    endpoints=tuples(endpoints),
    managed_by=text,
)
endpoints_objects = st.builds(
    Endpoints, keys, **common, subsets=tuples(st.builds(Subset, tuples(ports), tuples(endpoints)))
)
pods = st.builds(Pod, keys, **common, addresses=tuples(addresses), phase=text, ready=st.booleans(), ports=tuples(ports))
namespaces = st.builds(Namespace, keys, **common)
worlds = st.fixed_dictionaries(
    {
        "Namespace": st.lists(namespaces, max_size=40),
        "Service": st.lists(services, max_size=40),
        "EndpointSlice": st.lists(slices, max_size=40),
        "Endpoints": st.lists(endpoints_objects, max_size=3),
        "Pod": st.lists(pods, max_size=3),
    }
)


@settings(max_examples=100)
@given(worlds, st.floats(0, 1e10))
def test_what_was_saved_is_loaded(
    tmp_path_factory: pytest.TempPathFactory, objects: dict[str, list[Object]], now: float
) -> None:
    folder = tmp_path_factory.mktemp("state")
    assert file_in(folder).save(objects, now)
    found = file_in(folder).load(tuple(objects))
    assert found
    assert found.confirmed == now
    assert found.objects == objects


def test_only_the_kinds_that_are_needed_are_loaded(tmp_path: Path) -> None:
    file_in(tmp_path).save(OBJECTS, 1.0)
    found = file_in(tmp_path).load(("Service",))
    assert found
    assert found.objects == {"Service": [WEB]}


def test_no_file_is_no_snapshot_without_a_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert file_in(tmp_path).load(KINDS) is None
    assert not caplog.records


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a snapshot of OBJECTS: a disk may take long to sync each."""
    folder = tmp_path_factory.mktemp("saved")
    file_in(folder).save(OBJECTS, 1.0)
    return folder


@settings(max_examples=300)
@given(st.data())
def test_any_torn_or_changed_file_is_ignored(
    saved: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("state")
    (folder / NAME).write_bytes(data.draw(damaged((saved / NAME).read_bytes())))
    assert file_in(folder).load(KINDS) is None


def newer(folder: Path) -> None:
    path = folder / NAME
    path.write_bytes(path.read_bytes().replace(b"snapshot 1\n", b"snapshot 2\n"))


def torn(folder: Path) -> None:
    os.truncate(folder / NAME, 60)


def unreadable(folder: Path) -> None:
    (folder / NAME).unlink()
    (folder / NAME).mkdir()


@pytest.mark.parametrize(
    ("spoil", "identity", "kinds", "said"),
    [
        (newer, HERE, KINDS, "written by another version of clusterdns (format 2): it is ignored and written anew"),
        (torn, HERE, KINDS, "torn, or not written by this program: it is ignored and written anew"),
        (unreadable, HERE, KINDS, "Is a directory; make it readable for this user, or set another state_dir"),
        (
            None,
            Identity("https://192.0.2.2:6443", "cluster.local."),
            KINDS,
            "not of https://192.0.2.2:6443 for cluster.local.: set another state_dir for each cluster",
        ),
        (None, Identity(HERE.server, "other.test."), KINDS, "not of https://192.0.2.1:6443 for other.test."),
        (
            None,
            Identity(HERE.server, HERE.domain, ("a", "b")),
            KINDS,
            "of another cluster at https://192.0.2.1:6443, with other certificates: it is written anew",
        ),
        (None, HERE, ("Service", "Pod"), "without Pod, which is needed now: it is ignored and written anew"),
    ],
)
def test_what_is_not_taken_is_told_with_file_and_remedy(
    spoil: object,
    identity: Identity,
    kinds: tuple[str, ...],
    said: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    file_in(tmp_path).save(OBJECTS, 1.0, Identity(HERE.server, HERE.domain, ("c",)))
    if callable(spoil):
        spoil(tmp_path)
    assert file_in(tmp_path, identity).load(kinds) is None
    [told] = [record.getMessage() for record in caplog.records]
    assert told.startswith(f"{tmp_path / NAME}: ")
    assert said in told


@pytest.mark.parametrize(
    ("before", "now", "same"),
    [
        ((), (), True),
        (("old",), (), True),  # nobody can say
        ((), ("new",), True),
        (("old",), ("old",), True),
        (("old",), ("old", "new"), True),  # certificates are renewed: both are trusted for a while
        (("old", "new"), ("new",), True),
        (("old",), ("new",), False),  # a cluster built anew
    ],
)
def test_a_cluster_is_known_by_its_certificates(before: tuple[str, ...], now: tuple[str, ...], same: bool) -> None:
    one, other = (Identity(HERE.server, HERE.domain, signers) for signers in (before, now))
    assert one.is_cluster_of(other) == same
    assert other.is_cluster_of(one) == same
    assert not one.is_cluster_of(Identity("https://192.0.2.2:6443", HERE.domain, now))


def test_fingerprints_are_those_of_certificates_however_they_are_wrapped() -> None:
    one, other = (
        f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n" for text in ("TUlJ\nQg==", "QQ==")
    )
    both = fingerprints(f"# bundle\n{one}\n{other}".encode())
    assert len(both) == 2
    assert both == fingerprints(f"{other}{one.replace('TUlJ', 'TUlJ ')}{one}".encode())
    assert fingerprints(b"") == fingerprints(b"-----BEGIN CERTIFICATE-----") == ()


def test_another_model_is_another_format() -> None:
    """Whoever changes what objects have raises _FORMAT: what is not in a file would be taken for its default."""
    types = (*packed.TYPES.values(), Endpoint, Subset, Key, Place, Port, ServicePort)
    fields = {one.__name__: get_type_hints(one) for one in types}
    found = blake2b(repr(sorted(fields.items())).encode(), digest_size=8).hexdigest()
    assert (snapshot._FORMAT, found) == (1, "13f91820fa50b35c")


def test_a_torn_file_is_written_anew(tmp_path: Path) -> None:
    file_in(tmp_path).save(OBJECTS, 1.0)
    torn(tmp_path)
    assert file_in(tmp_path).save(OBJECTS, 2.0)
    found = file_in(tmp_path).load(KINDS)
    assert found
    assert found.confirmed == 2.0


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    file_in(tmp_path).save(OBJECTS, 1.0)
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600


def test_a_folder_of_others_is_told_with_another_remedy(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: int) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "fsync", refused)
    assert not file_in(tmp_path).save(OBJECTS, 1.0)
    assert "Permission denied; " in caplog.text
    assert caplog.text.endswith(": let this user write there, or set another state_dir\n")


def test_a_disk_that_refuses_is_told_once_and_keeps_the_old_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = file_in(tmp_path)
    assert file.save(OBJECTS, 1.0)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, caplog.at_level(logging.ERROR):
        patch.setattr(os, "fsync", full)
        assert not file.save(OBJECTS, 2.0)
        assert not file.save(OBJECTS, 3.0)
    [told] = [record.getMessage() for record in caplog.records]
    assert re.search(r"No space left on device; .* free the disk", told)
    assert [path.name for path in tmp_path.iterdir()] == [NAME], "no half of a new one stays"
    found = file_in(tmp_path).load(KINDS)
    assert found
    assert found.confirmed == 1.0


ENDLESS = """
import sys
from clusterdns.cluster.model import Key, Service
from clusterdns.sources.snapshot import Identity, SnapshotFile
file = SnapshotFile(sys.argv[1], Identity("https://192.0.2.1:6443", "cluster.local."))
objects = {"Service": [Service(Key("shop", f"web-{number}")) for number in range(2000)]}
for number in range(1_000_000):
    file.save(objects, float(number))
    print(number, flush=True)
"""


def test_a_kill_at_any_moment_leaves_a_whole_one(tmp_path: Path) -> None:
    for lines in range(1, 9):
        with subprocess.Popen(
            [sys.executable, "-c", ENDLESS, str(tmp_path)], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout
            seen = [int(process.stdout.readline()) for _ in range(lines)]
            process.send_signal(signal.SIGKILL)
        found = file_in(tmp_path).load(("Service",))
        assert found
        assert found.confirmed >= seen[-1]
        assert len(found.objects["Service"]) == 2000


def test_whoever_stops_waiting_has_it_saved_later(tmp_path: Path) -> None:
    """A server that ends in the middle of a save ends with one."""

    async def main() -> None:
        collecting = asyncio.Event()

        async def collect() -> tuple[Identity, Objects] | None:
            collecting.set()
            await asyncio.sleep(0)
            return HERE, OBJECTS

        keeper = SnapshotKeeper(file_in(tmp_path), collect)
        keeper.note()
        running = asyncio.create_task(keeper.run(lambda: 1.0))
        await collecting.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await keeper.save(lambda: 2.0)

    asyncio.run(main())
    found = file_in(tmp_path).load(KINDS)
    assert found
    assert found.confirmed == 2.0


def test_it_is_saved_soon_and_not_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change is saved at once, those that follow together and after the pause; at the end what is left."""
    pauses: list[float] = []
    collected: list[int] = []
    go_on = asyncio.Semaphore(0)

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        await go_on.acquire()

    async def collect() -> tuple[Identity, Objects] | None:
        collected.append(len(pauses))
        return HERE, OBJECTS

    async def main() -> None:
        monkeypatch.setattr(asyncio, "sleep", pause)
        keeper = SnapshotKeeper(file_in(tmp_path), collect)
        running = asyncio.create_task(keeper.run(lambda: 1.0))
        keeper.note()
        while len(pauses) < 1:
            await asyncio.to_thread(lambda: None)
        keeper.note()
        keeper.note()
        await asyncio.to_thread(lambda: None)
        assert collected == [0]
        go_on.release()
        while len(pauses) < 2:
            await asyncio.to_thread(lambda: None)
        assert collected == [0, 1]
        await keeper.save(lambda: 2.0)
        assert collected == [0, 1], "nothing has changed since"
        keeper.note()
        await keeper.save(lambda: 3.0)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert pauses == [snapshot.SAVE_SECONDS] * 2

    asyncio.run(main())
    found = file_in(tmp_path).load(KINDS)
    assert found
    assert found.confirmed == 3.0


def confirmed_at(folder: Path) -> float:
    found = file_in(folder).load(KINDS)
    assert found
    assert found.objects == OBJECTS
    return found.confirmed


def test_what_is_confirmed_is_not_written_anew(tmp_path: Path) -> None:
    file = file_in(tmp_path)
    file.save(OBJECTS, 1.0)
    before = writing_of(tmp_path / NAME)
    for at in (50.0, 90.0, 20.0):  # the last: the clock was set back
        file.confirm(at)
        assert confirmed_at(tmp_path) == at
    assert writing_of(tmp_path / NAME) == before
    file.save(OBJECTS, 100.0)
    assert confirmed_at(tmp_path) == 100, "a new one is not the one that was confirmed"


def test_no_word_of_the_api_no_write(tmp_path: Path) -> None:
    file = file_in(tmp_path)
    file.save(OBJECTS, 1.0)
    file.confirm(1.5)
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    file.confirm(9.0)
    before = writing_of(tmp_path / confirmed.NAME)
    file.confirm(9.1)
    assert writing_of(tmp_path / confirmed.NAME) == before


def test_what_another_one_saved_is_not_confirmed(tmp_path: Path) -> None:
    """Nobody has compared it with what the API says now."""
    file_in(tmp_path).save(OBJECTS, 1.0)
    file_in(tmp_path).confirm(50.0)
    assert confirmed_at(tmp_path) == 1


def test_a_torn_confirmation_leaves_the_snapshot(tmp_path: Path) -> None:
    file = file_in(tmp_path)
    file.save(OBJECTS, 1.0)
    file.confirm(50.0)
    os.truncate(tmp_path / confirmed.NAME, 40)
    assert confirmed_at(tmp_path) == 1


def test_a_disk_that_takes_no_confirmation_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = file_in(tmp_path)
    file.save(OBJECTS, 1.0)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        file.confirm(50.0)
        file.confirm(90.0)
    [told] = [record.getMessage() for record in caplog.records]
    assert "No space left on device; a start without the API takes what it serves for older: free the disk" in told
    assert confirmed_at(tmp_path) == 1
    file.confirm(90.0)
    assert confirmed_at(tmp_path) == 90


def test_a_cluster_that_rests_is_confirmed_now_and_then_and_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "SAVE_SECONDS", 0.001)
    now, collected = [1.0], list[int]()

    async def collect() -> tuple[Identity, Objects] | None:
        collected.append(1)
        return HERE, OBJECTS

    def is_so(at: float) -> bool:
        return (tmp_path / NAME).exists() and confirmed_at(tmp_path) == at

    async def until(at: float) -> None:
        async with asyncio.timeout(60):
            while not await asyncio.to_thread(is_so, at):
                pass  # it has looked at the disk

    async def main() -> None:
        keeper = SnapshotKeeper(file_in(tmp_path), collect)
        running = asyncio.create_task(keeper.run(lambda: now[0]))
        await keeper.save(lambda: 7.0)
        assert not os.listdir(tmp_path), "nothing has been saved that could be confirmed"
        keeper.note()
        await until(1.0)
        now[0] = 80.0
        await until(80.0)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await keeper.save(lambda: 95.0)
        await keeper.done()
        assert confirmed_at(tmp_path) == 95
        assert len(collected) == 1

    asyncio.run(main())
