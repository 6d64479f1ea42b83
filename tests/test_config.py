"""Settings: sources in order, every problem at once with its place."""

import re
import subprocess
import sys
from ipaddress import ip_network
from pathlib import Path

import pytest

from clusterdns.cluster.labels import parse_selector
from clusterdns.config import SETTINGS, Settings, check_config, load_settings
from clusterdns.errors import OperatorError

REFERENCE = Path(__file__).parent.parent / "configs" / "clusterdns.yaml"
DEFAULTS = load_settings({}, {})
FORMS = "write 10.0.0.1, 10.0.0.1:53, [2001:db8::1]:53, tls://9.9.9.9#dns.quad9.net or /etc/resolv.conf"


def problems_of(text: str, tmp_path: Path, **environ: str) -> list[str]:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(OperatorError) as caught:
        load_settings({}, environ, str(path))
    return str(caught.value).replace(f"{tmp_path}/", "").split("\n")


def test_the_defaults() -> None:
    expected = Settings(
        source="manifests",
        manifests=(),
        kubeconfig="",
        max_staleness=0.0,
        listen=(("127.0.0.1", 1053),),
        http=(("127.0.0.1", 9153),),
        domain="cluster.local.",
        zones=(),
        ttl=5,
        pods="disabled",
        namespaces=(),
        namespace_labels=(),
        labels=(),
        endpoint_pod_names=False,
        noendpoints=False,
        ignore_empty_service=False,
        fallthrough=("in-addr.arpa.", "ip6.arpa."),
        wildcards=False,
        answer_order="rotate",
        max_udp_octets=1232,
        cookie_secrets=(),
        server_version="",
        server_id="",
        tcp_idle=10.0,
        tcp_connections=4096,
        tcp_per_client=256,
        query_log=(),
        query_log_format="common",
        query_log_sample=1,
        query_log_rate=1000,
        metrics_deprecated=False,
        upstream=(),
        stub_domains=(),
        forward_policy="random",
        forward_tcp=False,
        forward_timeout=5.0,
        forward_per_client=1000,
        forward_total=4096,
        cache_octets=32 << 20,
        cache_max_ttl=86_400,
        cache_max_negative_ttl=3600,
        cache_min_ttl=0,
        prefetch=True,
        serve_stale=86_400,
        kept_home=(
            "localhost.",
            "local.",
            "invalid.",
            "test.",
            "onion.",
            "alt.",
            "home.arpa.",
            "resolver.arpa.",
            "service.arpa.",
        ),
        local_reverse=False,
        service_cidr=(ip_network("10.96.0.0/12"), ip_network("fd00:10:96::/112")),
        pod_cidr=(ip_network("10.244.0.0/16"), ip_network("fd00:10:244::/64")),
        ns_addresses=(),
        cluster_dns=(b"\x0a\x60\x00\x0a",),
        stand_ins=True,
        state_dir="",
        http_token="",
        max_yaml_octets=16 << 20,
        max_json_octets=256 << 20,
        lameduck=5.0,
    )
    assert expected == DEFAULTS
    assert expected == load_settings({"ttl": "05"}, {})


def test_the_reference_file_holds_every_setting_with_its_default_and_a_comment() -> None:
    text = REFERENCE.read_text()
    assert re.findall(r"^(?:# .+\n)+(\w+): ", text, re.MULTILINE) == [*SETTINGS] == [*Settings.__struct_fields__]
    assert re.findall(r"^(\w+):", text, re.MULTILINE) == [*SETTINGS]
    assert load_settings({}, {}, str(REFERENCE)) == DEFAULTS
    for name, setting in SETTINGS.items():
        quoted = [f'"{item}"' for item in setting.default] if isinstance(setting.default, list) else None
        shown = f"[{', '.join(quoted)}]" if quoted is not None else setting.default or '""'
        shown = "{}" if setting.mapping else shown
        assert f"\n{name}: {shown}\n" in text


def test_flag_beats_variable_beats_file_beats_default(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("ttl: 1\ndomain: file.test\nlameduck: 1\nlisten: 127.0.0.1:1\n")
    environ = {"CLUSTERDNS_CONFIG": str(path), "CLUSTERDNS_TTL": "2", "CLUSTERDNS_DOMAIN": "variable.test"}
    settings = load_settings({"ttl": "3", "domain": None, "listen": ()}, environ)
    assert (settings.ttl, settings.domain, settings.lameduck) == (3, "variable.test.", 1.0)
    assert settings.listen == (("127.0.0.1", 1),)
    assert settings.pod_cidr == DEFAULTS.pod_cidr


def test_a_stronger_source_mends_a_wrong_value(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("ttl: soon\n")
    assert load_settings({"ttl": 7}, {}, str(path)).ttl == 7


def test_lists_in_variables_are_separated_by_commas() -> None:
    environ = {"CLUSTERDNS_LISTEN": "127.0.0.1:0, [::1]:0", "CLUSTERDNS_HTTP": "", "CLUSTERDNS_STAND_INS": "no"}
    settings = load_settings({}, environ)
    assert settings.listen == (("127.0.0.1", 0), ("::1", 0))
    assert settings.http == ()
    assert settings.stand_ins is False


def test_kubernetes_own_variables_for_a_service_of_our_name_are_nobodys_fault() -> None:
    environ = {"CLUSTERDNS_PORT": "udp://10.96.0.10:53", "CLUSTERDNS_SERVICE_HOST": "10.96.0.10"}
    assert load_settings({}, environ) == DEFAULTS


def test_values_become_useful_forms() -> None:
    settings = load_settings(
        {
            "manifests": ["a", "b"],
            "http": ("",),
            "listen": ["[2001:DB8::1]:53", "0.0.0.0:53"],
            "ns_addresses": ["192.0.2.1", "::1"],
            "domain": "Cluster.Example.",
            "service_cidr": ["fd00::/112"],
            "lameduck": "500ms",
            "ttl": "1m",
            "stand_ins": False,
            "cookie_secrets": ["e5e973e5a6b2a43f48e7dc849e37bfcf", "00" * 16],
            "tcp_idle": "2m",
            "query_log": ["denial", "error"],
            "query_log_format": "json",
            "max_udp_octets": "4096",
        },
        {},
    )
    assert settings.cookie_secrets == (bytes.fromhex("e5e973e5a6b2a43f48e7dc849e37bfcf"), bytes(16))
    assert (settings.tcp_idle, settings.max_udp_octets) == (120.0, 4096)
    assert (settings.query_log, settings.query_log_format) == (("denial", "error"), "json")
    assert settings.manifests == ("a", "b")
    assert settings.http == ()
    assert settings.listen == (("2001:db8::1", 53), ("0.0.0.0", 53))
    assert settings.ns_addresses == (b"\xc0\x00\x02\x01", b"\0" * 15 + b"\x01")
    assert settings.domain == "cluster.example."
    assert settings.service_cidr == (ip_network("fd00::/112"),)
    assert (settings.lameduck, settings.ttl, settings.stand_ins) == (0.5, 60, False)


def test_all_problems_at_once_each_with_its_place(tmp_path: Path) -> None:
    text = """\
listn: ["127.0.0.1:1053"]
ttl: 5x
listen:
  - 127.0.0.1:1053
  - localhost:53
  - [nested]
source: nobody
domain: a..b
service_cidr: [10.96.0.1/12]
pod_cidr: [10.0.0.0/16, 10.1.0.0/16]
upstream: a
stand_ins: {a: 1}
lameduck:
http: ["127.0.0.1:1", "127.0.0.1:1"]
http: []
"""
    expected = f"""\
c.yaml:1:1: unknown setting listn; did you mean listen?
c.yaml:2:6: ttl: '5x' is no duration; write seconds, or 500ms, 5s, 1m, 1h
c.yaml:5:5: listen: 'localhost' is not an IP address; write 127.0.0.1:1053, or 0.0.0.0:1053 and [::]:1053 for all
c.yaml:6:5: listen: an item is one plain value; write it out
c.yaml:7:9: source: 'nobody' is no source; write manifests, kubernetes or none
c.yaml:8:9: domain: 'a..b' is no domain name; write labels of 1 to 63 letters, digits and hyphens with dots between them
c.yaml:9:16: service_cidr: '10.96.0.1/12' is no network; write 10.96.0.0/12
c.yaml:10:11: pod_cidr: two networks of one family; keep one IPv4 and one IPv6 network
c.yaml:11:11: upstream: 'a' is no upstream; {FORMS}
c.yaml:12:12: stand_ins takes a value or a list of values; write them out
c.yaml:13:10: lameduck has no value; write one, or remove the line
c.yaml:14:7: http: 127.0.0.1 port 1 is listed twice; remove one
c.yaml:15:1: http is set twice; remove one
CLUSTERDNS_NS_ADDRESSES: '1.2' is not an IP address; write one like 192.0.2.53 or 2001:db8::53"""
    assert problems_of(text, tmp_path, CLUSTERDNS_NS_ADDRESSES="1.2.3.4,1.2") == expected.split("\n")


ONE_PROBLEM = {
    "a port too high": ("listen: [127.0.0.1:65536]", "c.yaml:1:10: listen: '127.0.0.1:65536' is not ADDR:PORT"),
    "IPv6 without brackets": ("listen: ['::1:53']", "c.yaml:1:10: listen: '::1:53' is not ADDR:PORT"),
    "a host name": ("listen: [localhost:53]", "c.yaml:1:10: listen: 'localhost' is not an IP address; write 127"),
    "nowhere to listen": ("listen: []", "c.yaml:1:9: listen: needs at least one value"),
    "no such source": ("source: etcd", "c.yaml:1:9: source: 'etcd' is no source; write manifests, kubernetes or none"),
    "a list for a scalar": ("ttl: [5]", "c.yaml:1:6: ttl: takes one value; write it without a list"),
    "a TTL over an hour": ("ttl: 3601", "c.yaml:1:6: ttl: '3601' is out of range; write whole seconds from 0 to 3600"),
    "half a second of TTL": ("ttl: 500ms", "c.yaml:1:6: ttl: '500ms' is out of range"),
    "no truth": ("stand_ins: maybe", "c.yaml:1:12: stand_ins: 'maybe' is neither true nor false"),
    "no network": ("pod_cidr: [all]", "c.yaml:1:12: pod_cidr: 'all' is no network; write ADDRESS/LENGTH"),
    "the root": ('domain: "."', "c.yaml:1:9: domain: '.' is no domain name"),
    "not a mapping": ("- ttl", "c.yaml:1:1: not a mapping; write one `setting: value` per line"),
    "a key that is no name": ("ttl: 5\n? [a]\n: 5", "c.yaml:2:3: a setting has a plain name"),
    "two documents": ("ttl: 5\n---\nttl: 6", "c.yaml:2:1: a second document"),
    "an alias": ("domain: &a b.test\nmanifests: [*a]", "c.yaml:2:13: manifests: an item is one plain value"),
    "broken YAML": ("ttl: [5\nlisten: x", "c.yaml:2:7: did not find expected ',' or ']'; mend the YAML"),
    "a control character": ("ttl: \x01", "c.yaml:1:6: a control character; remove it"),
    "too few octets": ("max_udp_octets: 511", "c.yaml:1:17: max_udp_octets: '511' is out of range; write a"),
    "too many octets": ("max_udp_octets: 4097", "c.yaml:1:17: max_udp_octets: '4097' is out of range"),
    "half a secret": (
        "cookie_secrets: [e5e973e5a6b2a43f]",
        "c.yaml:1:18: cookie_secrets: not 32 hexadecimal digits; make some with `openssl rand -hex 16`"),
    "no letters of an answer": ('server_id: "\u00e9"', "c.yaml:1:12: server_id: 'é' does not fit into an answer"),
    "too long an identity": (f"server_id: {'x' * 64}", f"c.yaml:1:12: server_id: '{'x' * 64}' does not fit"),
    "no patience": ("tcp_idle: 500ms", "c.yaml:1:11: tcp_idle: '500ms' is out of range; write 1 to 3600 seconds"),
    "no connections": ("tcp_connections: 0", "c.yaml:1:18: tcp_connections: '0' is out of range; write a"),
    "deep nesting": ("ttl: " + "[" * 30_000, "c.yaml:2:1: did not find expected node content"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), ONE_PROBLEM.values(), ids=ONE_PROBLEM)
def test_one_problem(text: str, expected: str, tmp_path: Path) -> None:
    assert problems_of(text, tmp_path)[-1].startswith(expected)


UPSTREAMS = {
    "10.0.0.1": "10.0.0.1:53",
    "10.0.0.1:5353": "10.0.0.1:5353",
    "2001:DB8::1": "[2001:db8::1]:53",
    "[::1]:5353": "[::1]:5353",
    "tls://9.9.9.9": "tls://9.9.9.9:853",
    "tls://9.9.9.9:8853#Dns.quad9.net": "tls://9.9.9.9:8853#Dns.quad9.net",
    "tls://2620:fe::fe#dns.quad9.net": "tls://[2620:fe::fe]:853#dns.quad9.net",
    "/etc/resolv.conf": "/etc/resolv.conf",
}


@pytest.mark.parametrize("text", UPSTREAMS)
def test_upstreams_in_their_one_form(text: str) -> None:
    assert load_settings({"upstream": [text, UPSTREAMS[text]]}, {}).upstream == (UPSTREAMS[text],)


STUBS = (("corp.example.", ("10.0.0.1:53", "10.0.0.2:5353")), ("other.", ("tls://10.0.0.3:853",)))


def test_stub_domains_in_a_file_a_variable_and_a_flag(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("stub_domains:\n  Corp.Example: [10.0.0.1, '10.0.0.2:5353']\n  other.: tls://10.0.0.3\n")
    assert load_settings({}, {}, str(path)).stub_domains == STUBS
    items = ["corp.example=10.0.0.1 10.0.0.2:5353", "other=tls://10.0.0.3"]
    assert load_settings({}, {"CLUSTERDNS_STUB_DOMAINS": ",".join(items)}).stub_domains == STUBS
    assert load_settings({"stub_domains": items}, {}).stub_domains == STUBS


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "ttl: '5'\n"])
def test_a_file_may_say_little(text: str, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    assert load_settings({}, {}, str(path)) == DEFAULTS
    assert check_config(str(path)) == []


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(OperatorError) as caught:
        load_settings({}, {}, "no/such.yaml")
    assert str(caught.value) == (
        "no/such.yaml: cannot be read: No such file or directory; name a readable file with --config"
    )


def test_check_gives_the_problems_of_a_file_as_problems(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("ttl: 5\nlistn: x\n")
    assert [str(problem) for problem in check_config(str(path))] == [
        f"{path}:2: error CD900 column 1: unknown setting listn; did you mean listen?"
    ]


def test_settings_are_cheap_to_import() -> None:
    """pydantic costs tens of milliseconds: only loading may pay them."""
    code = "import sys, clusterdns.config; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("text", "zones", "domain"),
    [
        ("domain: corp.example", (), "corp.example."),
        ("zones: [corp.example, Cluster.Local.]", ("corp.example.", "cluster.local."), "corp.example."),
        ("zones: [10.0.0.0/8, cluster.local]", ("10.in-addr.arpa.", "cluster.local."), "cluster.local."),
        (
            "zones: [cluster.local, 10.96.0.0/15, 10.97.0.0/16]",
            ("cluster.local.", "96.10.in-addr.arpa.", "97.10.in-addr.arpa."),
            "cluster.local.",
        ),
        ("zones: [a.test, 'fd00::/9']", ("a.test.", "0.d.f.ip6.arpa.", "1.d.f.ip6.arpa."), "a.test."),
        ("zones: a.test\ndomain: a.test.", ("a.test.",), "a.test."),
        ("zones: [a.test, 0.0.0.0/0]", ("a.test.", "in-addr.arpa."), "a.test."),
    ],
)
def test_zones_are_names_and_networks(tmp_path: Path, text: str, zones: tuple[str, ...], domain: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text + "\n")
    settings = load_settings({}, {}, str(path))
    if zones and "fd00" not in text:
        assert (settings.zones, settings.domain) == (zones, domain)
    else:
        assert settings.domain == domain


MEANINGLESS = [
    ("zones: [10.0.0.0/8]", "zones: there is no forward zone among them; add the cluster's, such as cluster.local"),
    (
        "zones: [a.test]\ndomain: b.test",
        "domain: zones begin with a.test.; write the same, or leave domain out",
    ),
    (
        "zones: [a.test, eu.svc.a.test]",
        "zones: eu.svc.a.test. would hide names of a.test.; leave one of them out",
    ),
    ("namespaces: [a]\nnamespace_labels: b", "namespace_labels: namespaces is set, too; keep one of them"),
    (
        "noendpoints: true\nignore_empty_service: true",
        "ignore_empty_service: with noendpoints every Service would be empty; keep one of them",
    ),
    (
        "fallthrough: [10.0.0.0/8]",
        "fallthrough: 10.in-addr.arpa. is a part of in-addr.arpa.; list it in zones, too, or write in-addr.arpa.",
    ),
    ("zones: [a.test, 300.in-addr.arpa]", "can hold no address"),
    ("zones: [a.test, 10.0.0.1/8]", "write 10.0.0.0/8"),
    ("pods: some", "write disabled, insecure or verified"),
    ("answer_order: best", "write rotate, random or fixed"),
    ("labels: a b", "is no label selector from character 1 on; write it as for kubectl"),
    ("labels: [a, b]", "takes one value; write it without a list"),
    ("namespaces: [A]", "is no name of a namespace"),
    ("ttl: 3601", "write whole seconds from 0 to 3600"),
]


@pytest.mark.parametrize(("text", "problem"), MEANINGLESS)
def test_settings_that_mean_nothing_are_refused(tmp_path: Path, text: str, problem: str) -> None:
    (told,) = problems_of(text + "\n", tmp_path)
    assert problem in told
    assert problems_of(f"{text}\nlameduck: never\n", tmp_path)[:-1] == [told], "beside another one, too"


def test_selectors_are_kubectls_and_fallthrough_takes_the_root(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text('labels: "app in (a,b),!old"\nnamespace_labels: team=x\nfallthrough: ["."]\n')
    settings = load_settings({}, {"CLUSTERDNS_LABELS": "app in (a,b), tier!=c"}, str(path))
    assert settings.labels == parse_selector("app in (a,b), tier!=c")
    assert settings.namespace_labels == parse_selector("team=x")
    assert settings.fallthrough == (".",)
    assert load_settings({"fallthrough": [""]}, {}).fallthrough == ()
