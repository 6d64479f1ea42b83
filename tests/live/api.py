"""The few requests that tests send to a real API server."""

import http.client
import json
import ssl
import time
from pathlib import Path
from typing import Any

Manifest = dict[str, Any]  # a Kubernetes object as JSON has it

# (apiVersion, kind) -> (path of the group, name of the resource, whether it is namespaced)
_RESOURCES = {
    ("v1", "Namespace"): ("/api/v1", "namespaces", False),
    ("v1", "Node"): ("/api/v1", "nodes", False),
    ("v1", "Service"): ("/api/v1", "services", True),
    ("v1", "Endpoints"): ("/api/v1", "endpoints", True),
    ("v1", "Pod"): ("/api/v1", "pods", True),
    ("apps/v1", "StatefulSet"): ("/apis/apps/v1", "statefulsets", True),
    ("discovery.k8s.io/v1", "EndpointSlice"): ("/apis/discovery.k8s.io/v1", "endpointslices", True),
    ("rbac.authorization.k8s.io/v1", "ClusterRole"): ("/apis/rbac.authorization.k8s.io/v1", "clusterroles", False),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"): (
        "/apis/rbac.authorization.k8s.io/v1",
        "clusterrolebindings",
        False,
    ),
}

_IDLE = 30.0  # seconds


class ApiError(Exception):
    """The API server refused a request; the text is its reason."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class Api:
    """One connection, one request at a time.  *certificate*: what signs the server's, as a file."""

    def __init__(self, port: int, token: str, certificate: Path) -> None:
        self.port, self._made_of = port, (port, token, certificate)
        context = ssl.create_default_context(cafile=str(certificate))
        # The server makes its certificate itself, and leaves out the key identifiers that strictness asks for.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        self._connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=60, context=context)
        self._used = 0.0
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}

    def another(self) -> "Api":
        """A connection of its own, for another thread."""
        return Api(*self._made_of)

    def close(self) -> None:
        self._connection.close()

    def ready(self) -> bool:
        try:
            self._connection.request("GET", "/readyz", headers=self._headers)
            response = self._connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return False
        return response.status == 200

    def text(self, path: str) -> str:
        """Of a page that is no JSON."""
        self._connection.close()  # as of one that was idle
        self._connection.request("GET", path, headers=self._headers)
        return self._connection.getresponse().read().decode()

    def create(self, manifest: Manifest) -> Manifest:
        return self._request("POST", self._collection(manifest), manifest)

    def get(self, manifest: Manifest) -> Manifest:
        """As it is now."""
        return self._request("GET", self._path(manifest))

    def found(self, manifest: Manifest) -> Manifest | None:
        """As it is now; None where there is none."""
        try:
            return self.get(manifest)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def replace(self, manifest: Manifest) -> Manifest:
        """Refused (409) if it has a resourceVersion and that is not the last one."""
        return self._request("PUT", self._path(manifest), manifest)

    def patch(self, manifest: Manifest, change: Manifest) -> Manifest:
        """*change*: a merge patch."""
        return self._request("PATCH", self._path(manifest), change, "application/merge-patch+json")

    def set_status(self, manifest: Manifest) -> Manifest:
        """Writes the ``status`` of *manifest*, as a kubelet does for its pods."""
        body = {"status": manifest["status"]}
        return self._request("PATCH", f"{self._path(manifest)}/status", body, "application/merge-patch+json")

    def delete(self, manifest: Manifest, *, at_once: bool = False) -> Manifest:
        """*at_once*: as a kubelet does when a pod's containers have ended; before that it is terminating."""
        return self._request("DELETE", self._path(manifest) + ("?gracePeriodSeconds=0" if at_once else ""))

    def list(self, version: str, kind: str) -> Manifest:
        """Every object of a kind, as the server's List."""
        group, resource, _ = _RESOURCES[version, kind]
        return self._request("GET", f"{group}/{resource}")

    def exists(self, version: str, kind: str, namespace: str, name: str) -> bool:
        manifest = {"apiVersion": version, "kind": kind, "metadata": {"namespace": namespace, "name": name}}
        try:
            self._request("GET", self._path(manifest))
        except ApiError:
            return False
        return True

    def _collection(self, manifest: Manifest) -> str:
        group, resource, namespaced = _RESOURCES[manifest["apiVersion"], manifest["kind"]]
        return (
            f"{group}/namespaces/{manifest['metadata']['namespace']}/{resource}"
            if namespaced
            else f"{group}/{resource}"
        )

    def _path(self, manifest: Manifest) -> str:
        return f"{self._collection(manifest)}/{manifest['metadata']['name']}"

    def _request(
        self, method: str, path: str, body: Manifest | None = None, form: str = "application/json"
    ) -> Manifest:
        content = None if body is None else json.dumps(body)
        if time.monotonic() - self._used > _IDLE:
            self._connection.close()  # the server may have done so; the next request opens another
        self._used = time.monotonic()
        try:
            self._connection.request(method, path, content, self._headers | {"Content-Type": form})
            response = self._connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()  # the next request opens another
            raise
        if response.status >= 400:
            raise ApiError(f"{method} {path}: {response.status} {text.decode(errors='replace')[:500]}", response.status)
        found: Manifest = json.loads(text)
        return found
