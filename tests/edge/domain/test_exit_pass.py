"""The gate's decision: fail closed, one reason, and what a guard may override."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import combinations
from typing import Any

import pytest

from edge.domain.exit_pass import OVERRIDABLE, ExitPass, PassFacts, Verdict, decide_exit
from edge.domain.plate_check import check_plate
from edge.domain.refusal import Reason
from tests.edge.looks import look

PASS = ExitPass(1, 3, 7, "ab" * 8, 18_000, b"8 bytes!", datetime(2026, 11, 23, tzinfo=UTC), 720, 1)
FACTS = PassFacts("HX01-03-0000007", "N1", "浙A12345", 18_000, "ab" * 8, False, True, ("", ""), None)
GOOD = look("浙A12345", "浙A12345")
WRONG: tuple[tuple[Reason, dict[str, Any]], ...] = (
    (Reason.PASS_UNKNOWN, {"net_kg": 18_020}),
    (Reason.PASS_VOIDED, {"voided": True}),
    (Reason.PASS_USED, {"used_at": "2026-11-23 08:00:00"}),
    (Reason.PASS_UNSEALED, {"sealed": False, "missing_seal": ("财务", "finance")}),
    (Reason.PASS_EXPIRED, {"expired_at": "2026-11-24 08:00:00"}),
    (Reason.PLATE_DIFFERS, {"seen": look("浙C99999", "浙A12345")}),
)
"""In the order of the decision."""


def verdict(*changes: dict[str, Any]) -> tuple[Verdict, Reason | None]:
    """The decision on a good pass, spoilt."""
    spoilt = {name: value for change in changes for name, value in change.items()}
    seen, expired_at = spoilt.pop("seen", GOOD), spoilt.pop("expired_at", None)
    same = spoilt.pop("same", None)
    decision = decide_exit(PASS, replace(FACTS, **spoilt), check_plate(FACTS.plate, seen).told(same), expired_at)
    assert decision.why is None or (decision.why.words.zh and decision.why.words.en)
    return decision.verdict, decision.why.reason if decision.why else None


def test_a_good_pass_opens() -> None:
    assert verdict() == (Verdict.OPEN, None)


def test_an_unknown_pass_is_refused() -> None:
    assert decide_exit(PASS, None, check_plate("浙A12345", GOOD), None).verdict is Verdict.REFUSE
    assert verdict({"pass_id": "00" * 8}) == (Verdict.REFUSE, Reason.PASS_UNKNOWN)


@pytest.mark.parametrize(("reason", "change"), WRONG)
def test_each_no_by_itself(reason: Reason, change: dict[str, Any]) -> None:
    assert verdict(change) == (Verdict.REFUSE, reason)


@pytest.mark.parametrize(("first", "later"), list(combinations(WRONG, 2)))
def test_the_earlier_no_wins(first: tuple[Reason, dict[str, Any]], later: tuple[Reason, dict[str, Any]]) -> None:
    assert verdict(later[1], first[1]) == (Verdict.REFUSE, first[0])


def test_a_plate_that_was_not_read_asks_the_guard_last() -> None:
    assert verdict({"seen": None}) == (Verdict.ASK_GUARD, Reason.PLATE_NOT_READ)
    for reason, change in WRONG[:-1]:
        assert verdict({"seen": None}, change) == (Verdict.REFUSE, reason)


def test_a_plate_that_was_not_read_surely_asks_the_guard_last() -> None:
    """His yes opens, his no is a refusal as if the camera had seen another truck."""
    unsure = {"seen": look("浙A1234S", "浙A12345")}
    assert verdict(unsure) == (Verdict.ASK_GUARD, Reason.PLATE_UNSURE)
    for reason, change in WRONG[:-1]:
        assert verdict(unsure, change) == (Verdict.REFUSE, reason)
    assert verdict(unsure, {"same": True}) == (Verdict.OPEN, None)
    assert verdict(unsure, {"same": False}) == (Verdict.REFUSE, Reason.PLATE_DIFFERS)
    assert verdict(WRONG[-1][1], {"same": True}) == (Verdict.REFUSE, Reason.PLATE_DIFFERS), "clear is not asked about"


def test_what_can_never_be_overridden() -> None:
    never = {Reason.PASS_FORGED, Reason.PASS_OTHER_PLANT, Reason.PASS_UNKNOWN, Reason.PASS_VOIDED, Reason.PASS_UNSEALED}
    assert not OVERRIDABLE & (never | {Reason.PASS_UNREADABLE, Reason.STORE_FULL})
