"""Exported text: other software loads it, and it says what the table answers, no more and no less."""

import shutil
import subprocess
from pathlib import Path

import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.zone
import pytest
from hypothesis import given, settings
from packets import query, read
from strategies import SHOP, Responder, apply, clusters, headless, many, table_of

from clusterdns.engine.table import Table
from clusterdns.zone.names import parse_name, to_text
from clusterdns.zone.prepared import Zone
from clusterdns.zone.tree import ZoneOptions
from clusterdns.zone.zonefile import zone_text

CHECKERS = {
    # -i local: names in other zones are not looked up in the DNS of the machine that runs the tests.
    "named-checkzone": ["named-checkzone", "-i", "local"],
    "kzonecheck": ["kzonecheck", "-o"],
}
SIX = ZoneOptions((parse_name("cluster.local"),), ns_addresses=(b"\x7f\0\0\1", bytes(15) + b"\1"))


def text_of(table: Table, zone: Zone) -> str:
    return "".join(zone_text(table.tree, zone))


def loaded(table: Table, zone: Zone) -> dict[tuple[dns.name.Name, dns.rdatatype.RdataType], dns.rrset.RRset]:
    found = dns.zone.from_text(text_of(table, zone), to_text(zone.apex), relativize=False, check_origin=True)
    return {
        (name, rdataset.rdtype): dns.rrset.from_rdata_list(name, rdataset.ttl, list(rdataset))
        for name, rdataset in found.iterate_rdatasets()
    }


def answer(table: Table, name: dns.name.Name, rtype: int) -> dns.rrset.RRset | None:
    """The whole RRset of that owner and type."""
    message = read(Responder(table).answer(query(name.to_wire() or b"", rtype), "tcp"))
    found = [rrset for rrset in message.answer if rrset.rdtype == rtype]
    return dns.rrset.from_rdata_list(name, found[0].ttl, [rrset[0] for rrset in found]) if found else None


@settings(max_examples=40)
@given(clusters())
def test_every_record_is_answered_and_every_answer_is_a_record(table: Table) -> None:
    exported: set[tuple[dns.name.Name, int]] = set()
    for zone in table.zones:
        for (name, rtype), rrset in loaded(table, zone).items():
            assert answer(table, name, rtype) == rrset
            exported.add((name, rtype))
    for prepared, node in table.nodes.items():
        owner = dns.name.from_wire(bytes(prepared), 0)[0]
        for number in {*node.entries, node.deferred} - {0}:
            if answer(table, owner, number):
                assert (owner, number) in exported


def test_the_soa_comes_first_and_owners_in_order() -> None:
    table = table_of(*SHOP)
    lines = text_of(table, table.zones[0]).splitlines()
    assert lines[:3] == [
        "; cluster.local.",
        "cluster.local. 5 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 5",
        "cluster.local. 5 IN NS ns.dns.cluster.local.",
    ]
    assert text_of(table, table.zones[0]).endswith("\n")
    bases = [line.split(".svc.")[0].split(".")[-1] for line in lines if ".svc." in line.split()[0]]
    assert bases == sorted(bases), "by namespace"


def test_a_reverse_zone_holds_the_pointers_of_its_own_family_and_network() -> None:
    options = ZoneOptions((parse_name("cluster.local"),), (parse_name("96.10.in-addr.arpa"), parse_name("ip6.arpa")))
    table = table_of(*SHOP, options=options)
    owners = [name.to_text() for (name, rtype) in loaded(table, table.zones[1]) if rtype == dns.rdatatype.PTR]
    assert sorted(owners) == ["10.0.96.10.in-addr.arpa.", "11.0.96.10.in-addr.arpa.", "20.0.96.10.in-addr.arpa."]
    six = [name for (name, rtype) in loaded(table, table.zones[2]) if rtype == dns.rdatatype.PTR]
    assert len(six) == 2


@pytest.mark.parametrize("zone", range(3))
@pytest.mark.parametrize("checker", CHECKERS)
def test_other_servers_load_it_without_a_warning(checker: str, zone: int, tmp_path: Path) -> None:
    if not shutil.which(checker):
        pytest.skip(f"{checker} is not installed")
    table = table_of(*SHOP, headless("shop/crowd", *many(300), ports=["http/tcp/80"]), options=SIX)
    path = tmp_path / "zone"
    path.write_text(text_of(table, table.zones[zone]))
    apex = to_text(table.zones[zone].apex)
    result = subprocess.run([*CHECKERS[checker], apex, str(path)], capture_output=True, text=True, check=False)
    output = result.stdout + result.stderr
    assert result.returncode == 0, output
    assert "warning" not in output.lower(), output


def test_names_with_odd_characters_stay_one_name() -> None:
    table = table_of(headless("shop/db", "10.1.0.1 a_b", "10.1.0.2 x*y", "10.1.0.3 semi;colon", '10.1.0.4 quo"te'))
    for (name, rtype), rrset in loaded(table, table.zones[0]).items():
        assert answer(table, name, rtype) == rrset
    assert (dns.name.from_text("semi\\;colon.db.shop.svc.cluster.local."), dns.rdatatype.A) in loaded(
        table, table.zones[0]
    )


def test_an_empty_cluster_is_a_zone_too() -> None:
    table = Table(SIX)
    apply(table, {}, ())
    for zone in table.zones:
        found = loaded(table, zone)
        apex = dns.name.from_wire(bytes(zone.apex), 0)[0]
        assert {rtype for name, rtype in found if name == apex} == {dns.rdatatype.SOA, dns.rdatatype.NS}
