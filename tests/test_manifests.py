"""Folders of manifests: real files, injected clocks."""

import asyncio
import logging
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, Self

import pytest
import watchfiles
from folders import service, write

from clusterdns.cluster.documents import Limits
from clusterdns.cluster.events import Delete, Event, Replace, Upsert
from clusterdns.cluster.model import Object, Service
from clusterdns.errors import OperatorError
from clusterdns.sources import manifests, mounts, watching
from clusterdns.sources.holding import KINDS
from clusterdns.sources.manifests import Manifests
from clusterdns.sources.reading import load
from clusterdns.sources.scan import Clock

# Whatever was written counts as settled; what is gone still has to be gone for 50 ms.
AGED = Clock(wall=lambda: time.time() + 60)


def shown(events: Sequence[Event]) -> list[str]:
    """``+web=target`` and ``-web``; Replaces show their objects."""
    lines = []
    for event in events:
        if isinstance(event, Delete):
            lines.append(f"-{event.key.name}")
        else:
            objects: tuple[Object, ...] = (event.object,) if isinstance(event, Upsert) else event.objects
            lines += [f"+{one.key.name}={one.external_name}" for one in objects if isinstance(one, Service)]
    return lines


class Rounds:
    """The rounds of a source, each within a minute (far more than any needs), or a failed test."""

    def __init__(self, source: Manifests) -> None:
        self.source = source
        self._rounds: AsyncIterator[Sequence[Event]] = source.rounds()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._rounds.aclose()  # type: ignore[attr-defined]

    async def next(self) -> Sequence[Event]:
        async with asyncio.timeout(60):
            return await anext(self._rounds)

    async def shown(self) -> list[str]:
        return shown(await self.next())


def codes(source: Manifests) -> list[str]:
    return [problem.code for problem in source.problems]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - of any kind
            await asyncio.sleep(0.005)


def test_first_everything_then_what_changes(tmp_path: Path) -> None:
    async def main() -> None:
        write(tmp_path / "web.yaml", service("web"))
        write(tmp_path / "deep/er/api.yml", service("api"))
        async with Rounds(Manifests([str(tmp_path)], clock=AGED)) as rounds:
            first = await rounds.next()
            assert [event.kind for event in first if isinstance(event, Replace)] == list(KINDS)
            assert shown(first) == ["+api=example.org", "+web=example.org"]
            assert rounds.source.files == 2
            write(tmp_path / "web.yaml", service("web", "b.example"))
            assert await rounds.shown() == ["+web=b.example"]
            write(tmp_path / "new/db.json", service("db"))
            assert await rounds.shown() == ["+db=example.org"]
            (tmp_path / "web.yaml").unlink()
            assert await rounds.shown() == ["-web"]

    asyncio.run(main())


def objects(events: Sequence[Event]) -> dict[str, Object]:
    return {str(one.key): one for event in events if isinstance(event, Replace) for one in event.objects}


def following(before: Manifests, path: Path, **limits: int) -> Rounds:
    """Those of a source that goes on from *before*."""
    source = Manifests([str(path)], clock=AGED, limits=Limits(**limits))
    source.follow(before)
    return Rounds(source)


def test_one_that_follows_shares_the_objects(tmp_path: Path) -> None:
    """Other settings need another world, not another copy of all objects."""

    async def main() -> None:
        write(tmp_path / "web.yaml", service("web"))
        write(tmp_path / "both.yaml", service("api"), service("db"))
        async with Rounds(Manifests([str(tmp_path)], clock=AGED)) as rounds:
            first = objects(await rounds.next())
            write(tmp_path / "both.yaml", service("api"), service("db", "b.example"))
            (tmp_path / "web.yaml").unlink()
            write(tmp_path / "new.yaml", service("new"))
            async with following(rounds.source, tmp_path) as others:
                second = objects(await others.next())
                if "shop/web" in second:  # what has just gone may come back for a moment
                    assert await others.shown() == ["-web"]
                    del second["shop/web"]
                assert second.keys() == {"shop/api", "shop/db", "shop/new"}
                assert second["shop/api"] is first["shop/api"]
                assert second["shop/db"] != first["shop/db"]
                assert others.source.files == 2
                write(tmp_path / "new.yaml", service("new", "b.example"))
                assert await others.shown() == ["+new=b.example"]
            while "+new=b.example" not in await rounds.shown():
                pass  # the one before goes on, too
            async with following(rounds.source, tmp_path, depth=7) as others:
                third = objects(await others.next())
                assert third == objects(await following(Manifests([]), tmp_path).next())
                assert third["shop/api"] is not first["shop/api"]

    asyncio.run(main())


def test_one_that_follows_keeps_the_last_good_version(tmp_path: Path) -> None:
    async def main() -> None:
        path = write(tmp_path / "web.yaml", service("web"), service("api"))
        async with Rounds(Manifests([str(tmp_path)], clock=AGED)) as rounds:
            await rounds.next()
            write(path, service("web").replace("ExternalName,", "Externalname,"), service("api", "b.example"))
            assert await rounds.shown() == ["+api=b.example"]
            async with following(rounds.source, tmp_path) as others:
                assert await others.shown() == ["+api=b.example", "+web=example.org"]
                assert codes(others.source) == ["CD308", "CD205", "CD210"]
                write(path, service("web", "c.example"), service("api", "b.example"))
                assert "+web=c.example" in await others.shown()
                assert codes(others.source) == []

    asyncio.run(main())


def test_one_that_follows_who_has_read_nothing_yet(tmp_path: Path) -> None:
    async def main() -> None:
        write(tmp_path / "web.yaml", service("web"))
        async with following(Manifests([str(tmp_path)]), tmp_path) as rounds:
            assert await rounds.shown() == ["+web=example.org"]

    asyncio.run(main())


def test_an_empty_folder_is_the_whole_truth_too(tmp_path: Path) -> None:
    async def main() -> None:
        async with Rounds(Manifests([str(tmp_path)])) as rounds:
            assert len(await rounds.next()) == len(KINDS)
            write(tmp_path / "web.yaml", service("web"))
            assert await rounds.shown() == ["+web=example.org"]

    asyncio.run(main())


def test_places_are_what_the_user_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "zones/demo/web.yaml", "# empty\n", service("web"))
    monkeypatch.chdir(tmp_path)
    for root, expected in (("zones/", "zones/demo/web.yaml"), (".", "./zones/demo/web.yaml")):
        assert [(one.place.path, one.place.line) for one in load([root], clock=AGED).objects] == [(expected, 3)]


def test_the_timer_finds_what_no_hint_told(tmp_path: Path) -> None:
    async def main() -> None:
        async with Rounds(Manifests([str(tmp_path)], clock=AGED, interval=0.02, watch=False)) as rounds:
            await rounds.next()
            write(tmp_path / "web.yaml", service("web"))
            assert await rounds.shown() == ["+web=example.org"]

    asyncio.run(main())


def test_refresh_does_not_wait_for_the_timer(tmp_path: Path) -> None:
    async def main() -> None:
        web = write(tmp_path / "web.yaml", service("web"))
        async with Rounds(Manifests([str(tmp_path)], clock=AGED, interval=3600, watch=False)) as rounds:
            await rounds.next()
            write(web, service("web", "b.example"))
            rounds.source.refresh()
            assert await rounds.shown() == ["+web=b.example"]

    asyncio.run(main())


def test_a_root_that_is_removed_and_made_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async def main() -> None:
        root = tmp_path / "zones"
        write(root / "web.yaml", service("web"))
        async with Rounds(Manifests([str(root)], clock=AGED, interval=3600)) as rounds:
            await rounds.next()
            (root / "web.yaml").unlink()
            root.rmdir()
            assert rounds.source.status().error == ""
            assert await rounds.shown() == ["-web"]
            assert codes(rounds.source) == ["CD301"]
            status = rounds.source.status()
            assert status.error == f"{root}: no such file or folder; its objects are gone until it is back"
            assert status.error_since is not None
            for target in ("a.example", "b.example", "c.example"):  # the watch hears the new folder, too
                write(root / "web.yaml", service("web", target))
                assert await rounds.shown() == [f"+web={target}"]
            assert rounds.source.problems == ()
            status = rounds.source.status()
            assert (status.error, status.error_since) == ("", None)

    asyncio.run(main())
    told = [record.getMessage() for record in caplog.records if record.name == "clusterdns.manifests"]
    problem = f"{tmp_path}/zones: error CD301: no such file or folder; its objects are gone until it is back"
    assert told == [problem, f"mended: {problem}"]


def test_the_last_error_is_of_paths_and_not_of_what_is_in_files(tmp_path: Path) -> None:
    async def main() -> None:
        write(tmp_path / "web.yaml", service("web"))
        write(tmp_path / "broken.yaml", "kind: [\n")
        (tmp_path / "a-loop.yaml").symlink_to("a-loop.yaml")
        (tmp_path / "b-loop.yaml").symlink_to("b-loop.yaml")
        async with Rounds(Manifests([str(tmp_path)], clock=AGED, interval=0.02)) as rounds:
            await rounds.next()
            assert codes(rounds.source) == ["CD304", "CD304", "CD103"]
            status = rounds.source.status()
            text = (
                "a-loop.yaml: cannot be read: too many levels of symbolic links; mend or remove the link (and 1 more)"
            )
            assert status.error == f"{tmp_path}/{text}"
            for name in ("a-loop.yaml", "b-loop.yaml"):
                (tmp_path / name).unlink()
            write(tmp_path / "web.yaml", service("web", "b.example"))
            await rounds.next()
            assert codes(rounds.source) == ["CD103"]
            assert rounds.source.status().error == ""

    asyncio.run(main())


def test_a_new_last_good_version_and_what_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async def main() -> None:
        path = write(tmp_path / "web.yaml", service("web"), service("api"))
        async with Rounds(Manifests([str(path)], clock=AGED)) as rounds:
            await rounds.next()
            write(path, "kind: [\n", service("api", "b.example"))
            assert await rounds.shown() == ["+api=b.example"]
            assert codes(rounds.source)[0] == "CD308"
            assert len(codes(rounds.source)) == 2
            write(path, "", "kind: [\n", service("api", "c.example"))
            assert await rounds.shown() == ["+api=c.example"]
            write(path, service("web", "c.example"), service("api", "c.example"))
            assert (await rounds.shown())[-1] == "+web=c.example"
            assert rounds.source.problems == ()

    asyncio.run(main())
    told = [record.levelname for record in caplog.records if record.name == "clusterdns.manifests"]
    assert told == ["WARNING", "ERROR", "INFO", "INFO"]  # the error that only moved is not told again


def test_the_second_of_two_takes_over(tmp_path: Path) -> None:
    async def main() -> None:
        first = write(tmp_path / "a.yaml", service("web", "a.example"))
        second = write(tmp_path / "b.yaml", service("web", "b.example"))
        async with Rounds(Manifests([str(tmp_path)], clock=AGED)) as rounds:
            assert await rounds.shown() == ["+web=a.example"]
            assert [problem.path for problem in rounds.source.problems] == [str(second)]
            assert str(first) in rounds.source.problems[0].text
            first.unlink()
            assert await rounds.shown() == ["+web=b.example"]
            assert rounds.source.problems == ()

    asyncio.run(main())


def test_a_renamed_file_is_one_round_without_a_duplicate(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        write(tmp_path / "b.yaml", service("web"))
        async with Rounds(Manifests([str(tmp_path)], clock=AGED)) as rounds:
            await rounds.next()
            (tmp_path / "b.yaml").rename(tmp_path / "a.yaml")
            (event,) = await rounds.next()
            assert isinstance(event, Upsert)
            assert event.object.place.path == str(tmp_path / "a.yaml")

    asyncio.run(main())
    assert [record for record in caplog.records if record.name == "clusterdns.manifests"] == []


def test_two_thousand_files(tmp_path: Path) -> None:
    async def main() -> None:
        for number in range(2000):
            write(tmp_path / f"{number % 40}/{number}.yaml", service(f"web-{number}"))
        async with Rounds(Manifests([str(tmp_path)], clock=AGED)) as rounds:
            assert len(await rounds.shown()) == 2000
            assert rounds.source.files == 2000
            write(tmp_path / "7/7.yaml", service("web-7", "b.example"))
            assert await rounds.shown() == ["+web-7=b.example"]

    asyncio.run(main())


UNWATCHED = {
    "OS file watch limit reached. about [/srv]": "raise the sysctl fs.inotify.max_user_watches",
    "No space left on device (os error 28)": "raise the sysctl fs.inotify.max_user_watches",
    "Error creating recommended watcher: Too many open files (os error 24)": (
        "raise the sysctl fs.inotify.max_user_instances, or this process's limit of open files"
    ),
    "something else": "",
}


@pytest.mark.parametrize(("fault", "remedy"), UNWATCHED.items(), ids=UNWATCHED)
def test_without_a_watch_the_timer_goes_on(
    fault: str, remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    text = f"folders cannot be watched ({fault}): changes are found by scanning, later" + (remedy and f"; {remedy}")
    refused = True
    awatch = watchfiles.awatch

    def perhaps(*folders: str, **options: Any) -> AsyncIterator[set[tuple[watchfiles.Change, str]]]:
        if refused:
            raise OSError(fault)
        return awatch(*folders, **options)

    async def main() -> None:
        nonlocal refused
        monkeypatch.setattr(watchfiles, "awatch", perhaps)
        monkeypatch.setattr(watching, "QUIET", 50)
        monkeypatch.setattr(watching, "RETRY", 0.05)
        async with Rounds(Manifests([str(tmp_path)], clock=AGED, interval=0.02)) as rounds:
            await rounds.next()
            for target in ("a.example", "b.example"):
                write(tmp_path / "web.yaml", service("web", target))
                assert await rounds.shown() == [f"+web={target}"]
            waiting = asyncio.create_task(rounds.next())  # the source goes on while somebody waits for it
            await until(lambda: rounds.source.status().error == text)
            assert rounds.source.status().error_since is not None
            refused = False
            await until(lambda: not rounds.source.status().error)
            assert rounds.source.status().error_since is None
            write(tmp_path / "web.yaml", service("web", "c.example"))
            assert shown(await waiting) == ["+web=c.example"]

    asyncio.run(main())
    assert [record.getMessage() for record in caplog.records] == [text]


def test_on_a_network_file_system_the_timer_is_quick_and_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    (tmp_path / "mountinfo").write_text(f"22 1 0:21 / {tmp_path}/zones rw - nfs4 server:/export rw\n")
    monkeypatch.setattr(mounts, "MOUNTS", str(tmp_path / "mountinfo"))
    monkeypatch.setattr(manifests, "DISTANT_INTERVAL", 0.02)
    (tmp_path / "zones").mkdir()

    async def main() -> None:
        source = Manifests([str(tmp_path / "zones")], clock=AGED, interval=3600, watch=False)
        async with Rounds(source) as rounds:
            await rounds.next()
            for target in ("a.example", "b.example"):
                write(tmp_path / "zones/web.yaml", service("web", target))
                assert await rounds.shown() == [f"+web={target}"]

    asyncio.run(main())
    told = [record.getMessage() for record in caplog.records if record.name == "clusterdns.manifests"]
    assert told == [
        f"{tmp_path}/zones is on a file system (nfs4) that does not tell what others change: it is scanned every second"
    ]


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    async def main() -> None:
        async with Rounds(Manifests([str(tmp_path)])) as rounds:
            await rounds.next()
            waiting = asyncio.create_task(rounds.next())
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        assert asyncio.all_tasks() == {asyncio.current_task()}

    before = set(threading.enumerate())
    asyncio.run(main())
    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=60)
    assert not set(threading.enumerate()) - before  # one of before may have ended meanwhile


def test_a_missing_path_is_told_at_the_start(tmp_path: Path) -> None:
    async def main() -> None:
        with pytest.raises(OperatorError, match="none: no such file or directory"):
            await anext(Manifests([str(tmp_path), str(tmp_path / "none")]).rounds())

    asyncio.run(main())


def test_load_waits_for_what_is_being_written(tmp_path: Path) -> None:
    now = time.time()
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)

    path = write(tmp_path / "web.yaml", service("web"))
    os.utime(path, (now, now))
    loaded = load([str(tmp_path)], clock=Clock(lambda: now + sum(slept), lambda: sum(slept)), sleep=sleep)
    assert [one.key.name for one in loaded.objects] == ["web"]
    assert sum(slept) == pytest.approx(0.05, abs=0.001)


def test_load_refuses_what_it_cannot_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(OperatorError) as caught:
        load([str(tmp_path / "pipe.yaml"), str(tmp_path / "none")])
    assert str(caught.value).splitlines() == [
        f"{tmp_path}/pipe.yaml: a FIFO is not read; name a file or a folder",
        f"{tmp_path}/none: no such file or directory",
    ]


@pytest.mark.parametrize("how", ["in place", "by rename"])
def test_edits_show_without_the_timer(tmp_path: Path, how: str) -> None:
    """Real clocks: the system's hints alone, and what has settled; how soon, ``scripts/bench edit`` tells."""

    def replace_text(path: Path, text: str) -> None:
        if how == "in place":
            path.write_text(text)
        else:
            write(path, text)

    async def main() -> None:
        write(tmp_path / "web.yaml", service("web"))
        async with Rounds(Manifests([str(tmp_path)], interval=3600)) as rounds:
            await rounds.next()
            for number in range(9):
                replace_text(tmp_path / "web.yaml", service("web", f"{number}.example"))
                assert await rounds.shown() == [f"+web={number}.example"]

    asyncio.run(main())
