"""What the page of metrics tells of a live API."""

import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from fake_api import Json, Refusal, endpoint_slice, service
from prometheus_client.parser import text_string_to_metric_families
from test_live import Life, live

TRIGGERED = "endpoints.kubernetes.io/last-change-trigger-time"


Values = dict[tuple[str, ...], float]


async def values(life: Life, name: str) -> Values:
    """By the values of the labels, in the order of the labels' names."""
    return (await page(life, name))[0]


async def page(life: Life, *names: str) -> list[Values]:
    """Of several metrics at the same moment."""
    status, text = await life.get("/metrics")
    assert status == 200
    found: dict[str, Values] = {name: {} for name in names}
    for line in [line for family in text_string_to_metric_families(text) for line in family.samples]:
        if line.name in found:
            found[line.name][tuple(value for _, value in sorted(line.labels.items()))] = line.value
    return [*found.values()]


def changed(seconds: float, name: str, *addresses: str, of: str) -> Json:
    item = endpoint_slice(name, *addresses, of=of)
    at = datetime.fromtimestamp(time.time() - seconds, UTC).isoformat()
    item["metadata"]["annotations"] = {TRIGGERED: at.replace("+00:00", "Z"), "else": "x"}
    return item


def test_requests_and_the_age_of_what_is_known(tmp_path: Path) -> None:
    async def story(life: Life) -> None:
        await life.ready()
        host = urlsplit(life.api.url).netloc
        codes = await values(life, "coredns_kubernetes_rest_client_requests_total")
        assert codes.keys() == {("200", host, "GET")}
        requests = await values(life, "coredns_kubernetes_rest_client_request_duration_seconds_count")
        assert requests == {(host, "GET"): sum(codes.values())}
        assert (await values(life, "clusterdns_store_objects"))[("Service",)] == 2
        names = "clusterdns_source_unconfirmed_seconds", "clusterdns_source_bookmark_age_seconds"
        ages, bookmarks = await page(life, *names)
        assert {kind for kind, _ in ages} == {"Service", "EndpointSlice", "Namespace"}
        assert bookmarks.keys() == ages.keys()
        life.api.put(service("shop/new", "10.96.0.12"))

        async def come() -> bool:
            return (await life.ask("new.shop.svc.cluster.local"))[0] == "NOERROR"

        await life.until(come)
        unconfirmed, later = await page(life, *names)
        of_services = ("Service", "kubernetes")
        assert later[of_services] > bookmarks[of_services], "an event is no bookmark"
        assert unconfirmed[of_services] < later[of_services]
        life.api.refuse("Service", Refusal(500, "oops"))
        life.api.cut()

        async def counted() -> bool:
            found = await values(life, "coredns_kubernetes_rest_client_requests_total")
            return ("500", host, "GET") in found

        await life.until(counted)
        assert sum((await values(life, "clusterdns_watch_restarts_total")).values()) >= 3

    live(tmp_path, story)


def test_how_long_changes_of_headless_services_took(tmp_path: Path) -> None:
    name = "coredns_kubernetes_dns_programming_duration_seconds"

    async def story(life: Life) -> None:
        await life.ready()
        assert await values(life, f"{name}_count") == {("headless_with_selector",): 0}
        life.api.put(changed(30, "shop/db-1", "10.244.0.9", of="db"))
        life.api.put(changed(30, "shop/web-1", "10.244.0.8", of="web"))  # no answer depends on it

        async def come() -> bool:
            return await life.ask("db.shop.svc.cluster.local") == ("NOERROR", ["10.244.0.9"], [])

        async def counted() -> bool:  # behind the round
            return (await values(life, "clusterdns_source_lag_seconds_count"))[("kubernetes",)] > 0

        await life.until(come)
        await life.until(counted)
        assert await values(life, f"{name}_count") == {("headless_with_selector",): 1}
        (seconds,) = (await values(life, f"{name}_sum")).values()
        assert 30 <= seconds < 90
        odd = changed(0, "shop/db-1", "10.244.0.7", of="db")
        odd["metadata"]["annotations"][TRIGGERED] = "yesterday"
        life.api.put(odd)

        async def gone() -> bool:
            return await life.ask("db.shop.svc.cluster.local") == ("NOERROR", ["10.244.0.7"], [])

        await life.until(gone)
        assert await values(life, f"{name}_count") == {("headless_with_selector",): 1}

    live(tmp_path, story)
