"""One turn of the grant policy over all accounts: read, decide (`sync.office.policy`), and book through the functions
that people's grants and recalls go through. What cannot be done now is left to the next turn."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from sqlalchemy import Connection, delete, select

from sync.office.accounts import Account
from sync.office.clock import time_text
from sync.office.policy import Plan, Way, plan_account
from sync.office.refusal import NotAllowed
from sync.office.store.corrections import recall_unused
from sync.office.store.database import Store, put
from sync.office.store.money import grant_by_hand, read_accounts
from sync.office.store.policy_inputs import Demand, open_plants, overdue_accounts, read_marks, sites_of
from sync.office.store.reconcile import Mode, mode_of
from sync.office.store.schema import instances, policy_marks

_REASON = "24 小时未用 unused for 24 hours"


MOST_STEPS = 100
"""A turn: a month's first turn may want thousands, and the plants' records use the same database."""


@dataclass(frozen=True, slots=True)
class Turn:
    """How often it granted and recalled."""

    grants: int = 0
    recalls: int = 0

    def __add__(self, other: "Turn") -> "Turn":
        return Turn(self.grants + other.grants, self.recalls + other.recalls)


Step = Callable[[Store], Turn]
"""What is due for one account, in the store's thread."""


def policy_steps(store: Store, way: Callable[[str], Way], demand: Demand, now: datetime) -> list[Step]:
    """What is to be done now, for at most `MOST_STEPS` accounts; nothing is written here. `now` is on the office's wall
    clock, whose day decides which credit is overdue."""
    now_s = int(now.timestamp())
    with store.read() as tx:
        if mode_of(tx) is not Mode.NORMAL:
            return []
        plans = _plans(tx, way, demand, now)
    # Each turn begins elsewhere, so that what fails again and again keeps nobody waiting.
    first = now_s // 60 * MOST_STEPS % len(plans) if len(plans) > MOST_STEPS else 0
    return [partial(_act, account=account, plan=plan) for account, plan in (plans[first:] + plans[:first])[:MOST_STEPS]]


def run_policy(store: Store, way: Callable[[str], Way], demand: Demand, now: datetime) -> Turn:
    """A whole turn at once."""
    return sum((step(store) for step in policy_steps(store, way, demand, now)), start=Turn())


def _plans(
    tx: Connection, way: Callable[[str], Way], demand: Demand, now: datetime
) -> list[tuple[Account, Plan]]:  # fmt: skip
    now_s = int(now.timestamp())
    plants = open_plants(tx, way, now_s)
    demand.refresh(tx, frozenset(each.plant for each in plants if each.forecast), now_s)
    marks = read_marks(tx)
    overdue = overdue_accounts(tx, now.date().isoformat())
    plans = []
    for account in read_accounts(tx):
        targets_fen = {} if account.account in overdue else demand.targets_fen
        sites = sites_of(account, plants, targets_fen, marks)
        exposed = account.exposure_fen > 0 or account.free_fen <= 0
        plan = plan_account(account.free_fen, sites, now_s, several=len(plants) > 1, exposed=exposed)
        if plan != Plan():
            plans.append((account, plan))
    return plans


def _act(store: Store, account: Account, plan: Plan) -> Turn:
    """A commit for each grant and recall."""
    done = Turn()
    for instance, fen in plan.grants:
        done += _grant(store, account.account, instance, fen)
    for instance, fen in plan.recalls:
        done += _recall(store, account, instance, fen)
    if plan.over_since:
        _mark(store, account.account, plan)
    return done


def _grant(store: Store, account: str, instance: str, fen: int) -> Turn:
    """Perhaps somebody else used what was free a moment ago: then not now."""
    try:
        with store.write() as tx:
            if not _still_open(tx, instance):
                return Turn()
            grant_by_hand(tx, account, instance, fen)
    except NotAllowed:
        return Turn()
    return Turn(grants=1)


def _recall(store: Store, account: Account, instance: str, keep_fen: int) -> Turn:
    """Notices on their way keep their money; holds are the plant's own and stay anyway."""
    promised_fen = account.allotments[instance].noticed_fen
    try:
        with store.write() as tx:
            asked = recall_unused(tx, account.account, instance, keep_fen + promised_fen, _REASON)
    except NotAllowed:
        return Turn()
    return Turn(recalls=int(asked))


def _mark(store: Store, account: str, plan: Plan) -> None:
    with store.write() as tx:
        for instance, since_s in plan.over_since:
            if since_s is None:
                mine = (policy_marks.c.account == account, policy_marks.c.instance == instance)
                tx.execute(delete(policy_marks).where(*mine))
            else:
                at = time_text(datetime.fromtimestamp(since_s, UTC))
                put(tx, policy_marks, [{"account": account, "instance": instance, "over_since": at}])


def _still_open(tx: Connection, instance: str) -> bool:
    """Locked before the account, as everywhere."""
    mine = instances.c.instance == instance
    return tx.execute(select(instances.c.state).where(mine).with_for_update()).scalar() == "open"
