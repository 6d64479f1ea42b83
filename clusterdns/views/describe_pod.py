"""``clusterdns describe pod``, as kubectl does it without events (v1.36, ``describePod``)."""

from clusterdns.views.ages import age, rfc1123
from clusterdns.views.columns import DESCRIPTION, align
from clusterdns.views.describe import Row, labels_and_annotations, several
from clusterdns.views.describe_container import containers
from clusterdns.views.describe_volume import volumes
from clusterdns.views.qos import qos_class
from clusterdns.views.trees import NONE, Tree, get, many, pairs, sub, text


def describe_pod(pod: Tree, now: float) -> str:
    """*now*: Unix seconds, for how long it has been terminating."""
    rows = [*_heading(pod), *_status(pod, now), *_addresses(pod)]
    if controller := _controller(pod):
        rows.append(["Controlled By:", controller])
    if nominated := text(pod, "status", "nominatedNodeName"):
        rows.append(["NominatedNodeName:", nominated])
    if many(pod, "spec", "initContainers"):
        rows += containers("Init Containers", pod, "initContainers", "initContainerStatuses")
    rows += containers("Containers", pod, "containers", "containerStatuses")
    if many(pod, "spec", "ephemeralContainers"):
        rows += containers("Ephemeral Containers", pod, "ephemeralContainers", "ephemeralContainerStatuses")
    rows += [*_gates(pod), *_conditions(pod), *volumes(many(pod, "spec", "volumes"))]
    rows.append(["QoS Class:", qos_class(pod)])
    rows += several("Node-Selectors:", (f"{key}={value}" for key, value in pairs(pod, "spec", "nodeSelector").items()))
    rows += several("Tolerations:", map(_toleration, _by_key(many(pod, "spec", "tolerations"))))
    return align([*rows, *_spread(pod)], DESCRIPTION)[0]


def _heading(pod: Tree) -> list[Row]:
    node, host = text(pod, "spec", "nodeName"), text(pod, "status", "hostIP")
    rows = [["Name:", text(pod, "metadata", "name")], ["Namespace:", text(pod, "metadata", "namespace")]]
    for title, found in (
        ("Priority:", text(pod, "spec", "priority")),
        ("Priority Class Name:", text(pod, "spec", "priorityClassName")),
        ("Runtime Class Name:", text(pod, "spec", "runtimeClassName")),
        ("Service Account:", text(pod, "spec", "serviceAccountName")),
        ("Node:", f"{node}/{host}" if node else NONE),
        ("Start Time:", rfc1123(get(pod, "status", "startTime")) if get(pod, "status", "startTime") else ""),
    ):
        if found:
            rows.append([title, found])
    return [*rows, *labels_and_annotations(pod)]


def _status(pod: Tree, now: float) -> list[Row]:
    phase, ends = text(pod, "status", "phase"), text(pod, "metadata", "deletionTimestamp")
    rows = [["Status:", phase]]
    if ends and phase not in ("Failed", "Succeeded"):
        grace = text(pod, "metadata", "deletionGracePeriodSeconds") or "0"
        rows = [["Status:", f"Terminating (lasts {age(ends, now)})"], ["Termination Grace Period:", f"{grace}s"]]
    for title, name in (("Reason:", "reason"), ("Message:", "message")):
        if found := text(pod, "status", name):
            rows.append([title, found])
    profile = sub(pod, "spec", "securityContext", "seccompProfile")
    if profile:
        rows.append(["SeccompProfile:", text(profile, "type")])
        if text(profile, "type") == "Localhost":
            rows.append(["LocalhostProfile:", text(profile, "localhostProfile")])
    return rows


def _addresses(pod: Tree) -> list[Row]:
    addresses = [text(entry, "ip") for entry in many(pod, "status", "podIPs")]
    rows = [["IP:", text(pod, "status", "podIP")]]
    if not addresses:
        return [*rows, ["IPs:", NONE]]
    return [*rows, ["IPs:"], *(["  IP:", address] for address in addresses)]


def _controller(pod: Tree) -> str:
    owners = (owner for owner in many(pod, "metadata", "ownerReferences") if get(owner, "controller") is True)
    return next((f"{text(owner, 'kind')}/{text(owner, 'name')}" for owner in owners), "")


def _gates(pod: Tree) -> list[Row]:
    gates = [text(gate, "conditionType") for gate in many(pod, "spec", "readinessGates")]
    states = {text(one, "type"): text(one, "status") for one in many(pod, "status", "conditions")}
    rows = [[f"  {gate} ", f"{states.get(gate, NONE)} "] for gate in gates]
    return [["Readiness Gates:"], ["  Type", "Status"], *rows] if gates else []


def _conditions(pod: Tree) -> list[Row]:
    rows = [[f"  {text(one, 'type')} ", f"{text(one, 'status')} "] for one in many(pod, "status", "conditions")]
    return [["Conditions:"], ["  Type", "Status"], *rows] if rows else []


def _by_key(tolerations: list[Tree]) -> list[Tree]:
    return sorted(tolerations, key=lambda toleration: text(toleration, "key"))


def _toleration(toleration: Tree) -> str:
    key, value, effect = (text(toleration, name) for name in ("key", "value", "effect"))
    shown = key + (f"={value}" if value else "") + (f":{effect}" if effect else "")
    if text(toleration, "operator") == "Exists" and not value:
        shown += " op=Exists" if key or effect else "op=Exists"
    seconds = text(toleration, "tolerationSeconds")
    return shown + (f" for {seconds}s" if seconds else "")


def _spread(pod: Tree) -> list[Row]:
    constraints = sorted(many(pod, "spec", "topologySpreadConstraints"), key=lambda one: text(one, "topologyKey"))
    rows = [["", _constraint(one)] for one in constraints]
    if rows:
        rows[0][0] = "Topology Spread Constraints:"
    return rows


def _constraint(one: Tree) -> str:
    shown = (
        f"{text(one, 'topologyKey')}:{text(one, 'whenUnsatisfiable')} when max skew {text(one, 'maxSkew')} is exceeded"
    )
    selector = sub(one, "labelSelector")
    if not selector:
        return shown
    parts = [f"{key}={value}" for key, value in pairs(selector, "matchLabels").items()]
    parts += [_expression(expression) for expression in many(selector, "matchExpressions")]
    return f"{shown} for selector {','.join(parts) or NONE}"


def _expression(expression: Tree) -> str:
    key, operator = text(expression, "key"), text(expression, "operator")
    values = ",".join(sorted(str(value) for value in get(expression, "values") or ()))
    return {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": key}.get(operator, f"!{key}")
