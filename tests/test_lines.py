"""Octets in pieces of any size are the same lines."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterdns.sources.kubernetes.faults import ApiError, Reason
from clusterdns.sources.kubernetes.lines import Lines


@given(st.lists(st.binary(max_size=6).map(lambda text: text.replace(b"\n", b"."))), st.lists(st.integers(0, 40)))
def test_pieces(written: list[bytes], cuts: list[int]) -> None:
    text = b"".join(line + b"\n" for line in written)
    ends = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    lines = Lines()
    found = [line for begin, end in pairwise(ends) for line in lines.feed(text[begin:end])]
    assert found == [line for line in written if line.strip()]


def test_what_has_no_end_is_not_kept_for_ever() -> None:
    lines = Lines(longest=100)
    assert list(lines.feed(b"x" * 100)) == []
    with pytest.raises(ApiError) as caught:
        list(lines.feed(b"y"))
    assert caught.value.reason is Reason.GARBLED
