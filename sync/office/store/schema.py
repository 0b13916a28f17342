"""The tables, one schema for SQLite and PostgreSQL. Money int fen, mass int kg, times ISO 8601 text in UTC.

`inbox` is the truth that came from the plants and is never changed; `shipments`, `incidents`, `scale_alarms` and the
spent and voided sums of `allotments` follow from it, and are changed in the commit that advances `instances.last_seq`.
`payments`, `credits`, `allotments.granted_fen`, `notices` and `documents` are head office's own words.
`topups`, `outages`, `shortages` and `policy_marks` serve the grant policy and its figures; nothing else reads them.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
)

SCHEMA_VERSION = 4
metadata = MetaData()


def _fen(name: str, **options: object) -> "Column[int]":
    return Column(name, BigInteger, nullable=False, server_default="0", **options)  # type: ignore[arg-type]


def _kg(name: str) -> "Column[int]":
    return Column(name, Integer, nullable=False, server_default="0")


def _text(name: str) -> "Column[str]":
    return Column(name, Text, nullable=False, server_default="")


meta = Table("meta", metadata, Column("name", Text, primary_key=True), Column("number", BigInteger, nullable=False))

instances = Table(
    "instances",
    metadata,
    Column("instance", Text, primary_key=True),
    Column("plant", Text, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("plant_name", Text, nullable=False),
    Column("public_key", Text, nullable=False),
    Column("state", Text, nullable=False),
    _text("frozen"),
    Column("last_seq", BigInteger, nullable=False, server_default="0"),
    Column("last_hash", Text, nullable=False),
    Column("documents", Integer, nullable=False, server_default="0"),
    _text("status"),
    _text("status_at"),
    _text("mode"),  # of the last STATE: live, fenced, closed; `status` is the last one that no copy told
    Column("enrolled_at", Text, nullable=False),
    Column("told_term", BigInteger, nullable=False, server_default="0"),  # the term it told everything in
    _text("told_upto"),  # while it tells its accounts in slices: the last name of those told in the current term
    CheckConstraint("state in ('open', 'closing', 'settled')", name="instance_state"),
    Index("instances_by_name", "plant", "epoch", "fingerprint", unique=True),
)

inbox = Table(
    "inbox",
    metadata,
    # No foreign key: the instance is locked once for all its rows, which costs less than asking for each of a month's.
    Column("instance", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("received_at", Text, nullable=False),
)

forks = Table(
    "forks",
    metadata,
    Column("instance", Text, ForeignKey("instances.instance"), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("received_at", Text, nullable=False),
)

terms = Table(
    "terms",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False),
    Column("began_at", Text, nullable=False),
    Column("why", Text, nullable=False),
)

customers = Table(
    "customers",
    metadata,
    Column("customer_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
)

accounts = Table(
    "accounts",
    metadata,
    Column("account", Text, primary_key=True),
    Column("customer_id", Text, ForeignKey("customers.customer_id"), nullable=False),
    Column("kind", Text, nullable=False),
    _fen("fund_fen"),
    _fen("exposure_fen"),
    CheckConstraint("kind in ('prepaid', 'credit')", name="account_kind"),
    CheckConstraint("fund_fen >= 0", name="fund_not_negative"),
)

payments = Table(
    "payments",
    metadata,
    Column("reference", Text, primary_key=True),
    Column("account", Text, ForeignKey("accounts.account"), nullable=False),
    _fen("amount_fen"),
    _text("payer"),
    Column("posted_at", Text, nullable=False),
    _text("posted_by"),
    CheckConstraint("amount_fen > 0", name="payment_positive"),
    Index("payments_by_account", "account"),
)

refunds = Table(
    "refunds",
    metadata,
    Column("reference", Text, primary_key=True),
    Column("account", Text, ForeignKey("accounts.account"), nullable=False),
    _fen("amount_fen"),
    Column("reason", Text, nullable=False),
    Column("posted_at", Text, nullable=False),
    Column("posted_by", Text, nullable=False),
    CheckConstraint("amount_fen > 0", name="refund_positive"),
    Index("refunds_by_account", "account"),
)

undone = Table(
    "undone",
    metadata,
    Column("reference", Text, ForeignKey("payments.reference"), primary_key=True),
    Column("account", Text, ForeignKey("accounts.account"), nullable=False),
    _fen("amount_fen"),
    _fen("covered_fen"),  # of the amount, what was taken out of the fund so far; the rest is exposure
    Column("reason", Text, nullable=False),
    Column("undone_at", Text, nullable=False),
    Column("undone_by", Text, nullable=False),
    CheckConstraint("0 <= covered_fen and covered_fen <= amount_fen", name="covered_within_amount"),
    Index("undone_by_account", "account"),
)

credits = Table(
    "credits",
    metadata,
    Column("application", Text, primary_key=True),
    Column("account", Text, ForeignKey("accounts.account"), nullable=False, unique=True),
    Column("product", Text, nullable=False),
    _kg("quantity_kg"),
    _fen("price_fen_per_t"),
    _fen("amount_fen"),
    Column("due", Text, nullable=False),
    Column("responsible", Text, nullable=False),
    Column("posted_at", Text, nullable=False),
    _text("posted_by"),
)

allotments = Table(
    "allotments",
    metadata,
    Column("account", Text, ForeignKey("accounts.account"), primary_key=True),
    Column("instance", Text, ForeignKey("instances.instance"), primary_key=True),
    _fen("granted_fen"),
    _fen("returned_seen_fen"),
    _fen("settled_spend_fen"),
    _fen("spent_fen"),
    _fen("voided_fen"),
    _fen("held_fen"),
    _fen("wanted_fen"),
)

settlements = Table(
    "settlements",
    metadata,
    Column("instance", Text, ForeignKey("instances.instance"), primary_key=True),
    Column("how", Text, nullable=False),
    Column("settled_seq", BigInteger, nullable=False),  # rows behind it are late
    _text("first_person"),
    _text("second_person"),
    Column("settled_at", Text, nullable=False),
    CheckConstraint("how in ('record', 'disk', 'paper')", name="settled_how"),
)

stubs = Table(
    "stubs",
    metadata,
    Column("instance", Text, ForeignKey("instances.instance"), primary_key=True),
    Column("ticket", Text, primary_key=True),
    Column("account", Text, ForeignKey("accounts.account"), nullable=False),
    Column("plate", Text, nullable=False),
    _kg("net_kg"),
    _fen("amount_fen"),
    Column("matched_seq", BigInteger, nullable=False, server_default="0"),  # the late row that told the same
)

suspense = Table(
    "suspense",
    metadata,
    Column("instance", Text, ForeignKey("instances.instance"), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("ticket", Text, nullable=False),
    Column("account", Text, nullable=False),
    _text("plate"),
    _kg("net_kg"),
    _fen("amount_fen"),
    _text("note"),
    Column("state", Text, nullable=False),
    Column("arrived_at", Text, nullable=False),
    _text("resolved_at"),
    _text("resolved_by"),
    _text("reason"),
    CheckConstraint("kind in ('ticket', 'void')", name="suspense_kind"),
    CheckConstraint("state in ('open', 'charged', 'dismissed')", name="suspense_state"),
    Index("suspense_by_state", "state", "account"),
)

forgotten = Table(
    "forgotten",
    metadata,
    Column("instance", Text, ForeignKey("instances.instance"), primary_key=True),
    Column("first_number", Integer, primary_key=True, autoincrement=False),
    Column("last_number", Integer, nullable=False),
)
"""Numbers of documents that a plant applied and books restored from a copy do not hold; never used again."""

documents = Table(
    "documents",
    metadata,
    Column("instance", Text, ForeignKey("instances.instance"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("subject", Text, nullable=False),  # the notice, the product whose stock it tells, the account
    Column("created_at", Text, nullable=False),
    Index("documents_by_subject", "subject", "instance"),
)

notices = Table(
    "notices",
    metadata,
    Column("notice", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("instance", Text, ForeignKey("instances.instance"), nullable=False),
    Column("account", Text, ForeignKey("accounts.account"), nullable=False),
    Column("plate", Text, nullable=False),
    Column("state", Text, nullable=False),
    _text("reason"),
    _fen("hold_fen"),
    Column("body", Text, nullable=False),
    Column("issued_at", Text, nullable=False),
    Column("expires_at", Text, nullable=False),
    Index("notices_by_state", "state", "account"),
    Index("notices_by_plate", "plate", "state"),
    Index("notices_by_time", "issued_at", "notice"),
)

shipments = Table(
    "shipments",
    metadata,
    Column("instance", Text, ForeignKey("instances.instance"), primary_key=True),
    Column("visit", Text, primary_key=True),
    Column("plant", Text, nullable=False),
    _text("state"),
    _text("notice"),
    _text("account"),
    _text("customer_id"),
    _text("customer_name"),
    _text("product"),
    _text("plate"),
    _text("mode"),
    _text("ticket"),
    _text("pass_id"),
    _text("lane"),
    _kg("tare_kg"),
    _kg("gross_kg"),
    _kg("net_kg"),
    _fen("price_fen_per_t"),
    _fen("amount_fen"),
    _fen("hold_fen"),
    _kg("over_kg"),
    _fen("over_fen"),
    _text("reason"),
    _text("business_date"),
    _text("credit_due"),
    _text("carrier"),
    _fen("freight_fen"),
    _text("tare_at"),
    _text("gross_at"),
    _text("exit_at"),
    _text("changed_at"),
    Column("changed_seq", BigInteger, nullable=False, server_default="0"),
    Index("shipments_by_date", "business_date"),
    Index("shipments_by_ticket", "instance", "ticket"),
    Index("shipments_by_notice", "notice"),
    Index("shipments_by_state", "state"),
    Index("shipments_by_change", "changed_at", "changed_seq"),
)

incidents = Table(
    "incidents",
    metadata,
    Column("instance", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, primary_key=True),
    Column("plant", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("what", Text, nullable=False),
    _text("details"),
    Index("incidents_by_time", "at"),
)

scale_alarms = Table(
    "scale_alarms",
    metadata,
    Column("instance", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),  # the row in `inbox` has words and curve
    Column("plant", Text, nullable=False),
    Column("visit", Text, nullable=False),
    Column("business_date", Text, nullable=False),
    _text("seen_by"),
    _text("seen_at"),
    _text("note"),
    Index("scale_alarms_by_visit", "visit"),
    Index("scale_alarms_by_date", "business_date"),
)

dropped = Table(
    "dropped",
    metadata,
    Column("topic", Text, primary_key=True),
    Column("reason", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("first_at", Text, nullable=False),
    Column("last_at", Text, nullable=False),
)

topups = Table(
    "topups",
    metadata,
    Column("account", Text, primary_key=True),
    Column("instance", Text, primary_key=True),
    Column("granted_fen", BigInteger, primary_key=True, autoincrement=False),
    Column("granted_at", Text, nullable=False),
    Column("live", Integer, nullable=False),  # 1: the plant was heard in the minutes before
    _text("seen_at"),
    Index("topups_waiting", "instance", "seen_at"),
    Index("topups_by_time", "granted_at"),
)

outages = Table(
    "outages",
    metadata,
    Column("instance", Text, primary_key=True),
    Column("from_at", Text, primary_key=True),
    Column("to_at", Text, nullable=False),
    Column("plant", Text, nullable=False),
    Index("outages_by_end", "to_at"),
)

shortages = Table(
    "shortages",
    metadata,
    Column("subject", Text, primary_key=True),  # the notice, or the truck that got none, once a day
    Column("at", Text, nullable=False),
    Column("plant", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("what", Text, nullable=False),
    _fen("missing_fen"),
    _fen("elsewhere_fen"),
    Index("shortages_by_time", "at"),
)

policy_marks = Table(
    "policy_marks",
    metadata,
    Column("account", Text, primary_key=True),
    Column("instance", Text, primary_key=True),
    Column("over_since", Text, nullable=False),
)
