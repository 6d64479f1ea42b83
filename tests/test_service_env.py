"""Docker-style variables: by example, and against kubelet's own functions written down again."""

import json
import os
import random
import re
import subprocess
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from clusterdns.cli.state import world
from clusterdns.cluster.addresses import parse_address
from clusterdns.cluster.model import Key, Service, ServicePort
from clusterdns.workload.service_env import as_json, dotenv, service_variables, shell


def service(name: str, address: str, *ports: tuple[str, int, str], namespace: str = "shop") -> Service:
    """*ports*: (protocol, number, name)."""
    made = tuple(ServicePort(port_name, protocol, number, number) for protocol, number, port_name in ports)
    return Service(Key(namespace, name), cluster_ips=tuple(map(parse_address, address.split())), ports=made)


CASES = {
    "the documentation's example": (service("redis-primary", "10.0.0.11", ("tcp", 6379, "")), """
        REDIS_PRIMARY_SERVICE_HOST=10.0.0.11
        REDIS_PRIMARY_SERVICE_PORT=6379
        REDIS_PRIMARY_PORT=tcp://10.0.0.11:6379
        REDIS_PRIMARY_PORT_6379_TCP=tcp://10.0.0.11:6379
        REDIS_PRIMARY_PORT_6379_TCP_PROTO=tcp
        REDIS_PRIMARY_PORT_6379_TCP_PORT=6379
        REDIS_PRIMARY_PORT_6379_TCP_ADDR=10.0.0.11"""),
    "IPv6 has brackets in URLs only": (service("v6", "fd00::1", ("tcp", 80, "")), """
        V6_SERVICE_HOST=fd00::1
        V6_SERVICE_PORT=80
        V6_PORT=tcp://[fd00::1]:80
        V6_PORT_80_TCP=tcp://[fd00::1]:80
        V6_PORT_80_TCP_PROTO=tcp
        V6_PORT_80_TCP_PORT=80
        V6_PORT_80_TCP_ADDR=fd00::1"""),
    "every named port, the first too; the first family only": (
        service("dns", "10.0.0.53 fd00::53", ("udp", 53, "dns"), ("tcp", 53, "dns-tcp")), """
        DNS_SERVICE_HOST=10.0.0.53
        DNS_SERVICE_PORT=53
        DNS_SERVICE_PORT_DNS=53
        DNS_SERVICE_PORT_DNS_TCP=53
        DNS_PORT=udp://10.0.0.53:53
        DNS_PORT_53_UDP=udp://10.0.0.53:53
        DNS_PORT_53_UDP_PROTO=udp
        DNS_PORT_53_UDP_PORT=53
        DNS_PORT_53_UDP_ADDR=10.0.0.53
        DNS_PORT_53_TCP=tcp://10.0.0.53:53
        DNS_PORT_53_TCP_PROTO=tcp
        DNS_PORT_53_TCP_PORT=53
        DNS_PORT_53_TCP_ADDR=10.0.0.53"""),
    "headless": (Service(Key("shop", "db"), headless=True, ports=(ServicePort("", "tcp", 5432, 5432),)), ""),
    "ExternalName": (Service(Key("shop", "out"), type="ExternalName", external_name="example.org"), ""),
    "not yet allocated": (service("new", "", ("tcp", 80, "")), ""),
    "of another namespace": (service("web", "10.0.0.1", ("tcp", 80, ""), namespace="other"), ""),
}  # fmt: skip


@pytest.mark.parametrize(("one", "expected"), CASES.values(), ids=CASES)
def test_variables(one: Service, expected: str) -> None:
    got = [f"{name}={value}" for name, value in service_variables([one], "shop").items()]
    assert got == expected.split()


API_SERVER = service("kubernetes", "10.96.0.1", ("tcp", 443, "https"), namespace="default")
OWN = service("kubernetes", "10.96.0.2", ("tcp", 6443, ""))


@pytest.mark.parametrize(
    ("services", "namespace", "links", "host"),
    [
        ([API_SERVER], "shop", True, "10.96.0.1"),
        ([API_SERVER], "shop", False, "10.96.0.1"),
        ([API_SERVER], "default", False, "10.96.0.1"),
        ([API_SERVER, OWN], "shop", True, "10.96.0.2"),
        ([OWN, API_SERVER], "shop", True, "10.96.0.2"),
        ([OWN, API_SERVER], "shop", False, "10.96.0.1"),
        ([OWN, API_SERVER], "other", True, "10.96.0.1"),
        ([OWN], "shop", False, None),
    ],
)
def test_the_api_server(services: list[Service], namespace: str, links: bool, host: str | None) -> None:
    assert service_variables(services, namespace, links=links).get("KUBERNETES_SERVICE_HOST") == host


def test_of_two_services_with_one_variable_the_later_name_counts() -> None:
    services = [service("web-service", "10.0.0.2", ("tcp", 81, "")), service("web", "10.0.0.1", ("tcp", 80, ""))]
    for order in (services, services[::-1]):
        assert service_variables(order, "shop")["WEB_SERVICE_PORT"] == "tcp://10.0.0.2:81"


# kubelet, as directly as Python allows: envvars.go, and getServiceEnvVarMap of kubelet_pods.go.  It reads manifests.


def make_env_variable_name(text: str) -> str:
    return text.replace("-", "_").upper()


def join_host_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def make_link_variables(item: dict[str, Any]) -> list[tuple[str, str]]:
    prefix, ip = make_env_variable_name(item["metadata"]["name"]), item["spec"]["clusterIP"]
    result = []
    for index, port in enumerate(item["spec"]["ports"]):
        protocol = port.get("protocol") or "TCP"
        url = protocol.lower() + "://" + join_host_port(ip, port["port"])
        if index == 0:
            result.append((prefix + "_PORT", url))
        port_prefix = f"{prefix}_PORT_{port['port']}_{protocol.upper()}"
        result += [
            (port_prefix, url),
            (port_prefix + "_PROTO", protocol.lower()),
            (port_prefix + "_PORT", str(port["port"])),
            (port_prefix + "_ADDR", ip),
        ]
    return result


def from_services(items: list[dict[str, Any]]) -> list[tuple[str, str]]:
    result = []
    for item in items:
        spec = item["spec"]
        if spec.get("clusterIP", "") in {"", "None"}:
            continue
        prefix = make_env_variable_name(item["metadata"]["name"])
        result.append((prefix + "_SERVICE_HOST", spec["clusterIP"]))
        name = prefix + "_SERVICE_PORT"
        result.append((name, str(spec["ports"][0]["port"])))
        named = [port for port in spec["ports"] if port.get("name")]
        result += [(name + "_" + make_env_variable_name(port["name"]), str(port["port"])) for port in named]
        result += make_link_variables(item)
    return result


def service_env_var_map(items: list[dict[str, Any]], namespace: str, enable_service_links: bool) -> dict[str, str]:
    mapped: dict[str, dict[str, Any]] = {}
    for item in items:
        meta = item["metadata"]
        if item["spec"].get("clusterIP", "") in {"", "None"}:
            continue
        if meta["namespace"] == "default" and meta["name"] == "kubernetes":
            mapped.setdefault(meta["name"], item)
        elif meta["namespace"] == namespace and enable_service_links:
            mapped[meta["name"]] = item
    return dict(from_services([mapped[name] for name in sorted(mapped)]))


def generated(count: int, seed: int) -> list[dict[str, Any]]:
    """Service manifests with their ClusterIPs written, ``kubernetes`` in two namespaces among them."""
    chance = random.Random(seed)
    items = [manifest(chance, "kubernetes", space, 1 + at) for at, space in enumerate(("default", "shop"))]
    for at in range(2, count):
        name = "".join(chance.choices("abz059", k=2)) + chance.choice(["", "-", "-service-", "--"]) + f"{at}"
        items.append(manifest(chance, name, chance.choice(["default", "shop", "shop", "other"]), at + 1))
    chance.shuffle(items)
    return items


def manifest(chance: random.Random, name: str, namespace: str, number: int) -> dict[str, Any]:
    v4, v6 = f"10.96.{number // 200}.{number % 200 + 1}", str(ip_address("fd00:10:96::") + number)
    kinds = ["v4"] if name == "kubernetes" else ["v4", "v4", "v6", "dual", "headless", "external"]
    kind = chance.choice(kinds)
    specs: dict[str, dict[str, Any]] = {
        "v4": {"clusterIP": v4},
        "v6": {"clusterIP": v6, "ipFamilies": ["IPv6"]},
        "dual": {"clusterIP": v6, "clusterIPs": [v6, v4], "ipFamilyPolicy": "PreferDualStack"},
        "headless": {"clusterIP": "None"},
        "external": {"type": "ExternalName", "externalName": "example.org"},
    }
    spec = specs[kind]
    count = chance.randint(1, 4)
    numbers = chance.sample(range(1, 65536), count)
    spec["ports"] = [{"port": numbers[at], **optional(chance, at, count)} for at in range(count)]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def optional(chance: random.Random, at: int, count: int) -> dict[str, str]:
    protocol = chance.choice([None, "TCP", "UDP", "SCTP"])
    name = f"{chance.choice(['web', 'grpc-x', '0a'])}-{at}" if count > 1 or chance.random() < 0.5 else None
    return {key: value for key, value in (("protocol", protocol), ("name", name)) if value}


@pytest.mark.parametrize("seed", range(3))
def test_two_hundred_services_as_kubelet_has_them(seed: int, tmp_path: Path) -> None:
    items = generated(200, seed)
    (tmp_path / "services.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    published = [one.service for one in world([str(tmp_path)], None).table.tree.published.values()]
    assert len(published) == 200
    for namespace in ("default", "shop", "other", "nobody"):
        for links in (True, False):
            expected = service_env_var_map(items, namespace, links)
            assert list(service_variables(published, namespace, links=links).items()) == list(expected.items())
    assert len(service_env_var_map(items, "shop", True)) > 500


ODD = service("1password", "fd00::1", ("tcp", 80, "")), service("web", "10.0.0.1", ("tcp", 80, ""))


def test_dotenv_is_what_docker_reads() -> None:
    """docker/cli, pkg/kvfile: a name without white space, then the value as it stands; # begins a comment."""
    variables = service_variables(ODD, "shop")
    read = {}
    for line in dotenv(variables).splitlines():
        assert not line.startswith("#")
        name, equals, value = line.partition("=")
        assert equals
        assert re.fullmatch(r"[A-Z0-9_]+", name)
        assert value == value.strip()
        assert not set(value) & set("\"'$\\`")
        read[name] = value
    assert read == variables


def test_a_shell_takes_its_form() -> None:
    variables = service_variables(ODD, "shop") | {"QUOTED": 'it\'s $HOME `id` \\ "x"'}
    script = 'eval "$1"; printf "%s=%s\\n" WEB "$WEB_PORT" Q "$QUOTED"; env'
    command, environment = ["sh", "-euc", script, "sh", shell(variables)], {"PATH": os.environ["PATH"]}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.startswith('WEB=tcp://10.0.0.1:80\nQ=it\'s $HOME `id` \\ "x"\n')
    exported = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert variables.items() - exported.items() == {
        (name, value) for name, value in variables.items() if name.startswith("1PASSWORD")
    }
    assert "\n# 1PASSWORD_PORT is left out: no name for a shell\n" in shell(variables)


def test_json_is_one_object() -> None:
    variables = service_variables(ODD, "shop")
    assert list(json.loads(as_json(variables)).items()) == list(variables.items())
    assert as_json({}) == "{}\n"
