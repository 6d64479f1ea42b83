"""Each setting by itself: what is read without pydantic is what pydantic reads, and what one refuses the other does."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterdns.config import DEFAULT, SETTINGS, Fault, Given, Settings, Where, _read, _wrong_values
from clusterdns.config_model import Model
from clusterdns.config_values import FORMS

FLAG = Where("--flag")

TEXTS = (
    *("", " ", ".", "true", "OFF", "maybe", "0", "1", "05", "5s", "1.5", "500ms", "2m", "1h", "168h", "200h", "-1"),
    *("512", "1232", "4096", "70000", "1000001", "16MiB", "1GiB", "2TiB", "1KiB", "1e3", "\uff15"),
    *("manifests", "kubernetes", "none", "disabled", "verified", "rotate", "fixed", "random", "sequential", "common"),
    *("json", "all", "denial", "cluster.local", "Corp.Example.", "a b", "-x", "x" * 64, "a." * 120, "_tcp.x", "web"),
    *("127.0.0.1", "127.0.0.1:1053", "[::1]:53", "127.0.0.1:99999", "0.0.0.0:0", "::1", "10.96.0.0/12", "10.97.0.1/12"),
    *(
        "fd00::/112",
        "10.in-addr.arpa",
        "300.in-addr.arpa",
        "tls://9.9.9.9#dns.quad9.net",
        "/etc/resolv.conf",
        "tls://x",
    ),
    *("corp.example=10.0.0.1 10.0.0.2:5353", "corp.example=", "app=web,tier in (a,b),!old", "app in", "a=b=c"),
    *("0123456789abcdef" * 2, "0123456789abcde" * 2, "token.-_~+/=", "with blank", "é", "/run/state", "x" * 300),
)
texts = st.sampled_from(TEXTS) | st.text(max_size=8)
values = texts | st.lists(texts, max_size=3)


def both(values: dict[str, str | list[str]]) -> tuple[Settings | None, Settings | None, list[Fault]]:
    faults: list[Fault] = []
    found = {name: Given(setting.default, DEFAULT) for name, setting in SETTINGS.items()}
    for name, value in values.items():
        found[name] = Given(value, FLAG, (FLAG,) * len(value) if isinstance(value, list) else ())
    wrong = _wrong_values(found, faults)
    assert bool(wrong) == bool(faults)
    explained = (
        None if wrong else Settings(**dict(Model.model_validate({name: one.value for name, one in found.items()})))
    )
    try:
        return _read(found), explained, faults
    except ValueError:
        return None, explained, faults


def test_every_setting_has_a_form() -> None:
    assert [*FORMS] == [*SETTINGS]


@pytest.mark.parametrize("name", SETTINGS)
def test_the_default_that_is_not_read_is_what_would_be_read(name: str) -> None:
    assert FORMS[name].read(SETTINGS[name].default) == getattr(Settings(), name)


@pytest.mark.parametrize("name", SETTINGS)
def test_each_value_means_the_same_both_ways(name: str) -> None:
    cases: list[str | list[str]] = [*TEXTS, [], *([text] for text in TEXTS), *([text, text] for text in TEXTS)]
    for value in cases:
        read, explained, faults = both({name: value})
        assert read == explained, value
        assert (read is None) == bool(faults), value


@given(st.dictionaries(st.sampled_from([*SETTINGS]), values, max_size=5))
def test_several_values_mean_the_same_both_ways(written: dict[str, str | list[str]]) -> None:
    read, explained, faults = both(written)
    assert read == explained
    assert (read is None) == bool(faults)


def test_pydantic_is_imported_to_tell_what_is_wrong_and_for_nothing_else() -> None:
    code = (
        "import sys; from clusterdns.config import load_settings\n"
        "load_settings({'ttl': '30', 'listen': ['127.0.0.1:53', '[::1]:53']}, {'CLUSTERDNS_PODS': 'verified'})\n"
        "sys.exit('pydantic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
