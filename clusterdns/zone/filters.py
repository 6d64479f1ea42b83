"""What of the published world this server shows; it stands between the controllers and the records.

The options of CoreDNS's kubernetes plugin of the same names.  What is hidden is hidden in both directions, and nothing
that is answered tells it from what does not exist; views and explanations look at what is in front of this.
"""

from collections.abc import Mapping

from msgspec import Struct

from clusterdns.cluster.labels import Selector, matches
from clusterdns.cluster.model import Pod, Published
from clusterdns.zone.records import shown

NAME_LABEL = "kubernetes.io/metadata.name"  # every namespace carries it, declared or not

# What CoreDNS does not list; a pod with none of these has or will have its address for itself.
_ENDED = ("Succeeded", "Failed", "Unknown")


class Filters(Struct, frozen=True):
    namespaces: frozenset[str] = frozenset()  # empty: all
    namespace_labels: Selector = ()
    labels: Selector = ()  # of Services, EndpointSlices and Pods
    endpoint_pod_names: bool = False
    noendpoints: bool = False
    ignore_empty_service: bool = False

    @property
    def by_namespace(self) -> bool:
        """Whether a namespace may be hidden at all."""
        return bool(self.namespaces or self.namespace_labels)

    def shows_namespace(self, name: str, labels: Mapping[str, str] | None) -> bool:
        """*labels*: None where the namespace is not declared and exists because something is in it."""
        if self.namespaces:
            return name in self.namespaces
        return matches(self.namespace_labels, {NAME_LABEL: name} if labels is None else labels)

    def service(self, published: Published) -> Published | None:
        """A Service of a namespace that is shown, with what is shown of it; None: it is hidden."""
        service, slices = published.service, published.slices
        if not matches(self.labels, service.labels):
            return None
        if service.type == "ExternalName":
            return published
        if self.noendpoints:
            return None if service.headless else Published(service)
        if self.labels:
            slices = tuple(piece for piece in slices if matches(self.labels, piece.labels))
        if len(slices) < len(published.slices) or self.endpoint_pod_names:
            published = Published(service, slices, pod_names=self.endpoint_pod_names)
        if self.ignore_empty_service and not service.headless and not any(shown(published)):
            return None
        return published

    def pod(self, pod: Pod | None) -> tuple[bytes, ...]:
        """The addresses that its namespace's pod names may stand for.

        A terminating pod has none: a CoreDNS that has just started does not know it either, and what is answered here
        must not depend on who saw it alive.
        """
        if pod is None or pod.phase in _ENDED or pod.terminating or not matches(self.labels, pod.labels):
            return ()
        return pod.addresses
