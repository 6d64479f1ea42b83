"""The volumes in ``clusterdns describe pod`` (v1.36, ``describeVolumes``): those that manifests use."""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from clusterdns.views.describe import UNSET, Row
from clusterdns.views.trees import NONE, Tree, get, many, sub, text

_TWO = "    "


class _Kind(Struct, frozen=True):
    """A kind of volume: what kubectl says it is, and (title, field, what is said where it is absent)."""

    words: str
    fields: Sequence[tuple[str, str, str]] = ()


_KINDS = {
    "hostPath": _Kind("HostPath (bare host directory volume)", (("Path", "path", ""), ("HostPathType", "type", ""))),
    "emptyDir": _Kind(
        "EmptyDir (a temporary directory that shares a pod's lifetime)",
        (("Medium", "medium", ""), ("SizeLimit", "sizeLimit", UNSET)),
    ),
    "secret": _Kind(
        "Secret (a volume populated by a Secret)",
        (("SecretName", "secretName", ""), ("Optional", "optional", "false")),
    ),
    "configMap": _Kind(
        "ConfigMap (a volume populated by a ConfigMap)", (("Name", "name", ""), ("Optional", "optional", "false"))
    ),
    "nfs": _Kind(
        "NFS (an NFS mount that lasts the lifetime of a pod)",
        (("Server", "server", ""), ("Path", "path", ""), ("ReadOnly", "readOnly", "false")),
    ),
    "persistentVolumeClaim": _Kind(
        "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)",
        (("ClaimName", "claimName", ""), ("ReadOnly", "readOnly", "false")),
    ),
    "ephemeral": _Kind(
        "EphemeralVolume (an inline specification for a volume that gets created and deleted with the pod)"
    ),
    "csi": _Kind(
        "CSI (a Container Storage Interface (CSI) volume source)",
        (("Driver", "driver", ""), ("FSType", "fsType", ""), ("ReadOnly", "readOnly", "false")),
    ),
    "image": _Kind(
        "Image (a container image or OCI artifact)", (("Reference", "reference", ""), ("PullPolicy", "pullPolicy", ""))
    ),
}


def volumes(found: list[Tree]) -> list[Row]:
    if not found:
        return [["Volumes:", NONE]]
    rows: list[Row] = [["Volumes:"]]
    for volume in found:
        rows.append([f"  {text(volume, 'name')}:"])
        rows += _volume(volume)
    return rows


def _volume(volume: Tree) -> Iterator[Row]:
    for field, kind in _KINDS.items():
        if isinstance(source := get(volume, field), dict):
            yield [f"{_TWO}Type:", kind.words]
            yield from ([f"{_TWO}{title}:", text(source, name) or none] for title, name, none in kind.fields)
            return
    if projected := sub(volume, "projected"):
        yield [f"{_TWO}Type:", "Projected (a volume that contains injected data from multiple sources)"]
        for source in many(projected, "sources"):
            yield from _projected(source)
    elif downward := sub(volume, "downwardAPI"):
        yield [f"{_TWO}Type:", "DownwardAPI (a volume populated by information about the pod)"]
        yield [f"{_TWO}Items:"]
        for item in many(downward, "items"):
            path = text(item, "fieldRef", "fieldPath") or text(item, "resourceFieldRef", "resource")
            yield [f"      {path} -> {text(item, 'path')}"]
    else:
        yield ["  <unknown>"]


def _projected(source: Tree) -> Iterator[Row]:
    if secret := sub(source, "secret"):
        yield [f"{_TWO}SecretName:", text(secret, "name")]
        yield [f"{_TWO}Optional:", text(secret, "optional") or "false"]
    elif "downwardAPI" in source:
        yield [f"{_TWO}DownwardAPI:", "true"]
    elif config := sub(source, "configMap"):
        yield [f"{_TWO}ConfigMapName:", text(config, "name")]
        yield [f"{_TWO}Optional:", text(config, "optional") or "false"]
    elif token := sub(source, "serviceAccountToken"):
        yield [f"{_TWO}TokenExpirationSeconds:", text(token, "expirationSeconds") or "3600"]
