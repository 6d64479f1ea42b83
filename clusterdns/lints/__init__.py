"""What Kubernetes accepts and nobody can have meant: rules over all objects together.  Pure; for ``check`` only."""
