"""docs/problems.md lists every code with the very words of the code, and no other."""

import re
from pathlib import Path

from clusterdns import config
from clusterdns.cluster import faults
from clusterdns.controllers import complaints
from clusterdns.lints import codes as lints
from clusterdns.sources import codes as sources
from clusterdns.zone import left_out

ROOT = Path(__file__).parent.parent
TABLES = (faults.CODES, sources.CODES, complaints.CODES, left_out.CODES, lints.CODES, config.CODES)


def test_no_code_has_two_meanings() -> None:
    assert len({code for table in TABLES for code in table}) == sum(map(len, TABLES))


def test_the_page_says_what_the_tables_say() -> None:
    page = re.findall(r"^\| (CD\d{3}) \| (.*) \|$", (ROOT / "docs" / "problems.md").read_text(), re.MULTILINE)
    assert sorted(page) == sorted(pair for table in TABLES for pair in table.items())


def test_every_code_that_is_given_is_in_a_table_and_the_other_way_round() -> None:
    texts = [path.read_text() for path in (ROOT / "clusterdns").rglob("*.py")]
    given = {code for text in texts for code in re.findall(r'"(CD\d{3})"(?!:)', text)}
    assert given == {code for table in TABLES for code in table}
