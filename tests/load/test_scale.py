"""Prompts in several processes, with faults and a kill: the checks of `benchmarks/scale.py`.

`make scale` runs it with 20,000 prompts.
"""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from benchmarks import scale, soak
from tests.load.traffic import Tally

Accounts = dict[str, Any]
LOSING = {"LoseResponse", "CutBytes", "CutStream"}


@pytest.mark.slow
def test_a_run_with_faults_and_a_kill(tmp_path: Path) -> None:
    """Each prompt has one response, and the cost is that of the ledger without lost responses."""
    sizes = ["--prompts=300", "--processes=2", "--max-concurrency=8", "--faults=0.3"]
    figures = scale.run(scale.parse([*sizes, "--latency=0.02"]), tmp_path)
    assert figures["starts"][0] > 1
    lost = figures["responses_lost"]
    assert lost.keys() - {"killed"} <= LOSING
    assert lost.keys() & LOSING
    assert figures["responses_generated"] == 300 + sum(lost.values())
    assert figures["requests"] > figures["responses_generated"]
    assert figures["retries"] > 0
    # A response that was cut off is not requested again in the same run: the row has an error.
    assert figures["rows_with_errors"]["APIConnectionError"] > 0


@pytest.fixture
def accounts() -> Accounts:
    """Return correct accounts: four prompts, one response cut and one killed in the first part."""
    output = [
        {"id": n, "answer": f"row {n}", "cost_usd": 0.5, "response_id": f"r{n}"} for n in range(4)
    ]
    ledger = [
        {"id": n, "response_id": f"r{n}", "cost_ticks": 5_000_000_000, "lost": None}
        for n in range(4)
    ]
    cut = {"id": 1, "response_id": "cut", "cost_ticks": 5_000_000_000, "lost": "CutStream"}
    killed = {**cut, "id": 2, "response_id": "killed", "lost": None}
    return {
        "output": output,
        "ledger": [*ledger, cut, killed],
        "prompts": 4,
        "of_killed": {0, 2},
        "concurrency": 1,
    }


def test_correct_accounts(accounts: Accounts) -> None:
    """Correct accounts give the sums of output, ledger and lost responses."""
    assert scale.check(**accounts) == {
        "responses_generated": 6,
        "responses_lost": {"CutStream": 1, "killed": 1},
        "cost_usd": 2.0,
        "cost_usd_generated": 3.0,
        "cost_usd_lost": 1.0,
    }


DEFECTS: dict[str, Any] = {
    "a row is missing": lambda a: a["output"].pop(),
    "a row is twice in the output": lambda a: a["output"].append(a["output"][0]),
    "a row has the response of another one": lambda a: a["output"][0].update(answer="row 1"),
    "a response was not generated": lambda a: a["output"][0].update(response_id="unknown"),
    "a cut response is in the output": lambda a: a["output"][1].update(response_id="cut"),
    "the cost is wrong": lambda a: a["output"][0].update(cost_usd=0.4),
    "a prompt was paid twice outside the killed part": lambda a: a["ledger"][5].update(id=1),
    "the kill lost more than was sent": lambda a: a.update(concurrency=0),
    "the kill lost two responses of one prompt": lambda a: (
        a["ledger"].append({**a["ledger"][5], "response_id": "again"}),
        a.update(concurrency=2),
    ),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_wrong_accounts_are_detected(defect: str, accounts: Accounts) -> None:
    """Each defect of the accounts is detected."""
    wrong = deepcopy(accounts)
    DEFECTS[defect](wrong)
    with pytest.raises((AssertionError, KeyError)):
        scale.check(**wrong)


def samples(rise: float, noise: float) -> list[soak.Sample]:
    """Return an hour of samples, a minute apart, in which every figure rises."""
    return [
        {"seconds": 60.0 * n}
        | {
            name: 1000 + rise * limit * n / 60 + noise * limit * (n * 7 % 5 - 2)
            for name, limit in {**soak.ALLOWED, "objects": 1.0}.items()
        }
        for n in range(61)
    ]


@pytest.mark.parametrize("noise", [0.0, 0.3])
@pytest.mark.parametrize("rise", [-2.0, 0.0, 0.5, 2.0])
def test_the_soak_detects_growth(
    rise: float, noise: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slope is within its interval, and a rise above the limit is growth."""
    monkeypatch.setattr(soak, "SECONDS", 3600.0)
    figures = soak.summary(samples(rise, noise), Tally(), cpu=1.0)
    for name, limit in soak.ALLOWED.items():
        low, high = figures["interval_per_hour"][name]
        assert low <= figures["rise_per_hour"][name] <= high
        assert low - 0.01 <= rise * limit <= high + 0.01
    assert soak.growing(figures) == (list(soak.ALLOWED) if rise > 1.5 else [])
