"""A file that is replaced as a whole, by several who know nothing of each other."""

import threading
from pathlib import Path
from typing import BinaryIO

from clusterdns.sources.whole import write_whole

PIECES, OCTETS = 50, 4096


def test_those_who_write_together_leave_the_whole_of_one(tmp_path: Path) -> None:
    path, faults = tmp_path / "known.bin", list[OSError]()
    begin = threading.Barrier(4)

    def write(letter: bytes) -> None:
        def pieces(file: BinaryIO) -> None:
            for _ in range(PIECES):
                file.write(letter * OCTETS)
                file.flush()

        begin.wait()
        try:
            write_whole(path, pieces)
        except OSError as fault:
            faults.append(fault)

    writers = [threading.Thread(target=write, args=(letter,)) for letter in (b"a", b"b", b"c", b"d")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    found = path.read_bytes()
    assert (faults, len({*found}), len(found)) == ([], 1, PIECES * OCTETS)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
