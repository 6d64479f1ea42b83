"""A pod's resolv.conf by kubelet's rules: what a node and a pod say, and the file that comes out."""

import pytest
from msgspec.structs import replace

from clusterdns.errors import OperatorError
from clusterdns.workload.pod_dns import parse_pod
from clusterdns.workload.resolv_conf import Node, PodDns, ResolvConf, parse_resolv_conf, pod_resolv_conf

HOST = ResolvConf(("192.0.2.1", "192.0.2.2"), ("corp.example", "example"), ("rotate", "timeout:1"))
NODE = Node(("10.96.0.10",), "cluster.local", HOST)
CLUSTER = "shop.svc.cluster.local svc.cluster.local cluster.local"

POLICIES = {
    "ClusterFirst": ("ClusterFirst", False, f"""
        search {CLUSTER} corp.example example
        nameserver 10.96.0.10
        options ndots:5"""),
    "ClusterFirst on the host's network": ("ClusterFirst", True, """
        search corp.example example
        nameserver 192.0.2.1
        nameserver 192.0.2.2
        options rotate timeout:1"""),
    "ClusterFirstWithHostNet": ("ClusterFirstWithHostNet", True, f"""
        search {CLUSTER} corp.example example
        nameserver 10.96.0.10
        options ndots:5"""),
    "Default": ("Default", False, """
        search corp.example example
        nameserver 192.0.2.1
        nameserver 192.0.2.2
        options rotate timeout:1"""),
    "None": ("None", False, ""),
}  # fmt: skip


def told(pod: PodDns, node: Node = NODE) -> list[str]:
    """The file's lines, then the warnings."""
    conf, warnings = pod_resolv_conf(pod, node)
    return conf.text().splitlines() + warnings


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines()]


@pytest.mark.parametrize(("policy", "host_network", "expected"), POLICIES.values(), ids=POLICIES)
def test_policies(policy: str, host_network: bool, expected: str) -> None:
    assert told(PodDns("shop", policy, host_network)) == lines(expected)


def test_without_cluster_dns_it_is_the_hosts_file() -> None:
    node = replace(NODE, cluster_dns=())
    *file, warning = told(PodDns("shop"), node)
    assert file == told(PodDns("shop", "Default"))
    assert warning.startswith("MissingClusterDNS: ")
    assert told(PodDns("shop", "ClusterFirst", host_network=True), node) == file


def test_without_a_domain_there_is_only_the_hosts_search() -> None:
    assert told(PodDns("shop"), replace(NODE, domain=""))[0] == "search corp.example example"


@pytest.mark.parametrize(
    ("families", "servers"),
    [((4,), ["127.0.0.1"]), ((6,), ["::1"]), ((6, 4), ["::1", "127.0.0.1"]), ((), ["127.0.0.1"])],
)
def test_without_a_hosts_file(families: tuple[int, ...], servers: list[str]) -> None:
    node = replace(NODE, host=None, families=families)
    assert told(PodDns("shop", "Default"), node) == ["search .", *(f"nameserver {server}" for server in servers)]
    assert told(PodDns("shop"), node) == [f"search {CLUSTER}", "nameserver 10.96.0.10", "options ndots:5"]


MERGES = {
    "behind what the policy gives, each once": (
        ResolvConf(("9.9.9.9", "10.96.0.10"), ("my.example", "example"), ()), f"""
        search {CLUSTER} corp.example example my.example
        nameserver 10.96.0.10
        nameserver 9.9.9.9
        options ndots:5"""),
    "an option's later value wins; one without a value takes it away": (
        ResolvConf(options=("ndots:2", "edns0", "timeout:3", "timeout")), f"""
        search {CLUSTER} corp.example example
        nameserver 10.96.0.10
        options ndots:2 edns0 timeout"""),
    "underscores and the single dot": (ResolvConf(searches=("_sites.example", ".")), f"""
        search {CLUSTER} corp.example example _sites.example .
        nameserver 10.96.0.10
        options ndots:5"""),
}  # fmt: skip


@pytest.mark.parametrize(("config", "expected"), MERGES.values(), ids=MERGES)
def test_dns_config(config: ResolvConf, expected: str) -> None:
    assert told(PodDns("shop", config=config)) == lines(expected)


def test_with_policy_none_only_dns_config_counts() -> None:
    config = ResolvConf(("9.9.9.9",), ("a.example",), ("ndots:1",))
    assert told(PodDns("shop", "None", config=config)) == ["search a.example", "nameserver 9.9.9.9", "options ndots:1"]


def test_an_empty_dns_config_still_removes_what_is_there_twice() -> None:
    node = replace(NODE, host=ResolvConf(("192.0.2.1",) * 2, ("a", "a"), ("timeout:",)))
    assert told(PodDns(policy="Default"), node) == ["search a a", *["nameserver 192.0.2.1"] * 2, "options timeout:"]
    assert told(PodDns(policy="Default", config=ResolvConf()), node) == [
        "search a",
        "nameserver 192.0.2.1",
        "options timeout",
    ]


def test_three_nameservers() -> None:
    conf, warnings = pod_resolv_conf(PodDns(config=ResolvConf(("1.1.1.1", "2.2.2.2", "3.3.3.3"))), NODE)
    assert conf.nameservers == ("10.96.0.10", "1.1.1.1", "2.2.2.2")
    assert warnings == ["DNSConfigForming: more than 3 nameservers; left out: 3.3.3.3"]


LONG = "x" * 63 + "."
LIMITS = {
    "32 domains": ([f"d{at}" for at in range(32)], 32),
    "33 domains": ([f"d{at}" for at in range(33)], 32),
    "253 characters": ([(LONG * 4)[:253], "a"], 2),
    "254 characters": ([(LONG * 4)[:254], "a"], 1),
    "one over-long domain among 33 makes no room": ([(LONG * 4)[:254], *(f"d{at}" for at in range(32))], 31),
    # n domains of 204 characters are 205 n - 1 with the spaces between them.
    "2048 characters": ([(f"{at}." + LONG * 4)[:204] for at in range(9)] + ["y" * 203], 10),
    "2049 characters": ([(f"{at}." + LONG * 4)[:204] for at in range(9)] + ["y" * 204], 9),
    "as many of the last as it takes": ([(f"{at}." + LONG * 4)[:204] for at in range(12)], 9),
}


@pytest.mark.parametrize(("searches", "kept"), LIMITS.values(), ids=LIMITS)
def test_limits_of_the_search_line(searches: list[str], kept: int) -> None:
    node = replace(NODE, host=ResolvConf(("192.0.2.1",), tuple(searches)))
    conf, warnings = pod_resolv_conf(PodDns(policy="Default"), node)
    assert len(conf.searches) == kept
    assert set(conf.searches) <= set(searches)
    assert len(" ".join(conf.searches)) <= 2048
    assert len(warnings) == (kept < len(searches))


def test_reading_a_hosts_file() -> None:
    text = """\
# made by hand
; a comment, too
domain ignored.example
search first.example
nameserver 192.0.2.1
  nameserver\t2001:db8::1   trailing words
search Second.example. . third.example
options ndots:3 rotate
options ndots:2
nameservers 192.0.2.9
"""
    assert parse_resolv_conf(text) == ResolvConf(
        ("192.0.2.1", "2001:db8::1"), ("Second.example", "third.example"), ("ndots:2", "rotate")
    )
    assert parse_resolv_conf("search a\nsearch\n") == ResolvConf()
    with pytest.raises(ValueError, match=r"^2: nameserver without an address"):
        parse_resolv_conf("search a\nnameserver\n")


POD = """\
apiVersion: v1
kind: Service
metadata: {name: web}
---
apiVersion: v1
kind: Pod
metadata: {name: web-0, namespace: shop}
spec:
  dnsPolicy: None
  hostNetwork: true
  dnsConfig:
    nameservers: [192.0.2.1, "2001:db8::1"]
    searches: [example., _sites.example, .]
    options:
      - name: ndots
        value: "2"
      - {name: edns0}
  containers: []
"""


def test_a_pod_says() -> None:
    assert parse_pod(POD.encode(), "pod.yaml") == PodDns(
        "shop",
        "None",
        host_network=True,
        config=ResolvConf(("192.0.2.1", "2001:db8::1"), ("example.", "_sites.example", "."), ("ndots:2", "edns0")),
    )


def test_a_pod_that_says_nothing() -> None:
    assert parse_pod(b'{"apiVersion": "v1", "kind": "Pod", "spec": {"containers": []}}', "pod.json") == PodDns()
    assert parse_pod(b"apiVersion: v1\nkind: Pod\nspec: {dnsConfig: {}}", "pod.yaml") == PodDns(config=ResolvConf())


WRONG = {
    "a policy": ("None", "none", ["9: error CD210", "write None"]),
    "no nameserver for None": ('[192.0.2.1, "2001:db8::1"]', "[]", ["12: error CD205", "nameservers: at least one"]),
    "four nameservers": ("[192.0.2.1,", "[1.1.1.1, 1.1.1.2, 192.0.2.1,", ["12: error CD216", "more than 3"]),
    "no address": ("192.0.2.1", "dns.example", ["12: error CD211", "nameservers[0]: 'dns.example' is not an IP"]),
    "no domain": ("example.,", "exa mple,", ["13: error CD203", 'searches[0]: "exa mple" is no search domain']),
    "33 domains": ("example.,", "example.," * 33, ["13: error CD216", "more than 32 domains"]),
    "an option without a name": ("{name: edns0}", "{value: x}", ["17: error CD205", "options[1].name: required"]),
    "no flag": ("true", "maybe", ["10: error CD202", "hostNetwork: must be true or false"]),
    "no list": ("[example., _sites.example, .]", "example", ["13: error CD201", "searches: must be a list, not text"]),
    "no YAML": ("options:", "options", ["", "CD103"]),
}


@pytest.mark.parametrize(("old", "new", "complaints"), WRONG.values(), ids=WRONG)
def test_a_pod_that_the_api_would_refuse(old: str, new: str, complaints: list[str]) -> None:
    with pytest.raises(OperatorError) as caught:
        parse_pod(POD.replace(old, new).encode(), "pod.yaml")
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith(f"pod.yaml:{complaints[0]}")
    assert old == "options:" or complaints[1] in text


def test_a_file_without_a_pod() -> None:
    with pytest.raises(OperatorError, match=r"^pod\.yaml:1: no Pod in it; "):
        parse_pod(b"kind: Pod\n", "pod.yaml")
