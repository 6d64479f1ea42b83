"""A server of a live API: nothing half before it is read, the last good state while it is away, and what it says."""

import asyncio
import gc
import json
import logging
import re
import time
import weakref
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import dns.asyncquery
import dns.edns
import dns.message
import dns.rcode
import pytest
from fake_api import FakeApi, Refusal, endpoint_slice, namespace, pod, service
from in_process import InProcess, started
from support import PATIENCE

from clusterdns import server as server_module
from clusterdns.cli.main import run
from clusterdns.config import Settings, load_settings
from clusterdns.errors import OperatorError, moment
from clusterdns.server import Server
from clusterdns.sources.snapshot import NAME, Identity, Objects, SnapshotFile, fingerprints

DAY = 86400.0
WEB, DB = "web.shop.svc.cluster.local", "db.shop.svc.cluster.local"


class Life(InProcess):
    """Of the API that *api* makes up."""

    def __init__(self, folder: Path, api: FakeApi, **settings: Any) -> None:
        self.folder, self.api, self.settings = folder, api, settings
        self.user: dict[str, Any] = {}  # of the kubeconfig
        self.cluster: dict[str, str] = {}
        super().__init__(folder / "clusterdns.yaml")
        self.http = ""

    def write(self, **settings: Any) -> None:
        kubeconfig = self.folder / "kubeconfig"
        cluster = {"name": "fake", "cluster": {"server": self.api.url} | self.cluster}
        context = {"name": "fake", "context": {"cluster": "fake", "user": "fake"}}
        config = {"clusters": [cluster], "contexts": [context], "current-context": "fake"}
        config["users"] = [{"name": "fake", "user": self.user}]
        kubeconfig.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", **config}))
        lines: dict[str, Any] = {"source": "kubernetes", "kubeconfig": str(kubeconfig), "answer_order": "fixed"}
        super().write(**lines | {"http": ["127.0.0.1:0"]} | self.settings | settings)

    async def query(self, name: str, rtype: str = "A", *, edns: bool = True) -> dns.message.Message:
        host, port = self.bound[0]
        question = dns.message.make_query(name, rtype, use_edns=0 if edns else -1)
        return await dns.asyncquery.udp(question, host, port=port, timeout=PATIENCE)

    async def ask(self, name: str, rtype: str = "A", *, edns: bool = True) -> tuple[str, list[str], list[int]]:
        """The rcode, the addresses or names, and the codes of Extended DNS Errors."""
        answer = await self.query(name, rtype, edns=edns)
        codes = [int(one.code) for one in answer.options if isinstance(one, dns.edns.EDEOption)]
        return dns.rcode.to_text(answer.rcode()), sorted(str(one) for rrset in answer.answer for one in rrset), codes

    async def get(self, path: str) -> tuple[int, str]:
        async with aiohttp.ClientSession() as session, session.get(self.http + path) as response:
            return response.status, await response.text()

    async def command(self, *arguments: str) -> int:
        return await asyncio.to_thread(run, [*arguments, "--server", self.http])

    async def until(self, condition: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not await condition():
                pass  # it has asked the server something, and waited for that

    async def ready(self) -> None:
        async def is_so() -> bool:
            return (await self.get("/ready"))[0] == 200

        await self.until(is_so)

    async def synced(self) -> None:
        live = self.server._backend.live
        assert live
        async with asyncio.timeout(PATIENCE):
            await live.synced.wait()


Story = Callable[[Life], Awaitable[None]]


def cluster() -> FakeApi:
    api = FakeApi()
    api.put(namespace("shop"))
    api.put(service("shop/web", "10.96.0.10"))
    api.put(service("shop/db", "None", clusterIP="None", clusterIPs=["None"]))
    api.put(endpoint_slice("shop/db-1", "10.244.0.1", "10.244.0.2", of="db"))
    return api


async def living(folder: Path, api: FakeApi, story: Story, **settings: Any) -> None:
    async with started(Life(folder, api, **settings)) as life:
        [sock] = life.server._http._sockets.values()
        life.http = f"http://127.0.0.1:{sock.getsockname()[1]}"
        await story(life)


def live(folder: Path, story: Story, **settings: Any) -> None:
    async def main() -> None:
        async with cluster() as api:
            await living(folder, api, story, **settings)

    asyncio.run(main())


async def away(api: FakeApi) -> FakeApi:
    """It has had its port, and nobody is there."""
    await api.start()
    await api.stop()
    return api


def test_who_may_not_read_pods_is_told_what_to_do(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with cluster() as api:
            api.streams_lists = "refused"
            api.refuse("Pod", *[Refusal(403, "pods is forbidden: " + 500 * "x")] * 1000)
            await living(tmp_path, api, story, pods="verified")

    async def story(life: Life) -> None:
        async def told() -> bool:
            return "not listed yet: Pod (" in (await life.get("/ready"))[1] and remedy in (await life.get("/ready"))[1]

        remedy = "add deploy/kubernetes/components/pods-verified, or set pods: insecure"
        await life.until(told)
        assert any(remedy in line for line in caplog.messages)

    asyncio.run(main())


def test_nothing_is_answered_before_every_kind_is_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        async with cluster() as api:
            api.streams_lists = "refused"
            api.refuse("EndpointSlice", *[Refusal(403, "endpointslices is forbidden")] * 1000)
            await living(tmp_path, api, story)

    async def story(life: Life) -> None:
        async def told() -> bool:
            text = (await life.get("/ready"))[1]
            return text.startswith("kubernetes: not listed yet: EndpointSlice (") and "is forbidden" in text

        await life.until(told)  # the other kinds have been listed
        assert await life.ask(WEB) == ("SERVFAIL", [], [14])
        assert await life.ask("absent.shop.svc.cluster.local") == ("SERVFAIL", [], [14])
        assert (await life.ask("cluster.local", "SOA"))[0] == "NOERROR"
        assert await life.ask("dns-version.cluster.local", "TXT") == ("NOERROR", ['"1.1.0"'], [])
        status, text = await life.get("/ready")
        assert status == 503
        assert text.startswith("kubernetes: not listed yet: EndpointSlice (")
        assert "endpointslices is forbidden" in text
        assert (await life.get("/api/v1/services"))[0] == 503
        assert await life.command("status") == 1
        said = capsys.readouterr().out
        assert f"serving  the cluster of {life.api.url}" in said
        assert "SERVFAIL until the Kubernetes API has been read" in said
        assert "ready: " not in said
        assert "Ready:      no" in said
        assert "not listed yet: EndpointSlice" in said
        life.api.refusals["EndpointSlice"].clear()
        await life.ready()
        assert await life.ask(WEB) == ("NOERROR", ["10.96.0.10"], [])
        assert await life.ask(DB) == ("NOERROR", ["10.244.0.1", "10.244.0.2"], [])
        assert await life.ask("absent.shop.svc.cluster.local") == ("NXDOMAIN", [], [])
        said = capsys.readouterr().out
        assert "have     2 Services, 1 Namespace, 1 EndpointSlice" in said
        assert said.splitlines()[-1].startswith("ready: cluster.local. on 127.0.0.1:")

    asyncio.run(main())


def test_what_the_cluster_has_is_served_and_nothing_is_made_up(tmp_path: Path) -> None:
    """The cluster's own controllers make endpoints and addresses."""

    async def story(life: Life) -> None:
        await life.ready()
        assert await life.ask("pending.shop.svc.cluster.local") == ("NXDOMAIN", [], [])
        life.api.put(service("shop/pending", "", clusterIP="", clusterIPs=[], selector={"app": "x"}))
        life.api.put(service("shop/other", "10.96.0.11"))

        async def come() -> bool:
            return await life.ask("other.shop.svc.cluster.local") == ("NOERROR", ["10.96.0.11"], [])

        await life.until(come)
        assert (await life.ask("pending.shop.svc.cluster.local"))[1] == []
        assert not (tmp_path / "state" / "allocations.json").exists()

    live(tmp_path, story, state_dir=tmp_path / "state", pods="verified")


def test_the_last_good_state_is_served_while_the_api_is_away(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is marked, says so, and gives way to what the API says as a whole."""

    async def main() -> None:
        async with cluster() as api:
            await living(tmp_path, api, first, state_dir=tmp_path)
        assert (tmp_path / NAME).exists()
        await living(tmp_path, api, second, state_dir=tmp_path)

    async def first(life: Life) -> None:
        await life.ready()
        life.api.put(service("shop/web", "10.96.0.77"))

        async def moved() -> bool:
            return (await life.ask(WEB))[1] == ["10.96.0.77"]

        await life.until(moved)

    async def second(life: Life) -> None:
        status, text = await life.get("/ready")
        assert status == 200
        assert text.startswith("OK\nkubernetes: serving the snapshot of 20")
        assert await life.ask(WEB) == ("NOERROR", ["10.96.0.77"], [3])
        assert await life.ask(WEB, edns=False) == ("NOERROR", ["10.96.0.77"], [])
        assert await life.ask(DB) == ("NOERROR", ["10.244.0.1", "10.244.0.2"], [3])
        assert await life.ask(WEB, "AAAA") == ("NOERROR", [], [3])
        assert await life.ask("absent.shop.svc.cluster.local") == ("NXDOMAIN", [], [19])
        [error] = (await life.query(WEB)).options
        assert isinstance(error, dns.edns.EDEOption)
        assert str(error.text).startswith("snapshot of 20")
        status, text = await life.get("/ready?verbose")
        assert status == 200
        assert "kubernetes: serving the snapshot of 20" in text
        status, text = await life.get("/api/v1/status")
        found = json.loads(text)
        assert found["snapshot"] and found["lag"] >= 0  # noqa: PT018 - they go together
        assert [one["synced"] for one in found["source"]["kinds"]] == [False] * 3
        published = dict(life.server._backend.world.table.tree.published)
        life.api.put(service("shop/new", "10.96.0.12"))
        await life.api.start()
        try:
            await life.synced()
            assert await life.ask(WEB) == ("NOERROR", ["10.96.0.77"], [])
            assert await life.ask("new.shop.svc.cluster.local") == ("NOERROR", ["10.96.0.12"], [])
            assert await life.get("/ready") == (200, "OK")
            assert "snapshot" not in (await life.get("/ready?verbose"))[1]
            after = life.server._backend.world.table.tree.published
            assert all(after[key] is one for key, one in published.items()), "only what differs is done anew"
            held = life.server._backend.world.state
            assert all(held.get("Service", key) is one.service for key, one in published.items())
        finally:
            await life.api.stop()

    with caplog.at_level(logging.INFO):
        asyncio.run(main())
    assert "what is served is the snapshot no more" in caplog.text
    assert "nothing is served yet" not in caplog.text


def test_a_snapshot_tells_whose_it_is(tmp_path: Path) -> None:
    """By the certificates as they are when it is written: they may have been renewed since the start."""
    kinds = ("Namespace", "Service", "EndpointSlice")
    certificate = Path(__file__).parent / "tls" / "certificate.pem"

    async def story(life: Life) -> None:
        life.cluster["certificate-authority"] = str(certificate)
        life.write()
        await life.ready()

    async def main() -> None:
        async with cluster() as api:
            await living(tmp_path, api, story, state_dir=tmp_path)
            for signers, mine in ((fingerprints(certificate.read_bytes()), True), (("another",), False), ((), True)):
                file = SnapshotFile(str(tmp_path), Identity(api.url, "cluster.local.", signers))
                assert (file.load(kinds) is not None) == mine

    asyncio.run(main())


def test_a_snapshot_that_was_not_confirmed_is_not_written_anew(tmp_path: Path) -> None:
    """It would look younger than it is."""

    async def main() -> None:
        async with cluster() as api:
            await living(tmp_path, api, Life.ready, state_dir=tmp_path)
        before = kept()
        await living(tmp_path, api, Life.ready, state_dir=tmp_path)
        assert kept() == before

    def kept() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in tmp_path.glob("*.bin")}

    asyncio.run(main())


def test_a_snapshot_is_as_old_as_the_last_word_of_the_api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long nothing has changed before."""
    save, ages = SnapshotFile.save, [3 * DAY]

    def long_ago(file: SnapshotFile, objects: Objects, now: float, identity: Identity) -> bool:
        """The first; there is another one where the end comes in the middle of it."""
        return save(file, objects, now - (ages.pop() if ages else 0), identity)

    async def main() -> None:
        async with cluster() as api:
            with monkeypatch.context() as patch:
                patch.setattr(SnapshotFile, "save", long_ago)
                await living(tmp_path, api, first, state_dir=tmp_path)
        await living(tmp_path, api, second, state_dir=tmp_path, max_staleness="10m")

    async def first(life: Life) -> None:
        async def saved() -> bool:
            await life.get("/ready")
            return (tmp_path / NAME).exists()

        await life.until(saved)

    async def second(life: Life) -> None:
        assert (await life.get("/ready"))[0] == 200
        found = json.loads((await life.get("/api/v1/status"))[1])
        assert found["lag"] < DAY
        assert found["snapshot"] > moment(time.time() - DAY)
        [error] = (await life.query(WEB)).options
        assert isinstance(error, dns.edns.EDEOption)
        assert str(error.text).startswith(f"snapshot of {found['snapshot']}: ")

    asyncio.run(main())


@pytest.mark.parametrize("mode", ["insecure", "verified"])
def test_why_a_service_whose_pod_waits_has_no_endpoints(
    mode: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def story(life: Life) -> None:
        life.api.put(service("shop/idle", "None", clusterIP="None", clusterIPs=["None"], selector={"app": "web"}))
        for name, labels in (("web-0", {"app": "web"}), ("api-0", {"app": "api"})):
            waiting = pod(f"shop/{name}", "10.244.0.9")
            waiting["metadata"]["labels"] = labels
            waiting["status"] = {"phase": "Pending"}
            life.api.put(waiting)
        await life.ready()

        async def known() -> bool:
            return (await life.ask(f"idle.{DB.partition('.')[2]}"))[2] == [0]

        await life.until(known)
        [error] = (await life.query(f"idle.{DB.partition('.')[2]}")).options
        assert isinstance(error, dns.edns.EDEOption)
        assert error.text == "headless Service without endpoints"
        capsys.readouterr()
        assert await life.command("explain", f"idle.{DB.partition('.')[2]}") == 3
        text = capsys.readouterr().out
        assert "matches no pod" not in text
        assert ("Pod shop/web-0 (API object): no IP yet (phase Pending)" in text) == (mode == "verified")
        assert ("pods are not followed here" in text) == (mode == "insecure")
        assert "api-0" not in text

    live(tmp_path, story, pods=mode)


def test_an_api_that_goes_away_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """The same in the log, at ``/ready?verbose`` and by ``status``: what, since when, and where to look."""

    async def story(life: Life) -> None:
        await life.ready()
        assert await life.get("/ready?verbose") == (200, "OK")
        await life.api.stop()

        async def told() -> bool:
            return "cannot be followed since" in (await life.get("/ready?verbose"))[1]  # not of one kind alone

        await life.until(told)
        fault = f"{life.api.url} cannot be reached: Connection refused; look whether the API server runs"
        status, text = await life.get("/ready?verbose")
        assert status == 200
        since = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
        begin = f"OK\nkubernetes: the API cannot be followed since {since}: {re.escape(fault)}"
        assert re.match(begin, text), text
        assert text.endswith("; what is known is served on")
        assert await life.command("status") == 0
        shown = capsys.readouterr().out
        assert text.splitlines()[1] in shown
        assert shown.count(fault) == 1
        [line] = [line for line in caplog.messages if "cannot be followed" in line]
        assert line.startswith(f"the Kubernetes API cannot be followed: {fault}")
        await life.api.start()

        async def well() -> bool:
            return await life.get("/ready?verbose") == (200, "OK")

        await life.until(well)

    live(tmp_path, story)


def test_a_server_that_never_reached_its_api_says_so_in_one_line(tmp_path: Path) -> None:
    async def main() -> None:
        await living(tmp_path, await away(cluster()), story)

    async def story(life: Life) -> None:
        async def told() -> bool:
            return "not listed yet: Namespace, Service, EndpointSlice; since " in (await life.get("/ready"))[1]

        await life.until(told)
        status, text = await life.get("/ready?verbose")
        assert status == 503
        assert text.count("cannot be reached: Connection refused; look whether") == 1
        assert len(text.splitlines()) == 1

    asyncio.run(main())


def test_max_staleness(tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is known is answered all the same."""

    async def main() -> None:
        async with cluster() as api:
            await living(tmp_path, api, Life.ready, state_dir=tmp_path)
        file = SnapshotFile(str(tmp_path), Identity(api.url, "cluster.local."))
        found = file.load(("Namespace", "Service", "EndpointSlice"))
        assert found
        file.save(found.objects, time.time() - 1000)
        await living(tmp_path, api, stale, state_dir=tmp_path, max_staleness="10m")

    async def stale(life: Life) -> None:
        status, text = await life.get("/ready")
        assert status == 503
        assert re.match(r"kubernetes: no word from the API for 10\d\d s \(max_staleness 600 s\)", text)
        assert (await life.ask(WEB))[:2] == ("NOERROR", ["10.96.0.10"])
        await life.until(partial(logged, "/ready is 503 now: kubernetes: no word from the API for 10"))
        life.write(max_staleness=0)
        await life.server.reload()
        assert (await life.get("/ready"))[0] == 200
        await life.until(partial(logged, "/ready is no longer 503 for max_staleness, after "))

    async def logged(text: str) -> bool:
        await asyncio.sleep(0)
        return text in caplog.text

    monkeypatch.setattr(server_module, "WATCH_SECONDS", 0)
    with caplog.at_level(logging.INFO):
        asyncio.run(main())


def test_other_settings_take_over_what_is_known_while_the_api_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "RELOAD_SECONDS", 0.05)

    async def story(life: Life) -> None:
        await life.ready()
        await life.api.stop()
        at = life.server.status().lag
        life.write(ttl=77)
        await life.server.reload()
        assert (life.server.status().lag or 0) > (at or 0), "it is no younger, either"
        [rrset] = (await life.query(WEB)).answer
        assert rrset.ttl == 77
        assert await life.ask(WEB) == ("NOERROR", ["10.96.0.10"], []), "it is no older than before"
        await life.api.start()

    live(tmp_path, story)


def test_settings_that_lead_nowhere_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Pods have not been listed, so that their names would be missing."""
    monkeypatch.setattr(server_module, "RELOAD_SECONDS", 0.05)

    async def story(life: Life) -> None:
        await life.ready()
        await life.api.stop()
        life.write(pods="verified")
        await life.server.reload()
        assert "settings not reloaded: kubernetes: not listed yet: " in caplog.text
        assert "after 0.05 s" in caplog.text
        assert await life.ask(WEB) == ("NOERROR", ["10.96.0.10"], [])
        await life.api.start()

    live(tmp_path, story)


def test_the_old_world_goes_with_its_last_reference(tmp_path: Path) -> None:
    async def story(life: Life) -> None:
        await life.ready()
        old, world = weakref.ref(life.server._backend), weakref.ref(life.server._backend.publisher)
        life.write(ttl=30)
        gc.disable()
        try:
            await life.server.reload()
            await life.ask(WEB)  # a turn of the loop, in which tasks let go
            assert old() is None
            assert world() is None
        finally:
            gc.enable()

    live(tmp_path, story, state_dir=tmp_path)


def test_pods_where_they_are_followed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def story(life: Life) -> None:
        await life.ready()
        name = "10-244-0-9.shop.pod.cluster.local"
        assert await life.ask(name) == ("NXDOMAIN", [], [])
        life.api.put(pod("shop/web-0", "10.244.0.9") | {"spec": {"containers": [{"name": "main", "image": "web:1"}]}})

        async def come() -> bool:
            return await life.ask(name) == ("NOERROR", ["10.244.0.9"], [])

        await life.until(come)
        capsys.readouterr()
        assert await life.command("get", "pods", "-n", "shop") == 0
        assert "web-0   1/1     Running" in capsys.readouterr().out
        assert await life.command("describe", "pod", "web-0", "-n", "shop") == 0
        assert "web:1" in capsys.readouterr().out

    live(tmp_path, story, pods="verified")


def test_outside_of_a_cluster_and_without_kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)

    def load() -> Settings:
        return load_settings({"source": "kubernetes", "listen": ["127.0.0.1:0"], "http": [""]}, {})

    async def main() -> None:
        with pytest.raises(OperatorError, match="kubeconfig"):
            await Server(load).run()

    asyncio.run(main())


def test_the_commands_show_objects_as_the_api_has_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def story(life: Life) -> None:
        web = service("shop/web", "10.96.0.10", sessionAffinity="ClientIP", selector={"app": "web"})
        web["metadata"] |= {
            "creationTimestamp": "2020-01-01T00:00:00Z",
            "annotations": {"who": "me"},
            "managedFields": [{"manager": "kubectl"}],
        }
        life.api.put(web)
        for number in range(230):
            life.api.put(service(f"many/s-{number}", f"10.97.0.{number + 1}"))
        await life.ready()
        capsys.readouterr()

        async def shown(*arguments: str, code: int = 0) -> str:
            assert await life.command(*arguments) == code
            return capsys.readouterr().out

        text = await shown("get", "svc", "web", "-n", "shop", "-o", "yaml")
        assert "who: me" in text
        assert "sessionAffinity: ClientIP" in text
        assert "managedFields" not in text
        [row] = [line for line in (await shown("get", "svc", "-A")).splitlines() if line.split()[1] == "web"]
        assert row.split()[-1] not in ("<unknown>", "0s")
        assert "Annotations:" in await shown("describe", "svc", "web", "-n", "shop")
        assert "10.244.0.1" in await shown("get", "ep", "db", "-n", "shop")
        assert "Endpoints:" in await shown("describe", "svc", "db", "-n", "shop")
        assert "WEB_SERVICE_HOST=10.96.0.10" in await shown("env", "-n", "shop")
        assert "EndpointSlice shop/db-1 (API object)" in await shown("explain", DB)
        assert "Active" in await shown("get", "ns")
        text = await shown("status")
        assert "Ready:      yes" in text
        assert "kubernetes   EndpointSlice   yes      1" in text
        lists = [what for kind, what in life.api.requests if kind == "Service"].count("list")
        assert lists < 20, "pages of 100 for whoever wants all, and one for whoever wants one"
        assert await life.command("get", "pods", "-A") == 1
        assert "pods are not followed: ask kubectl, or set pods: verified" in capsys.readouterr().err
        # It may not list them: what is known has to do.
        life.api.refuse("Service", Refusal(403, "services is forbidden"))
        text = await shown("get", "svc", "web", "-n", "shop", "-o", "yaml")
        assert "clusterIP: 10.96.0.10" in text
        assert "app: web" in text
        assert "who: me" not in text

    live(tmp_path, story)
