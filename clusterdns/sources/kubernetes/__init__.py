"""Objects from a live API server: ``source.Kubernetes``, and who may read it: ``kubeconfig``, ``in_cluster``."""
