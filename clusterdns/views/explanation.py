"""What ``clusterdns explain`` says, as data: a server makes it, the command prints it or passes it on as JSON."""

from msgspec import Struct

from clusterdns.zone.causes import Cause

FORWARDED = "FORWARDED"  # in the place of an rcode: others say what the answer is
SHOWN = 20  # endpoints; of the others only how many there are


class Answer(Struct, frozen=True):
    """What one question gets."""

    type: str
    rcode: str  # NOERROR, NXDOMAIN, ...
    records: tuple[str, ...] = ()  # the answer section as master files write it
    negative: bool = False  # NXDOMAIN or NODATA
    ede: str = ""  # the text of its Extended DNS Error

    @property
    def status(self) -> str:
        return "NODATA" if self.negative and self.rcode == "NOERROR" else self.rcode


class Step(Struct, frozen=True):
    """One name that a resolver asks for."""

    name: str  # with the final dot
    outcome: str  # NOERROR, NODATA, NXDOMAIN, ... or "" where it is not asked any more


class EndpointLine(Struct, frozen=True):
    """One that has records, or might be expected to."""

    inside: bool
    address: str  # "" for none
    item: str  # "Pod shop/web-0 (shop.yaml:12)"
    name: str  # its label below the Service, "" where it has none
    cause: Cause | None = None
    near: bool = False  # a pod that the selector misses: shown, and none of the Service's


class Endpoints(Struct, frozen=True):
    """*lines*: at most SHOWN, those left out first."""

    makers: tuple[str, ...] = ()
    inside: int = 0
    outside: int = 0
    lines: tuple[EndpointLine, ...] = ()
    pods_known: bool = True  # False: nobody follows them, so that nothing can be said of them
    rest: int = 0  # lines that are left out
    live: bool = False  # of a live API, whose controllers made them


class ServiceLine(Struct, frozen=True):
    name: str  # "shop/web"
    place: str  # "shop.yaml:12", or where else it is from
    type: str  # "ClusterIP", "headless", "ExternalName db.example."
    addresses: tuple[str, ...] = ()  # "10.96.0.10, allocated from service_cidr"
    ports: tuple[str, ...] = ()
    endpoints: Endpoints | None = None


class Explanation(Struct, frozen=True):
    name: str  # that is explained, with the final dot
    answers: tuple[Answer, ...]
    why: str
    asked: str = ""  # as it was written
    namespace: str = ""
    cause: Cause | None = None  # of a negative answer, or what is wrong although there is one
    suggestions: tuple[str, ...] = ()
    zone: str = ""
    rule: str = ""
    search: tuple[Step, ...] = ()
    service: ServiceLine | None = None
    alias: tuple[str, ...] = ()  # its links
    notes: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        """The best of its answers: one with records, then NODATA."""
        order = ("NOERROR", "NODATA", "NXDOMAIN")
        found = [answer.status for answer in self.answers]
        return next((status for status in order if status in found), found[0])


EXIT = {"NOERROR": 0, "NXDOMAIN": 3, "NODATA": 4}  # anything else: 1
