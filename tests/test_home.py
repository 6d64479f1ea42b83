"""Names that are kept home."""

import pytest
from packets import RA, name_octets, query, read
from strategies import Refusing, table_of

from clusterdns.engine import answer
from clusterdns.engine.elsewhere import Later, Resolve
from clusterdns.forward.home import home_reply
from clusterdns.zone.tree import ZoneOptions


class Home(Refusing):
    def __init__(self, apex: str) -> None:
        self.apex = name_octets(apex)

    def ask(self, resolve: Resolve) -> bytes | Later:
        reply = home_reply(resolve.target, resolve.query.qtype, self.apex, resolve.flags)
        return resolve.inside.finish(resolve, reply)


@pytest.mark.parametrize(
    ("apex", "name", "rtype", "expected"),
    [
        ("localhost", "localhost", "A", "NOERROR localhost. 300 IN A 127.0.0.1"),
        ("localhost", "App.LocalHost", "AAAA", "NOERROR App.LocalHost. 300 IN AAAA ::1"),
        ("localhost", "localhost", "MX", "NOERROR | localhost. SOA"),
        ("localhost", "localhost", "SOA", "NOERROR | localhost. SOA"),
        ("localhost", "localhost", "ANY", "NOERROR localhost. 300 IN A 127.0.0.1"),
        ("home.arpa", "home.arpa", "ANY", "NOERROR home.arpa. 300 IN NS home.arpa."),
        ("onion", "onion", "ANY", "NXDOMAIN | onion. SOA"),
        ("onion", "onion", "A", "NXDOMAIN | onion. SOA"),
        ("onion", "x.onion", "A", "NXDOMAIN | onion. SOA"),
        ("local", "printer.local", "SRV", "NXDOMAIN | local. SOA"),
        ("home.arpa", "x.home.arpa", "A", "NXDOMAIN | home.arpa. SOA"),
        ("home.arpa", "home.arpa", "A", "NOERROR | home.arpa. SOA"),
        ("home.arpa", "home.arpa", "NS", "NOERROR home.arpa. 300 IN NS home.arpa."),
        (
            "home.arpa", "home.arpa", "SOA",
            "NOERROR home.arpa. 300 IN SOA home.arpa. nobody.invalid. 1 3600 1200 604800 300"),
        ("resolver.arpa", "_dns.resolver.arpa", "SVCB", "NOERROR | resolver.arpa. SOA"),
        ("resolver.arpa", "x.resolver.arpa", "SVCB", "NXDOMAIN | resolver.arpa. SOA"),
        ("10.in-addr.arpa", "1.0.0.10.in-addr.arpa", "PTR", "NXDOMAIN | 10.in-addr.arpa. SOA"),
    ],
)  # fmt: skip
def test_what_is_said(apex: str, name: str, rtype: str, expected: str) -> None:
    options = ZoneOptions((name_octets("cluster.local"),), ())
    server = answer.Responder(table_of(options=options), elsewhere=Home(apex))
    response = server.answer(query(name, rtype))
    assert isinstance(response, bytes)
    message = read(response)
    assert message.flags & RA
    authority = "".join(f"| {rrset.name} SOA" for rrset in message.authority)
    records = " ".join(map(str, message.answer))
    rcode = "NXDOMAIN" if message.rcode() else "NOERROR"
    assert " ".join(filter(None, (rcode, records, authority))) == expected
