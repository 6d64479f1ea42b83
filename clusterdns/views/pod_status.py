"""READY, STATUS and RESTARTS of a pod, by kubectl's rules (v1.36, ``printPod``)."""

from msgspec import Struct

from clusterdns.views.ages import age, parse_time
from clusterdns.views.trees import Tree, get, many, number, sub, text


class _Count(Struct):
    """What going through the containers' statuses finds."""

    ready: int = 0
    restarts: int = 0
    last: str = ""  # when the last container ended that was started again
    reason: str = ""

    def restarted(self, status: Tree) -> None:
        self.restarts += number(status, "restartCount")
        ended = text(status, "lastState", "terminated", "finishedAt")
        if ended and _later(ended, self.last):
            self.last = ended


def ready_cell(pod: Tree) -> str:
    """``1/2``.  Manifests seldom have the containers' statuses; then the pod's Ready condition stands for all."""
    sidecars = [container for container in many(pod, "spec", "initContainers") if _is_sidecar(container)]
    total = len(many(pod, "spec", "containers")) + len(sidecars)
    if not has_statuses(pod):
        return f"{total if condition(pod, 'Ready') else 0}/{total}"
    return f"{_counted(pod).ready}/{total}"


def status_cell(pod: Tree) -> str:
    phase, reason = text(pod, "status", "phase"), text(pod, "status", "reason")
    if text(pod, "metadata", "deletionTimestamp"):
        if reason == "NodeLost":
            return "Unknown"
        if phase not in ("Succeeded", "Failed"):
            return "Terminating"
    return _counted(pod).reason


def restarts_cell(pod: Tree, now: float) -> str:
    """``3 (2m10s ago)``"""
    count = _counted(pod)
    return f"{count.restarts} ({age(count.last, now)} ago)" if count.restarts and count.last else str(count.restarts)


def has_statuses(pod: Tree) -> bool:
    return bool(many(pod, "status", "containerStatuses") or many(pod, "status", "initContainerStatuses"))


def condition(pod: Tree, name: str) -> bool:
    found = (one for one in many(pod, "status", "conditions") if text(one, "type") == name)
    return any(text(one, "status") == "True" for one in found)


def _counted(pod: Tree) -> _Count:
    reason = text(pod, "status", "reason") or text(pod, "status", "phase")
    for one in many(pod, "status", "conditions"):
        if text(one, "type") == "PodScheduled" and text(one, "reason") == "SchedulingGated":
            reason = "SchedulingGated"
    count, sidecars = _Count(reason=reason), _Count()
    if _initialize(pod, count, sidecars) and not condition(pod, "Initialized"):
        return count
    count.restarts, count.last = sidecars.restarts, sidecars.last
    _run(pod, count)
    return count


def _initialize(pod: Tree, count: _Count, sidecars: _Count) -> bool:
    """True: it still initializes, or failed to."""
    containers = {text(one, "name"): one for one in many(pod, "spec", "initContainers")}
    for at, status in enumerate(many(pod, "status", "initContainerStatuses")):
        sidecar = _is_sidecar(containers.get(text(status, "name"), {}))
        count.restarted(status)
        if sidecar:
            sidecars.restarted(status)
        ended = get(status, "state", "terminated")
        if isinstance(ended, dict) and not number(ended, "exitCode"):
            continue
        if sidecar and get(status, "started") is True:
            count.ready += get(status, "ready") is True
            continue
        count.reason = f"Init:{_init_reason(status, at, len(containers))}"
        return True
    return False


def _init_reason(status: Tree, at: int, total: int) -> str:
    ended, waits = sub(status, "state", "terminated"), text(status, "state", "waiting", "reason")
    if ended:
        return _ended(ended)
    return waits if waits not in ("", "PodInitializing") else f"{at}/{total}"


def _run(pod: Tree, count: _Count) -> None:
    running, failed = False, ""
    for status in reversed(many(pod, "status", "containerStatuses")):
        count.restarted(status)
        ended = get(status, "state", "terminated")
        if waits := text(status, "state", "waiting", "reason"):
            count.reason = waits
        elif isinstance(ended, dict):
            count.reason = _ended(ended)
            failed = count.reason if number(ended, "exitCode") else failed
        elif get(status, "ready") is True and get(status, "state", "running") is not None:
            running = True
            count.ready += 1
    if count.reason == "Completed":
        if running and condition(pod, "Ready"):
            count.reason = "Running"
        elif failed or running:
            count.reason = failed or "NotReady"


def _ended(ended: Tree) -> str:
    if text(ended, "reason"):
        return text(ended, "reason")
    signal = number(ended, "signal")
    return f"Signal:{signal}" if signal else f"ExitCode:{number(ended, 'exitCode')}"


def _is_sidecar(container: Tree) -> bool:
    return text(container, "restartPolicy") == "Always"


def _later(one: str, other: str) -> bool:
    new, old = parse_time(one), parse_time(other)
    return new is not None and (old is None or new > old)
