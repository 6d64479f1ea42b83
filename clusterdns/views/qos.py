"""The quality-of-service class of a pod, which its resources decide (v1.36, ``ComputePodQOS``)."""

from decimal import Decimal, InvalidOperation

from clusterdns.views.trees import Tree, many, pairs, sub, text

_SUFFIXES = {"m": Decimal("0.001"), "k": Decimal(1000), "": Decimal(1)}
_SUFFIXES |= {unit: Decimal(1000) ** power for power, unit in enumerate("MGTPE", 2)}
_SUFFIXES |= {f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)}


def qos_class(pod: Tree) -> str:
    """What its status says, else ``BestEffort``, ``Burstable`` or ``Guaranteed``."""
    if told := text(pod, "status", "qosClass"):
        return told
    whole = sub(pod, "spec", "resources")
    parts = [whole] if whole else [sub(one, "resources") for one in _containers(pod)]
    requests: dict[str, Decimal] = {}
    limits: dict[str, Decimal] = {}
    limited = True
    for part in parts:
        own = _add(limits, pairs(part, "limits"))
        # The API server makes requests of limits where none are written.
        _add(requests, pairs(part, "limits") | pairs(part, "requests"))
        limited &= own == {"cpu", "memory"}
    if not requests and not limits:
        return "BestEffort"
    return "Guaranteed" if limited and requests == limits else "Burstable"


def _containers(pod: Tree) -> list[Tree]:
    return many(pod, "spec", "containers") + many(pod, "spec", "initContainers")


def _add(total: dict[str, Decimal], written: dict[str, str]) -> set[str]:
    """Which of CPU and memory there was something of."""
    found = set()
    for name, value in written.items():
        amount = _quantity(value)
        if name in ("cpu", "memory") and amount > 0:
            total[name] = total.get(name, Decimal(0)) + amount
            found.add(name)
    return found


def _quantity(value: str) -> Decimal:
    """``"250m"``, ``"1Gi"``, ``"2"``; 0 for what is none."""
    number = value.rstrip("".join({letter for suffix in _SUFFIXES for letter in suffix}))
    try:
        return Decimal(number) * _SUFFIXES.get(value[len(number) :], Decimal(0))
    except InvalidOperation:
        return Decimal(0)
