"""A plant's books in memory, and small makers of keys, rows and states, for the tests of this folder."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sync.canonical import canonical
from sync.chain import GENESIS_HASH, row_hash
from sync.keys import Instance
from sync.messages import AccountState, State, Term, WireDocument, WireRecord
from sync.session import Fork
from sync.terms import Heard, hear_term

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
PLANT_KEY = Ed25519PrivateKey.generate()
OFFICE_KEY = Ed25519PrivateKey.generate()
HX01 = Instance.of("HX01", 1, PLANT_KEY)
TERM = Term(number=1, id="1" * 32)


def make_rows(count: int, after_seq: int = 0, prev_hash: str = GENESIS_HASH, word: str = "row") -> list[WireRecord]:
    """`count` chained rows of an unknown kind."""
    rows = []
    for seq in range(after_seq + 1, after_seq + count + 1):
        body = canonical({"n": seq, "word": word, "plate": "浙A12345"})
        prev_hash = row_hash(prev_hash, seq, "test", body)
        rows.append(WireRecord(seq=seq, kind="test", body=body, at=NOON.isoformat(), hash=prev_hash))
    return rows


class MemoryBooks:
    """`PlantBooks` whose commits are list appends."""

    def __init__(self, rows: int = 0) -> None:
        self.rows = make_rows(rows)
        self.acked_rows = 0
        self.granted_fen: dict[str, int] = {}
        self.applied: list[WireDocument] = []
        self.forks: list[Fork] = []
        self.term: Term | None = None

    def write(self, count: int) -> None:
        """Append `count` rows, as the plant's program would."""
        last = self.rows[-1].hash if self.rows else GENESIS_HASH
        self.rows += make_rows(count, len(self.rows), last)

    async def pending(self, after_seq: int, limit: int) -> Sequence[WireRecord]:
        return self.rows[after_seq : after_seq + limit]

    async def state(self) -> State:
        return State(
            accounts={
                account: AccountState(granted_fen=fen, returned_fen=0, spent_fen=0, voided_fen=0, held_fen=0)
                for account, fen in self.granted_fen.items()
            },
            last_seq=len(self.rows),
            last_hash=self.rows[-1].hash if self.rows else GENESIS_HASH,
            documents_applied=len(self.applied),
            at=NOON,
            term=self.term,
        )

    async def position(self) -> tuple[int, int]:
        return len(self.rows), len(self.applied)

    async def follows(self, term: Term) -> bool:
        heard = hear_term(self.term, term)
        if heard is Heard.NEWER:
            self.term = term
        return heard is not Heard.OLDER

    async def acked_seq(self) -> int:
        return self.acked_rows

    async def acked(self, last_seq: int, last_hash: str) -> None:
        assert self.rows[last_seq - 1].hash == last_hash
        assert last_seq > self.acked_rows
        self.acked_rows = last_seq

    async def granted(self, account: str, granted_fen: int) -> None:
        self.granted_fen[account] = max(self.granted_fen.get(account, 0), granted_fen)

    async def documents(self, documents: Sequence[WireDocument]) -> None:
        assert [document.number for document in documents] == [
            len(self.applied) + 1 + index for index in range(len(documents))
        ]
        self.applied += documents

    async def forked(self, fork: Fork) -> None:
        self.forks.append(fork)


async def until(condition: Callable[[], object], timeout_s: float = 10.0) -> None:
    """Wait until `condition` holds; TimeoutError says it never did."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - any condition, of objects that know nothing of tests
            await asyncio.sleep(0.005)
