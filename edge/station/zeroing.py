"""置零: an operator tells a lane's indicator to set itself to zero. First the ledger says so, then the indicator is
told, then the ledger says what became of it; a zero whose end is missing may or may not have been done.

Only an empty deck is zeroed: no truck is served, the weight is stable and within the zero-setting range (OIML R 76-1,
4.5.1: 4 % of Max), and below what counts as a vehicle. That is looked at when the button is pressed and again when the
ledger has it, for a disk may be slow and a wheel quick; and a command whose turn on the line comes late is not sent.
"""

from drivers.ports import CommandNo, CommandRefused, DeviceTimeout, DriverError, ScaleCommand
from edge.domain.refusal import Reason, Refusal, Words, refuse
from edge.station.desk import Desk
from edge.station.lane_scale import LaneScale
from edge.station.lane_view import may_zero
from edge.station.views import Done
from edge.store.books import Books
from sync.records import ScaleCommanded, ScaleCommandEnded

_DEADLINE_S = 12.0
_BEGIN_WITHIN_S = 1.0
"""No older than a weight may be is the look at the deck when the indicator is told."""
_SEE_AGAIN_S = 2.0

_NO_WORDS = {
    CommandNo.NOT_NOW: Words("现在不能执行", "it cannot do this now"),
    CommandNo.MOVING: Words("重量未稳定", "its weight is not stable"),
    CommandNo.ABOVE_RANGE: Words("重量高于置零范围", "its weight is above its zero-setting range"),
    CommandNo.BELOW_RANGE: Words("重量低于置零范围", "its weight is below its zero-setting range"),
    CommandNo.NOT_KNOWN: Words("它不认识这个命令", "it does not know this command"),
    CommandNo.NO_EFFECT: Words("重量没有归零", "the weight did not become zero"),
    CommandNo.TOO_LATE: Words("线路忙,命令未发送", "not sent, for its line was busy"),
}


async def zero(desk: Desk, scale: LaneScale, weight_kg: int, by: str) -> Done | Refusal:
    """Tell the indicator, with the record before and after. `weight_kg` is what it showed when it was allowed."""
    sent = await desk.commit(lambda books: _begin(books, desk, scale, weight_kg, by))
    if isinstance(sent, Refusal):
        return sent  # nothing was written down, so nothing is done
    told: Done | Refusal
    if changed := _changed(desk, scale, weight_kg):
        result, told = "refused", changed
    else:
        result, told = await _tell(scale, weight_kg)
    after_kg = await scale.seen_again(_SEE_AGAIN_S)
    ended = await desk.commit(lambda books: _end(books, desk, scale, sent, result, told.words, after_kg))
    return ended if isinstance(ended, Refusal) else told


def _changed(desk: Desk, scale: LaneScale, weight_kg: int) -> Refusal | None:
    """Why the indicator may not be told any more what the ledger has allowed."""
    now_kg = may_zero(desk, scale)
    if isinstance(now_kg, Refusal):
        return now_kg
    return refuse(Reason.ZERO_CHANGED) if abs(now_kg - weight_kg) > scale.setup.rules.division_kg else None


async def _tell(scale: LaneScale, weight_kg: int) -> tuple[str, Done | Refusal]:
    try:
        await scale.tell(ScaleCommand.ZERO, _DEADLINE_S, _BEGIN_WITHIN_S)
    except DriverError as error:
        return "unknown" if isinstance(error, DeviceTimeout) else "refused", _failed(error)
    scale.watch.zeroed()
    return "done", Done(Words(f"已置零(原 {weight_kg} kg)", f"Zeroed (was {weight_kg} kg)"))


def _begin(books: Books, desk: Desk, scale: LaneScale, weight_kg: int, by: str) -> int:
    now, standing = desk.clock.now(), books.lanes().get(scale.setup.lane)
    record = ScaleCommanded(
        lane=scale.setup.lane,
        command=ScaleCommand.ZERO.value,
        indicator=scale.setup.indicator,
        weight_kg=weight_kg,
        range_kg=scale.setup.rules.zero_range_kg,
        visit=standing.visit if standing else "",
        person=by,
        person_name=desk.plant.names.get(by, ""),
        business_date=desk.plant.business_date(now),
        at=now,
    )
    return books.ledger.append(record).seq


def _end(
    books: Books, desk: Desk, scale: LaneScale, sent: int, result: str, told: Words, weight_kg: int | None
) -> None:
    lane, now, what = scale.setup.lane, desk.clock.now(), f"{told.zh} / {told.en}"
    books.ledger.append(
        ScaleCommandEnded(commanded=sent, lane=lane, result=result, what=what, weight_kg=weight_kg, at=now)
    )


def _failed(error: DriverError) -> Refusal:
    if isinstance(error, DeviceTimeout):
        return refuse(Reason.ZERO_UNKNOWN)
    words = _NO_WORDS[error.why] if isinstance(error, CommandRefused) else Words("仪表断开", "it is disconnected")
    return refuse(Reason.ZERO_REFUSED, what=words.zh, what_en=words.en)
