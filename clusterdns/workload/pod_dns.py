"""A Pod manifest -> what it says about its DNS, checked as the API server does (``validatePodDNSConfig``, v1.36)."""

import re

import msgspec

from clusterdns.cluster import schema
from clusterdns.cluster.compose import compose
from clusterdns.cluster.documents import Document, DocumentError, Path, locate, split
from clusterdns.cluster.faults import Faults
from clusterdns.cluster.misfit import explain_misfit
from clusterdns.cluster.rules import check_address, check_choice, check_flag, flag
from clusterdns.errors import OperatorError, Problem
from clusterdns.workload.resolv_conf import (
    CLUSTER_FIRST,
    MAX_DOMAIN_CHARACTERS,
    MAX_NAMESERVERS,
    MAX_SEARCH_CHARACTERS,
    MAX_SEARCHES,
    NONE,
    POLICIES,
    PodDns,
    ResolvConf,
)

_CONFIG: Path = ("spec", "dnsConfig")
# Underscores since Kubernetes 1.32: search domains of SRV names and of Active Directory have them.
_LABEL = r"_?[a-z0-9](?:[-_a-z0-9]*[a-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")


class _Option(msgspec.Struct):
    name: str | None = None
    value: str | None = None


class _Config(msgspec.Struct):
    nameservers: schema.Texts = None
    searches: schema.Texts = None
    options: list[_Option | None] | None = None


class _Spec(msgspec.Struct, rename="camel"):
    dns_policy: str | None = None
    dns_config: _Config | None = None
    host_network: schema.Flag = None


class _Pod(msgspec.Struct):
    metadata: schema.Meta | None = None
    spec: _Spec | None = None


def parse_pod(data: bytes, path: str) -> PodDns:
    """The first Pod of a file.  Raises OperatorError, a line per problem."""
    try:
        for document in split(data):
            root = compose(document).root
            if isinstance(root, dict) and (root.get("apiVersion"), root.get("kind")) == ("v1", "Pod"):
                return _pod(document, root, path)
    except DocumentError as error:
        raise OperatorError(f"{path}:{error.line}: {error.problem}; {error.remedy}") from None
    raise OperatorError(f"{path}:1: no Pod in it; name a manifest with apiVersion: v1 and kind: Pod")


def _pod(document: Document, root: object, path: str) -> PodDns:
    faults = Faults()
    wire = _Pod()
    try:
        wire = msgspec.convert(root, _Pod, strict=False)
        _check(faults, wire.spec or _Spec())
    except msgspec.ValidationError as error:
        explain_misfit(faults, str(error), root)
    meta = wire.metadata or schema.Meta()
    namespace = meta.namespace or "default"
    if faults.failed:
        lines = locate(document, {fault.path for fault in faults})
        subject = f"Pod {namespace}/{meta.name}" if meta.name else "Pod"
        raise OperatorError(
            "\n".join(
                str(Problem(path, lines[one.path], one.severity, one.code, subject, one.text, one.remedy))
                for one in faults
            )
        )
    return _built(namespace, wire.spec or _Spec())


def _built(namespace: str, spec: _Spec) -> PodDns:
    config = _config(spec.dns_config) if spec.dns_config else None
    return PodDns(namespace, spec.dns_policy or CLUSTER_FIRST, flag(spec.host_network), config)


def _config(wire: _Config) -> ResolvConf:
    return ResolvConf(
        tuple(filter(None, wire.nameservers or ())),
        tuple(filter(None, wire.searches or ())),
        tuple(_option(one) for one in wire.options or () if one),
    )


def _option(option: _Option) -> str:
    return f"{option.name}:{option.value}" if option.value else str(option.name)


def _check(faults: Faults, spec: _Spec) -> None:
    check_choice(faults, ("spec", "dnsPolicy"), spec.dns_policy, POLICIES)
    check_flag(faults, ("spec", "hostNetwork"), spec.host_network)
    config = spec.dns_config or _Config()
    servers, searches = config.nameservers or [], [domain or "" for domain in config.searches or ()]
    if spec.dns_policy == NONE and not servers:
        text = f"at least one is required when dnsPolicy is {NONE}"
        faults.error("CD205", (*_CONFIG, "nameservers"), text, "write the address of a DNS server")
    if len(servers) > MAX_NAMESERVERS:
        faults.error("CD216", (*_CONFIG, "nameservers"), f"more than {MAX_NAMESERVERS}", "remove some")
    for index, address in enumerate(servers):
        check_address(faults, (*_CONFIG, "nameservers", index), address)
    if len(searches) > MAX_SEARCHES or len(" ".join(searches)) > MAX_SEARCH_CHARACTERS:
        text = f"more than {MAX_SEARCHES} domains or {MAX_SEARCH_CHARACTERS} characters"
        faults.error("CD216", (*_CONFIG, "searches"), text, "remove some")
    for index, domain in enumerate(searches):
        _check_search(faults, (*_CONFIG, "searches", index), domain)
    for index, option in enumerate(config.options or ()):
        if not (option and option.name):
            faults.error("CD205", (*_CONFIG, "options", index, "name"), "required", "write one, such as ndots")


def _check_search(faults: Faults, path: Path, domain: str) -> None:
    """``.`` alone stands for no search at all (Kubernetes 1.32)."""
    name = domain.removesuffix(".")
    if domain != "." and (len(name) > MAX_DOMAIN_CHARACTERS or not _DOMAIN.fullmatch(name)):
        remedy = f"use a to z, 0 to 9, inner hyphens, underscores and dots, at most {MAX_DOMAIN_CHARACTERS} characters"
        faults.error("CD203", path, f'"{domain}" is no search domain', remedy)
