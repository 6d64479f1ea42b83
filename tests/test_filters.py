"""What is hidden: it looks absent, and it makes no difference how a cluster came to be as it is."""

from collections.abc import Iterable, Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packets import opt, query
from strategies import Responder, key
from test_tree import assert_same

from clusterdns.cluster.addresses import parse_address
from clusterdns.cluster.events import Delete, Event, Upsert
from clusterdns.cluster.labels import equals, parse_selector
from clusterdns.cluster.model import (
    READY,
    Endpoint,
    EndpointSlice,
    Key,
    Namespace,
    Object,
    Pod,
    Port,
    Published,
    Service,
    ServicePort,
    Workload,
    identity,
)
from clusterdns.controllers.manager import ControllerOptions
from clusterdns.world import World, build
from clusterdns.zone.filters import Filters
from clusterdns.zone.names import parse_name
from clusterdns.zone.prepared import Change
from clusterdns.zone.records import dashed
from clusterdns.zone.tree import Prepared, ZoneOptions

CONTROLLERS = ControllerOptions()
NAMESPACES = ("shop", "ops", "idle")
LABELS: list[dict[str, str]] = [{}, {"show": "yes"}, {"show": "no"}]
ADDRESSES = [parse_address(text) for text in ("10.1.0.1", "10.1.0.2", "10.1.1.1", "fd00::1")]
CLUSTER_IPS = [parse_address(text) for text in ("10.96.0.1", "10.96.0.2", "fd00:10::1")]


def zones(pods: str = "disabled", **filters: object) -> ZoneOptions:
    return ZoneOptions((parse_name("cluster.local"),), pods=pods, filters=Filters(**filters))  # type: ignore[arg-type]


OPTIONS = [
    zones(),
    zones("verified"),
    zones("insecure", namespaces=frozenset({"shop", "new"})),
    zones("verified", namespaces=frozenset({"shop", "idle"}), endpoint_pod_names=True),
    zones("verified", namespace_labels=parse_selector("show=yes"), labels=parse_selector("show!=no")),
    zones("verified", namespace_labels=parse_selector("show"), ignore_empty_service=True),
    zones("insecure", labels=parse_selector("show"), noendpoints=True),
]

labels = st.sampled_from(LABELS)
keys = st.builds(Key, st.sampled_from(NAMESPACES), st.sampled_from(["web", "db"]))
namespaces = st.builds(Namespace, st.builds(Key, st.just(""), st.sampled_from(NAMESPACES)), labels=labels)
services = st.builds(
    Service,
    keys,
    labels=labels,
    headless=st.booleans(),
    cluster_ips=st.lists(st.sampled_from(CLUSTER_IPS), max_size=1).map(tuple),
    selector=st.sampled_from([None, {"app": "x"}]),
    ports=st.just((ServicePort("http", "tcp", 80, 8080),)),
)
endpoints = st.builds(
    Endpoint,
    st.sampled_from(ADDRESSES),
    st.sampled_from([0, READY]),
    st.sampled_from(["", "", "h-0"]),
    target=st.sampled_from(["", "web-1", "with.dots"]),
)
slices = st.builds(
    EndpointSlice,
    st.builds(Key, st.sampled_from(NAMESPACES), st.sampled_from(["one", "two"])),
    keys,
    labels=labels,
    ports=st.just((Port("http", "tcp", 8080),)),
    endpoints=st.lists(endpoints, max_size=3).map(tuple),
).map(lambda drawn: EndpointSlice(drawn.key, Key(drawn.key.namespace, drawn.service.name), labels=drawn.labels,
                                  ports=drawn.ports, endpoints=drawn.endpoints))  # fmt: skip
pods = st.builds(
    Pod,
    st.builds(Key, st.sampled_from(NAMESPACES), st.sampled_from(["web-1", "web-2", "stood-0"])),
    labels=st.sampled_from([{}, {"app": "x"}, {"show": "yes", "app": "x"}, {"show": "no"}, {"app": "stood"}]),
    addresses=st.lists(st.sampled_from(ADDRESSES), max_size=2, unique_by=len).map(tuple),
    phase=st.sampled_from(["Running", "Running", "Pending", "Succeeded", "Failed", "Unknown"]),
    ready=st.booleans(),
    terminating=st.booleans(),
)
workloads = st.builds(
    Workload,
    st.builds(Key, st.sampled_from(NAMESPACES), st.just("stood")),
    st.just("StatefulSet"),
    selector=st.just(equals({"app": "stood"})),
    pod_labels=st.sampled_from([{"app": "stood"}, {"app": "stood", "show": "yes"}]),
    addresses=st.just((parse_address("10.1.9.9"),)),  # written down, so that no history decides it
)
objects = st.one_of(namespaces, services, slices, pods, workloads)
events = st.one_of(objects.map(Upsert), objects.map(lambda item: Delete(*identity(item))))
histories = st.lists(st.lists(events, max_size=5), min_size=1, max_size=5)


def play(world: World, history: Iterable[Sequence[Event]]) -> dict[tuple[str, Key], Object]:
    """Publishes round by round; returns what is there in the end."""
    there: dict[tuple[str, Key], Object] = {}
    for serial, drawn in enumerate(history, 1):
        publish(world, [event for event in drawn if _possible(event, there)], serial)
        ask_everything(world)  # so that derived names are kept from round to round
    return there


def publish(world: World, events: Sequence[Event], now: int) -> Prepared:
    """One round."""
    steps = world.steps("test", events)
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            prepared: Prepared = stop.value[1]
            world.commit(prepared, now)
            return prepared


def _possible(event: Event, there: dict[tuple[str, Key], Object]) -> bool:
    """Notes *event* in *there*; what is not there cannot go."""
    if isinstance(event, Upsert):
        there[identity(event.object)] = event.object
        return True
    assert isinstance(event, Delete)
    return there.pop((event.kind, event.key), None) is not None


def pod_names() -> list[str]:
    every = [*ADDRESSES, parse_address("10.1.9.9"), parse_address("10.9.9.9")]
    return [f"{dashed(address)}.{name}.pod.cluster.local" for address in every for name in (*NAMESPACES, "new")]


def ask_everything(world: World) -> list[bytes | None]:
    responder = Responder(world.table)
    names = [f"{part}.{name}.svc.cluster.local" for name in NAMESPACES for part in ("web", "h-0.web", "10-1-0-1.web")]
    names += [*pod_names(), *(f"{name}.{part}.cluster.local" for name in NAMESPACES for part in ("svc", "pod"))]
    names += [f"_http.{protocol}.web.{name}.svc.cluster.local" for name in NAMESPACES for protocol in ("_tcp", "_udp")]
    names += ["1.0.1.10.in-addr.arpa", "1.0.96.10.in-addr.arpa", "1.10.in-addr.arpa"]
    # With EDNS, so that reasons of negative answers are compared, too.
    return [responder.answer(query(name, rtype, edns=opt()), "tcp") for name in names for rtype in ("A", "SRV", "PTR")]


def assert_alike(one: World, other: World) -> None:
    for world in (one, other):
        for zone in world.table.zones:
            zone.publish(1)  # serials tell histories apart, and nothing else may
    assert_same(one.table, other.table)
    assert ask_everything(one) == ask_everything(other)
    assert one.table.tree.namespaces == other.table.tree.namespaces


@pytest.mark.parametrize("above", [0, 2000], ids=["swapped", "in-place"])
@settings(max_examples=25)
@given(history=histories, options=st.sampled_from(OPTIONS))
def test_any_history_ends_as_a_fresh_build_does(above: int, history: list[list[Event]], options: ZoneOptions) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Change, "FULL_ABOVE", above)
        world = World(options, CONTROLLERS)
        there = play(world, history)
    assert_alike(world, build(there.values(), options, CONTROLLERS))


@settings(max_examples=25)
@given(histories, st.randoms(use_true_random=False))
def test_what_a_namespace_filter_hides_could_as_well_not_be_there(history: list[list[Event]], rng: Random) -> None:
    options = rng.choice([one for one in OPTIONS if one.filters.namespaces])
    there = play(World(zones(), CONTROLLERS), history)
    shown = [item for item in there.values() if (item.key.namespace or item.key.name) in options.filters.namespaces]
    assert_alike(build(there.values(), options, CONTROLLERS), build(shown, options, CONTROLLERS))


@settings(max_examples=25)
@given(histories)
def test_what_labels_hide_could_as_well_not_be_there(history: list[list[Event]]) -> None:
    """But for its namespace, which exists whether or not what is in it is shown."""
    options = zones("verified", labels=parse_selector("show!=no"))
    there = play(World(zones(), CONTROLLERS), history)
    shown = [item for item in there.values() if not _labelled_no(item)]
    shown += [Namespace(Key("", item.key.namespace)) for item in there.values() if item.key.namespace]
    controllers = ControllerOptions(enabled=False)  # a hidden pod is an endpoint all the same
    assert_alike(build(there.values(), options, controllers), build(shown, options, controllers))


def _labelled_no(item: Object) -> bool:
    return isinstance(item, Service | EndpointSlice | Pod) and item.labels.get("show") == "no"


WEB = Service(key("shop/web"), cluster_ips=(CLUSTER_IPS[0],))
SLICE = EndpointSlice(key("shop/one"), WEB.key, endpoints=(Endpoint(ADDRESSES[0], target="web-1"),))


@pytest.mark.parametrize(
    ("filters", "published", "shown"),
    [
        (Filters(), Published(WEB, (SLICE,)), Published(WEB, (SLICE,))),
        (Filters(labels=parse_selector("show")), Published(WEB, (SLICE,)), None),
        (Filters(labels=parse_selector("!show")), Published(WEB, (SLICE,)), Published(WEB, (SLICE,))),
        (Filters(noendpoints=True), Published(WEB, (SLICE,)), Published(WEB)),
        (Filters(noendpoints=True), Published(Service(WEB.key, headless=True), (SLICE,)), None),
        (Filters(ignore_empty_service=True), Published(WEB), None),
        (Filters(ignore_empty_service=True), Published(WEB, (SLICE,)), Published(WEB, (SLICE,))),
        (Filters(ignore_empty_service=True), Published(Service(WEB.key, headless=True)),
         Published(Service(WEB.key, headless=True))),
        (Filters(endpoint_pod_names=True), Published(WEB, (SLICE,)), Published(WEB, (SLICE,), pod_names=True)),
    ],
)  # fmt: skip
def test_what_is_shown_of_a_service(filters: Filters, published: Published, shown: Published | None) -> None:
    assert filters.service(published) == shown


def test_what_is_not_changed_is_not_copied() -> None:
    published = Published(WEB, (SLICE,))
    assert Filters(labels=parse_selector("!show"), ignore_empty_service=True).service(published) is published


def test_the_serial_does_not_tell_of_what_is_hidden() -> None:
    world = World(zones("verified", namespaces=frozenset({"shop"})), CONTROLLERS)
    play(world, [[Upsert(WEB)]])
    serial = world.serial
    hidden = key("secret/web")
    pod = Pod(hidden, addresses=(ADDRESSES[0],), phase="Running")
    for event in (Upsert(Service(hidden, cluster_ips=(CLUSTER_IPS[1],))), Upsert(pod), Delete("Pod", hidden)):
        assert publish(world, [event], 1000).change.size == 0
    assert world.serial == serial
