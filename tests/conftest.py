"""Read by pytest before any test module."""

from hypothesis import HealthCheck, settings

# No test depends on speed.  Here, since a test takes what is the default when its module is read.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")
