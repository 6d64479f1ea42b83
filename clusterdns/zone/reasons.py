"""Why an answer is negative: each cause once, with what Extended DNS Errors say of it (RFC 8914).

Nothing here tells what is hidden from what does not exist.
"""

from msgspec import Struct

_NOT_READY, _OTHER = 14, 0  # INFO-CODEs (RFC 8914 §4)


class Reason(Struct, frozen=True, gc=False):
    code: str  # stable, for tools
    ede: int  # INFO-CODE
    text: str  # at most one short sentence: it travels in a packet
    advice: str = ""  # for a person who has more room: what to look at


NOT_SYNCED = Reason(
    "not-synced",
    _NOT_READY,
    "the server has not read its objects yet: try again soon",
    "Nothing is answered before everything has been read once, for half an answer is a wrong one; /ready says what is"
    " awaited.",
)


def no_ready_endpoint(total: int) -> Reason:
    """A headless Service whose pods are all unready, or that has none."""
    if not total:
        return Reason(
            "no-endpoints",
            _OTHER,
            "headless Service without endpoints: its selector matches no pod",
            "A headless Service has the addresses of its pods. Compare its selector with the labels of the pods in its"
            " namespace.",
        )
    return Reason(
        "no-ready-endpoint",
        _OTHER,
        f"headless Service without ready endpoint: 0 of {total} pods ready",
        "Only ready pods have records, unless the Service says publishNotReadyAddresses. See why the pods'"
        " readiness probes fail.",
    )


def other_protocol(port: str, service: str, asked: str, exists: str) -> Reason:
    """*asked* and *exists*: protocols as labels, with their underscore."""
    return Reason(
        "other-protocol",
        _OTHER,
        f"port {port} of {service} is not {asked[1:].upper()}: ask for _{port}.{exists}",
        "A port's name stands below its protocol. Change the question, or the protocol in the Service's spec.ports.",
    )


def no_namespace(namespace: str) -> Reason:
    """It does not exist, or is not served: this is not told."""
    return Reason(
        "no-namespace",
        _OTHER,
        f"namespace {namespace} is not served here: look for a slip in its name",
        "No namespace of that name is among those that are served. `clusterdns get ns` lists what there is; the"
        " settings namespaces and namespace_labels may leave some out.",
    )
