"""What Kubernetes says: objects, their decoding, their state.  Pure: no I/O, no clock."""
