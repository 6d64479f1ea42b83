"""``clusterdns resolvconf``."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clusterdns.errors import OperatorError

if TYPE_CHECKING:
    from clusterdns.workload.resolv_conf import PodDns, ResolvConf

HOST_FILE = "/etc/resolv.conf"  # what kubelet reads unless --resolv-conf names another


def resolvconf(
    namespace: Annotated[
        str | None, typer.Option("--namespace", "-n", metavar="NS", help="Of the pod; without it that of --pod.")
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(metavar="POLICY", help="ClusterFirst, ClusterFirstWithHostNet, Default or None; beats --pod."),
    ] = None,
    pod: Annotated[str | None, typer.Option(metavar="FILE", help="A Pod manifest.")] = None,
    host: Annotated[
        str, typer.Option("--host-resolv-conf", metavar="FILE", help="Of the node; '' for none.")
    ] = HOST_FILE,
    domain: Annotated[str | None, typer.Option(metavar="DOMAIN", help="The zone of the cluster.")] = None,
    cluster_dns: Annotated[
        list[str] | None, typer.Option(metavar="ADDR", help="The cluster's nameserver; repeatable.")
    ] = None,
    config: Annotated[str | None, typer.Option(metavar="FILE", help="Settings in YAML; flags win.")] = None,
) -> None:
    """Print the resolv.conf that kubelet gives to a pod.

    It depends on settings, the pod and the node's own file only: no server is asked.
    """
    from clusterdns.cluster.addresses import address_text
    from clusterdns.config import load_settings
    from clusterdns.workload.resolv_conf import Node, pod_resolv_conf

    settings = load_settings({"domain": domain, "cluster_dns": cluster_dns}, os.environ, config)
    wanted = _wanted(pod, namespace, policy)
    node = Node(tuple(map(address_text, settings.cluster_dns)), settings.domain.removesuffix("."), _host(host))
    conf, warnings = pod_resolv_conf(wanted, node)
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    sys.stdout.write(conf.text())


def _wanted(pod: str | None, namespace: str | None, policy: str | None) -> "PodDns":
    from msgspec.structs import replace

    from clusterdns.cluster.rules import is_label
    from clusterdns.workload.resolv_conf import NONE, POLICIES, PodDns

    if namespace is not None and not is_label(namespace):
        raise OperatorError(f"-n {namespace}: no name of a namespace; use a to z, 0 to 9 and inner hyphens")
    if policy is not None and policy not in POLICIES:
        raise OperatorError(f"--policy {policy}: no such policy; write {', '.join(POLICIES)}")
    found = _pod(pod) if pod is not None else PodDns()
    found = replace(found, namespace=namespace or found.namespace, policy=policy or found.policy)
    if found.policy == NONE and not (found.config and found.config.nameservers):
        raise OperatorError(
            f"--policy {NONE}: needs a nameserver in dnsConfig; name a manifest that has one with --pod"
        )
    return found


def _pod(path: str) -> "PodDns":
    from clusterdns.workload.pod_dns import parse_pod

    return parse_pod(_read(path, "--pod"), path)


def _host(path: str) -> "ResolvConf | None":
    """None: kubelet's --resolv-conf is empty."""
    if not path:
        return None
    from clusterdns.workload.resolv_conf import MAX_FILE_OCTETS, parse_resolv_conf

    data = _read(path, "--host-resolv-conf")
    if len(data) >= MAX_FILE_OCTETS:
        raise OperatorError(f"{path}: {MAX_FILE_OCTETS >> 20} MiB or more, which kubelet refuses; name another file")
    try:
        return parse_resolv_conf(data.decode("utf-8", "replace"))
    except ValueError as error:
        raise OperatorError(f"{path}:{error}") from None


def _read(path: str, flag: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise OperatorError(
            f"{path}: {(error.strerror or str(error)).lower()}; name a readable file with {flag}"
        ) from None
