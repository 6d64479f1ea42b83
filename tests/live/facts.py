"""What a difference is judged by: the shape of the name, and what the API says of the Service it belongs to."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

import dns.exception
import dns.name
import dns.reversename

from live.api import Manifest
from live.asking import Answer, Question
from live.clusters import DOMAIN
from live.endpoints import SERVICE_NAME

_HEX = frozenset("0123456789abcdef")
_MAKER = "endpointslice-controller.k8s.io"


class Shape(StrEnum):
    """Of a name, whether or not there is anything of it."""

    APEX = "the domain"
    VERSION = "`dns-version`"
    NS = "`ns.dns`, `dns`"
    ROOT = "`svc`, `pod`"
    NAMESPACE = "`NS.svc`, `NS.pod`"
    SERVICE = "`S.NS.svc`"
    ENDPOINT = "`H.S.NS.svc`"
    PROTOCOL = "`_T.S.NS.svc`"
    PORT = "`_P._T.S.NS.svc`"
    LAX_PORT = "`P.T.S.NS.svc`: an underscore or what follows it is missing"
    POD = "`a-b-c-d.NS.pod`"
    BELOW_POD = "one or two labels below `a-b-c-d.NS.pod`"
    OTHER = "any other name in the domain"
    REVERSE_APEX = "`in-addr.arpa`, `ip6.arpa`"
    REVERSE = "a reverse name"
    REVERSE_PART = "the end of a reverse name"
    REVERSE_ODD = "a reverse name with labels too many, too few, too long or of wrong letters"
    OUTSIDE = "a name of others"


ALIASES, UNREADY, FQDN, UNNUMBERED, DOTTED = "alias", "unready", "fqdn", "unnumbered", "dotted"


class Difference(NamedTuple):
    question: Question
    shape: Shape
    kinds: frozenset[str]  # what is special about the Service of the name
    aspect: str  # "answer", "weight", "additional", "authority"
    ours: Answer
    theirs: Answer
    options: tuple[str, ...]

    @property
    def more(self) -> bool:
        """Ours has everything that theirs has, and more; or at least the name exists."""
        if self.theirs.kind == "NXDOMAIN":
            return self.ours.kind != "NXDOMAIN"
        return set(bare(self.ours)) > set(bare(self.theirs))

    @property
    def fewer(self) -> bool:
        return self._replace(ours=self.theirs, theirs=self.ours).more

    def __str__(self) -> str:
        kinds = f", {', '.join(sorted(self.kinds))}" if self.kinds else ""
        asked = (
            f"{self.question} ({self.aspect}; {self.shape.name}{kinds}; options: {', '.join(self.options) or 'none'})"
        )
        return f"{asked}\n  clusterdns: {self.ours}\n  CoreDNS:    {self.theirs}"


def shape(name: str) -> Shape:
    """*name* with its final dot, in any letter case."""
    labels = name.lower().removesuffix(".").split(".")
    domain = DOMAIN.split(".")
    if labels[-2:] in (["in-addr", "arpa"], ["ip6", "arpa"]):
        return _reverse(labels[:-2], labels[-2])
    if labels[-len(domain) :] != domain:
        return Shape.OUTSIDE
    return _inside(labels[: -len(domain)])


# By the last labels: the words of the schema, and how many labels stand in front of them.
_FIXED = {(): Shape.APEX, ("dns-version",): Shape.VERSION, ("dns",): Shape.NS, ("ns", "dns"): Shape.NS}
_BELOW = {
    "svc": (Shape.ROOT, Shape.NAMESPACE, Shape.SERVICE, Shape.ENDPOINT, Shape.PORT),
    "pod": (Shape.ROOT, Shape.NAMESPACE, Shape.POD, Shape.BELOW_POD, Shape.BELOW_POD),
}


def _inside(labels: list[str]) -> Shape:
    if tuple(labels) in _FIXED:
        return _FIXED[tuple(labels)]
    below = _BELOW.get(labels[-1], ())
    if len(labels) > len(below):
        return Shape.OTHER
    found = below[len(labels) - 1]
    if found is Shape.ENDPOINT and labels[0].startswith("_"):
        return Shape.PROTOCOL
    if found is Shape.PORT and not all(one[0] == "_" and one[1:] for one in labels[:2]):
        return Shape.LAX_PORT
    return found


def _reverse(labels: list[str], family: str) -> Shape:
    if not labels:
        return Shape.REVERSE_APEX
    whole, fits = (4, _is_octet) if family == "in-addr" else (32, _is_nibble)
    if len(labels) > whole or not all(map(fits, labels)):
        return Shape.REVERSE_ODD
    return Shape.REVERSE if len(labels) == whole else Shape.REVERSE_PART


def _is_octet(label: str) -> bool:
    return label.isdecimal() and str(int(label)) == label and int(label) < 256


def _is_nibble(label: str) -> bool:
    return label in _HEX


class Facts:
    """From the Lists of an API server: which Services are special, and how."""

    def __init__(self, lists: Mapping[str, Manifest]) -> None:
        self._kinds: dict[tuple[str, str], set[str]] = {}
        self._behind: dict[str, set[str]] = {}  # reverse name -> what is special about Services behind it
        specs = {_key(service): service["spec"] for service in lists["Service"]["items"]}
        for key, spec in specs.items():
            self._kinds[key] = {ALIASES} if spec["type"] == "ExternalName" else set()
        for piece in lists["EndpointSlice"]["items"]:
            metadata = piece["metadata"]
            key = metadata["labels"][SERVICE_NAME], metadata["namespace"]
            kinds = set(_special(piece, specs.get(key, {})))
            self._kinds.setdefault(key, set()).update(kinds)
            for address in (one for endpoint in piece.get("endpoints") or [] for one in endpoint["addresses"]):
                self._behind.setdefault(address, set()).update(kinds & {UNREADY, DOTTED})

    def kinds(self, name: str) -> frozenset[str]:
        """What is special about the Service that *name* belongs to."""
        labels = name.lower().removesuffix(".").removesuffix(DOMAIN).removesuffix(".").split(".")
        if name.lower().endswith(".arpa."):
            return frozenset(self._behind.get(_address(name), ()))
        if len(labels) < 3 or labels[-1] != "svc":
            return frozenset()
        return frozenset(self._kinds.get((labels[-3], labels[-2]), ()))


def _key(item: Manifest) -> tuple[str, str]:
    return item["metadata"]["name"], item["metadata"]["namespace"]


def _special(piece: Manifest, spec: Mapping[str, Any]) -> list[str]:
    found = []
    managed = piece["metadata"]["labels"].get("endpointslice.kubernetes.io/managed-by") == _MAKER
    unready = any(one["conditions"].get("ready") is False for one in piece.get("endpoints") or [])
    if spec.get("publishNotReadyAddresses") and unready and not managed:
        found.append(UNREADY)
    if piece["addressType"] == "FQDN":
        found.append(FQDN)
    if not all(port.get("port") for port in piece.get("ports") or [{}]):
        found.append(UNNUMBERED)
    if any("." in one.get("targetRef", {}).get("name", "") for one in piece.get("endpoints") or []):
        found.append(DOTTED)
    return found


def _address(name: str) -> str:
    try:
        return dns.reversename.to_address(dns.name.from_text(name.lower()))
    except (dns.exception.DNSException, ValueError):
        return ""


def differences(
    question: Question, ours: Answer, theirs: Answer, facts: Facts, options: tuple[str, ...]
) -> list[Difference]:
    """One for each aspect in which the answers differ; the later ones only where the earlier do not."""
    common = question, shape(question.name), facts.kinds(question.name)
    found = []
    if (ours.kind, ours.authoritative, bare(ours)) != (theirs.kind, theirs.authoritative, bare(theirs)):
        found.append("answer")
        # Negative in two ways; what is said of the zone is another matter.
        if {ours.kind, theirs.kind} == {"NODATA", "NXDOMAIN"} and ours.authority != theirs.authority:
            found.append("authority")
    else:
        if ours.answer != theirs.answer:
            found.append("weight")
        if ours.additional != theirs.additional:
            found.append("additional")
        if ours.authority != theirs.authority:
            found.append("authority")
    return [Difference(*common, aspect, ours, theirs, options) for aspect in found]


def bare(answer: Answer) -> list[str]:
    """The answer section without the weights of SRV records."""
    return sorted(" ".join(_unweighted(line.split())) for line in answer.answer)


def _unweighted(words: list[str]) -> list[str]:
    return [*words[:5], "WEIGHT", *words[6:]] if words[3] == "SRV" else words
