"""Bytes in, bytes out: I/O without DNS knowledge."""
