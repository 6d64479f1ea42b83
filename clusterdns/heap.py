"""Memory that was freed, handed back to the system: of a large cluster that is loaded again, a tenth of the whole."""


def hand_back() -> None:
    """Takes 4 ms, without the interpreter: meant for a worker.  glibc's malloc_trim(3); elsewhere it does nothing."""
    import ctypes  # noqa: PLC0415 - small clusters need it never

    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)
