"""What a container is given besides DNS: its service variables and its resolv.conf.  Pure."""
