"""What an API server's controllers would add to manifests.  Pure; off with a live API."""
