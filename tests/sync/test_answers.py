"""What head office sends after a STATE."""

from collections.abc import Mapping, Sequence

from sync.answers import Committed, Peer, pack_documents
from sync.messages import AccountState, Ack, Docs, Grant, State, WireDocument
from sync.session import Tuning
from tests.sync.support import NOON, TERM


def state(granted_fen: int = 0, documents: int = 0) -> State:
    account = AccountState(granted_fen=granted_fen, returned_fen=0, spent_fen=0, voided_fen=0, held_fen=0)
    return State(
        accounts={"A": account}, last_seq=0, last_hash="0" * 64, documents_applied=documents, at=NOON
    )  # fmt: skip


def documents(*numbers: int) -> list[WireDocument]:
    return [WireDocument(number=number, kind="test", body={}) for number in numbers]


def committed(granted_fen: Mapping[str, int], *numbers: int) -> Committed:
    return Committed(granted_fen, documents(*numbers), 7, "h", TERM)


def said(messages: Sequence[Grant | Docs]) -> list[tuple[object, ...]]:
    return [
        (message.account, message.granted_fen)
        if isinstance(message, Grant)
        else tuple(document.number for document in message.documents)
        for message in messages
    ]


def heard(told: State, now_ms: int = 0) -> Peer:
    peer = Peer(Tuning())
    peer.heard(told, now_ms)
    return peer


def test_a_plant_that_lacks_nothing_gets_the_ack_only() -> None:
    everything = committed({"A": 500}, 1, 2)
    assert everything.ack == Ack(last_seq=7, last_hash="h", term=TERM)
    assert heard(state(500, 2)).due(everything) == []


def test_a_lower_grant_and_an_unknown_account_come_before_the_documents() -> None:
    due = heard(state(400, 1)).due(committed({"B": 9, "A": 500, "C": 0}, 1, 2, 3))
    assert said(due) == [("A", 500), ("B", 9), (2, 3)]


def test_a_plant_that_saw_more_than_we_know_is_left_alone() -> None:
    assert heard(state(600, 3)).due(committed({"A": 500}, 1)) == []


def test_what_was_sent_is_not_sent_again_by_a_state_that_crossed_it() -> None:
    peer, everything = heard(state()), committed({"A": 500}, 1, 2)
    for message in peer.due(everything):
        peer.sent(message, 1_000)
    assert peer.due(everything) == []
    peer.heard(state(), 1_500)
    assert peer.due(everything) == []
    assert said(peer.due(committed({"A": 600}, 3))) == [("A", 600), (3,)]


def test_who_tells_less_than_was_told_before_hears_the_ack_alone() -> None:
    peer, everything = Peer(Tuning()), committed({"A": 500}, 1)
    peer.heard(state(), 0, short=True)
    assert peer.due(everything) == []
    peer.heard(state(), 10)
    assert said(peer.due(everything)) == [("A", 500), (1,)]


def test_what_was_lost_is_sent_again_when_a_later_state_lacks_it() -> None:
    peer, everything = heard(state()), committed({"A": 500}, 1, 2)
    for message in peer.due(everything):
        peer.sent(message, 1_000)
    peer.heard(state(documents=1), 1_000 + Tuning().retry_min_ms + 1)
    assert said(peer.due(everything)) == [("A", 500), (2,)]


def test_after_our_own_link_died_only_what_the_plant_told_counts() -> None:
    peer, everything = heard(state(400, 1)), committed({"A": 500}, 1, 2)
    for message in peer.due(everything):
        peer.sent(message, 1_000)
    assert peer.due(everything) == []
    peer.doubt()
    assert said(peer.due(everything)) == [("A", 500), (2,)]


def test_documents_are_packed_in_order_within_limits() -> None:
    many = [WireDocument(number=n, kind="test", body={"text": "x" * (n % 7) * 1_000}) for n in range(1, 251)]
    tuning = Tuning()
    packs = pack_documents(many, TERM, tuning)
    assert len(packs) > 5
    assert [document for pack in packs for document in pack.documents] == many
    assert all(len(pack.documents) <= tuning.batch_records for pack in packs)
    for pack in packs:
        assert sum(len(document.body["text"]) for document in pack.documents) <= tuning.batch_bytes
    assert pack_documents([], TERM, tuning) == []


def test_a_state_that_tells_some_accounts_says_nothing_of_the_others() -> None:
    peer, everything = heard(state(500, 0)), committed({"A": 500, "K": 70, "Z": 9})
    for message in peer.due(everything):
        peer.sent(message, 0)
    slice_of_it = State(
        accounts={}, last_seq=7, last_hash="h", documents_applied=0, at=NOON, first_account="K", last_account="Z"
    )  # fmt: skip
    peer.heard(slice_of_it, Tuning().retry_min_ms + 1)
    assert said(peer.due(everything)) == [("K", 70), ("Z", 9)], "A was not in the slice and is still known"
