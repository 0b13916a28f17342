"""The band of a plate's own tares: who brings water, stones or another truck is outside it."""

from collections.abc import Sequence

from edge.domain.scale_watch_rules import Cause, WatchKind, WatchRules

_NEWEST = 20


def judge_tare(rules: WatchRules, division_kg: int, tare_kg: int, history_kg: Sequence[int]) -> Cause | None:
    """Compare with median ± max(k·MAD, kg, ‰, divisions) of the newest tares; no answer from fewer than three.

    Median and MAD, because one bad tare in the past must neither move the band nor widen it.
    """
    earlier = sorted(history_kg[-_NEWEST:])
    if len(earlier) < rules.tares:
        return None
    usual_kg = _median(earlier)
    mad_kg = _median(sorted(abs(each - usual_kg) for each in earlier))
    band_kg = max(
        mad_kg * rules.tare_mad_permille // 1000,
        min(rules.tare_kg + rules.tare_few_kg // len(earlier), usual_kg // 10),
        usual_kg * rules.tare_permille // 1000,
        rules.tare_d * division_kg,
    )
    if abs(tare_kg - usual_kg) <= band_kg:
        return None
    numbers = (
        ("tare_kg", tare_kg),
        ("usual_kg", usual_kg),
        ("band_kg", band_kg),
        ("over_kg", tare_kg - usual_kg),
        ("tares", len(earlier)),
    )
    return Cause(WatchKind.TARE_HISTORY, "heavy" if tare_kg > usual_kg else "light", numbers)


def _median(ordered: Sequence[int]) -> int:
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) // 2
