"""A lane as its page shows it: composed from the snapshot and the scale, with a reason for every
grey button.
"""

from edge.domain.account import spendable_fen
from edge.domain.decision import CLEARED_BY_AMENDMENT, CLEARED_BY_MONEY
from edge.domain.load_limit import load_limit
from edge.domain.refusal import Reason, Refusal, Words, refuse
from edge.domain.visit import Visit, VisitEvent, VisitState, next_state
from edge.station.desk import Desk
from edge.station.epoch import bar
from edge.station.lane_scale import LaneScale
from edge.station.snapshot import Snapshot
from edge.station.topup import lacks_fen
from edge.station.views import ActionView, HoldView, LimitView, LinkView, MoneyView, QueueEntry, VisitView, Why
from sync.units import amount_fen

_NEAR_KG = 1000
_SERVED = (VisitState.ADMITTED, VisitState.TARED, VisitState.LOADING, VisitState.HELD)
NOTHING = Words("", "")
_CLOSING = Words(
    "总部正在关闭本账期:不收新通知单,在场车辆照常出单",
    "Head office is closing this epoch: no new notices; trucks in the yard are served as usual",
)
CALLABLE = (VisitState.QUEUED, VisitState.TARED, VisitState.LOADING, VisitState.HELD)
"""A waiting truck, or one that loads elsewhere and comes back."""


def visit_view(desk: Desk, visit: Visit) -> VisitView:
    """The truck on the lane."""
    notice = visit.notice
    return VisitView(
        visit=visit.visit,
        state=visit.state.value,
        state_words=visit.state.words,
        plate=visit.plate,
        customer_name=notice.customer_name,
        product=notice.product,
        notice=notice.notice,
        mode=notice.mode.value,
        price_fen_per_t=notice.price_fen_per_t,
        axles=notice.axles,
        tare_kg=visit.tare_kg,
        ticket=visit.ticket or None,
        carrier=notice.carrier,
        print_state=desk.snapshot.print_states.get(visit.ticket, ""),
    )


def limit_and_money(desk: Desk, scale: LaneScale, visit: Visit) -> tuple[LimitView, MoneyView] | None:
    """How much may still be loaded and what it costs; None before the tare."""
    if visit.tare_kg is None or visit.state not in _SERVED:
        return None
    rules, notice, gross_kg = scale.setup.rules, visit.notice, scale.shown_kg()
    counters = desk.snapshot.accounts[notice.account]
    spendable = spendable_fen(counters, visit.hold_fen)
    limit = load_limit(notice.limits(visit.tare_kg, rules.maximum_kg, rules.division_kg, spendable)).lowest
    left_kg = None if gross_kg is None else limit.gross_kg - gross_kg
    net_kg = None if gross_kg is None else max(0, gross_kg - visit.tare_kg)
    load_fen = None if net_kg is None else amount_fen(net_kg, notice.price_fen_per_t)
    verdict = "under" if left_kg is None or left_kg > _NEAR_KG else "near" if left_kg >= 0 else "over"
    return (
        LimitView(limit.gross_kg, left_kg, limit.by.value, limit.by.words, verdict),
        MoneyView(spendable, visit.hold_fen, load_fen, None if load_fen is None else spendable - load_fen, net_kg),
    )


def hold_view(desk: Desk, visit: Visit) -> HoldView | None:
    """Why the truck is held, by how much, and the ways out."""
    held = visit.held
    if held is None or visit.state is not VisitState.HELD:
        return None
    net_kg = max(0, held.gross_kg - (visit.tare_kg or 0))
    ways = ["unload"]
    if held.refusal.reason in CLEARED_BY_MONEY:
        ways.insert(0, "topup")
    if held.refusal.reason in CLEARED_BY_AMENDMENT:
        ways.insert(0, "amend")
    if held.refusal.reason is Reason.PLATE_DIFFERS:
        ways = ["recheck"]
    return HoldView(
        why=Why.of(held.refusal),
        net_kg=net_kg,
        gross_kg=held.gross_kg,
        amount_fen=amount_fen(net_kg, visit.notice.price_fen_per_t),
        over_kg=held.refusal.number("over_kg"),
        over_fen=held.refusal.number("over_fen"),
        since=desk.plant.local(held.at),
        ways_out=tuple(ways),
        plant=desk.plant.code,
        account=visit.notice.account,
        lacks_fen=lacks_fen(visit, desk.snapshot.accounts[visit.notice.account]),
    )


def queue_entries(desk: Desk, *states: VisitState) -> tuple[QueueEntry, ...]:
    """Trucks in these states in the order of their queue numbers."""
    return tuple(
        QueueEntry(
            visit=visit.visit,
            number=visit.queue_number,
            plate=visit.plate,
            customer_name=visit.notice.customer_name,
            product=visit.notice.product,
            state=visit.state.value,
            state_words=visit.state.words,
            lane=desk.snapshot.lane_of(visit.visit),
            waiting_minutes=desk.minutes_since(visit.arrived_at),
            hold=visit.held.refusal.words if visit.held else NOTHING,
        )
        for visit in desk.snapshot.in_states(*states)
    )


def link_view(desk: Desk, connected: bool, since: str) -> LinkView:
    """The link to head office, calm and exact."""
    snapshot = desk.snapshot
    return LinkView(connected, since, snapshot.waiting_records, desk.minutes_since(snapshot.oldest_waiting_at))


def actions(desk: Desk, scale: LaneScale) -> tuple[ActionView, ...]:
    """Every button of the lane page, enabled or with the reason it is not."""
    visit = desk.snapshot.on_lane(scale.setup.lane)
    capture = scale.capture(visit)
    weight = capture if isinstance(capture, Refusal) else None
    callable_now = [each for each in desk.snapshot.in_states(*CALLABLE) if not desk.snapshot.lane_of(each.visit)]
    call = occupied(scale, visit) or (None if callable_now else refuse(Reason.QUEUE_EMPTY))
    barred = bar(desk.snapshot.mode)
    answers: dict[str, Refusal | None] = {
        "call": call,
        "tare": _may(visit, VisitEvent.WEIGH_TARE) or weight,
        "start_loading": _may(visit, VisitEvent.START_LOADING),
        "load_complete": barred or _may(visit, VisitEvent.CLEAR) or weight,
        "unload": _may(visit, VisitEvent.UNLOAD),
        "recheck": barred or _may(visit, VisitEvent.UNLOAD) or weight,
        "cancel": _may(visit, VisitEvent.CANCEL),
        "empty_exit": _may(visit, VisitEvent.LEAVE_EMPTY) or weight,
        "park": _may_park(visit),
        "zero": _refusal(may_zero(desk, scale)),
        "topup": barred or (None if desk.plant.office_key else refuse(Reason.TOPUP_NO_OFFICE)),
    }
    return tuple(ActionView(name, why is None, why.words if why else NOTHING) for name, why in answers.items())


def barred_words(snapshot: Snapshot) -> Words:
    """Why this plant books nothing new; empty while it does."""
    barred = bar(snapshot.mode)
    return barred.words if barred else NOTHING


def epoch_words(snapshot: Snapshot) -> Words:
    """The same, or that it soon will not."""
    return _CLOSING if snapshot.closing and snapshot.mode == "live" else barred_words(snapshot)


def occupied(scale: LaneScale, visit: Visit | None) -> Refusal | None:
    """Why no other truck may be called: one is served here, or is done but has not left the deck.

    A scale that says nothing has not said that the truck is gone.
    """
    if visit is None:
        return None
    weight_kg = scale.shown_kg()
    gone = visit.state not in _SERVED and weight_kg is not None and weight_kg < scale.setup.rules.truck_kg
    return None if gone else refuse(Reason.LANE_BUSY, plate=visit.plate)


def may_zero(desk: Desk, scale: LaneScale) -> int | Refusal:
    """The weight that may be set to zero now, or why it may not: a truck is served here, or the scale says why."""
    return occupied(scale, desk.snapshot.on_lane(scale.setup.lane)) or scale.may_zero()


def _refusal(answer: object) -> Refusal | None:
    return answer if isinstance(answer, Refusal) else None


def _may(visit: Visit | None, event: VisitEvent) -> Refusal | None:
    if visit is None:
        return refuse(Reason.NO_VISIT)
    following = next_state(visit.state, event)
    return following if isinstance(following, Refusal) else None


def _may_park(visit: Visit | None) -> Refusal | None:
    if visit is None:
        return refuse(Reason.NO_VISIT)
    if visit.state in _SERVED:
        return None
    words = visit.state.words
    return refuse(Reason.NOT_NOW, event="移车", event_en="drive off", state=words.zh, state_en=words.en)
