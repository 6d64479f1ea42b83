"""The JSON Schema and the server agree: on bounds, choices and forms of every setting."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from test_config_values import TEXTS

from clusterdns.config import SETTINGS, load_settings
from clusterdns.config_schema import json_schema
from clusterdns.config_values import FORMS, Count, Duration
from clusterdns.errors import OperatorError

REFERENCE = Path(__file__).parent.parent / "configs"
SCHEMA = json_schema()
VALIDATOR = Draft202012Validator(SCHEMA)

# What one setting alone may say: True where the server takes it.
CASES = {
    "ttl: 99999": False,
    "ttl: 3600": True,
    "ttl: 5.0": True,
    "ttl: 1.5": False,
    "ttl: -1": False,
    "ttl: 1m": True,
    "ttl: [5]": False,
    "max_udp_octets: 9000": False,
    "max_udp_octets: 512": True,
    'max_udp_octets: "512"': True,
    "max_udp_octets: abc": False,
    "forward_timeout: 100": False,
    "forward_timeout: 1.5": True,
    "query_log: [foo]": False,
    "query_log: [all]": True,
    "query_log: all": True,
    "query_log: []": True,
    "listen: []": False,
    "listen: [x]": False,
    "listen: 127.0.0.1:1053": True,
    'listen: ["[::1]:1053"]': True,
    "listen: [127.0.0.300:53]": False,
    "http: []": True,
    "upstream: [dns.google]": False,
    "upstream: [1.1.1.1, '[::1]:5353', '::1', 'tls://9.9.9.9:853#dns.quad9.net', /etc/resolv.conf]": True,
    "upstream: ['9.9.9.9#dns.quad9.net']": False,
    'prefetch: "no"': True,
    "prefetch: no": True,
    "prefetch: On": True,
    "prefetch: true": True,
    "prefetch: maybe": False,
    "domain: in-addr.arpa": False,
    "domain: 10.IN-ADDR.arpa.": False,
    "domain: Cluster.Local.": True,
    "domain: a..b": False,
    "zones: [cluster.local, 10.0.0.0/12, fd00::/8]": True,
    "zones: [cluster.local, 10.0.0.0/99]": False,
    "service_cidr: [0.0.0.0/0]": False,
    "service_cidr: [11.0.0.0/8]": True,
    "service_cidr: ['::/0']": False,
    "service_cidr: []": False,
    "service_cidr: [10.0.0.0/16, 10.2.0.0/16, 10.3.0.0/16]": False,
    "max_staleness: 5": False,
    "max_staleness: 0": True,
    "max_staleness: 120\nsource: kubernetes": True,
    "cache_octets: 5": False,
    "cache_octets: 1048576": True,
    "cache_octets: 1 MB": False,
    "cookie_secrets: [abc]": False,
    "namespaces: [Shop]": False,
    "namespaces: shop": True,
    "server_id: 7": True,
    "http_token: a b": False,
    "manifests: ['']": False,
    "stub_domains: {corp.example: 10.0.0.1, home: [10.0.0.2:53, 'tls://::1']}": True,
    "stub_domains: {corp.example: []}": False,
    "stub_domains: {corp.example: [x]}": False,
    "stub_domains: {corp.example: [/etc/resolv.conf]}": False,
    "stub_domains: {a..b: [10.0.0.1]}": False,
    "tll: 5": False,
    "ttl:": False,
}


def in_schema(text: str) -> bool:
    """Of a whole file, read as editors do (YAML 1.2: only true and false are booleans)."""
    return bool(VALIDATOR.is_valid(yaml.load(text, Loader=_Core)))


class _Core(yaml.SafeLoader):
    """Knows numbers, null, true and false."""


_PLAIN = {f"tag:yaml.org,2002:{name}" for name in ("int", "float", "null")}
_Core.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if tag in _PLAIN]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Core.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"), [*"tTfF"])


def in_server(text: str, folder: Path) -> bool:
    path = folder / "c.yaml"
    path.write_text(text)
    try:
        load_settings({}, {}, str(path))
    except OperatorError:
        return False
    return True


@pytest.mark.parametrize(("text", "expected"), CASES.items(), ids=CASES)
def test_both_say_the_same(text: str, expected: bool, tmp_path: Path) -> None:
    assert (in_schema(text), in_server(text, tmp_path)) == (expected, expected)


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", sorted(REFERENCE.glob("*.yaml")), ids=lambda path: path.name)
def test_the_examples_are_valid(path: Path) -> None:
    assert in_schema(path.read_text())


@pytest.mark.parametrize("name", SETTINGS)
def test_nothing_is_refused_that_the_server_takes(name: str) -> None:
    if SETTINGS[name].mapping:
        return
    cases: list[Any] = [*TEXTS, *([text] for text in TEXTS), []]
    for value in cases:
        try:
            FORMS[name].read(value)
        except ValueError:
            continue
        assert VALIDATOR.is_valid({name: value}), value


def bounded() -> list[tuple[str, int, int]]:
    found = ((name, form.parse) for name, form in FORMS.items())
    return [(name, parse.least, parse.most) for name, parse in found if isinstance(parse, Count | Duration)]


@pytest.mark.parametrize(("name", "least", "most"), bounded())
def test_bounds_of_numbers(name: str, least: int, most: int) -> None:
    for number in (least - 1, least, least + 1, most - 1, most, most + 1):
        assert VALIDATOR.is_valid({name: number}) == (least <= number <= most)
