"""Which kinds are followed, and how the API calls them."""

from msgspec import Struct

JSON = "application/json"
_METADATA = "application/json;as=PartialObjectMetadata{0};g=meta.k8s.io;v=1,application/json"
METADATA_LIST = _METADATA.format("List")


class Resource(Struct, frozen=True):
    kind: str
    path: str
    list_accept: str = JSON
    watch_accept: str = JSON
    selector: str = ""  # a fieldSelector


SERVICES = Resource("Service", "/api/v1/services")
SLICES = Resource("EndpointSlice", "/apis/discovery.k8s.io/v1/endpointslices")
NAMESPACES = Resource("Namespace", "/api/v1/namespaces", METADATA_LIST, _METADATA.format(""))
# Those that have ended are many where jobs run, and have no names (``zone.filters``).
PODS = Resource("Pod", "/api/v1/pods", selector="status.phase!=Succeeded,status.phase!=Failed,status.phase!=Unknown")


def right(path: str) -> str:
    """What to grant to whom *path* is forbidden."""
    if path.endswith(PODS.path):
        return (
            "pods: verified needs the right to list and watch pods: "
            "add deploy/kubernetes/components/pods-verified, or set pods: insecure"
        )
    return "grant list and watch to who asks"


def resources(*, pods: bool) -> tuple[Resource, ...]:
    """Endpoints are not among them: the cluster's controllers mirror them into slices."""
    return (NAMESPACES, SERVICES, SLICES, PODS) if pods else (NAMESPACES, SERVICES, SLICES)
