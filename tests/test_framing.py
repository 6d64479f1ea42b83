"""Messages in a byte stream, however it is cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterdns.engine.framing import MessageStream, frame
from clusterdns.errors import PeerError

messages = st.lists(st.binary(max_size=60), max_size=20)


@given(messages, st.lists(st.integers(0, 30), min_size=1))
def test_any_cut_of_the_stream_gives_the_same_messages(sent: list[bytes], sizes: list[int]) -> None:
    stream, wire, got, turn = MessageStream(), b"".join(map(frame, sent)), list[bytes](), 0
    while wire:
        size = sizes[turn % len(sizes)] or 1
        got += stream.feed(wire[:size])
        wire, turn = wire[size:], turn + 1
    assert got == sent


def test_one_octet_at_a_time() -> None:
    stream = MessageStream()
    got = [message for octet in frame(b"hello") + frame(b"") for message in stream.feed(bytes((octet,)))]
    assert got == [b"hello", b""]


@pytest.mark.parametrize("announced", [4097, 65535])
def test_more_than_the_limit_is_refused_as_soon_as_it_is_announced(announced: int) -> None:
    with pytest.raises(PeerError, match=str(announced)):
        MessageStream().feed(announced.to_bytes(2))
    with pytest.raises(PeerError):
        MessageStream().feed(frame(b"good") + announced.to_bytes(2))


def test_the_limit_itself_is_taken() -> None:
    assert MessageStream(max_octets=4096).feed(frame(bytes(4096))) == [bytes(4096)]


def test_what_is_held_is_bounded() -> None:
    stream = MessageStream()
    for _ in range(1000):
        stream.feed(frame(bytes(4000)) * 3)
        assert len(stream._buffer) <= 4098
    stream.feed(frame(bytes(4096))[:-1])
    assert len(stream._buffer) == 4097


def test_a_response_travels_with_its_length() -> None:
    assert frame(b"abc") == b"\0\3abc"
    assert len(frame(bytes(65535))) == 65537
