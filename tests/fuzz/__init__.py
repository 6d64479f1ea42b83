"""Packets that nobody should send: mutated from a corpus here, or found by atheris where it is installed."""
