"""Head office in the world: its files, its program, and what its people do."""

import asyncio
import shutil
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection

from sync.keys import Instance
from sync.office.corrections import RecallIn, recall
from sync.office.epochs import settle_by_disk
from sync.office.notices import NoticeRequest
from sync.office.persons import TwoPersons
from sync.office.recovery import finish_reconcile
from sync.office.refusal import NotAllowed
from sync.office.store.corrections import Refund, Undone, post_refund, undo_payment
from sync.office.store.epochs import Settled, Stub, close_epoch, settle_by_paper
from sync.office.store.money import Payment, grant_by_hand, post_payment
from sync.office.store.orders import cancel_notice, issue_notice, open_instance
from sync.office.store.plants import enrol
from sync.office.store.reconcile import Standing, begin_reconcile, standing
from sync.office.store.verification import Findings, verify_books
from sync.office.topups import TopupIn, code_of, top_up
from tests.edge.station.rig import PRICE
from tests.world.box import Box, make_key
from tests.world.seams import TIME, Crash, Crasher, Deliver, Pipe, SteppedLink, SteppedStore

T = TypeVar("T")
KEY = make_key("office")
_PERSONS = TwoPersons("财务甲", "会计乙")


class Office:
    """One head office. `deliver` takes what it sends down."""

    def __init__(self, folder: Path, loop: asyncio.AbstractEventLoop, deliver: Deliver) -> None:
        self.folder = folder
        self.crasher = Crasher()
        self.pipe = Pipe(deliver)
        self.crashes = 0
        self.notices = 0
        self.said_no = ""
        """The last refusal, for whoever looks for a reason."""
        self._loop = loop
        folder.mkdir(parents=True, exist_ok=True)
        self.start()

    @property
    def path(self) -> Path:
        """The books."""
        return self.folder / "office.sqlite3"

    def start(self) -> None:
        """The program starts on whatever files there are."""
        self.store = SteppedStore(f"sqlite:///{self.path}", self.crasher)
        self._raw = sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True)
        self.link = SteppedLink(self.store, self.pipe, KEY, lambda: None)
        if self.pipe.up:
            self.link.connected()

    def close(self) -> None:
        """The program is gone."""
        self._raw.close()
        self.store.close()

    def do(self, work: Callable[[], T]) -> T | None:
        """Run something that commits; None when the program crashed on the way (it is up again)."""
        try:
            return work()
        except Crash:
            self.crashes += 1
            self.close()
            self.start()
            return None

    def insist(self, work: Callable[[], T]) -> T | None:
        """Somebody tries until it is done; None when head office says no."""
        try:
            while (result := self.do(work)) is None:
                pass
        except NotAllowed as no:
            self.said_no = str(no)
            return None
        return result

    def write(self, work: Callable[[Connection], T]) -> T | None:
        """One transaction of a page or a command, until it is done; None for a no."""

        def run() -> T:
            with self.store.write() as tx:
                return work(tx)

        return self.insist(run)

    def take(self, *messages: tuple[str, bytes]) -> None:
        """These messages arrived together."""
        self.do(lambda: self._loop.run_until_complete(self.link.take(messages)))

    def look(self) -> None:
        """The link looks for what others committed."""
        self.do(lambda: self._loop.run_until_complete(self.link.look()))

    # What people do here.

    def enrol(self, code: str, epoch: int, key: Ed25519PublicKey) -> Instance | None:
        """A new box."""
        return self.write(lambda tx: enrol(tx, code, f"{code} 厂", key, epoch))

    def pay(self, reference: str, customer: str, amount_fen: int) -> bool | None:
        """到款."""
        return self.write(lambda tx: post_payment(tx, Payment(reference, customer, f"客户 {customer}", amount_fen)))

    def notice(self, code: str, customer: str) -> str | None:
        """发货通知单 for a new truck."""
        self.notices += 1
        request = NoticeRequest(
            plant=code, customer_id=customer, plate=f"浙A{self.notices % 100_000:05}", product="焦炭",
            price_fen_per_t=PRICE, axles=6, expires_at=TIME.office + timedelta(hours=12),
            notice=f"N{self.notices:06}", product_code=1,
        )  # fmt: skip
        made = self.write(lambda tx: issue_notice(tx, request, TIME.office))
        return made.notice if made else None

    def cancel(self, notice: str) -> None:
        """Take a notice back."""
        self.write(lambda tx: cancel_notice(tx, notice, "取消"))

    def grant(self, code: str, account: str, amount_fen: int) -> int | None:
        """Allot by hand."""
        return self.write(lambda tx: grant_by_hand(tx, account, open_instance(tx, code), amount_fen))

    def refund(self, reference: str, customer: str, amount_fen: int, *, again: bool = False) -> bool | None:
        """退款; `again`: it was paid out before a restore."""
        return self.write(lambda tx: post_refund(tx, Refund(reference, customer, amount_fen, "退款", "会计", again)))

    def undo(self, reference: str) -> Undone | None:
        """退票."""
        return self.write(lambda tx: undo_payment(tx, reference, "退票", "会计"))

    def recall(self, code: str, account: str, keep_fen: int) -> dict[str, Any] | None:
        """收回额度."""
        return self.insist(lambda: recall(self.store, RecallIn(account=account, plant=code, keep_fen=keep_fen)))

    def code(self, code: str, customer: str, amount_fen: int) -> str | None:
        """充值码: so much more for this plant, as a text to carry."""

        def write() -> str:
            instance, account, _ = top_up(self.store, TopupIn(plant=code, who=customer, grant_fen=amount_fen), "会计")
            return code_of(self.store, KEY, instance, account).text

        return self.insist(write)

    def close_epoch(self, code: str) -> str | None:
        """关账期."""
        return self.write(lambda tx: close_epoch(tx, code, "换机"))

    def settle_by_disk(self, box: Box) -> dict[str, Any] | None:
        """结算 from the disk of a box that is switched off: its missing rows, then what they say."""
        return self.insist(lambda: settle_by_disk(self.store, box.instance.wire_id, box.path, _PERSONS))

    def settle_by_paper(self, wire_id: str, stubs: list[Stub]) -> Settled | None:
        """结算 from the stubs of what head office has no row of."""
        known = {row[0] for row in self._raw.execute("SELECT ticket FROM shipments WHERE instance = ?", (wire_id,))}
        missing = [stub for stub in stubs if stub.ticket not in known]
        return self.write(lambda tx: settle_by_paper(tx, wire_id, missing, _PERSONS.pair))

    def begin_reconcile(self, why: str) -> None:
        """What restoring a backup does before anything else."""
        self.write(lambda tx: begin_reconcile(tx, why))

    def finish_reconcile(self) -> bool:
        """Two persons say that everything was posted again."""
        return self.insist(lambda: finish_reconcile(self.store, _PERSONS)) is not None

    def fingerprint(self) -> tuple[object, ...]:
        """Changes when anything is booked but a plant's STATE."""
        query = "SELECT (SELECT number FROM meta WHERE name = 'change'), (SELECT COUNT(*) FROM inbox), total_changes()"
        allotted = "SELECT SUM(granted_fen), SUM(returned_seen_fen), SUM(wanted_fen) FROM allotments"
        told = "SELECT SUM(told_term) FROM instances"
        return (
            *self._raw.execute(query).fetchone(),
            *self._raw.execute(allotted).fetchone(),
            *self._raw.execute(told).fetchone(),
        )

    def standing(self) -> Standing:
        """Where reconciling stands."""
        with self.store.read() as tx:
            return standing(tx)

    @property
    def mode(self) -> int:
        """0 normal, 1 halted, 2 reconciling."""
        found = self._raw.execute("SELECT number FROM meta WHERE name = 'reconciling'").fetchone()
        return int(found[0]) if found else 0

    def state_of(self, wire_id: str) -> tuple[str, str]:
        """An epoch's state, and why it is frozen."""
        query = "SELECT state, frozen FROM instances WHERE instance = ?"
        found = self._raw.execute(query, (wire_id,)).fetchone()
        return (found[0], found[1]) if found else ("", "")

    def settled_fen(self, wire_id: str) -> dict[str, int]:
        """What an epoch was settled with."""
        query = "SELECT account, settled_spend_fen FROM allotments WHERE instance = ?"
        return dict(self._raw.execute(query, (wire_id,)))

    def free_fen(self, account: str) -> int:
        """What may still be granted, read past all of the program's own code."""
        return next((fund - out for name, fund, out in self._outstanding() if name == account), 0)

    def covered_fen(self) -> dict[str, int]:
        """How much of each payment undone was taken out of its fund."""
        return dict(self._raw.execute("SELECT reference, covered_fen FROM undone"))

    def rows(self, instance: str) -> tuple[int, str]:
        """How far an instance's rows are here: last number and hash."""
        found = self._raw.execute(
            "SELECT last_seq, last_hash FROM instances WHERE instance = ?", (instance,)
        ).fetchone()
        return (found[0], found[1]) if found else (0, "")

    def counters(self, wire_id: str) -> dict[str, tuple[int, int, int, int, int]]:
        """By account: granted, returned, spent, voided, held."""
        query = "SELECT account, granted_fen, returned_seen_fen, spent_fen, voided_fen, held_fen FROM allotments"
        return {row[0]: tuple(row[1:]) for row in self._raw.execute(f"{query} WHERE instance = ?", (wire_id,))}

    def check(self) -> None:
        """I1, unless the books know themselves that they do not know everything."""
        if self.mode:
            return
        for account, fund, out in self._outstanding():
            assert out <= fund, f"I1: {account}: {out} fen are out, the fund is {fund} fen"

    def verify(self) -> Findings:
        """`weighgate-office verify`."""
        with self.store.read() as tx:
            return verify_books(tx)

    def _outstanding(self) -> list[tuple[str, int, int]]:
        return self._raw.execute(_OUTSTANDING).fetchall()

    def copy_to(self, folder: Path) -> None:
        """Copy the books as they lie there, program running."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for file in self.folder.glob("office.sqlite3*"):
            shutil.copyfile(file, folder / file.name)


_OUTSTANDING = """
SELECT a.account, a.fund_fen, COALESCE((
    SELECT SUM(CASE WHEN i.state = 'settled' THEN l.settled_spend_fen ELSE l.granted_fen - l.returned_seen_fen END)
    FROM allotments l JOIN instances i ON i.instance = l.instance WHERE l.account = a.account), 0)
FROM accounts a
"""
