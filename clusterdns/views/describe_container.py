"""The containers in ``clusterdns describe pod`` (v1.36, ``describeContainers``)."""

from collections.abc import Iterator

from clusterdns.views.ages import rfc1123
from clusterdns.views.describe import Row
from clusterdns.views.trees import NONE, Tree, get, many, number, pairs, sub, text, texts

_ONE, _TWO, _THREE = "  ", "    ", "      "  # levels of indentation


def containers(title: str, pod: Tree, which: str, statuses: str) -> list[Row]:
    """*which* and *statuses*: the fields of the pod's spec and status."""
    known = {text(status, "name"): status for status in many(pod, "status", statuses)}
    found = many(pod, "spec", which)
    rows = [[f"{title}:"]] if found else [[f"{title}: {NONE}"]]
    for container in found:
        rows += _container(container, known.get(text(container, "name")), pod)
    return rows


def _container(container: Tree, status: Tree | None, pod: Tree) -> list[Row]:
    rows = [*_basics(container, status), *_lines("Command:", container, "command"), *_lines("Args:", container, "args")]
    if status is not None:
        rows += _state(status)
    rows += _resources(sub(container, "resources"))
    for title, name in (("Liveness:", "liveness"), ("Readiness:", "readiness"), ("Startup:", "startup")):
        if probe := sub(container, f"{name}Probe"):
            rows.append([_TWO + title, _probe(probe)])
    return [*rows, *_env_from(container), *_env(container, pod), *_mounts(container)]


def _basics(container: Tree, status: Tree | None) -> Iterator[Row]:
    yield [f"{_ONE}{text(container, 'name')}:"]
    if status is not None:
        yield [f"{_TWO}Container ID:", text(status, "containerID")]
    yield [f"{_TWO}Image:", text(container, "image")]
    if status is not None:
        yield [f"{_TWO}Image ID:", text(status, "imageID")]
    yield _ports("Port", container, "containerPort")
    yield _ports("Host Port", container, "hostPort")
    if profile := sub(container, "securityContext", "seccompProfile"):
        yield [f"{_TWO}SeccompProfile:", text(profile, "type")]
        if text(profile, "type") == "Localhost":
            yield [f"{_THREE}LocalhostProfile:", text(profile, "localhostProfile")]


def _ports(title: str, container: Tree, field: str) -> Row:
    shown = []
    for port in many(container, "ports"):
        name = text(port, "name")
        shown.append(f"{number(port, field)}/{text(port, 'protocol') or 'TCP'}" + (f" ({name})" if name else ""))
    return [f"{_TWO}{title}{'s' if len(shown) > 1 else ''}:", ", ".join(shown) or NONE]


def _lines(title: str, container: Tree, field: str) -> list[Row]:
    rows = [[_THREE + line] for value in texts(container, field) for line in value.split("\n")]
    return [[_TWO + title], *rows] if rows else []


def _state(status: Tree) -> Iterator[Row]:
    yield from _one_state("State:", sub(status, "state"))
    if sub(status, "lastState", "terminated"):
        yield from _one_state("Last State:", sub(status, "lastState"))
    yield [f"{_TWO}Ready:", str(get(status, "ready") is True)]
    yield [f"{_TWO}Restart Count:", str(number(status, "restartCount"))]


def _one_state(title: str, state: Tree) -> Iterator[Row]:
    if state.get("running") is not None:
        yield [_TWO + title, "Running"]
        yield [f"{_THREE}Started:", rfc1123(get(state, "running", "startedAt"))]
        return
    ended = state.get("terminated")
    if not isinstance(ended, dict) or state.get("waiting") is not None:
        yield [_TWO + title, "Waiting"]
        if reason := text(state, "waiting", "reason"):
            yield [f"{_THREE}Reason:", reason]
        return
    yield [_TWO + title, "Terminated"]
    for name in ("reason", "message"):
        if found := text(ended, name):
            yield [f"{_THREE}{name.title()}:", found]
    yield [f"{_THREE}Exit Code:", str(number(ended, "exitCode"))]
    if number(ended, "signal") > 0:
        yield [f"{_THREE}Signal:", text(ended, "signal")]
    yield [f"{_THREE}Started:", rfc1123(ended.get("startedAt"))]
    yield [f"{_THREE}Finished:", rfc1123(ended.get("finishedAt"))]


def _resources(resources: Tree) -> Iterator[Row]:
    limits, requests = pairs(resources, "limits"), pairs(resources, "requests")
    for title, found in (("Limits:", limits), ("Requests:", limits | requests)):
        if found:
            yield [_TWO + title]
            yield from ([f"{_THREE}{name}:", value] for name, value in sorted(found.items()))


def _probe(probe: Tree) -> str:
    """With the API's defaults where nothing is written."""
    numbers = (
        f"delay={number(probe, 'initialDelaySeconds')}s timeout={number(probe, 'timeoutSeconds', default=1)}s "
        f"period={number(probe, 'periodSeconds', default=10)}s #success={number(probe, 'successThreshold', default=1)} "
        f"#failure={number(probe, 'failureThreshold', default=3)}"
    )
    return f"{_action(probe)} {numbers}"


def _action(probe: Tree) -> str:
    if "exec" in probe:
        return f"exec [{' '.join(texts(probe, 'exec', 'command'))}]"
    if http := sub(probe, "httpGet"):
        scheme, host = (text(http, "scheme") or "HTTP").lower(), text(http, "host")
        where = f"[{host}]" if ":" in host else host
        path = text(http, "path") or "/"
        return f"http-get {scheme}://{where}:{text(http, 'port')}{'' if path.startswith('/') else '/'}{path}"
    if tcp := sub(probe, "tcpSocket"):
        return f"tcp-socket {text(tcp, 'host')}:{text(tcp, 'port')}"
    if grpc := sub(probe, "grpc"):
        return f"grpc <pod>:{text(grpc, 'port')} {text(grpc, 'service')}"
    return "unknown"


def _env_from(container: Tree) -> list[Row]:
    rows = []
    for source in many(container, "envFrom"):
        kind = "ConfigMap" if sub(source, "configMapRef") else "Secret"
        reference = sub(source, "configMapRef") or sub(source, "secretRef")
        prefix = text(source, "prefix")
        with_prefix = f" with prefix '{prefix}'" if prefix else ""
        rows.append([_THREE + text(reference, "name"), kind + with_prefix, _optional(reference)])
    return [[f"{_TWO}Environment Variables from:"], *rows] if rows else []


def _env(container: Tree, pod: Tree) -> list[Row]:
    variables = many(container, "env")
    if not variables:
        return [[f"{_TWO}Environment:", NONE]]
    rows: list[Row] = [[f"{_TWO}Environment:"]]
    for variable in variables:
        name = f"{_THREE}{text(variable, 'name')}:"
        source = sub(variable, "valueFrom")
        if source:
            rows.append([name, *_from(source, pod)])
            continue
        first, *others = text(variable, "value").split("\n")
        rows += [[name, first], *([_THREE, line] for line in others)]
    return rows


def _from(source: Tree, pod: Tree) -> Row:
    if field := sub(source, "fieldRef"):
        path = text(field, "fieldPath")
        return [f"{_field(path, pod)} ({text(field, 'apiVersion') or 'v1'}:{path})"]
    if resource := sub(source, "resourceFieldRef"):
        return [f" ({text(resource, 'resource')})"]
    if key := sub(source, "secretKeyRef"):
        return [f"<set to the key '{text(key, 'key')}' in secret '{text(key, 'name')}'>", _optional(key)]
    key = sub(source, "configMapKeyRef")
    return [f"<set to the key '{text(key, 'key')}' of config map '{text(key, 'name')}'>", _optional(key)]


def _optional(reference: Tree) -> str:
    return f"Optional: {text(reference, 'optional') or 'false'}"


def _field(path: str, pod: Tree) -> str:
    """The downward API, as far as kubectl looks it up."""
    return text(pod, *path.split(".")) if path in ("metadata.name", "metadata.namespace") else ""


def _mounts(container: Tree) -> list[Row]:
    mounts = sorted(many(container, "volumeMounts"), key=lambda mount: text(mount, "mountPath"))
    rows = [[_THREE + _mount(mount)] for mount in mounts]
    rows = [[f"{_TWO}Mounts:"], *rows] if rows else [[f"{_TWO}Mounts:", NONE]]
    devices = sorted(many(container, "volumeDevices"), key=lambda device: text(device, "devicePath"))
    if devices:
        rows.append([f"{_TWO}Devices:"])
        rows += [[f"{_THREE}{text(device, 'devicePath')} from {text(device, 'name')}"] for device in devices]
    return rows


def _mount(mount: Tree) -> str:
    flags = "ro" if get(mount, "readOnly") is True else "rw"
    path = text(mount, "subPath")
    if path:
        flags += f',path="{path}"'
    return f"{text(mount, 'mountPath')} from {text(mount, 'name')} ({flags})"
