"""Books restored from a copy older than a customer's first payment: what plants tell of him meanwhile is not lost."""

import pytest

from sync.messages import AccountState
from sync.office.refusal import NotAllowed
from sync.office.store.database import Store
from sync.office.store.epochs import Stub, settle_by_paper
from sync.office.store.inbox import ingest
from sync.office.store.money import Payment, load_account, post_payment
from sync.office.store.plants import enrol, hear_state
from sync.office.store.reconcile import begin_reconcile, finish_reconcile
from sync.office.store.terms import current_term
from tests.sync.office.plant import FakePlant

ACCOUNT = "C1/prepaid"
PRICE = 200_000


def restored(store: Store, plant: FakePlant) -> int:
    """Rows of a customer nobody knows here: a truck that left, one that was voided, one still loading; the spend."""
    plant.truck("N1", ACCOUNT, 4_000_000, 18_000, PRICE)
    visit = plant.taken("N2", ACCOUNT, 2_000_000)
    ticket = plant.ticket(visit, "N2", ACCOUNT, 5_000, PRICE, 2_000_000)
    plant.void(visit, ticket, ACCOUNT, 1_000_000)
    plant.taken("N3", ACCOUNT, 700_000)
    with store.write() as tx:
        begin_reconcile(tx, "restored")
        ingest(tx, plant.instance.wire_id, plant.rows)
    return 3_600_000


def test_what_was_told_of_an_unknown_account_counts_when_its_payment_is_posted_again(
    store: Store, plant: FakePlant
) -> None:
    spend_fen = restored(store, plant)
    with store.write() as tx:
        post_payment(tx, Payment("P1", "C1", "客户甲", 10_000_000))
        account = load_account(tx, ACCOUNT)
    assert account is not None
    allotment = account.allotments[plant.instance.wire_id]
    assert (allotment.spent_fen, allotment.voided_fen) == (spend_fen + 1_000_000, 1_000_000)
    assert allotment.held_fen == 700_000


def test_an_epoch_with_tickets_of_an_unknown_account_is_not_settled(store: Store, plant: FakePlant) -> None:
    spend_fen = restored(store, plant)
    with store.write() as tx:
        enrol(tx, plant.code, "一厂", FakePlant().key.public_key())
    persons = ("财务甲", "会计乙")
    with pytest.raises(NotAllowed, match="known"), store.write() as tx:
        settle_by_paper(tx, plant.instance.wire_id, [], persons)
    with store.write() as tx:
        post_payment(tx, Payment("P1", "C1", "客户甲", 10_000_000))
        told = settle_by_paper(tx, plant.instance.wire_id, [], persons)
        account = load_account(tx, ACCOUNT)
    assert told.spend_fen == {ACCOUNT: spend_fen}
    assert account is not None and account.free_fen == 10_000_000 - spend_fen


def test_a_plant_that_holds_money_of_it_has_not_told_before(store: Store, plant: FakePlant) -> None:
    restored(store, plant)
    with store.read() as tx:
        term = current_term(tx)
    counters = AccountState(
        granted_fen=9_000_000, returned_fen=0, spent_fen=4_600_000, voided_fen=1_000_000, held_fen=700_000
    )
    state = plant.state({ACCOUNT: counters}).model_copy(update={"term": term})
    with store.write() as tx:
        hear_state(tx, plant.instance.wire_id, state)
    with pytest.raises(NotAllowed), store.write() as tx:
        finish_reconcile(tx, "甲, 乙")
    with store.write() as tx:
        post_payment(tx, Payment("P1", "C1", "客户甲", 10_000_000))
        hear_state(tx, plant.instance.wire_id, state)
        finish_reconcile(tx, "甲, 乙")


def test_stubs_of_a_lost_box_count_though_its_grants_are_forgotten(store: Store, plant: FakePlant) -> None:
    """Else it could never be settled, and the books never be reconciled: it is lost, and tells nothing."""
    with store.write() as tx:
        post_payment(tx, Payment("P1", "C1", "客户甲", 10_000_000))
        enrol(tx, plant.code, "一厂", FakePlant().key.public_key())
    stub = Stub("HX01-01-0000001", ACCOUNT, "浙A12345", 18_000, 3_600_000)
    persons = ("财务甲", "会计乙")
    with pytest.raises(NotAllowed, match="had only"), store.write() as tx:
        settle_by_paper(tx, plant.instance.wire_id, [stub], persons)
    with store.write() as tx:
        begin_reconcile(tx, "restored")
        settle_by_paper(tx, plant.instance.wire_id, [stub], persons)
        account = load_account(tx, ACCOUNT)
    assert account is not None and account.free_fen == 10_000_000 - 3_600_000
