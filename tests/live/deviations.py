"""Where our answers are meant to differ from CoreDNS's: each difference falls under exactly one of these.

``docs/deviations.md`` is this table as text: ``python -m live.deviations`` in ``tests`` writes it, a test holds it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import unbound_deviations

from live.facts import ALIASES, DOTTED, FQDN, UNNUMBERED, UNREADY, Difference, Shape

DOCUMENT = Path(__file__).parents[2] / "docs" / "deviations.md"
NODATA, NXDOMAIN = "NODATA", "NXDOMAIN"
_NEGATIVE = (NODATA, NXDOMAIN)
ADDRESSES = ("A", "AAAA")


@dataclass(frozen=True, slots=True)
class Deviation:
    """*types*: () = all of them; *ours* and *theirs*: tests of an Answer's ``kind``, and the same in words."""

    key: str
    shapes: tuple[Shape, ...]  # () = any
    ours: str
    theirs: str
    reason: str
    is_ours: Callable[[str], bool]
    is_theirs: Callable[[str], bool]
    types: tuple[str, ...] = ()
    other_than: bool = False  # every type but *types*
    of: str = ""  # a kind that the name's Service must have
    never_of: tuple[str, ...] = ()  # kinds that it must not have
    aspect: str = "answer"
    relation: str = ""  # "more": ours has everything that theirs has, and more; "fewer": the other way round
    option: str = ""  # some option of CoreDNS that begins so must be in force

    def matches(self, found: Difference) -> bool:
        return (
            found.aspect == self.aspect
            and (not self.shapes or found.shape in self.shapes)
            and (not self.types or (found.question.rtype in self.types) != self.other_than)
            and (not self.of or self.of in found.kinds)
            and not found.kinds & {*self.never_of}
            and (not self.option or any(one.startswith(self.option) for one in found.options))
            and (not self.relation or bool(getattr(found, self.relation)))
            and self.is_ours(found.ours.kind)
            and self.is_theirs(found.theirs.kind)
        )


def _is(*kinds: str) -> Callable[[str], bool]:
    return lambda kind: kind in kinds


def _not(*kinds: str) -> Callable[[str], bool]:
    return lambda kind: kind not in kinds


def _anything(kind: str) -> bool:
    return True


DEVIATIONS: tuple[Deviation, ...] = (
    Deviation(
        "any",
        (),
        "the records of one type that is there",
        "NODATA, or NXDOMAIN where no address is there",
        "RFC 8482 §4.1: one RRset is the smallest complete answer to ANY; to deny a name that exists is wrong.",
        _not(*_NEGATIVE),
        _is(*_NEGATIVE),
        types=("ANY",),
        never_of=(ALIASES,),
    ),
    Deviation(
        "absent-soa",
        (),
        "NXDOMAIN",
        "NODATA",
        "A name that does not exist does not exist for any type (RFC 2308 §2.1).",
        _is(NXDOMAIN),
        _is(NODATA),
        types=("SOA",),
    ),
    Deviation(
        "txt-of-parents",
        (Shape.APEX, Shape.REVERSE_APEX, Shape.ROOT, Shape.NAMESPACE),
        "NODATA",
        "NXDOMAIN",
        "The name exists, for other names are below it (RFC 8020); CoreDNS denies it to TXT alone.",
        _is(NODATA),
        _is(NXDOMAIN),
        types=("TXT",),
    ),
    Deviation(
        "apex-ns",
        (Shape.APEX, Shape.REVERSE_APEX),
        "NS `ns.dns` of the domain",
        "NODATA unless its own address is an endpoint of a Service",
        "Every zone has NS records at its apex (RFC 1034 §4.2.1); without them an exported zone does not load.",
        _is("NS"),
        _is(NODATA),
        types=("NS",),
    ),
    Deviation(
        "ns-address",
        (Shape.NS,),
        "the addresses of `ns_addresses`",
        "NODATA where it listens on loopback only, NXDOMAIN where the question has capital letters",
        "The name that SOA and NS records give must lead to the server; names have no letter case (RFC 4343).",
        _is(*ADDRESSES),
        _is(*_NEGATIVE),
        types=ADDRESSES,
    ),
    Deviation(
        "dns-version",
        (Shape.VERSION, Shape.NS),
        "NODATA",
        "NXDOMAIN",
        "The name has records of another type, or names below it.",
        _is(NODATA),
        _is(NXDOMAIN),
    ),
    Deviation(
        "reverse-types",
        (Shape.REVERSE,),
        "NODATA",
        "NXDOMAIN",
        "The name has a PTR record (RFC 2308 §2.2).",
        _is(NODATA),
        _is(NXDOMAIN),
        types=("PTR", "SOA"),
        other_than=True,
    ),
    Deviation(
        "reverse-parts",
        (Shape.REVERSE_PART,),
        "NODATA",
        "NXDOMAIN",
        "An empty non-terminal: names below it exist (RFC 8020).  Resolvers that minimise names ask for it first.",
        _is(NODATA),
        _is(NXDOMAIN),
    ),
    Deviation(
        "reverse-odd",
        (Shape.REVERSE_ODD,),
        "NXDOMAIN",
        "the PTR records of an address that it reads from the labels nevertheless",
        "An IPv6 reverse name has 32 labels of one hexadecimal digit (RFC 3596 §2.5); what is none stands for nothing.",
        _is(NXDOMAIN),
        _is("PTR"),
        types=("PTR",),
    ),
    Deviation(
        "reverse-soa",
        (Shape.REVERSE_APEX, Shape.REVERSE, Shape.REVERSE_PART, Shape.REVERSE_ODD),
        "SOA with `ns.dns` and `hostmaster` of the domain",
        "SOA with `ns.dns` and `hostmaster` of the reverse zone",
        "The names in a SOA record should exist (RFC 1912 §2.2): those of the reverse zone do not.",
        _anything,
        _anything,
        aspect="authority",
    ),
    Deviation(
        "reverse-apex-soa",
        (Shape.REVERSE_APEX,),
        "SOA with `ns.dns` and `hostmaster` of the domain",
        "SOA with `ns.dns` and `hostmaster` of the reverse zone",
        "As above, in the answer.",
        _is("SOA"),
        _is("SOA"),
        types=("SOA",),
    ),
    Deviation(
        "port-address",
        (Shape.PORT,),
        "NODATA",
        "the addresses of the Service",
        "The name of a port has SRV records only (DNS specification §2.3.2, §2.4.2).",
        _is(NODATA),
        _is(*ADDRESSES),
        types=ADDRESSES,
    ),
    Deviation(
        "port-underscores",
        (Shape.LAX_PORT,),
        "NXDOMAIN",
        "as with the underscores; a lone underscore stands for every port or protocol",
        "The underscores are part of the name (RFC 2782); what stands for everything discloses everything.",
        _is(NXDOMAIN),
        _not(NXDOMAIN),
        types=("SOA",),
        other_than=True,
    ),
    Deviation(
        "protocol",
        (Shape.PROTOCOL,),
        "NODATA",
        "NXDOMAIN",
        "An empty non-terminal: the names of ports are below it (RFC 8020).",
        _is(NODATA),
        _is(NXDOMAIN),
    ),
    Deviation(
        "unnumbered-port",
        (Shape.PORT,),
        "NXDOMAIN",
        "NODATA, and the addresses to A and AAAA",
        "A slice's port without a number has no SRV record, so its name does not exist.",
        _is(NXDOMAIN),
        _is(NODATA, *ADDRESSES),
        types=("SOA",),
        other_than=True,
        of=UNNUMBERED,
    ),
    Deviation(
        "unnumbered-weight",
        (Shape.SERVICE, Shape.ENDPOINT),
        "weights that share out 100 over the SRV records",
        "smaller ones: endpoints without a port number count, too",
        "They have no SRV record.  Weights are relative to each other, so nobody sees the difference.",
        _is("SRV"),
        _is("SRV"),
        types=("SRV",),
        of=UNNUMBERED,
        aspect="weight",
    ),
    Deviation(
        "whole-additional",
        (Shape.SERVICE, Shape.ENDPOINT, Shape.PORT),
        "all addresses of an SRV record's target",
        "those of the endpoints that have the port",
        "Part of an RRset would pass for the whole (RFC 2181 §5).",
        _is("SRV"),
        _is("SRV"),
        types=("SRV",),
        aspect="additional",
    ),
    Deviation(
        "alias-types",
        (Shape.SERVICE,),
        "the CNAME, and what follows from it",
        "NODATA",
        "An alias answers every type with its CNAME (RFC 1034 §3.6.2).",
        lambda kind: "CNAME" in kind,
        _is(NODATA),
        types=(*ADDRESSES, "CNAME"),
        other_than=True,
        of=ALIASES,
    ),
    Deviation(
        "alias-without-address",
        (Shape.SERVICE,),
        "the chain; the RCODE is that of its last name",
        "NODATA without the CNAME",
        "RFC 6604 §3: the client learns that the name is an alias, and what its end is.  Loops end before a repeat.",
        _is("CNAME", "NXDOMAIN CNAME"),
        _is(NODATA),
        types=ADDRESSES,
        of=ALIASES,
    ),
    Deviation(
        "alias-long",
        (Shape.SERVICE,),
        "the first eight links",
        "about ten links, and the address behind them",
        "The work for one query is bounded; eight is more than anybody has.",
        _is("CNAME"),
        _is("CNAME A", "CNAME AAAA"),
        types=ADDRESSES,
        of=ALIASES,
    ),
    Deviation(
        "alias-authority",
        (Shape.SERVICE,),
        "the CNAME into a reverse zone, and the SOA of that zone",
        "the CNAME",
        "The target is ours, too, and has no such type: NODATA carries a SOA (RFC 2308 §2.2).",
        _is("CNAME"),
        _is("CNAME"),
        types=ADDRESSES,
        of=ALIASES,
        aspect="authority",
    ),
    Deviation(
        "alias-to-absent-reverse",
        (Shape.SERVICE,),
        "NXDOMAIN with the CNAME into a reverse zone",
        "NOERROR with the CNAME",
        "The RCODE is that of the chain's last name (RFC 6604 §3); the target's zone is ours, too.",
        _is("NXDOMAIN CNAME"),
        _is("CNAME"),
        types=ADDRESSES,
        of=ALIASES,
    ),
    Deviation(
        "pod-srv",
        (Shape.POD,),
        "NODATA",
        "SRV with port 0",
        "Nothing says which ports a pod has; port 0 is none.",
        _is(NODATA),
        _is("SRV"),
        types=("SRV",),
        option="pods",
    ),
    Deviation(
        "below-pods",
        (Shape.BELOW_POD,),
        "NXDOMAIN",
        "as without the labels on the left",
        "Pod names are one label; nothing is below them.",
        _is(NXDOMAIN),
        _not(NXDOMAIN),
        types=("SOA",),
        other_than=True,
        option="pods",
    ),
    Deviation(
        "fqdn-endpoints",
        (Shape.SERVICE, Shape.ENDPOINT, Shape.PORT),
        "what the other endpoints give",
        "CNAME beside other records, and SRV to names outside",
        "Slices of the type FQDN are for no consumer that Kubernetes has; CNAME stands alone (RFC 1034 §3.6.2).",
        _not(NXDOMAIN),
        _not(*ADDRESSES),
        types=("SOA", "ANY"),
        other_than=True,
        of=FQDN,
    ),
    Deviation(
        "fqdn-endpoints-alone",
        (Shape.SERVICE, Shape.ENDPOINT, Shape.PORT),
        "NXDOMAIN: there is no endpoint",
        "the name exists, and may have several CNAME records",
        "As above.",
        _is(NXDOMAIN),
        _not(NXDOMAIN),
        types=("SOA",),
        other_than=True,
        of=FQDN,
    ),
    Deviation(
        "unready-by-hand",
        (Shape.SERVICE, Shape.ENDPOINT, Shape.PORT),
        "its unready endpoints, too",
        "ready ones only",
        "`publishNotReadyAddresses` asks for them (DNS specification §2.1); the controllers say so in the slices they"
        " make, CoreDNS never looks at the Service.",
        _anything,
        _anything,
        types=("SOA", "ANY"),
        other_than=True,
        of=UNREADY,
        relation="more",
    ),
    Deviation(
        "unready-by-hand-reverse",
        (Shape.REVERSE,),
        "a PTR record for each of its unready endpoints, too",
        "those of ready ones",
        "As above: who has an address record has its PTR record (DNS specification §2.4.3).",
        _is("PTR"),
        _is("PTR", NXDOMAIN),
        types=("PTR",),
        of=UNREADY,
        relation="more",
    ),
    Deviation(
        "dotted-pod-names",
        (Shape.SERVICE, Shape.ENDPOINT, Shape.PORT),
        "the dashed address as the endpoint's label",
        "the pod's name, which then is several labels",
        "CoreDNS's name for such an endpoint is one it does not answer itself.",
        _anything,
        _is("SRV", NXDOMAIN),
        types=("SOA", "ANY"),
        other_than=True,
        of=DOTTED,
        option="endpoint_pod_names",
    ),
    Deviation(
        "dotted-pod-names-reverse",
        (Shape.REVERSE,),
        "PTR with the dashed address",
        "PTR with the pod's name",
        "As above.",
        _is("PTR"),
        _is("PTR"),
        types=("PTR",),
        of=DOTTED,
        option="endpoint_pod_names",
    ),
    Deviation(
        "reverse-of-hidden-namespaces",
        (Shape.REVERSE,),
        "nothing of Services in namespaces that are not selected",
        "their PTR records",
        "What is hidden is hidden in both directions.",
        _is("PTR", NXDOMAIN),
        _is("PTR"),
        types=("PTR",),
        relation="fewer",
        option="namespace_labels",
    ),
    Deviation(
        "reverse-of-hidden-services",
        (Shape.REVERSE,),
        "nothing of Services that are not selected",
        "PTR records of slices that are selected where their Service is not",
        "What is hidden is hidden in both directions.",
        _is("PTR", NXDOMAIN),
        _is("PTR"),
        types=("PTR",),
        relation="fewer",
        option="labels",
    ),
    Deviation(
        "reverse-of-empty-services",
        (Shape.REVERSE,),
        "NXDOMAIN",
        "PTR to a name that it denies",
        "What is hidden is hidden in both directions.",
        _is(NXDOMAIN),
        _is("PTR"),
        types=("PTR",),
        option="ignore empty_service",
    ),
)


def explanations(found: Difference) -> list[Deviation]:
    return [deviation for deviation in DEVIATIONS if deviation.matches(found)]


_HEAD = """# Where answers differ from others'

## From CoreDNS's

Written by `python -m live.deviations` in `tests`, from the table that the differential run holds every difference
against ([testing.md](testing.md)): generated clusters in a real API server, the same questions to CoreDNS and to
clusterdns. What is not in this table is the same in both.

| deviation | names | types | where | clusterdns | CoreDNS | why |
|---|---|---|---|---|---|---|
"""
_KINDS = {
    "": "",
    ALIASES: "ExternalName Services",
    UNREADY: "`publishNotReadyAddresses`, with an unready endpoint in a slice that was not made from a selector",
    FQDN: "Services with a slice of the type FQDN",
    UNNUMBERED: "Services with a slice without ports, or with a port without number",
    DOTTED: "endpoints of pods with a dot in their name",
}


def as_text() -> str:
    return _HEAD + "".join(map(_row, DEVIATIONS)) + unbound_deviations.as_text()


def _row(one: Deviation) -> str:
    types = ", ".join(one.types) or "all"
    if one.other_than:
        types = f"all but {types}"
    parts = {"weight": "weights only", "additional": "additional section", "authority": "authority section"}
    option = f"option `{one.option}`" if one.option else ""
    where = "; ".join(filter(None, (_KINDS[one.of], option, parts.get(one.aspect, ""))))
    names = "; ".join(shape.value for shape in one.shapes) or "all"
    cells = (one.key, names, types, where or "everywhere", one.ours, one.theirs, one.reason)
    return "| " + " | ".join(cells) + " |\n"


if __name__ == "__main__":
    DOCUMENT.write_text(as_text())
