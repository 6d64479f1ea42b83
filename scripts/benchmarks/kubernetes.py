"""``scripts/bench kubernetes``: beside CoreDNS on one real API server: from a change to its answer, start, memory."""

import argparse
import http.client
import json
import os
import ssl
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory

import clusters
from clusters import Item, Size
from load import packet
from processes import MeasureError, Process
from servers import ask, free_port

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from live.control_plane import ControlPlane, binary, compact, control_plane, missing  # noqa: E402 - found only now

NEEDED = ("etcd", "kube-apiserver", "coredns")
CHANGES = 1000
SETTLED = 10.0  # seconds after the first answer: when memory is read
WRITERS = 8  # connections that fill the API server
START_SECONDS = 120.0
GIVE_UP = 10.0  # seconds for a change
OURS, THEIRS = "clusterdns", "coredns"


@dataclass(frozen=True, slots=True)
class Goals:
    """Of clusterdns, in units of CoreDNS's figure: at most."""

    memory: float = 0.7
    seconds: float = 1.0


GOALS = Goals()


@dataclass(frozen=True, slots=True)
class Candidate:
    name: str
    process: Process
    port: int
    seconds: float  # from its start to the first right answer


def main(arguments: Sequence[str]) -> int:
    """0: goals held; 1: one missed.  Raises MeasureError where nothing can be measured."""
    options = _options(arguments)
    if why := missing(*NEEDED):
        raise MeasureError(f"{why}; docs/testing.md says how to get these programs")
    size = Size(options.services, options.endpoints)
    # Without controllers: they would make other slices than ours for the Services' selectors.
    with (
        TemporaryDirectory(prefix="clusterdns-bench-") as folder,
        control_plane(Path(folder), controllers=False) as plane,
    ):
        return _measure(Path(folder), plane, size, options)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench kubernetes", description=__doc__)
    parser.add_argument("--services", type=int, default=Size().services, help="(default: %(default)s)")
    parser.add_argument("--endpoints", type=int, default=Size().endpoints, help="of each (default: %(default)s)")
    parser.add_argument("--changes", type=int, default=CHANGES, help="(default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=SETTLED, help="until memory is read (default: %(default)s)")
    return parser.parse_args(arguments)


def _measure(folder: Path, plane: ControlPlane, size: Size, options: argparse.Namespace) -> int:
    print(f"{size.services} Services with {size.services * size.endpoints} endpoints in EndpointSlices, in a real API")
    print(f"machine: {len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f} before the run")
    with ThreadPoolExecutor(WRITERS) as pool:
        begin = time.monotonic()
        _fill(plane, folder, size, pool)
    print(f"written in {time.monotonic() - begin:.0f} s", flush=True)
    for each in (_ours, _theirs):
        with each(folder, plane, size):
            pass  # once for nothing: what is read from disk is in memory from now on
    with ExitStack() as stack:
        both = [stack.enter_context(each(folder, plane, size)) for each in (_ours, _theirs)]
        time.sleep(options.seconds)
        held = [_compared("first right answer after", "s", {one.name: one.seconds for one in both}, GOALS.seconds)]
        held.append(_compared("resident, idle", "MiB", _resident(both), GOALS.memory))
        with _api(folder) as api:
            created = _created(api, both, options.changes // 2)
            changed = _changed(api, both, size, options.changes - options.changes // 2)
        held += [
            _latency("a Service is created", created),
            _latency("an endpoint gets unready or ready", changed),
        ]
        _listed_again(plane, folder, both)
        time.sleep(options.seconds)
        held.append(_compared("resident after a full re-list", "MiB", _resident(both), GOALS.memory))
        peaks = {one.name: one.process.peak_mib() for one in both}
        _compared("at most", "MiB", peaks, None)
    return 0 if all(held) else 1


def _fill(plane: ControlPlane, folder: Path, size: Size, pool: ThreadPoolExecutor) -> None:
    for number in range(clusters.NAMESPACES):
        plane.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"ns-{number}"}})
    items = list(clusters.dumped(size))

    def write(share: int) -> None:
        with _api(folder) as api:
            for item in items[share::WRITERS]:
                api("POST", _collection(item), _bare(item))

    for done in [pool.submit(write, share) for share in range(WRITERS)]:
        done.result()


def _bare(item: Item) -> Item:
    """As somebody creates it: the addresses of ClusterIP Services are the API server's to give."""
    metadata: dict[str, object] = dict(item["metadata"])  # type: ignore[call-overload]
    kept = {key: metadata[key] for key in ("name", "namespace", "labels") if key in metadata}
    made = {key: value for key, value in item.items() if key != "status"} | {"metadata": kept}
    spec = made.get("spec")
    if isinstance(spec, dict) and spec.get("clusterIP") != "None":
        made["spec"] = {"ports": spec["ports"], "type": "ClusterIP"}
    return made


def _collection(item: Item) -> str:
    metadata: dict[str, str] = item["metadata"]  # type: ignore[assignment]
    group, kind = (
        ("api/v1", "services") if item["kind"] == "Service" else ("apis/discovery.k8s.io/v1", "endpointslices")
    )
    return f"/{group}/namespaces/{metadata['namespace']}/{kind}"


Call = Callable[..., Item]  # (method, path, object, content type) -> what the API server says


@contextmanager
def _api(folder: Path) -> Iterator[Call]:
    """One connection with every right."""
    config = json.loads((folder / "admin.kubeconfig").read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    context = ssl.create_default_context(cafile=cluster["certificate-authority"])
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    host, _, port = cluster["server"].removeprefix("https://").partition(":")
    connection = http.client.HTTPSConnection(host, int(port), timeout=60, context=context)
    headers = {"Authorization": f"Bearer {user['token']}"}

    def call(method: str, path: str, item: Item | None = None, content: str = "application/json") -> Item:
        body = None if item is None else json.dumps(item)
        connection.request(method, path, body, headers | {"Content-Type": content})
        response = connection.getresponse()
        text = response.read()
        if response.status >= 400:
            raise MeasureError(f"{method} {path}: {response.status} {text[:300]!r}")
        found: Item = json.loads(text)
        return found

    try:
        yield call
    finally:
        connection.close()


@contextmanager
def _ours(folder: Path, plane: ControlPlane, size: Size) -> Iterator[Candidate]:
    port, page = free_port(), free_port()
    command = [sys.executable, "-m", "clusterdns", "serve", "--source", "kubernetes"]
    command += ["--kubeconfig", str(plane.kubeconfig), "--listen", f"127.0.0.1:{port}", "--http", f"127.0.0.1:{page}"]
    with _running(OURS, command, folder, port, size) as candidate:
        yield candidate


@contextmanager
def _theirs(folder: Path, plane: ControlPlane, size: Size) -> Iterator[Candidate]:
    """With what kubeadm gives it, but no forwarding and no cache: answers come from the API's objects."""
    port = free_port()
    plugin = f"kubernetes cluster.local in-addr.arpa ip6.arpa {{\n kubeconfig {plane.kubeconfig}\n ttl 5\n }}"
    lines = ["bind 127.0.0.1", "errors", f"prometheus 127.0.0.1:{free_port()}", plugin]
    (folder / "Corefile").write_text(f".:{port} {{\n" + "\n".join(lines) + "\n}\n")
    command = [str(binary("coredns")), "-conf", str(folder / "Corefile")]
    with _running(THEIRS, command, folder, port, size) as candidate:
        yield candidate


@contextmanager
def _running(who: str, command: list[str], folder: Path, port: int, size: Size) -> Iterator[Candidate]:
    begin = time.monotonic()
    process = Process(who, command, folder, None)
    try:
        probes = [_query(f"svc-{number}.ns-{number % clusters.NAMESPACES}") for number in _probes(size)]

        def right() -> bool:
            return all(_records(ask(port, probe)) for probe in probes)

        process.wait_until(right, START_SECONDS, every=0.01)
        yield Candidate(who, process, port, time.monotonic() - begin)
    finally:
        process.stop()


def _probes(size: Size) -> list[int]:
    """Services of both sorts, the first and the last of them."""
    last = size.services - 1
    return [0, 1, last - last % clusters.HEADLESS_EVERY, last]


def _query(service: str) -> bytes:
    return packet((f"{service}.svc.cluster.local", "A"))


def _created(api: Call, both: Sequence[Candidate], changes: int) -> dict[str, list[float]]:
    waits: dict[str, list[float]] = {one.name: [] for one in both}
    for number in range(changes):
        item = {"metadata": {"name": f"new-{number}"}, "spec": {"ports": [{"port": 80}]}}
        api("POST", "/api/v1/namespaces/ns-0/services", item)
        _wait(both, _query(f"new-{number}.ns-0"), 1, waits)
    return waits


def _changed(api: Call, both: Sequence[Candidate], size: Size, changes: int) -> dict[str, list[float]]:
    """One endpoint of a headless Service goes or comes back."""
    waits: dict[str, list[float]] = {one.name: [] for one in both}
    slices = {
        str(item["metadata"]["name"]): item  # type: ignore[index]
        for item in clusters.dumped(size)
        if item["kind"] == "EndpointSlice"
    }
    headless = [number for number in range(size.services) if clusters.is_headless(number)]
    by_service = {item["metadata"]["labels"]["kubernetes.io/service-name"]: item for item in slices.values()}  # type: ignore[index]
    for change in range(changes):
        number = headless[change // 2 % len(headless)]
        item = by_service[f"svc-{number}"]
        ready = bool(change % 2)
        endpoints: list[Item] = list(item["endpoints"])  # type: ignore[call-overload]
        endpoints[0] = endpoints[0] | {"conditions": {"ready": ready, "serving": ready, "terminating": False}}
        path = f"{_collection(item)}/{item['metadata']['name']}"  # type: ignore[index]
        api("PATCH", path, {"endpoints": endpoints}, "application/merge-patch+json")
        wanted = size.endpoints - (not ready)
        _wait(
            both,
            _query(f"svc-{number}.ns-{number % clusters.NAMESPACES}"),
            wanted,
            waits,
        )
    return waits


def _wait(both: Sequence[Candidate], query: bytes, wanted: int, waits: dict[str, list[float]]) -> None:
    """From the moment that the API server has said yes; each is asked in turn until it knows."""
    begin = time.perf_counter()
    waiting = list(both)
    while waiting:
        waiting.append(waiting.pop(0))  # nobody is always the first
        for one in list(waiting):
            if _records(ask(one.port, query)) == wanted:
                waits[one.name].append(time.perf_counter() - begin)
                waiting.remove(one)
        if time.perf_counter() - begin > GIVE_UP:
            raise MeasureError(f"{', '.join(one.name for one in waiting)} did not follow a change in {GIVE_UP:.0f} s")


def _records(response: bytes) -> int:
    """In the answer section; 0 for an error as well."""
    return 0 if len(response) < 12 or response[3] & 0xF else int.from_bytes(response[6:8])


def _listed_again(plane: ControlPlane, folder: Path, both: Sequence[Candidate]) -> None:
    """The API server crashes, and its history is gone when it is back: everybody has to list everything."""
    plane.api_server.kill()
    compact(plane)
    begin = time.monotonic()
    plane.api_server.start()
    up = time.monotonic()
    with _api(folder) as api:
        api(
            "POST",
            "/api/v1/namespaces/ns-0/services",
            {"metadata": {"name": "after"}, "spec": {"ports": [{"port": 1}]}},
        )
    query, seconds = _query("after.ns-0"), {}
    end = time.monotonic() + START_SECONDS
    while len(seconds) < len(both) and time.monotonic() < end:
        for one in both:
            if one.name not in seconds and _records(ask(one.port, query)):
                seconds[one.name] = time.monotonic() - up
        time.sleep(0.005)
    if len(seconds) < len(both):
        raise MeasureError(f"only {', '.join(seconds) or 'nobody'} came back after the API server's restart")
    print(f"API server killed, its history compacted, back after {up - begin:.1f} s")
    _compared("knows what came since after", "s", seconds, None)


def _resident(both: Sequence[Candidate]) -> dict[str, float]:
    return {one.name: one.process.resident_mib() for one in both}


def _latency(what: str, waits: dict[str, list[float]]) -> bool:
    halves = {who: median(each) * 1000 for who, each in waits.items()}
    worst = {who: quantiles(each, n=100)[98] * 1000 for who, each in waits.items()}
    number = len(next(iter(waits.values())))
    held = _compared(f"{what} ({number} times): median", "ms", halves, GOALS.seconds)
    return _compared(f"{what}: p99", "ms", worst, GOALS.seconds) and held


def _compared(what: str, unit: str, figures: dict[str, float], goal: float | None) -> bool:
    """Prints a row; whether the goal was held."""
    ratio = figures[OURS] / figures[THEIRS] if figures[THEIRS] else 0.0
    held = goal is None or ratio <= goal
    told = "" if goal is None else f"; goal {goal:g}: {'held' if held else 'MISSED'}"
    both = ", ".join(f"{who} {figure:.2f} {unit}" for who, figure in figures.items())
    print(f"{what}: {both}; {ratio:.2f} times{told}", flush=True)
    return held


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
