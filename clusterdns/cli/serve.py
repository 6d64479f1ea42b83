"""``clusterdns serve``."""

import os
from typing import Annotated

import typer

from clusterdns.collector import collector_paused
from clusterdns.errors import OperatorError


def serve(  # noqa: PLR0913, PLR0917 - a flag for every setting
    paths: Annotated[list[str] | None, typer.Argument(metavar="PATH", hidden=True)] = None,
    config: Annotated[str | None, typer.Option(metavar="FILE", help="Settings in YAML; flags win.")] = None,
    listen: Annotated[list[str] | None, typer.Option(metavar="ADDR:PORT", help="UDP and TCP; repeatable.")] = None,
    http: Annotated[
        list[str] | None, typer.Option(metavar="ADDR:PORT", help="/metrics, /health, /ready; repeatable, '' for none.")
    ] = None,
    domain: Annotated[str | None, typer.Option(metavar="DOMAIN", help="The zone of the cluster.")] = None,
    zones: Annotated[list[str] | None, typer.Option(metavar="ZONE", help="Or networks; repeatable.")] = None,
    source: Annotated[str | None, typer.Option(metavar="SOURCE", help="manifests, kubernetes or none.")] = None,
    kubeconfig: Annotated[str | None, typer.Option(metavar="FILE", help="How to reach the Kubernetes API.")] = None,
    max_staleness: Annotated[
        str | None, typer.Option(metavar="SECONDS", help="Not ready after so long without the API.")
    ] = None,
    ttl: Annotated[str | None, typer.Option(metavar="SECONDS", help="TTL of every record.")] = None,
    pods: Annotated[str | None, typer.Option(metavar="MODE", help="disabled, insecure or verified.")] = None,
    namespaces: Annotated[list[str] | None, typer.Option(metavar="NAME", help="These only; repeatable.")] = None,
    namespace_labels: Annotated[str | None, typer.Option(metavar="SELECTOR", help="Such namespaces only.")] = None,
    labels: Annotated[str | None, typer.Option(metavar="SELECTOR", help="Such objects only.")] = None,
    metrics_deprecated: Annotated[
        bool | None,
        typer.Option("--metrics-deprecated/--no-metrics-deprecated", help="Also metrics that CoreDNS has given up."),
    ] = None,
    endpoint_pod_names: Annotated[
        bool | None, typer.Option("--endpoint-pod-names/--no-endpoint-pod-names", help="Name endpoints by their pods.")
    ] = None,
    noendpoints: Annotated[
        bool | None, typer.Option("--noendpoints/--no-noendpoints", help="Leave out endpoints.")
    ] = None,
    ignore_empty_service: Annotated[
        bool | None,
        typer.Option("--ignore-empty-service/--no-ignore-empty-service", help="NXDOMAIN without ready endpoint."),
    ] = None,
    fallthrough: Annotated[
        list[str] | None, typer.Option(metavar="ZONE", help="Absent names are asked upstream; repeatable.")
    ] = None,
    wildcards: Annotated[
        bool | None, typer.Option("--wildcards/--no-wildcards", help="* and any in questions.")
    ] = None,
    answer_order: Annotated[str | None, typer.Option(metavar="ORDER", help="rotate, random or fixed.")] = None,
    max_udp_octets: Annotated[str | None, typer.Option(metavar="OCTETS", help="Of an answer over UDP.")] = None,
    cookie_secrets: Annotated[
        list[str] | None, typer.Option(metavar="HEX", help="16 octets; better in a file. Repeatable.")
    ] = None,
    server_version: Annotated[str | None, typer.Option(metavar="TEXT", help="What version.bind says.")] = None,
    server_id: Annotated[str | None, typer.Option(metavar="TEXT", help="What id.server and NSID say.")] = None,
    tcp_idle: Annotated[str | None, typer.Option(metavar="SECONDS", help="Silence that ends a connection.")] = None,
    tcp_connections: Annotated[str | None, typer.Option(metavar="COUNT", help="Open at once.")] = None,
    tcp_per_client: Annotated[str | None, typer.Option(metavar="COUNT", help="Open at once, of one address.")] = None,
    query_log: Annotated[
        list[str] | None, typer.Option(metavar="CLASS", help="all, success, denial or error; repeatable.")
    ] = None,
    query_log_format: Annotated[str | None, typer.Option(metavar="FORMAT", help="common or json.")] = None,
    query_log_sample: Annotated[str | None, typer.Option(metavar="COUNT", help="One query of so many.")] = None,
    query_log_rate: Annotated[str | None, typer.Option(metavar="COUNT", help="Lines a second.")] = None,
    upstream: Annotated[
        list[str] | None, typer.Option(metavar="ADDR", help="Asked for names of others; repeatable.")
    ] = None,
    stub_domains: Annotated[
        list[str] | None, typer.Option("--stub-domains", metavar="SUFFIX=ADDR", help="Asked for these; repeatable.")
    ] = None,
    forward_policy: Annotated[
        str | None, typer.Option(metavar="POLICY", help="random, round_robin, sequential or fastest.")
    ] = None,
    forward_tcp: Annotated[
        bool | None, typer.Option("--forward-tcp/--no-forward-tcp", help="Ask upstreams over TCP always.")
    ] = None,
    forward_timeout: Annotated[str | None, typer.Option(metavar="SECONDS", help="Of a question to upstreams.")] = None,
    forward_per_client: Annotated[str | None, typer.Option(metavar="COUNT", help="Waiting, of one address.")] = None,
    forward_total: Annotated[str | None, typer.Option(metavar="COUNT", help="Waiting for upstreams.")] = None,
    cache_octets: Annotated[str | None, typer.Option(metavar="SIZE", help="Of answers of others.")] = None,
    cache_max_ttl: Annotated[str | None, typer.Option(metavar="SECONDS", help="Of what is cached.")] = None,
    cache_max_negative_ttl: Annotated[str | None, typer.Option(metavar="SECONDS", help="Of NXDOMAIN, NODATA.")] = None,
    cache_min_ttl: Annotated[str | None, typer.Option(metavar="SECONDS", help="Of what is cached.")] = None,
    prefetch: Annotated[
        bool | None, typer.Option("--prefetch/--no-prefetch", help="Refresh popular names before they expire.")
    ] = None,
    serve_stale: Annotated[str | None, typer.Option(metavar="SECONDS", help="After expiry; 0: never.")] = None,
    kept_home: Annotated[
        list[str] | None, typer.Option(metavar="DOMAIN", help="Upstreams are never asked; repeatable.")
    ] = None,
    local_reverse: Annotated[
        bool | None, typer.Option("--local-reverse/--no-local-reverse", help="Private reverse names stay here.")
    ] = None,
    service_cidr: Annotated[
        list[str] | None, typer.Option(metavar="NETWORK", help="For ClusterIPs; repeatable.")
    ] = None,
    pod_cidr: Annotated[
        list[str] | None, typer.Option(metavar="NETWORK", help="For stand-in pods; repeatable.")
    ] = None,
    ns_addresses: Annotated[
        list[str] | None, typer.Option(metavar="ADDR", help="Of the zones' name server; repeatable.")
    ] = None,
    cluster_dns: Annotated[
        list[str] | None, typer.Option(metavar="ADDR", help="Of pods' resolv.conf; repeatable.")
    ] = None,
    http_token: Annotated[str | None, typer.Option(metavar="TOKEN", help="Asked of who reads /api.")] = None,
    state_dir: Annotated[str | None, typer.Option(metavar="FOLDER", help="What is kept over a restart.")] = None,
    stand_ins: Annotated[
        bool | None, typer.Option("--stand-ins/--no-stand-ins", help="Stand-in pods for workloads without pods.")
    ] = None,
    max_yaml_octets: Annotated[str | None, typer.Option(metavar="SIZE", help="Of the YAML in one file.")] = None,
    max_json_octets: Annotated[str | None, typer.Option(metavar="SIZE", help="Of one file.")] = None,
    lameduck: Annotated[str | None, typer.Option(metavar="SECONDS", help="Answer on after SIGTERM.")] = None,
) -> int:
    """Serve manifest files and folders, and watch them.

    Each setting can also be given as CLUSTERDNS_<NAME>, or in the file of --config.
    """
    from clusterdns.config import Settings, load_settings

    flags = {
        "manifests": paths,
        "listen": listen,
        "http": http,
        "metrics_deprecated": metrics_deprecated,
        "domain": domain,
        "zones": zones,
        "pods": pods,
        "namespaces": namespaces,
        "namespace_labels": namespace_labels,
        "labels": labels,
        "endpoint_pod_names": endpoint_pod_names,
        "noendpoints": noendpoints,
        "ignore_empty_service": ignore_empty_service,
        "fallthrough": fallthrough,
        "wildcards": wildcards,
        "answer_order": answer_order,
        "max_udp_octets": max_udp_octets,
        "cookie_secrets": cookie_secrets,
        "server_version": server_version,
        "server_id": server_id,
        "tcp_idle": tcp_idle,
        "tcp_connections": tcp_connections,
        "tcp_per_client": tcp_per_client,
        "query_log": query_log,
        "query_log_format": query_log_format,
        "query_log_sample": query_log_sample,
        "query_log_rate": query_log_rate,
        "source": source,
        "kubeconfig": kubeconfig,
        "max_staleness": max_staleness,
        "ttl": ttl,
        "upstream": upstream,
        "stub_domains": stub_domains,
        "forward_policy": forward_policy,
        "forward_tcp": forward_tcp,
        "forward_timeout": forward_timeout,
        "forward_per_client": forward_per_client,
        "forward_total": forward_total,
        "cache_octets": cache_octets,
        "cache_max_ttl": cache_max_ttl,
        "cache_max_negative_ttl": cache_max_negative_ttl,
        "cache_min_ttl": cache_min_ttl,
        "prefetch": prefetch,
        "serve_stale": serve_stale,
        "kept_home": kept_home,
        "local_reverse": local_reverse,
        "service_cidr": service_cidr,
        "pod_cidr": pod_cidr,
        "ns_addresses": ns_addresses,
        "cluster_dns": cluster_dns,
        "stand_ins": stand_ins,
        "http_token": http_token,
        "state_dir": state_dir,
        "max_yaml_octets": max_yaml_octets,
        "max_json_octets": max_json_octets,
        "lameduck": lameduck,
    }

    def load() -> Settings:
        settings = load_settings(flags, os.environ, config)
        if settings.manifests or settings.source != "manifests":
            return settings
        raise OperatorError(
            "PATH: nothing to serve; name manifest files or folders, as in `clusterdns serve zones/demo`,"
            " or a cluster's API with --source kubernetes; or set one of them in the file of --config"
        )

    # Nothing that is imported and loaded until then is garbage, and looking for some takes a twentieth of a second.
    with collector_paused() as started:
        load()  # wrong settings are told before what serving takes is imported
        from clusterdns import app

        return app.serve(load, config or os.environ.get("CLUSTERDNS_CONFIG"), started)
