"""The document of deviations is the table of deviations."""

from live.deviations import DEVIATIONS, DOCUMENT, as_text


def test_the_document_is_the_table() -> None:
    assert DOCUMENT.read_text() == as_text(), "write it anew: cd tests && python -m live.deviations"


def test_keys_differ() -> None:
    assert len({deviation.key for deviation in DEVIATIONS}) == len(DEVIATIONS)
