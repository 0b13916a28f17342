"""What head office sends after a STATE."""

from sync.answers import Known, answers, pack_documents
from sync.messages import AccountState, State, WireDocument
from sync.session import Fork, Tuning
from tests.sync.support import NOON


def state(granted_fen: int = 0, documents: int = 0, last_seq: int = 0, last_hash: str = "0" * 64) -> State:
    account = AccountState(granted_fen=granted_fen, returned_fen=0, spent_fen=0, voided_fen=0, held_fen=0)
    return State(
        accounts={"A": account}, last_seq=last_seq, last_hash=last_hash, documents_applied=documents, at=NOON
    )  # fmt: skip


def test_a_plant_that_lacks_nothing_gets_the_ack_only() -> None:
    answer = answers(state(500, 2, 7, "h"), Known({"A": 500}, 2, 7, "h"))
    assert (answer.ack.last_seq, answer.ack.last_hash) == (7, "h")
    assert answer.grants == ()
    assert answer.documents_after is None
    assert answer.fork is None


def test_a_lower_grant_and_an_unknown_account_are_sent_again() -> None:
    grants = answers(state(400), Known({"B": 9, "A": 500, "C": 0}, 0, 0, "0" * 64)).grants
    assert [(grant.account, grant.granted_fen) for grant in grants] == [("A", 500), ("B", 9)]


def test_a_plant_that_saw_more_than_we_know_is_left_alone() -> None:
    assert answers(state(600), Known({"A": 500}, 0, 0, "0" * 64)).grants == ()


def test_missing_documents_are_named_by_the_last_applied() -> None:
    assert answers(state(documents=3), Known({}, 5, 0, "0" * 64)).documents_after == 3


def test_fewer_rows_and_other_rows_are_told() -> None:
    assert answers(state(last_seq=4, last_hash="x"), Known({}, 0, 5, "y")).fork == Fork(5, None, "y")
    assert answers(state(last_seq=5, last_hash="x"), Known({}, 0, 5, "y")).fork == Fork(5, "x", "y")
    assert answers(state(last_seq=6, last_hash="x"), Known({}, 0, 5, "y")).fork is None


def test_documents_are_packed_in_order_within_limits() -> None:
    documents = [WireDocument(number=n, kind="test", body={"text": "x" * (n % 7) * 1_000}) for n in range(1, 251)]
    packs = pack_documents(documents, Tuning())
    assert [document for pack in packs for document in pack.documents] == documents
    assert all(len(pack.documents) <= 100 for pack in packs)
    assert all(sum(len(document.body["text"]) for document in pack.documents) <= 64 * 1024 for pack in packs)
    assert pack_documents([], Tuning()) == []
