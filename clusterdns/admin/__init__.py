"""The HTTP address."""
