"""What is left out is only what aiohttp would read for itself."""

import subprocess
import sys

import pytest

SCRIPT = """
import ssl
from clusterdns.lean_aiohttp import import_aiohttp
before = ssl.SSLContext.set_default_verify_paths
{plain}
import_aiohttp()
import aiohttp.connector
import_aiohttp()
assert ssl.SSLContext.set_default_verify_paths is before
authorities = aiohttp.connector._SSL_CONTEXT_VERIFIED.cert_store_stats()["x509"]
print(authorities, ssl.create_default_context().cert_store_stats()["x509"])
"""


@pytest.mark.parametrize("plain", ["", "import aiohttp"])
def test_contexts_made_later_trust_whom_the_system_trusts(plain: str) -> None:
    script = SCRIPT.format(plain=plain)
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    of_aiohttp, later = map(int, told.stdout.split())
    assert of_aiohttp == (later if plain else 0)
