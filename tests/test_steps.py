"""Long work in small steps, run to its end."""

import pytest

from clusterdns.steps import Steps, at_once


def test_steps_are_run_to_their_end() -> None:
    seen: list[int] = []

    def steps() -> Steps[str]:
        for number in range(3):
            seen.append(number)
            yield
        return "done"

    assert at_once(steps()) == "done"
    assert seen == [0, 1, 2]


def test_what_a_step_raises_goes_through() -> None:
    def steps() -> Steps[None]:
        yield
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        at_once(steps())
