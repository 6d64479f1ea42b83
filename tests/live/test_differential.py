"""Every answer beside that of a real CoreDNS that watches the same objects: what differs is meant to."""

from collections import Counter

import pytest

from live import comparing
from live.comparing import VARIANTS, Run
from live.control_plane import missing
from live.deviations import DEVIATIONS, explanations

SEEDS = (1, 2)
QUESTIONS = 2500  # for each variant of each seed
_SHOWN = 20

pytestmark = [
    pytest.mark.skipif(bool(why := missing("etcd", "kube-apiserver", "coredns")), reason=why),
    pytest.mark.timeout(1200),
    pytest.mark.xdist_group("differential"),  # the run is made once
]


@pytest.fixture(scope="module")
def all_runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    return list(comparing.runs(tmp_path_factory.mktemp("differential"), SEEDS, QUESTIONS))


def test_every_difference_has_one_explanation(all_runs: list[Run]) -> None:
    unexplained = []
    for run in all_runs:
        for difference in run.found:
            keys = [deviation.key for deviation in explanations(difference)]
            if len(keys) != 1:
                unexplained.append(f"seed {run.seed}: {' and '.join(keys) or 'unexplained'}: {difference}")
    assert not unexplained, f"{len(unexplained)} differences:\n" + "\n".join(unexplained[:_SHOWN])


def test_every_explanation_is_needed(all_runs: list[Run], capsys: pytest.CaptureFixture[str]) -> None:
    counts = Counter(
        deviation.key for run in all_runs for difference in run.found for deviation in explanations(difference)
    )
    with capsys.disabled():
        print(f"\n{sum(run.asked for run in all_runs)} questions to clusterdns and CoreDNS; differences by deviation:")
        for deviation in DEVIATIONS:
            print(f"{counts[deviation.key]:8} {deviation.key}")
    assert [deviation.key for deviation in DEVIATIONS if not counts[deviation.key]] == []


def test_enough_was_asked_and_enough_of_it_exists(all_runs: list[Run]) -> None:
    kinds = sum((run.kinds for run in all_runs), Counter[str]())
    asked = sum(run.asked for run in all_runs)
    assert asked == kinds.total() >= len(SEEDS) * len(VARIANTS) * QUESTIONS >= 5000
    # No question is asked twice, and most options hide most of the cluster.
    assert kinds.total() - kinds["NODATA"] - kinds["NXDOMAIN"] - kinds["REFUSED"] > asked / 10
    assert {"A", "AAAA", "SRV", "PTR", "CNAME", "CNAME A", "TXT", "NS", "SOA"} <= kinds.keys()
