"""What the books say of plates: looks, doubts, and what a person decided. Each runs inside one transaction, but for the
views.
"""

from dataclasses import dataclass

from drivers.readings import Nearness, PlateAnswer, PlateColor, PlateMatch, PlateReading
from edge.domain.dispatch import tidy_plate
from edge.domain.plate_check import Agreement, Place, PlateCheck, check_plate, confirmed
from edge.domain.refusal import Words
from edge.domain.visit import IN_PLANT, Visit
from edge.station.crops import CropStore
from edge.station.desk import Desk
from edge.station.eyes import Seen
from edge.station.plant import Plant
from edge.station.snapshot import Snapshot
from edge.station.views import LookView, NearView, PlateSaidView
from edge.store.books import Books
from edge.store.plates import PlateRow
from sync.plate_records import NearPlate, PlateDecided, PlateLook, PlateQuestioned
from sync.records import Exited, VisitMoved, Weighed

_MOST_NAME, _MOST_REASON = 60, 120
_CROPS = "plate crops"


@dataclass(frozen=True, slots=True)
class Compared:
    """A person has compared a truck's plate with what it claims."""

    same: bool
    operator: str
    """Who was logged in."""
    name: str = ""
    reason: str = ""

    @property
    def by(self) -> str:
        """The person's name as given, else as logged in."""
        return self.name or self.operator


@dataclass(frozen=True, slots=True)
class Standpoint:
    """Where somebody looks at whose plate."""

    place: Place
    device: str
    visit: str
    claimed: str
    ticket: str = ""


def in_yard(snapshot: Snapshot, claimed: str = "") -> tuple[str, ...]:
    """Whose truck may stand on a scale: the claimed one, then all that are inside the fence."""
    return (claimed, *(visit.plate for visit in snapshot.in_states(*IN_PLANT)))


def look_record(seen: Seen) -> PlateLook | None:
    """What a look gave, for the ledger; None when there was none."""
    match = seen.match
    if match is None:
        return PlateLook(answer="", picture_sha256=seen.picture) if seen.picture else None
    free = match.free
    return PlateLook(
        answer=match.answer.value,
        plate=match.plate or "",
        free=seen.plate,
        color=free.color.value if free and free.color else "",
        confidence_permille=free.confidence_permille if free else 0,
        rows=free.rows if free else 1,
        nearest=tuple(NearPlate(plate=near.plate, behind_milli=near.behind_milli) for near in match.nearest[:2]),
        frames=match.frames,
        picture_sha256=seen.picture,
        crop_sha256=seen.crop,
        beside=tuple(tidy_plate(other.text) for other in match.beside[:8]),
    )


def look_view(look: PlateLook | None) -> LookView | None:
    """The same as pages show it."""
    if look is None:
        return None
    near = tuple(NearView(each.plate, each.behind_milli) for each in look.nearest)
    return LookView(
        look.answer, look.free, look.color, look.confidence_permille, near, look.picture_sha256, look.crop_sha256
    )


def check_visit(books: Books, visit: Visit, seen: Seen) -> PlateCheck:
    """The truck on the scale against its notice, and against the truck whose tare was taken. A plate that the camera
    confirmed at the tare, or that was in doubt and is not settled since, is not hidden without a person's word.
    """
    tared = confirmed(match_of(books.plates.tared(visit.visit)))
    check = check_plate(visit.plate, seen.match, (tared,) if tared else ())
    return check.asks_if(Agreement.NOT_SEEN, bool(tared) or _in_doubt(books, visit))


def _in_doubt(books: Books, visit: Visit) -> bool:
    """Whether the last clear word on this visit's plate, of the camera or of a person, is a doubt."""
    doubted = False
    for told in (each.record for each in books.plates.of_visit(visit.visit)):
        if isinstance(told, PlateDecided):
            doubted = told.answer != "same"
        elif isinstance(told, PlateQuestioned):
            doubted = True
        else:
            agreement = check_plate(visit.plate, match_of(told.look)).agreement
            doubted = agreement is Agreement.DIFFERS or (doubted and agreement is not Agreement.AGREES)
    return doubted


def match_of(look: PlateLook | None) -> PlateMatch | None:
    """The match that a look in the ledger was; None where there was none, or one that this program does not know."""
    if look is None or look.answer not in set(PlateAnswer):
        return None
    color = PlateColor(look.color) if look.color in set(PlateColor) else None
    free = PlateReading(look.free, color, look.confidence_permille, look.rows) if look.free else None
    near = tuple(Nearness(each.plate, each.behind_milli) for each in look.nearest)
    return PlateMatch(PlateAnswer(look.answer), look.plate or None, near, free, look.frames)


def doubt(books: Books, at: Standpoint, seen: Seen, check: PlateCheck, operator: str) -> None:
    """车牌存疑: write down why a truck was not weighed, or that it was let in although it looks like another."""
    books.tell(
        PlateQuestioned(
            place=at.place.value,
            lane=at.device,
            visit=at.visit,
            claimed=at.claimed,
            agreement="swapped" if check.before else check.agreement.value,
            look=look_record(seen),
            operator=operator,
            at=books.clock.now(),
        )
    )


def decided(books: Books, at: Standpoint, seen: Seen, compared: Compared) -> None:
    """人工核对: write down what a person makes of the truck, with what he was shown."""
    books.tell(
        PlateDecided(
            place=at.place.value,
            at_device=at.device,
            visit=at.visit,
            ticket=at.ticket,
            claimed=at.claimed,
            seen=seen.plate,
            answer="same" if compared.same else "other",
            operator=compared.operator,
            name=compared.name.strip()[:_MOST_NAME],
            reason=compared.reason.strip()[:_MOST_REASON],
            look=look_record(seen),
            at=books.clock.now(),
        )
    )


_SAID = {
    "agrees": Words("摄像确认", "confirmed by the camera"),
    "ask": Words("摄像看不准", "the camera was not sure"),
    "differs": Words("车牌不符", "the plate differs"),
    "swapped": Words("换了车", "another truck than was tared"),
    "not_seen": Words("没有看到车牌", "no plate was seen"),
}
_COMPARED = {
    "agrees": Words("人工核对:是这辆车", "compared by a person: it is the truck"),
    "differs": Words("人工核对:不是", "compared by a person: it is not"),
}


def history(books: Books, plant: Plant, name: str) -> list[PlateSaidView]:
    """What was seen of a visit's plate and who compared it, oldest first."""
    visit = books.visits.get(name)
    return [_said(plant, visit.plate, stored.record) for stored in books.plates.of_visit(name)] if visit else []


def _said(plant: Plant, claimed: str, record: PlateRow) -> PlateSaidView:
    if isinstance(record, PlateDecided):
        place, agreement, by = record.place, "agrees" if record.answer == "same" else "differs", record.name
        by = by or record.operator
    elif isinstance(record, PlateQuestioned):
        place, agreement, by = record.place, record.agreement, ""
    else:
        by = "" if isinstance(record, VisitMoved) else record.plate_by
        place = _place(record).value
        agreement = "agrees" if by else check_plate(claimed, match_of(record.look)).agreement.value
    unknown = Words(agreement, agreement)  # a newer program may know more
    said = (_COMPARED if by else _SAID).get(agreement, unknown)
    where = Place(place).words if place in set(Place) else Words(place, place)
    return PlateSaidView(plant.local(record.at), where, said, agreement, by, look_view(record.look))


def _place(record: VisitMoved | Weighed | Exited) -> Place:
    if isinstance(record, Weighed):
        return {"tare": Place.TARE, "empty": Place.EMPTY}.get(record.role, Place.LOAD)
    return Place.ARRIVAL if isinstance(record, VisitMoved) else Place.GATE


async def keep_crop(
    desk: Desk, crops: CropStore | None, crop: bytes | None, seen: Seen, plate: str, where: str
) -> None:
    """Keep the plate that a person has just confirmed, where the site wants to learn from them. One that cannot be
    kept is an alarm, and stops nothing.
    """
    free = seen.match.free if seen.match else None
    if crops is None or not crop or free is None:
        return
    if await crops.keep(crop, plate, free, where, desk.clock.now()):
        desk.clear_alarm(_CROPS)
    else:
        desk.raise_alarm(
            _CROPS, Words("车牌截图没有保存,请检查截图目录", "Compared plates are not kept: see their folder")
        )
