"""A few Services that never rest: every write is known with what is to be answered then, and so is every answer."""

import http.client
import socket
import threading
import time
from collections.abc import Callable
from random import Random

import dns.exception
import dns.message
import dns.rcode
import dns.rdatatype
import dns.reversename

from live.api import Api, ApiError, Manifest
from live.clusters import DOMAIN, manifest
from live.endpoints import SERVICE_NAME
from live.history import Answer, Question, Seen, Write

NAMESPACE = "history"
SLICES, ENDPOINTS = 3, 2
PAUSE = 0.03  # seconds between two writes, and between two tries of one
ASKING = 1 / 400  # seconds between two questions
_SECONDS = 60.0  # for an answer; only a fault takes so long
_STEADY = "10.96.77.77"
_ABSENT = Answer("NXDOMAIN", frozenset())


def _full(name: str) -> str:
    return f"{name}.{NAMESPACE}.svc.{DOMAIN}."


class State:
    """What the API holds, by generations: numbers that are in addresses, ports and names."""

    def __init__(self) -> None:
        self.slices = [0] * SLICES
        self.web = 0  # whose port is another one each time
        self.ghost = 0  # there, by another address each time, or not (0)
        self.alias = 0  # even: an alias, odd: a Service with an address

    def piece(self, number: int) -> Manifest:
        generation = self.slices[number]
        labels = {SERVICE_NAME: "db"}
        made = manifest("discovery.k8s.io/v1", "EndpointSlice", NAMESPACE, f"db-{number}", labels)
        endpoints = [
            {"addresses": [address], "conditions": {"ready": ready}, "hostname": f"h-{number}-{place}"}
            for place, (address, ready) in enumerate(self._endpoints(number))
        ]
        ports = [{"name": "http", "port": 8000 + generation % 1000, "protocol": "TCP"}]
        return _marked(made | {"addressType": "IPv4", "endpoints": endpoints, "ports": ports}, generation)

    def _endpoints(self, number: int) -> list[tuple[str, bool]]:
        """Address, and whether it is ready: the first always, the others mostly."""
        generation = self.slices[number]
        return [
            (
                f"10.{100 + number * ENDPOINTS + place}.{generation >> 8}.{generation & 255}",
                not place or generation % 3 > 0,
            )
            for place in range(ENDPOINTS)
        ]

    def service(self, name: str) -> Manifest:
        made = manifest("v1", "Service", NAMESPACE, name)
        port = {"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}
        match name:
            case "db":
                return made | {"spec": {"clusterIP": "None", "ports": [port]}}
            case "steady":
                return made | {"spec": {"clusterIP": _STEADY, "ports": [port]}}
            case "web":
                ports = [port | {"port": 1000 + self.web % 60000}]
                return _marked(made | {"spec": {"clusterIP": "10.96.77.78", "ports": ports}}, self.web)
            case "ghost":
                spec = {"clusterIP": f"10.97.{self.ghost >> 8 & 255}.{self.ghost & 255}", "ports": [port]}
                return _marked(made | {"spec": spec}, self.ghost)
        if self.alias % 2:
            spec = {"type": "ClusterIP", "clusterIP": self._alias_address(), "ports": [port]}
        else:
            spec = {"type": "ExternalName", "externalName": f"x{self.alias}.example.com"}
        return _marked(made | {"spec": spec}, self.alias)

    def _alias_address(self) -> str:
        return f"10.98.{self.alias >> 8 & 255}.{self.alias & 255}"

    def answers(self) -> dict[Question, Answer]:
        """Of everything that is asked."""
        ready = {
            _full(f"h-{number}-{place}.db"): (address, 8000 + self.slices[number] % 1000)
            for number in range(SLICES)
            for place, (address, is_ready) in enumerate(self._endpoints(number))
            if is_ready
        }
        weight = 100 // len(ready)
        services = {f"SRV 0 {weight} {port} {target}" for target, (_, port) in ready.items()}
        additional = {f"additional {target} A {address}" for target, (address, _) in ready.items()}
        steady, web = _full("steady"), _full("web")
        found = {
            Question(_full("db"), "A"): _has(*(f"A {address}" for address, _ in ready.values())),
            Question(_full("_http._tcp.db"), "SRV"): _has(*services, *additional),
            Question(steady, "A"): _has(f"A {_STEADY}"),
            Question(str(dns.reversename.from_address(_STEADY)), "PTR"): _has(f"PTR {steady}"),
            Question(web, "A"): _has("A 10.96.77.78"),
            Question(_full("_http._tcp.web"), "SRV"): _has(
                f"SRV 0 100 {1000 + self.web % 60000} {web}", f"additional {web} A 10.96.77.78"
            ),
            Question(_full("ghost"), "A"): _ABSENT,
            Question(_full("alias"), "A"): _has(
                f"A {self._alias_address()}" if self.alias % 2 else f"CNAME x{self.alias}.example.com."
            ),
        }
        if self.ghost:
            found[Question(_full("ghost"), "A")] = _has(f"A 10.97.{self.ghost >> 8 & 255}.{self.ghost & 255}")
        for name, (address, _) in ready.items():
            if "-0.db" in name:
                found[Question(name, "A")] = _has(f"A {address}")
        return found


def _marked(made: Manifest, generation: int) -> Manifest:
    return made | {"metadata": made["metadata"] | {"annotations": {"generation": str(generation)}}}


def _has(*records: str) -> Answer:
    return Answer("NOERROR", frozenset(records))


class Writer:
    """Changes one object after the other while the block lasts, whatever happens to the API."""

    def __init__(self, api: Api, rng: Random) -> None:
        self._api, self._rng = api, rng
        self._state, self._versions = State(), dict[str, str]()
        self.writes: list[Write] = []
        self._generation = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._error: Exception | None = None

    def fill(self) -> None:
        """Before anybody asks."""
        begun, state = time.monotonic(), self._state
        self._api.create(manifest("v1", "Namespace", "", NAMESPACE))
        for made in (*map(state.service, ("db", "steady", "web", "alias")), *map(state.piece, range(SLICES))):
            self._keep(self._api.create(made))
        self.writes.append(Write("the beginning", 0, begun, time.monotonic(), state.answers()))

    def close(self) -> None:
        self._api.close()

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run)
        self._stop.clear()
        self._thread.start()

    def stop(self) -> None:
        """When the write that is under way is known to be committed: the API must be there, or come.  Repeatable."""
        self._stop.set()
        if self._thread.ident:
            self._thread.join()
        if self._error:
            raise self._error

    @property
    def failed(self) -> bool:
        return self._error is not None

    def _run(self) -> None:
        try:
            while not self._stop.wait(PAUSE):
                self._write()
        except Exception as error:  # noqa: BLE001 - told by stop
            self._error = error

    def _write(self) -> None:
        self._generation += 1
        state, generation = self._state, self._generation
        what = self._rng.choice(("slice", "slice", "slice", "web", "ghost", "alias"))
        begun = time.monotonic()
        match what:
            case "slice":
                number = self._rng.randrange(SLICES)
                state.slices[number] = generation
                made, version = state.piece(number), self._replace(state.piece(number))
            case "web":
                state.web = generation
                made, version = state.service("web"), self._replace(state.service("web"))
            case "alias":
                state.alias += 1
                made, version = state.service("alias"), self._replace(state.service("alias"))
            case _:
                made = state.service("ghost")
                if state.ghost:
                    state.ghost, version = 0, self._delete(made)
                else:
                    state.ghost = generation
                    made = state.service("ghost")
                    version = self._create(made)
        name = f"{made['kind']} {NAMESPACE}/{made['metadata']['name']}"
        self.writes.append(Write(name, int(version or 0), begun, time.monotonic(), state.answers()))

    def _keep(self, made: Manifest) -> str:
        version: str = made["metadata"]["resourceVersion"]
        self._versions[made["metadata"]["name"]] = version
        return version

    def _replace(self, made: Manifest) -> str:
        """Never over another write than the last one: who is late is refused."""
        version = {"resourceVersion": self._versions[made["metadata"]["name"]]}
        body = made | {"metadata": made["metadata"] | version}
        return self._committed(lambda: self._api.replace(body), lambda: self._is(made))

    def _create(self, made: Manifest) -> str:
        return self._committed(lambda: self._api.create(made), lambda: self._is(made))

    def _delete(self, made: Manifest) -> str:
        def delete() -> Manifest:
            self._api.delete(made)
            return {"metadata": {"name": made["metadata"]["name"], "resourceVersion": ""}}

        def gone() -> Manifest | None:
            exists = self._api.found(made)
            return None if exists else {"metadata": {"name": made["metadata"]["name"], "resourceVersion": ""}}

        return self._committed(delete, gone)

    def _is(self, made: Manifest) -> Manifest | None:
        """*made* as the server has it, if that is it."""
        found = self._api.found(made)
        same = found and found["metadata"].get("annotations") == made["metadata"]["annotations"]
        return found if same else None

    def _committed(self, write: Callable[[], Manifest], look: Callable[[], Manifest | None]) -> str:
        """Tries until it is known to be done; whether a try that failed did it is looked up first."""
        try:
            return self._keep(write())
        except (OSError, http.client.HTTPException, ApiError):
            pass
        while True:
            time.sleep(PAUSE)
            try:
                return self._keep(look() or write())
            except (OSError, http.client.HTTPException, ApiError):
                continue


class Asker:
    """Asks one server over UDP all the time, one question after the other."""

    def __init__(self, port: int, questions: list[Question], rng: Random, replica: int = 0) -> None:
        self._port, self._rng, self._replica = port, rng, replica
        self._queries = [(one, dns.message.make_query(*one, use_edns=0, payload=1232).to_wire()) for one in questions]
        self._parsed: dict[bytes, Answer] = {}  # by all but the id: most answers come often
        self.seen: list[Seen] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        with socket.socket(type=socket.SOCK_DGRAM) as udp:
            udp.settimeout(_SECONDS)
            udp.connect(("127.0.0.1", self._port))
            while not self._stop.wait(ASKING):
                question, query = self._rng.choice(self._queries)
                asked = time.monotonic()
                response = _exchange(udp, self._rng.randbytes(2) + query[2:])
                arrived = time.monotonic()
                self.seen.append(Seen(question, self._answer(response), asked, arrived, self._replica))

    def _answer(self, response: bytes) -> Answer | None:
        rest = response[2:]
        if rest and rest not in self._parsed:
            try:
                self._parsed[rest] = _parsed(response)
            except dns.exception.DNSException:
                return None
        return self._parsed.get(rest)


def _exchange(udp: socket.socket, query: bytes) -> bytes:
    """b"" where no answer comes."""
    try:
        udp.send(query)
        while (response := udp.recv(65535))[:2] != query[:2]:
            pass  # an answer that came too late
    except OSError:
        return b""
    return response


def _parsed(response: bytes) -> Answer:
    message = dns.message.from_wire(response)
    records = [f"{dns.rdatatype.to_text(one.rdtype)} {one}" for rrset in message.answer for one in rrset]
    records += [
        f"additional {rrset.name} {dns.rdatatype.to_text(one.rdtype)} {one}"
        for rrset in message.additional
        for one in rrset
    ]
    return Answer(dns.rcode.to_text(message.rcode()), frozenset(records))
