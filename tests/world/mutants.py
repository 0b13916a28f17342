"""Controls: the program with one safeguard taken out, and a short story in which that costs money.

A harness that lets one of these pass proves nothing. Each story must end well with the whole program.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from edge.domain.refusal import Refusal
from edge.station import head_office, weighing
from edge.station.plant import Plant
from edge.station.views import Done
from edge.store.books import Books
from sync.messages import State, Term
from sync.terms import Heard, hear_term
from tests.world.world import World

_PLENTY = 500
Patch = tuple[str, Any]


@dataclass(frozen=True)
class Mutant:
    """What is replaced, and the story that shows it."""

    patches: tuple[Patch, ...]
    story: Callable[[World], None]

    def take_hold(self, patch: pytest.MonkeyPatch) -> None:
        """Break the program."""
        for name, value in self.patches:
            patch.setattr(name, value)


def _sold(world: World, plant: int) -> None:
    """One truck, paid and sold at a plant."""
    world.pay(0, _PLENTY)
    world.notice(plant, 0)
    world.grant_all(plant, 0)
    world.exchange()
    world.spend_all(plant)
    world.check()


def old_copy_sells(world: World) -> None:
    """A box sells everything, then comes up on yesterday's copy and sells it again."""
    world.pay(0, _PLENTY)
    world.notice(0, 0)
    world.grant_all(0, 0)
    world.exchange()
    world.copy_box(0, backup=False)
    world.spend_all(0)
    world.restore_box(0)
    world.spend_all(0)
    world.check()


def late_grant_of_an_old_term(world: World) -> None:
    """A grant is under way, head office is restored without it and grants again elsewhere; then it arrives."""
    world.pay(0, _PLENTY)
    world.exchange()
    world.notice(0, 0)
    world.exchange()
    world.copy_office()
    world.pay(0, _PLENTY)
    world.grant_all(0, 0)
    world.office.look()
    world.lose()
    world.restore_office(old_runs_on=False)
    world.settle_down()
    world.reconcile()
    assert not world.office.mode
    world.notice(1, 0)
    world.grant_all(1, 0)
    world.exchange()
    world.spend_all(1)
    world.again(list(range(60)))
    world.spend_all(0)
    world.check()


def grant_comes_twice(world: World) -> None:
    """Two grants, then the whole mailbox once more."""
    _sold(world, 0)
    _sold(world, 0)
    world.again(list(range(60)))
    world.exchange()
    world.check()


def money_given_back_is_spent(world: World) -> None:
    """Everything lies at one plant. Head office hears that half came back, and gives it to the other."""
    world.pay(0, _PLENTY)
    world.notice(0, 0)
    world.pay(0, _PLENTY)
    world.grant_all(0, 0)
    world.settle_down()
    world.notice(1, 0)
    world.grant_all(1, 0)
    world.exchange()
    world.spend_everywhere()
    world.check()


def restored_office_grants_again(world: World) -> None:
    """Head office grants everything, forgets it by a restore, and grants it to the other plant."""
    world.pay(0, _PLENTY)
    world.pay(1, _PLENTY)
    world.exchange()
    world.copy_office()
    world.notice(0, 0)
    world.grant_all(0, 0)
    world.exchange()
    world.cut(0, up=False)
    world.restore_office(old_runs_on=False)
    world.notice(1, 0)
    world.grant_all(1, 0)
    world.settle_down()
    world.spend_everywhere()
    world.check()


def pressed_twice(world: World) -> None:
    """装车完成, and once more."""
    world.pay(0, _PLENTY)
    world.notice(0, 0)
    world.exchange()
    world.load(0, 3, 0)
    world.press_again(0)
    world.check()


def granted_to_both(world: World) -> None:
    """Everything to one plant, then what is free to the other."""
    _sold(world, 0)
    world.notice(1, 0)
    world.grant_all(1, 0)
    world.exchange()
    world.spend_all(1)
    world.check()


_TELL: Callable[[Books, str], State] = vars(head_office)["_state"]


def _hears_all(own: Term | None, told: Term) -> Heard:
    heard = hear_term(own, told)
    return Heard.FOLLOWED if heard is Heard.OLDER else heard


def _told_before_commit(
    books: Books,
    began: str,
) -> State:
    state = _TELL(books, began)
    accounts = {
        name: each.model_copy(update={"returned_fen": each.returned_fen + books.accounts.get(name).available_fen})
        for name, each in state.accounts.items()
    }
    return state.model_copy(update={"accounts": accounts})


def _debits_twice(
    books: Books, plant: Plant, visit: Any, press: weighing.Press, book: Any = weighing.load_complete
) -> Done | Refusal:
    outcome: Done | Refusal = book(books, plant, visit, press)
    if visit.ticket:
        account = visit.notice.account
        counters = books.accounts.get(account)
        more_fen = min(counters.available_fen, 1_000)
        books.accounts.put(account, replace(counters, spent_fen=counters.spent_fen + more_fen))
    return outcome


MUTANTS = {
    "fence removed": Mutant((("edge.store.books.Books.fence", lambda books, why: None),), old_copy_sells),
    "grants of an older term are taken": Mutant(
        (("edge.station.head_office.hear_term", _hears_all),), late_grant_of_an_old_term
    ),
    "grants are added, not merged": Mutant(
        (
            (
                "sync.allotment.PlantCounters.grant",
                lambda counters, fen: replace(counters, granted_fen=counters.granted_fen + fen),
            ),
        ),
        grant_comes_twice,
    ),
    "an older grant takes the place of a newer": Mutant(
        (("sync.allotment.PlantCounters.grant", lambda counters, fen: replace(counters, granted_fen=fen)),),
        grant_comes_twice,
    ),
    "a return is told before it is committed": Mutant(
        (("edge.station.head_office._state", _told_before_commit),), money_given_back_is_spent
    ),
    "restored books grant": Mutant(
        (
            ("sync.office.store.reconcile._number", lambda tx, name: 0),
            ("sync.office.store.reconcile.may_be_granted", lambda own, told: True),
        ),
        restored_office_grants_again,
    ),
    "a second press debits again": Mutant((("edge.station.weighing.load_complete", _debits_twice),), pressed_twice),
    "what is out at plants counts as free": Mutant(
        (
            ("sync.office.accounts.Account.free_fen", property(lambda account: account.fund_fen)),
            ("sync.office.accounts.Account.check", lambda account: None),
        ),
        granted_to_both,
    ),
}
"""By what is wrong with the program."""
