"""Books with a few finished visits, made by the real transactions without lanes, devices or an event loop."""

from datetime import datetime
from pathlib import Path

from edge.domain.plate_check import Place
from edge.domain.refusal import Reason, Refusal, Words
from edge.domain.scale_monitor import Capture
from edge.domain.scale_watch import Finding, WatchKind
from edge.domain.visit import VisitEvent
from edge.station import moves, passage, ticket_desk, weighing
from edge.station.eyes import NOT_SEEN, Seen
from edge.station.head_office import apply_documents
from edge.station.notices import take_grant
from edge.station.passage import Scan
from edge.station.plant import Plant
from edge.station.plates import Compared, Standpoint, decided
from edge.station.printing import set_job_state
from edge.station.scale_alarms import Found, see, tell
from edge.station.views import Done
from edge.station.yard import Sighting, arrive
from edge.store.books import Books
from edge.store.clock import Clock
from edge.store.database import Database
from sync.documents import Stock
from sync.messages import WireDocument
from sync.records import ScaleCommanded, ScaleCommandEnded
from tests.edge.looks import seen
from tests.edge.station.rig import RULES, TARE_KG, make_plant, notice

ACCOUNT = "C1/coke"


def press(weight_kg: int, saw: Seen = NOT_SEEN, compared: Compared | None = None) -> weighing.Press:
    """A button pressed with this stable weight on the deck, and what the camera saw then."""
    capture = Capture(weight_kg, (b"frame",) * 3, (0, weight_kg))
    return weighing.Press("1", "toledo", RULES, capture, saw, "调度", compared)


def document(books: Books, kind: str, body: dict[str, object]) -> None:
    """Head office's next document."""
    number = books.number("documents_applied") + 1
    apply_documents(books, [WireDocument(number=number, kind=kind, body=body)])


def order(books: Books, number: int) -> str:
    """Money and a notice for one more truck."""
    granted_fen = books.accounts.get(ACCOUNT).granted_fen + 5_000_000
    take_grant(books, ACCOUNT, granted_fen)
    document(books, "notice", notice(f"N{number}", plate=f"浙A{number:05}").model_dump(mode="json"))
    return f"N{number}"


def load(books: Books, plant: Plant, name: str, net_kg: int = 18_000) -> str:
    """From the notice to the ticket; returns its number."""
    done(arrive(books, plant.local, moves.fresh(books, name).plate, "调度"))
    done(moves.call_to_lane(books, "1", name, "调度"))
    done(weighing.weigh_tare(books, plant, moves.fresh(books, name), press(TARE_KG)))
    done(moves.step(books, "1", name, VisitEvent.START_LOADING, "调度"))
    return complete(books, plant, name, net_kg)


def load_compared(books: Books, plant: Plant, name: str) -> str:
    """The same with cameras: at the tare one is not sure, and the dispatcher compares; at load complete it is."""
    plate = moves.fresh(books, name).plate
    unsure = seen(f"{plate[:-1]}X", plate)
    done(arrive(books, plant.local, plate, "门卫", Sighting(seen(plate, plate), 0, True)))
    done(moves.call_to_lane(books, "1", name, "调度"))
    assert isinstance(weighing.weigh_tare(books, plant, moves.fresh(books, name), press(TARE_KG, unsure)), Refusal)
    yes = Compared(True, "调度")
    decided(books, Standpoint(Place.TARE, "1", name, plate), unsure, yes)
    done(weighing.weigh_tare(books, plant, moves.fresh(books, name), press(TARE_KG, unsure, yes)))
    done(moves.step(books, "1", name, VisitEvent.START_LOADING, "调度"))
    gross = press(TARE_KG + 18_000, seen(plate, plate))
    ticket = done(weighing.load_complete(books, plant, moves.fresh(books, name), gross)).ticket
    assert ticket is not None
    return ticket


def leave_empty(books: Books, plant: Plant, name: str) -> None:
    """From the notice to the empty truck's slip."""
    done(arrive(books, plant.local, moves.fresh(books, name).plate, "调度"))
    done(moves.call_to_lane(books, "1", name, "调度"))
    done(weighing.weigh_tare(books, plant, moves.fresh(books, name), press(TARE_KG)))
    done(weighing.leave_empty(books, plant, moves.fresh(books, name), press(TARE_KG)))


def complete(books: Books, plant: Plant, name: str, net_kg: int = 18_000) -> str:
    """装车完成."""
    ticket = done(weighing.load_complete(books, plant, moves.fresh(books, name), press(TARE_KG + net_kg))).ticket
    assert ticket is not None
    return ticket


def leave(books: Books, plant: Plant, ticket: str) -> None:
    """Through the gate; an empty truck's slip goes by its visit."""
    stored = books.paper(ticket)
    assert stored is not None
    scan = Scan(
        "south", plant.pass_key.read(stored.pass_code), NOT_SEEN, "门卫", "王五", "核对", (Reason.PLATE_NOT_READ,)
    )
    assert passage.pass_gate(books, plant, scan).decision.why is None


def alarm(books: Books, plant: Plant, visit: str, kind: WatchKind = WatchKind.STEP) -> None:
    """The scale watch found something while this visit stood on lane 1."""
    words = Words("重量突跳 2 000 kg", "the weight jumped by 2 000 kg")
    finding = Finding(kind, words, (("step_kg", -2_000),), (14_500, 14_500, 12_500, 12_500))
    tell(books, plant, [Found(finding, "1", "toledo", visit, "", books.clock.now())])


def print_all(books: Books) -> None:
    """Every queued job is printed."""
    for job in books.print_jobs.in_state("queued"):
        set_job_state(books, job, "sent")


def done(outcome: object) -> Done:
    """It must have been carried out."""
    assert isinstance(outcome, Done), outcome
    return outcome


def zeroed(business_date: str, at: datetime) -> ScaleCommanded:
    """A person tells lane 1's indicator to zero."""
    return ScaleCommanded(
        lane="1", command="zero", indicator="toledo", weight_kg=40, range_kg=4000, visit="N8", person="调度",
        business_date=business_date, at=at,
    )  # fmt: skip


def ended(commanded: int, at: datetime) -> ScaleCommandEnded:
    """It was done."""
    return ScaleCommandEnded(commanded=commanded, lane="1", result="done", what="", weight_kg=0, at=at)


def make_books(path: Path) -> None:
    """A little of everything: four exits, one of them empty, an unused slip, a void, a reprint, stock, a held load, an
    open notice, two alarms of the scale watch (one of them seen), a zero, looks at plates, a person's answer, an ACK.
    """
    database = Database(path, Clock())
    plant = make_plant()

    def fill(books: Books) -> None:
        document(books, "stock", Stock(product="焦炭", received_kg=500_000).model_dump())
        tickets = [load(books, plant, order(books, number)) for number in range(1, 4)]
        tickets.append(load_compared(books, plant, order(books, 4)))
        for number in (7, 8):
            leave_empty(books, plant, order(books, number))
        print_all(books)
        for ticket in (*tickets[:3], "N7"):
            leave(books, plant, ticket)
        done(ticket_desk.reprint(books, tickets[0], "调度"))
        print_all(books)
        done(ticket_desk.void(books, tickets[3], "甲", "乙", "装错货"))
        order(books, 5)
        held = order(books, 6)
        done(arrive(books, plant.local, moves.fresh(books, held).plate, "调度"))
        done(moves.call_to_lane(books, "1", held, "调度"))
        done(weighing.weigh_tare(books, plant, moves.fresh(books, held), press(TARE_KG)))
        done(moves.step(books, "1", held, VisitEvent.START_LOADING, "调度"))
        weighing.load_complete(books, plant, moves.fresh(books, held), press(60_000))
        for visit in ("N1", held):
            alarm(books, plant, visit)
        done(see(books, "1", books.scale_alarms.of_visit("N1")[0].seq, "调度", "司机下车"))
        told = books.ledger.append(zeroed(plant.business_date(database.clock.now()), database.clock.now()))
        books.ledger.append(ended(told.seq, database.clock.now()))
        books.keep("acked_seq", 10)

    database.transact_now(fill)
    database.close()
