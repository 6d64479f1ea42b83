"""What explanations tell, and checks may: each cause once, with words in braces that ``of`` fills in.

A cause that travels in packets is in ``zone.reasons`` and has the same code here, where a person has more room.
"""

from msgspec import Struct


class Cause(Struct, frozen=True, gc=False):
    code: str  # stable, for tools
    text: str  # one short sentence
    advice: str = ""  # what to do about it

    def of(self, **words: object) -> "Cause":
        return Cause(self.code, self.text.format(**words), self.advice.format(**words))


NOT_SYNCED = Cause("not-synced", "the server has not read its objects yet", "try again soon")

# Names.
OUTSIDE = Cause("outside", "{name} is in none of our zones: {zones}")
FORWARDED = Cause("forwarded", "{name} would be forwarded to {servers} ({which})")
KEPT_HOME = Cause(
    "kept-home",
    "{name} is kept home: nobody is asked for names below {domain}",
    "take {domain} out of kept_home, or name its servers in stub_domains",
)
KEPT_REVERSE = Cause(
    "kept-home", "{name} is kept home: what {domain} stands for are Services, pods or private networks"
)
LOCALHOST = Cause("kept-home", "{name} is kept home: it is the client itself")
ALIAS_FORWARDED = Cause("alias-forwarded", "the alias leads out of the cluster: {cause}")
NO_SVC = Cause("missing-svc", 'nothing is at "{label}" below {zone}: Services are below svc.{zone}')
TOO_DEEP = Cause("too-deep", "no name has so many labels: {form} is the longest")
NO_TYPE = Cause("no-type", "{name} exists and has no {type} record: {kind} has {types}")
NO_RECORDS = Cause("no-records", "{name} holds no records of its own: names below it do")
UNDERSCORES = Cause("missing-underscores", "missing underscores: a port's name is {wanted}")
NOT_REVERSE = Cause("not-an-address", "{name} is no name that an address can have")
NO_HOLDER = Cause("no-holder", "no Service has the address {address}")
EXTERNAL_IP = Cause(
    "external-ip", "{address} is an external address of {service}: only ClusterIPs and endpoints have reverse names"
)
PODS_DISABLED = Cause("pods-disabled", "pods disabled: names below pod.{zone} are off", "set pods: verified")
NOT_A_POD_NAME = Cause(
    "not-an-address", '"{label}" is no address with dashes', "pod names are like 10-244-1-7.{namespace}.pod.{zone}"
)
NO_POD = Cause("no-pod", "no pod of namespace {namespace} has the address {address}")

# Objects.
NO_NAMESPACE = Cause("no-namespace", "there is no namespace {namespace}: nothing declares it or is in it")
NO_SERVICE = Cause("no-service", "there is no Service {service}")
REJECTED = Cause("document-rejected", "document rejected: {place}: {problem}", "{remedy}")
# Never on the wire: hidden and absent must look the same there.
HIDDEN_NAMESPACES = Cause(
    "hidden-by-namespaces", "hidden by namespaces: {namespace} is not in the setting", "add {namespace} to it"
)
HIDDEN_NAMESPACE_LABELS = Cause(
    "hidden-by-namespace-labels", "hidden by namespace_labels: namespace {namespace} has {labels}"
)
HIDDEN_LABELS = Cause("hidden-by-labels", "hidden by labels: {item} has {labels}")
NOENDPOINTS = Cause("noendpoints", "hidden by noendpoints: headless Services and endpoint names are off")
EMPTY_SERVICE = Cause("ignore-empty-service", "hidden by ignore_empty_service: it has no ready endpoint")
NAME_TOO_LONG = Cause("name-too-long", "its name and {zone} have more than 255 octets together")

# Services.
EXTERNAL_ADDRESS = Cause(
    "external-address",
    "ExternalName {target} is an address: an alias can only lead to a name",
    "write a headless Service with an EndpointSlice for {target}",
)
EXTERNAL_INVALID = Cause("external-invalid", "ExternalName {target} is no name that DNS can hold")
BELOW_ALIAS = Cause("below-alias", "{service} is an ExternalName: there are no names below an alias")
ALIAS_LOOP = Cause("alias-loop", "the alias leads back to {target}", "let it lead to a name that has addresses")
ALIAS_LONG = Cause("alias-long", "the alias has more than {links} links: they are not followed further")
ALIAS_TARGET = Cause("alias-target", "the alias leads to {target}: {cause}")
ALIAS_OUTSIDE = Cause("alias-outside", "the alias leads out of the cluster, to {target}: the client must resolve it")
NO_CLUSTER_IP = Cause("no-cluster-ip", "{service} has no ClusterIP: {problem}")
NO_FAMILY = Cause("no-family", "{item} has no {family} address: {has}")

# Endpoints.
NO_SELECTOR = Cause(
    "no-selector",
    "it has no selector, and no EndpointSlice or Endpoints is there for it",
    "write a selector, or a slice labelled kubernetes.io/service-name: {name}",
)
NO_POD_SELECTED = Cause("no-pod-selected", "its selector {selector} matches no pod")
NO_POD_RUNS = Cause("no-pod-selected", "its selector {selector} matches no pod that runs or is to run")  # a live API's
PODS_UNKNOWN = Cause(
    "no-endpoints",
    "the API has no endpoints for it",
    "pods are not followed here: look with kubectl get pods -n {namespace} -l {selector}",
)
NO_ENDPOINT_READY = Cause("no-ready-endpoint", "none of its {total} endpoints is ready")
NO_ADDRESSES = Cause("no-endpoint-addresses", "its selector {selector} matches {total}, and none can be an endpoint")
LOOK_AT_PODS = "kubectl describe pods -n {namespace} -l {selector} tells why"
SLICE_EMPTY = Cause("slice-empty", "what gives its endpoints holds none: {makers}")
NOT_READY = Cause("not-ready", "not ready")
TERMINATING = Cause("terminating", "terminating")
PHASE = Cause("phase", "phase {phase}")
NO_IP = Cause("no-ip", "no IP yet (phase {phase})")
NO_SLICE = Cause("no-slice", "in no EndpointSlice yet")
OTHER_FAMILY = Cause("no-family", "no {family} address")
LABEL_DIFFERS = Cause("label-differs", "label {label}={has} ≠ {wants}")
LABEL_MISSING = Cause("label-missing", "no label {label} (wanted {wants})")
FQDN_SLICE = Cause("fqdn-slice", "addressType FQDN")
NO_HOSTNAME = Cause("no-hostname", "pod has no hostname", "set hostname: {host} and subdomain: {service} in the pod")
SUBDOMAIN = Cause("subdomain-differs", "subdomain {has} ≠ {wants}", "set subdomain: {wants} in the pod")
NO_SUBDOMAIN = Cause("no-subdomain", "pod has no subdomain (wanted {wants})", "set subdomain: {wants} in the pod")
NO_ENDPOINT = Cause("no-endpoint", "no endpoint of {service} is called {host}")

# Ports.
NO_PORT = Cause("no-port", "{service} has no port named {port}")
NO_PROTOCOL = Cause("no-port", "{service} has no named {protocol} port")
OTHER_PROTOCOL = Cause("other-protocol", "port {port} of {service} is {has}, not {wants}")
PORT_UNNAMED = Cause("port-unnamed", "port has no name: {service} has {ports}", "give the port a name")
PORT_TOO_LONG = Cause(
    "port-name-too-long", "63-character port name: with its underscore it is no label", "shorten it to 62 characters"
)
PORT_NOT_IN_POD = Cause("port-not-in-pod", 'port name "{port}" not in pod')
PORT_NOWHERE = Cause(
    "port-not-in-pod", 'port name "{port}" not in pod: the targetPort of {service} is in none of its {total} pods'
)
PORT_NOT_GIVEN = Cause("port-not-in-slice", "no EndpointSlice of {service} has a port named {port}")
NO_PORTS = Cause("no-ports", "{service} has no ports")

# Between objects.
NO_SUBDOMAIN_SERVICE = Cause(
    "no-subdomain-service",
    "there is no Service {service}, which {pod} names as its subdomain",
    "write a headless Service {service}, or set subdomain to one that exists",
)
ORPHAN = Cause("orphan-endpoints", "there is no Service {service}, only {item} for it", "write the Service")
NOT_A_SERVICE = Cause(
    "not-a-service", "there is no Service {service}, only {item}", "names are those of Services: write one"
)
CAPTURED = Cause(
    "search-captured",
    "namespace {namespace} is named like a top-level domain: pods that ask for {asked} of the Internet get this",
    "ask for {asked}. with a final dot, or rename the namespace",
)
