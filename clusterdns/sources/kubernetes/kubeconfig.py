"""A kubeconfig: one context of it, as kubectl would use it."""

from clusterdns.sources.kubernetes.access import Access


class Kubeconfig:
    """Files that it names are read for every request, so that what others renew is used."""

    def __init__(self, path: str, context: str = "") -> None:
        """*context*: "" for the current one."""
        self._path, self._context = path, context

    @property
    def origin(self) -> str:
        return f'{self._path}, context "{self._context}"' if self._context else self._path

    async def access(self, *, renew: bool = False) -> Access:
        """Raises OperatorError where the file, or one that it names, is missing or malformed."""
        raise NotImplementedError
