"""What sources say: typed changes, a whole list as one of them."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from msgspec import Struct

from clusterdns.cluster.model import Key, Object

# Kinds as sources name them: the API's, so "Deployment" and not "Workload".
Kind = str


class Replace(Struct, frozen=True):
    """The full truth of one kind from one source: its first word, and again after every re-list."""

    kind: Kind
    objects: tuple[Object, ...]


class Upsert(Struct, frozen=True):
    object: Object


class Delete(Struct, frozen=True):
    kind: Kind
    key: Key


Event = Replace | Upsert | Delete


class Source(Protocol):
    """Files and an API server look alike from here."""

    name: str

    def rounds(self) -> AsyncIterator[Sequence[Event]]:
        """Endless; the first round is the whole truth.  What comes in one round is published in one Change.

        Reconnects by itself.  Raises BackendError only when retrying cannot help.
        """
