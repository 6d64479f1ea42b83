"""What a change of one Service writes: only the names that it concerns, and yet all is as in a fresh build."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import (
    ADDRESSES,
    HOSTNAMES,
    KEYS,
    OPTIONS,
    by_key,
    cluster_ip,
    headless,
    many,
    ports,
    table_of,
)

from clusterdns.cluster.model import READY, Endpoint, EndpointSlice, Published, Service
from clusterdns.engine.table import Table
from clusterdns.steps import at_once
from clusterdns.zone.names import parse_name, to_text
from clusterdns.zone.prepared import Node
from clusterdns.zone.records import essence
from clusterdns.zone.tree import ZoneOptions

# Below it there is room for some of the endpoints' names, and not for others.
LONG = ZoneOptions((parse_name(".".join(["d" * 63, "e" * 63, "f" * 60])),))
POD = "10.1.0.{}"
FIVE = [POD.format(last) for last in range(1, 6)]
SQL = ["sql/tcp/3306"]


def written(before: Published, after: Published) -> tuple[set[str], set[str]]:
    """Which names below ``shop.svc`` are written, and which go."""
    table = table_of(before)
    change = at_once(table.tree.prepare(by_key([after]), frozenset({"shop"}))).change
    upserts, deletes = ({to_text(name) for name in names} for names in (change.upserts, change.deletes))
    suffix = ".shop.svc.cluster.local."
    return {name.removesuffix(suffix) for name in upserts}, {name.removesuffix(suffix) for name in deletes}


def below_of(node: Node) -> object:
    """What the names derived below *node* follow from."""
    return essence(node.below) if isinstance(node.below, Published) else node.below


OWN = {"db", "_sql._tcp.db", "_tcp.db"}
LONG_NAME = "10.1.0.9 " + "z" * 64
AB = {"a.db", "b.db"}


@pytest.mark.parametrize(
    ("before", "after", "upserts", "deletes"),
    [
        pytest.param(FIVE, FIVE[1:], OWN, {"10-1-0-1.db"}, id="one went"),
        pytest.param(FIVE, ["!" + FIVE[0], *FIVE[1:]], OWN, {"10-1-0-1.db"}, id="one is not ready"),
        pytest.param(FIVE[1:], FIVE, OWN | {"10-1-0-1.db"}, set(), id="one came"),
        pytest.param(FIVE, [*FIVE[1:], "10.1.0.9"], OWN | {"10-1-0-9.db"}, {"10-1-0-1.db"}, id="one moved"),
        pytest.param(["10.1.0.1 a", "10.1.0.2 a"], ["10.1.0.2 a"], OWN | {"a.db"}, set(), id="one of two by a name"),
        pytest.param(["10.1.0.1 a", "10.1.0.2 b"], ["10.1.0.2 a", "10.1.0.1 b"], OWN | AB, set(), id="swapped"),
        pytest.param(["10.1.0.1 a", "fd00::1 a"], ["10.1.0.1 a"], OWN | {"a.db"}, set(), id="a family went"),
        pytest.param(FIVE, [], {"db"}, OWN - {"db"} | {f"10-1-0-{last}.db" for last in range(1, 6)}, id="all went"),
        pytest.param(["10.1.0.1 a", LONG_NAME], [LONG_NAME], {"db"}, OWN - {"db"} | {"a.db"}, id="no target is left"),
        pytest.param([], FIVE[:1], OWN | {"10-1-0-1.db"}, set(), id="the first came"),
    ],
)  # fmt: skip
def test_only_names_whose_records_changed_are_prepared(
    before: list[str], after: list[str], upserts: set[str], deletes: set[str]
) -> None:
    services = (headless("shop/db", *pods, ports=SQL) for pods in (before, after))
    assert written(*services) == (upserts, deletes)


def test_what_one_endpoint_writes_does_not_grow_with_the_service() -> None:
    for number in (10, 1000):
        pods = many(number)
        upserts, deletes = written(headless("shop/db", *pods, ports=SQL), headless("shop/db", *pods[1:], ports=SQL))
        assert len(upserts) + len(deletes) == 4


def test_endpoints_of_a_cluster_ip_write_nothing_but_where_their_names_are_derived_from() -> None:
    before, after = (cluster_ip("shop/web", "10.96.0.1", ports=SQL, endpoints=pods) for pods in (FIVE, FIVE[1:]))
    assert written(before, after) == ({"web"}, set())


def test_other_ports_write_all() -> None:
    services = (headless("shop/db", *FIVE, ports=own) for own in (SQL, ["http/tcp/80"]))
    upserts, deletes = written(*services)
    assert upserts == {"db", "_http._tcp.db", "_tcp.db", *(f"10-1-0-{last}.db" for last in range(1, 6))}
    assert deletes == {"_sql._tcp.db"}


endpoints = st.builds(
    Endpoint,
    st.sampled_from(ADDRESSES),
    st.sampled_from([0, READY, READY]),
    st.sampled_from([*HOSTNAMES, "z" * 64]),  # no label has so many
    target=st.sampled_from(["", "p-0", "not.one.label"]),
)


@st.composite
def pieces(draw: st.DrawFn) -> tuple[EndpointSlice, ...]:
    """Of one Service; those of one round often share ports and endpoints with those of the next."""
    few = st.lists(ports, max_size=2, unique_by=lambda one: (one.name, one.protocol))
    key = KEYS[0]
    return tuple(
        EndpointSlice(key._replace(name=f"s-{number}"), key, ports=tuple(own), endpoints=tuple(inside))
        for number, (own, inside) in enumerate(
            draw(st.lists(st.tuples(few, st.lists(endpoints, max_size=5)), max_size=2))
        )
    )


@settings(max_examples=150)
@given(
    st.sampled_from([Service(KEYS[0], headless=True), Service(KEYS[0], cluster_ips=(b"\x0a\x60\0\1",))]),
    st.lists(st.tuples(pieces(), st.booleans()), min_size=2, max_size=5),
    st.sampled_from([OPTIONS, LONG]),
)
def test_any_changes_of_endpoints_end_as_a_fresh_build_does(
    service: Service, rounds: list[tuple[tuple[EndpointSlice, ...], bool]], options: ZoneOptions
) -> None:
    table = Table(options)
    for slices_, pod_names in rounds:
        published = Published(service, slices_, pod_names)
        prepared = at_once(table.tree.prepare({service.key: published}, frozenset({service.key.namespace})))
        table.apply(prepared, 1)
        fresh = table_of(published, options=options)
        assert table.nodes.keys() == fresh.nodes.keys()
        for name, node in table.nodes.items():
            other = fresh.nodes[name]
            assert node.same_answers(other), to_text(name)
            assert node.deferred == other.deferred
            assert below_of(node) == below_of(other)
