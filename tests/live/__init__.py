"""Tests beside real Kubernetes parts: see docs/testing.md for what they need and how to get it."""
