"""A plant's books in memory for a drain: rows that are there, and how far head office has answered for them."""

import asyncio
from collections.abc import Sequence

from sync.messages import AccountState, State, Term, WireDocument, WireRecord
from sync.session import Fork
from sync.terms import Heard, hear_term
from tests.sync.backlog import START, Backlog


class BacklogBooks:
    """`PlantBooks` over a backlog."""

    def __init__(self, backlog: Backlog) -> None:
        self.rows = backlog.rows
        self.acked_rows = 0
        self.news = asyncio.Event()
        self.forks: list[Fork] = []
        self._documents = backlog.trucks
        self._granted_fen: dict[str, int] = {}
        self._term: Term | None = None

    async def until_acked(self, rows: int) -> None:
        """Wait until head office has answered for so many."""
        while self.acked_rows < rows:
            self.news.clear()
            await self.news.wait()

    async def pending(self, after_seq: int, limit: int) -> Sequence[WireRecord]:
        return self.rows[after_seq : after_seq + limit]

    async def state(self) -> State:
        counters = dict.fromkeys(("returned_fen", "spent_fen", "voided_fen", "held_fen"), 0)
        accounts = {name: AccountState(granted_fen=fen, **counters) for name, fen in self._granted_fen.items()}
        return State(
            accounts=accounts, last_seq=len(self.rows), last_hash=self.rows[-1].hash, at=START, term=self._term,
            documents_applied=self._documents,
        )  # fmt: skip

    async def position(self) -> tuple[int, int]:
        return len(self.rows), self._documents

    async def acked_seq(self) -> int:
        return self.acked_rows

    async def acked(self, last_seq: int, last_hash: str) -> None:
        assert self.rows[last_seq - 1].hash == last_hash
        self.acked_rows = last_seq
        self.news.set()

    async def follows(self, term: Term) -> bool:
        heard = hear_term(self._term, term)
        if heard is Heard.NEWER:
            self._term = term
        return heard is not Heard.OLDER

    async def granted(self, account: str, granted_fen: int) -> None:
        self._granted_fen[account] = max(granted_fen, self._granted_fen.get(account, 0))

    async def documents(self, documents: Sequence[WireDocument]) -> None:
        self._documents += len(documents)

    async def forked(self, fork: Fork) -> None:
        self.forks.append(fork)
