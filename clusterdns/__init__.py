"""clusterdns: the DNS server a cluster resolves its services with."""

__version__ = "0.1.0"
