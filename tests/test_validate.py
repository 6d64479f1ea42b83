"""Kubernetes' rules, one line each: what is written, and what is said about it."""

import pytest

from clusterdns.cluster.decode import Decoded, DocumentCache, decode_file
from clusterdns.cluster.faults import CODES

SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {{name: web}}\nspec: {{{}}}\n"
POD = "apiVersion: v1\nkind: Pod\nmetadata: {{name: web}}\n{}\n"
NAMED = "apiVersion: {}\nkind: {}\nmetadata: {}\nspec: {{clusterIP: None}}\nsubsets: []\naddressType: IPv4\n"
SLICE = (
    "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
    "metadata: {{name: web, labels: {{kubernetes.io/service-name: web}}}}\n{}\n"
)
ENDPOINTS = "apiVersion: v1\nkind: Endpoints\nmetadata: {{name: web}}\nsubsets: {}\n"
DEPLOYMENT = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec: {{{}}}\n"


def decode(text: str) -> Decoded:
    return decode_file(text.encode(), "f", DocumentCache())


def said(text: str) -> list[str]:
    """``CD206 spec.ports[0].port: 0 is not ...`` without remedies; errors reject, warnings do not."""
    decoded = decode(text)
    has_errors = any(problem.severity == "error" for problem in decoded.problems)
    assert (len(decoded.objects), len(decoded.broken)) == ((0, 1) if has_errors else (1, 0))
    for problem in decoded.problems:
        assert problem.code in CODES
        assert problem.remedy
        assert problem.subject or "metadata" in problem.text
    return [f"{problem.code} {problem.text}" for problem in decoded.problems]


NO_MATCH = "CD215 spec.selector: does not match the labels of spec.template"
SELECTOR = "selector: {matchLabels: {app: a}}, "
SERVICES = {
    "ports: [{port: 80}]": [],
    "ports: [{port: 1}, {port: 65535, name: a}]": [
        "CD205 spec.ports[0].name: required when there is more than one port"
    ],
    "ports: []": ["CD205 spec.ports: required unless clusterIP is None"],
    "clusterIP: None": [],
    "ports: [{port: 0}]": ["CD206 spec.ports[0].port: 0 is not between 1 and 65535"],
    "ports: [{port: 65536}]": ["CD206 spec.ports[0].port: 65536 is not between 1 and 65535"],
    "ports: [{port: -1}]": ["CD206 spec.ports[0].port: -1 is not between 1 and 65535"],
    "ports: [{port: 0x50}]": [],
    "ports: [{port: 080}]": ["CD202 spec.ports[0].port: 080 is not a whole number"],
    "ports: [{port: 80.5}]": ["CD202 spec.ports[0].port: 80.5 is not a whole number"],
    'ports: [{port: "80"}]': ['CD202 spec.ports[0].port: must be a number, not the text "80"'],
    "ports: [{port: http}]": ["CD202 spec.ports[0].port: http is not a whole number"],
    "ports: [{name: a}]": ["CD205 spec.ports[0].port: required"],
    "ports: [{port: [80]}]": ["CD201 spec.ports[0].port: must be a number or text, not a list"],
    "ports: {port: 80}": ["CD201 spec.ports: must be a list, not a mapping"],
    "ports: [{port: 80, protocol: tcp}]": ['CD207 spec.ports[0].protocol: "tcp" is none of TCP, UDP, SCTP'],
    "ports: [{port: 80, name: Web_1}]": ['CD208 spec.ports[0].name: "Web_1" is no valid name'],
    f"ports: [{{port: 80, name: {'a' * 63}}}]": [],
    "ports: [{port: 1, name: a}, {port: 2, name: a}]": ['CD209 spec.ports[1].name: "a" is there twice'],
    "ports: [{port: 1, name: a}, {port: 1, name: b}]": ["CD209 spec.ports[1].port: 1/TCP is there twice"],
    "ports: [{port: 1, name: a}, {port: 1, name: b, protocol: UDP}]": [],
    "ports: [{port: 80, targetPort: http}]": [],
    'ports: [{port: 80, targetPort: "8080"}]': [
        'CD202 spec.ports[0].targetPort: must be a number, not the text "8080"'
    ],
    "ports: [{port: 80, targetPort: 70000}]": ["CD206 spec.ports[0].targetPort: 70000 is not between 1 and 65535"],
    "ports: [{port: 80, targetPort: a-name-much-too-long}]": [
        'CD208 spec.ports[0].targetPort: "a-name-much-too-long" is no valid name of a container port'
    ],
    "ports: [{port: 80, targetPort: a--b}]": [
        'CD208 spec.ports[0].targetPort: "a--b" is no valid name of a container port'
    ],
    "ports: [{port: 80, nodePort: 30080}]": ["CD218 spec.ports[0].nodePort: may not be used when type is ClusterIP"],
    "type: NodePort, ports: [{port: 80, nodePort: 30080}]": [],
    "type: NodePort, ports: [{port: 80, nodePort: 99999}]": [
        "CD206 spec.ports[0].nodePort: 99999 is not between 1 and 65535"
    ],
    "type: clusterip, ports: [{port: 80}]": [
        'CD210 spec.type: "clusterip" is none of ClusterIP, NodePort, LoadBalancer, ExternalName'
    ],
    "clusterIP: 10.0.0.1.2, ports: [{port: 80}]": ["CD211 spec.clusterIP: '10.0.0.1.2' is not an IP address"],
    "clusterIP: 10.0.0.010, ports: [{port: 80}]": ["CD211 spec.clusterIP: '10.0.0.010' is not an IP address"],
    "clusterIP: none, ports: [{port: 80}]": ['CD211 spec.clusterIP: "none" is no IP address'],
    "clusterIP: None, type: NodePort, ports: [{port: 80}]": [
        "CD212 spec.clusterIP: may not be None when type is NodePort"
    ],
    "clusterIP: None, type: LoadBalancer, ports: [{port: 80}]": [
        "CD212 spec.clusterIP: may not be None when type is LoadBalancer"
    ],
    'clusterIP: 10.0.0.1, clusterIPs: [10.0.0.1, "fd00::1"], ports: [{port: 80}]': [],
    "clusterIP: 10.0.0.1, clusterIPs: [10.0.0.2], ports: [{port: 80}]": [
        "CD212 spec.clusterIPs[0]: 10.0.0.2 must be the same as spec.clusterIP, which is 10.0.0.1"
    ],
    "clusterIPs: [10.0.0.2], ports: [{port: 80}]": [
        "CD212 spec.clusterIPs[0]: 10.0.0.2 must be the same as spec.clusterIP, which is absent"
    ],
    "clusterIP: 10.0.0.1, clusterIPs: [10.0.0.1, 10.0.0.2], ports: [{port: 80}]": [
        "CD212 spec.clusterIPs: at most one IPv4 and one IPv6 address are allowed"
    ],
    "clusterIP: None, clusterIPs: [None, 10.0.0.2], ports: [{port: 80}]": [
        "CD212 spec.clusterIPs: None may only be there alone"
    ],
    'clusterIP: 10.0.0.1, clusterIPs: [10.0.0.1, "fd00::1"], ipFamilyPolicy: SingleStack, ports: [{port: 80}]': [
        "CD212 spec.clusterIPs: two addresses, but ipFamilyPolicy is SingleStack"
    ],
    "clusterIP: 10.0.0.1, ipFamilies: [IPv6], ports: [{port: 80}]": [
        "CD212 spec.clusterIP: 10.0.0.1 is no IPv6 address, as spec.ipFamilies says"
    ],
    "ipFamilies: [ipv4], ports: [{port: 80}]": ['CD210 spec.ipFamilies[0]: "ipv4" is none of IPv4, IPv6'],
    "ipFamilies: [IPv4, IPv4], ports: [{port: 80}]": ["CD212 spec.ipFamilies: each family may be there once"],
    "ipFamilies: [IPv4, IPv6], ipFamilyPolicy: SingleStack, ports: [{port: 80}]": [
        "CD212 spec.ipFamilies: two families, but ipFamilyPolicy is SingleStack"
    ],
    "ipFamilyPolicy: Dual, ports: [{port: 80}]": [
        'CD210 spec.ipFamilyPolicy: "Dual" is none of SingleStack, PreferDualStack, RequireDualStack'
    ],
    "type: ExternalName": ["CD205 spec.externalName: required for type ExternalName"],
    "type: ExternalName, externalName: db.example.": [],
    "type: ExternalName, externalName: 192.0.2.1": [],
    "type: ExternalName, externalName: DB.example": ['CD213 spec.externalName: "DB.example" is no valid name'],
    "type: ExternalName, externalName: a..b": ['CD213 spec.externalName: "a..b" is no valid name'],
    f"type: ExternalName, externalName: {'a' * 64}.b": [f'CD213 spec.externalName: "{"a" * 64}.b" is no valid name'],
    "type: ExternalName, externalName: a.b, clusterIP: 10.0.0.1": [
        "CD212 spec.clusterIP: may not be set when type is ExternalName"
    ],
    "type: ExternalName, externalName: a.b, ipFamilies: [IPv4]": [
        "CD212 spec.ipFamilies: may not be set when type is ExternalName"
    ],
    "externalIPs: [192.0.2.1], ports: [{port: 80}]": [],
    "externalIPs: [127.0.0.1, x], ports: [{port: 80}]": [
        "CD211 spec.externalIPs[0]: 127.0.0.1 is a loopback address",
        "CD211 spec.externalIPs[1]: 'x' is not an IP address",
    ],
    "selector: {app: a b}, ports: [{port: 80}]": ['CD204 spec.selector.app: "a b" is no valid label value'],
    "publishNotReadyAddresses: yes, ports: [{port: 80}]": [],
    'publishNotReadyAddresses: "true", ports: [{port: 80}]': [
        'CD202 spec.publishNotReadyAddresses: must be true or false, not the text "true"'
    ],
    "selectors: {a: b}, ports: [{port: 80}]": ["CD232 spec.selectors: an unknown field, which has no effect"],
    "clusterIp: None, ports: [{port: 80}]": ["CD232 spec.clusterIp: an unknown field, which has no effect"],
    "ports: [{port: 80, targetport: 8080}]": ["CD232 spec.ports[0].targetport: an unknown field, which has no effect"],
    "ports: [{port: 80, appProtocol: http}], sessionAffinity: None, internalTrafficPolicy: Cluster": [],
}


@pytest.mark.parametrize(("spec", "expected"), SERVICES.items(), ids=lambda value: str(value)[:60])
def test_services(spec: str, expected: list[str]) -> None:
    assert said(SERVICE.format(spec)) == expected


SERVICE_RULE = ("v1", "Service")
NAMES = [
    (SERVICE_RULE, "{name: web}", []),
    (SERVICE_RULE, "{name: 1web}", []),  # since 1.36
    (SERVICE_RULE, "{name: web.a}", ['CD203 metadata.name: "web.a" is no valid name']),
    (SERVICE_RULE, "{name: Web}", ['CD203 metadata.name: "Web" is no valid name']),
    (SERVICE_RULE, f"{{name: {'a' * 63}}}", []),
    (SERVICE_RULE, f"{{name: {'a' * 64}}}", [f'CD203 metadata.name: "{"a" * 64}" is no valid name']),
    (SERVICE_RULE, "{name: web, namespace: a_b}", ['CD203 metadata.namespace: "a_b" is no valid name']),
    (SERVICE_RULE, "{name: web, namespace: ''}", []),
    (SERVICE_RULE, "{}", ["CD205 metadata.name: required"]),
    (SERVICE_RULE, "{generateName: web-}", ["CD205 metadata.name: required"]),
    (SERVICE_RULE, "{name: web, labels: {-a: b}}", ['CD204 metadata.labels.-a: "-a" is no valid label key']),
    (SERVICE_RULE, "{name: web, labels: {a: b c}}", ['CD204 metadata.labels.a: "b c" is no valid label value']),
    (SERVICE_RULE, "{name: web, labels: [a]}", ["CD201 metadata.labels: must be a mapping, not a list"]),
    (("v1", "Namespace"), "{name: a.b}", ['CD203 metadata.name: "a.b" is no valid name']),
    (("v1", "Endpoints"), "{name: a.b}", []),
    (("v1", "Endpoints"), "{name: a..b}", ['CD203 metadata.name: "a..b" is no valid name with dots']),
    (("v1", "Endpoints"), f"{{name: {'a' * 253}}}", []),
    (("v1", "Endpoints"), f"{{name: {'a' * 254}}}", [f'CD203 metadata.name: "{"a" * 254}" is no valid name with dots']),
    (
        ("discovery.k8s.io/v1", "EndpointSlice"),
        "{name: a}",
        ["CD233 metadata.labels[kubernetes.io/service-name]: absent: the slice serves no Service"],
    ),
]


@pytest.mark.parametrize(("kind", "metadata", "expected"), NAMES, ids=lambda value: str(value)[:40])
def test_names_and_labels(kind: tuple[str, str], metadata: str, expected: list[str]) -> None:
    assert said(NAMED.format(*kind, metadata)) == expected


PENDING = "CD231 status.podIP: absent: the pod is pending, and no name points to it"
UP = "status: {podIP: 10.0.0.1}"
PODS = {
    UP: [],
    "spec: {}": [PENDING],
    "status: {phase: Succeeded}": [],
    "status: {phase: Failed}": [],
    "status: {phase: running, podIP: 10.0.0.1}": [
        'CD210 status.phase: "running" is none of Pending, Running, Succeeded, Failed, Unknown'
    ],
    "status: {podIP: x}": ["CD211 status.podIP: 'x' is not an IP address"],
    "status: {podIPs: [{ip: 10.0.0.1}, {ip: 10.0.0.2}]}": ["CD211 status.podIPs: more than one address of a family"],
    "status: {podIPs: [{ip: 10.0.0.1}, {ip: 'fd00::1'}]}": [],
    "status: {podIPs: [{ip: 10.0.0.1}, {ip: y}]}": ["CD211 status.podIPs[1].ip: 'y' is not an IP address"],
    UP + "\nspec: {hostname: a.b}": ['CD214 spec.hostname: "a.b" is no valid name'],
    UP + "\nspec: {subdomain: A}": ['CD214 spec.subdomain: "A" is no valid name'],
    UP + "\nspec: {subDomain: a}": ["CD232 spec.subDomain: an unknown field, which has no effect"],
    UP + "\nspec: {hostNetwork: true, nodeSelector: {a: b}, restartPolicy: Always}": [],
    UP + "\nspec: {containers: [{ports: [{containerPort: 0}]}]}": [
        "CD206 spec.containers[0].ports[0].containerPort: 0 is not between 1 and 65535"
    ],
    UP + "\nspec: {containers: [{ports: [{name: 8080, containerPort: 1}]}]}": [
        'CD208 spec.containers[0].ports[0].name: "8080" is no valid container port name'
    ],
    UP + "\nspec: {initContainers: [{ports: [{name: a, containerPort: 1}, {name: a, containerPort: 2}]}]}": [
        'CD209 spec.initContainers[0].ports[1].name: "a" is there twice'
    ],
    UP + "\nspec: {containers: [{ports: [{name: a, containerPort: 1}]}, {ports: [{name: a, containerPort: 2}]}]}": [],
}


@pytest.mark.parametrize(("rest", "expected"), PODS.items(), ids=lambda value: str(value)[:60])
def test_pods(rest: str, expected: list[str]) -> None:
    assert said(POD.format(rest)) == expected


V4 = "addressType: IPv4\n"
SLICES = {
    V4 + "endpoints: [{addresses: [10.0.0.1]}]": [],
    "endpoints: [{addresses: [10.0.0.1]}]": ["CD205 addressType: required"],
    "addressType: ipv4": ['CD210 addressType: "ipv4" is none of IPv4, IPv6, FQDN'],
    "addressType: FQDN\nendpoints: [{addresses: [a.example]}]": [],
    V4 + "endpoints: [{addresses: []}]": ["CD205 endpoints[0].addresses: required"],
    V4 + "endpoints: [{addresses: ['fd00::1']}]": [
        "CD211 endpoints[0].addresses[0]: fd00::1 is no IPv4 address as addressType says"
    ],
    **{
        f"{V4}endpoints: [{{addresses: [{address}]}}]": [
            f"CD211 endpoints[0].addresses[0]: {address} is {why}, no endpoint's"
        ]
        for address, why in {
            "0.0.0.0": "the unspecified address",
            "127.0.0.53": "a loopback address",
            "169.254.1.1": "a link-local address",
            "224.0.0.5": "a link-local multicast address",
        }.items()
    },
    **{
        f"addressType: IPv6\nendpoints: [{{addresses: ['{address}']}}]": [
            f"CD211 endpoints[0].addresses[0]: {address} is {why}, no endpoint's"
        ]
        for address, why in {
            "::": "the unspecified address",
            "::1": "a loopback address",
            "fe80::1": "a link-local address",
            "ff02::1": "a link-local multicast address",
            "::ffff:10.0.0.1": "an IPv4 address written as IPv6",
        }.items()
    },
    V4 + "endpoints: [{addresses: [169.253.0.1]}, {addresses: [224.0.1.1]}]": [],
    V4 + "endpoints: [{addresses: [10.0.0.1], hostname: a.b}]": ['CD214 endpoints[0].hostname: "a.b" is no valid name'],
    V4 + "endpoints: [{addresses: [10.0.0.1], conditions: {ready: maybe}}]": [
        "CD202 endpoints[0].conditions.ready: must be true or false, not maybe"
    ],
    V4 + f"endpoints: [{', '.join(['{addresses: [10.0.0.1]}'] * 1001)}]": [
        "CD216 endpoints: 1001 endpoints, at most 1000 are allowed"
    ],
    V4 + f"endpoints: [{{addresses: [{', '.join(['10.0.0.1'] * 101)}]}}]": [
        "CD216 endpoints[0].addresses: 101 addresses, at most 100 are allowed"
    ],
    V4 + "ports: [{name: a, port: 1}, {name: a, port: 2}]": ['CD209 ports[1].name: "a" is there twice'],
    V4 + "ports: [{port: 1}, {port: 2}]": ['CD209 ports[1].name: "" is there twice'],
    V4 + "ports: [{name: a, port: null}, {name: B, port: 70000, protocol: X}]": [
        'CD208 ports[1].name: "B" is no valid name',
        "CD206 ports[1].port: 70000 is not between 1 and 65535",
        'CD207 ports[1].protocol: "X" is none of TCP, UDP, SCTP',
    ],
    V4 + "endpoint: []": ["CD232 endpoint: an unknown field, which has no effect"],
}


@pytest.mark.parametrize(("rest", "expected"), SLICES.items(), ids=lambda value: str(value)[:70])
def test_slices(rest: str, expected: list[str]) -> None:
    assert said(SLICE.format(rest)) == expected


SUBSETS = {
    "[]": [],
    "null": [],
    "[{addresses: [{ip: 10.0.0.1}], ports: [{port: 80}]}]": [],
    "[{notReadyAddresses: [{ip: 10.0.0.1}]}]": [],
    "[{ports: [{port: 80}]}]": ["CD205 subsets[0]: must have addresses or notReadyAddresses"],
    "[{addresses: [{ip: 10.0.0.1}], ports: [{port: 80}, {name: a}]}]": [
        "CD205 subsets[0].ports[0].name: required when there is more than one port",
        "CD205 subsets[0].ports[1].port: required",
    ],
    "[{addresses: [{ip: 127.0.0.1, hostname: a.b}, {}]}]": [
        "CD211 subsets[0].addresses[0].ip: 127.0.0.1 is a loopback address, no endpoint's",
        'CD214 subsets[0].addresses[0].hostname: "a.b" is no valid name',
        "CD205 subsets[0].addresses[1].ip: required",
    ],
}


@pytest.mark.parametrize(("subsets", "expected"), SUBSETS.items(), ids=lambda value: str(value)[:60])
def test_endpoints(subsets: str, expected: list[str]) -> None:
    assert said(ENDPOINTS.format(subsets)) == expected


TEMPLATE = "template: {metadata: {labels: {app: a, tier: x}}}"
WORKLOADS = {
    "selector: {matchLabels: {app: a}}, " + TEMPLATE: [],
    "selector: {matchExpressions: [{key: app, operator: In, values: [a]}]}, " + TEMPLATE: [],
    TEMPLATE: ["CD205 spec.selector: required in a Deployment of apps/v1"],
    "selector: {}, " + TEMPLATE: ["CD205 spec.selector: has neither matchLabels nor matchExpressions"],
    "selector: {matchLabels: {app: b}}, " + TEMPLATE: [NO_MATCH],
    "selector: {matchLabels: {app: a}}": ["CD205 spec.template: required"],
    "selector: {matchExpressions: [{key: app, operator: DoesNotExist}]}, " + TEMPLATE: [
        NO_MATCH
    ],
    "selector: {matchExpressions: [{key: app, operator: in, values: [a]}]}, " + TEMPLATE: [
        'CD210 spec.selector.matchExpressions[0].operator: "in" is none of In, NotIn, Exists, DoesNotExist'
    ],
    "selector: {matchExpressions: [{key: app, operator: In}, {operator: Exists}]}, " + TEMPLATE: [
        "CD219 spec.selector.matchExpressions[0].values: In needs values",
        "CD205 spec.selector.matchExpressions[1].key: required",
    ],
    "replicas: -1, " + SELECTOR + TEMPLATE: ["CD217 spec.replicas: -1 is negative"],
    "replicas: 3000000000, " + SELECTOR + TEMPLATE: ["CD202 spec.replicas: 3000000000 is too large"],
    'replicas: "3", ' + SELECTOR + TEMPLATE: [
        'CD202 spec.replicas: must be a number, not the text "3"'
    ],
    "selector: {matchLabels: {app: a}}, template: {metadata: {labels: {app: a}}, spec: {hostname: A}}": [
        'CD214 spec.template.spec.hostname: "A" is no valid name'
    ],
    SELECTOR + "serviceName: a.b, " + TEMPLATE: ['CD203 spec.serviceName: "a.b" is no valid name'],
    "selector: {matchLabels: {app: a}}, template: {metadata: {labels: {app: a},"
    " annotations: {clusterdns.io/address: '127.0.0.1,x, 0.0.0.0'}}}": [
        "CD211 spec.template.metadata.annotations[clusterdns.io/address]: 'x' is not an IP address",
        "CD211 spec.template.metadata.annotations[clusterdns.io/address]: 0.0.0.0 is the unspecified address",
    ],
}  # fmt: skip


@pytest.mark.parametrize(("spec", "expected"), WORKLOADS.items(), ids=lambda value: str(value)[:60])
def test_workloads(spec: str, expected: list[str]) -> None:
    assert said(DEPLOYMENT.format(spec)) == expected


def test_a_missing_spec_is_told() -> None:
    assert said("{apiVersion: v1, kind: Service, metadata: {name: a}}") == ["CD205 spec: required"]
    assert said("{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}}") == ["CD205 spec: required"]


def test_json_numbers_are_not_text() -> None:
    text = '{"apiVersion":"v1","kind":"Service","metadata":{"name":"a"},"spec":'
    text += '{"ports":[{"port":"80","targetPort":"81"}]}}'
    assert said(text) == [
        'CD202 spec.ports[0].port: must be a number, not the text "80"',
        'CD202 spec.ports[0].targetPort: must be a number, not the text "81"',
    ]
    assert said(text.replace('"80"', "80").replace('"81"', "81")) == []


REMEDIES = {
    SERVICE.format("clusterIP: 10.0.0.010, ports: [{port: 80}]"): (
        "write 10.0.0.10: zeros in front are read as octal by some"
    ),
    SERVICE.format('ports: [{port: "80"}]'): "remove the quotes: 80",
    SERVICE.format("ports: [{port: 80, name: Web_1}]"): "write web-1",
    SERVICE.format("ports: [{port: 80, protocol: tcp}]"): "write TCP",
    SERVICE.format("type: nodeport, ports: [{port: 80}]"): "write NodePort",
    SERVICE.format("selectors: {}, ports: [{port: 80}]"): "write selector",
    NAMED.format("v1", "Service", "{name: My_Web}"): "write my-web",
    NAMED.format("v1", "Service", "{name: __}"): "use a to z, 0 to 9 and inner hyphens, at most 63 characters",
    DEPLOYMENT.format("selector: {matchLabels: {app: a}}, template: {}"): "give the template the label app: a",
}


@pytest.mark.parametrize(("text", "remedy"), REMEDIES.items(), ids=lambda value: str(value)[-40:])
def test_remedies_can_be_followed(text: str, remedy: str) -> None:
    assert [problem.remedy for problem in decode(text).problems] == [remedy]


def test_all_problems_come_at_once_at_their_lines() -> None:
    decoded = decode("""\
apiVersion: v1
kind: Service
metadata:
  name: Web
  labels:
    app: a b
spec:
  ports:
  - port: 0
    protocol: tcp
  - name: b
    port: "80"
""")
    assert [(problem.line, problem.code) for problem in decoded.problems] == [
        (4, "CD203"), (6, "CD204"), (9, "CD205"), (9, "CD206"), (10, "CD207"), (12, "CD202"),
    ]  # fmt: skip


def test_no_better_name_is_looked_for_where_it_would_take_long() -> None:
    short, long = "x.y://web/", "x.y://web/" + "x" * 2000
    metadata = "metadata: {{name: {}, labels: {{a: {}}}}}"
    remedies = [
        [
            one.remedy
            for one in decode(SERVICE.replace("metadata: {{name: web}}", metadata).format(name, label, "")).problems
        ]
        for name, label in ((short, "a b"), (long, "a b" * 1000))
    ]
    assert [remedy.split()[0] for remedy in remedies[0][:2]] == ["write", "write"]
    assert [remedy.split()[0] for remedy in remedies[1][:2]] == ["use", "use"]
