"""Every forwarded answer beside that of unbound, which forwards to the same server: what differs is meant to.

``FORWARD_NAMES=5000`` asks for all names of the recorded set instead of a sample.
"""

import os
from collections import Counter

import beside_unbound
import pytest
from beside_unbound import NAMES, VARIANTS, Run, missing, questions
from odd_zones import Kind, site
from unbound_deviations import DEVIATIONS, explanations

SAMPLE = 320
ASKED = int(os.environ.get("FORWARD_NAMES", str(SAMPLE)))
_SHOWN, _CHARACTERS = 10, 1500

needs_servers = pytest.mark.skipif(bool(why := missing("knotd", "unbound")), reason=why)
pytestmark = pytest.mark.xdist_group("forward differential")  # the run is made once


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    sample = 0 if ASKED >= NAMES else ASKED
    return beside_unbound.run(tmp_path_factory.mktemp("forwarding"), questions(NAMES, sample))


@needs_servers
@pytest.mark.timeout(1200)
def test_every_difference_has_one_explanation(run: Run) -> None:
    unexplained = []
    for difference in run.found:
        keys = [deviation.key for deviation in explanations(difference)]
        if len(keys) != 1:
            unexplained.append(f"{' and '.join(keys) or 'unexplained'}: {difference}"[:_CHARACTERS])
    assert not unexplained, f"{len(unexplained)} differences:\n" + "\n".join(unexplained[:_SHOWN])


@needs_servers
@pytest.mark.timeout(1200)
def test_every_explanation_is_needed(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    counts = Counter(deviation.key for difference in run.found for deviation in explanations(difference))
    with capsys.disabled():
        print(f"\n{run.names} names, {run.asked} questions to clusterdns and unbound; differences by deviation:")
        for deviation in DEVIATIONS:
            print(f"{counts[deviation.key]:8} {deviation.key}")
    if run.names == NAMES:
        assert [deviation.key for deviation in DEVIATIONS if not counts[deviation.key]] == []


@needs_servers
@pytest.mark.timeout(1200)
def test_enough_was_asked_and_enough_of_it_exists(run: Run) -> None:
    assert run.names == min(ASKED, NAMES)
    assert run.asked == run.kinds.total() == run.answers.total() >= run.names * len(VARIANTS)
    assert run.kinds.keys() == {kind.name for kind in Kind}
    assert run.truncated > 10
    assert run.signed > 10
    assert run.answers["answer"] > run.asked / 3
    assert all(run.answers[kind] > 10 for kind in ("NODATA", "NXDOMAIN", "SERVFAIL", "REFUSED"))


def test_the_set_is_the_same_every_time() -> None:
    assert site() == site()
    asked = questions(NAMES)
    assert asked == questions(NAMES)
    assert len({question.name.lower() for question in asked}) == NAMES


def test_keys_differ() -> None:
    assert len({deviation.key for deviation in DEVIATIONS}) == len(DEVIATIONS)
