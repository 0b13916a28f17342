"""The plant's session alone: what it sends, when, and what it makes of answers. A hand-driven clock."""

from sync.messages import Ack, Docs, WireDocument
from sync.session import Acked, Fork, PlantSession, Tuning
from tests.sync.support import TERM, make_rows

ROWS = make_rows(3_000)
TUNING = Tuning(batch_records=100)


def connected(acked_seq: int = 0, jitter: float = 0.0) -> PlantSession:
    session = PlantSession(acked_seq, TUNING, lambda: jitter)
    session.link_up(0)
    return session


def send_all(session: PlantSession, now_ms: int, rows: int = 3_000) -> list[tuple[int, int]]:
    """Fill the window; (first, last) of each batch."""
    sent = []
    while (wanted := session.next_records()) is not None:
        after_seq, limit = wanted
        batch = session.batch(ROWS[after_seq : min(after_seq + limit, rows)], now_ms)
        if batch is None:
            break
        sent.append((batch.records[0].seq, batch.records[-1].seq))
    return sent


def ack(session: PlantSession, seq: int, now_ms: int, own_hash: str | None = None) -> Acked | Fork | None:
    session.heard()
    theirs = ROWS[seq - 1].hash
    return session.ack(Ack(last_seq=seq, last_hash=theirs, term=TERM), own_hash or theirs, now_ms)


def test_nothing_is_due_without_a_link() -> None:
    session = PlantSession(0, TUNING, lambda: 0.0)
    session.changed(5)
    assert session.state_due_ms() is None
    assert session.next_records() is None
    assert session.wake_ms() is None


def test_state_goes_first_then_every_minute_and_soon_after_a_change() -> None:
    session = connected()
    assert session.state_due_ms() == 0
    session.state_sent(-2_000)
    session.state_sent(1_000)
    session.heard()
    assert session.state_due_ms() == 61_000
    session.changed(1_010)
    session.changed(1_040)
    assert session.state_due_ms() == 1_250, "spaced from the last one"
    session.state_sent(1_250)
    session.heard()
    session.changed(9_000)
    session.changed(9_049)
    assert session.state_due_ms() == 9_050, "changes within 50 ms share one STATE"


def test_soon_after_a_new_links_first_state_comes_another() -> None:
    """What was sent before the old link died and lost with it is known to be lost by then."""
    session = connected()
    session.state_sent(0)
    session.heard()
    assert session.state_due_ms() == 3_000 > TUNING.retry_min_ms
    session.changed(100)
    assert session.state_due_ms() == 250
    session.state_sent(250)
    session.heard()
    assert session.state_due_ms() == 3_000, "one in between does not stand for it"
    session.state_sent(3_000)
    session.heard()
    assert session.state_due_ms() == 63_000
    session.link_up(70_000)
    assert session.state_due_ms() == 0


def test_an_unheard_state_is_repeated_ever_more_slowly() -> None:
    session = connected()
    waits, now_ms = [], 0
    for _ in range(6):
        session.state_sent(now_ms)
        due_ms = session.state_due_ms()
        assert due_ms is not None
        waits.append(due_ms - now_ms)
        now_ms = due_ms
    assert waits == [2_000, 4_000, 8_000, 15_000, 15_000, 15_000]
    session.heard()
    assert session.state_due_ms() == now_ms - 15_000 + 60_000


def test_the_window_holds_twenty_batches() -> None:
    session = connected()
    assert send_all(session, 0) == [(first, first + 99) for first in range(1, 2_000, 100)]
    assert session.next_records() is None
    assert ack(session, 200, 50) == Acked(200, ROWS[199].hash)
    assert send_all(session, 50) == [(2_001, 2_100), (2_101, 2_200)]


def test_a_batch_is_cut_at_128_kilobytes_but_a_giant_row_travels_alone() -> None:
    big = [row.model_copy(update={"body": "x" * 60_000}) for row in ROWS[:4]]
    session = connected()
    batch = session.batch(big, 0)
    assert batch is not None
    assert len(batch.records) == 2
    giant = [ROWS[2].model_copy(update={"body": "x" * 200_000}), ROWS[3]]
    batch = session.batch(giant, 0)
    assert batch is not None
    assert len(batch.records) == 1


def test_rows_that_do_not_follow_are_a_bug() -> None:
    session = connected()
    try:
        session.batch(ROWS[1:3], 0)
    except ValueError as error:
        assert "do not follow row 0" in str(error)
    else:
        raise AssertionError("accepted a gap")


def test_without_progress_everything_after_the_last_ack_is_sent_again() -> None:
    session = connected()
    send_all(session, 0, rows=300)
    ack(session, 100, 500)
    assert not session.tick(2_499)
    assert session.tick(2_500)
    assert send_all(session, 2_500, rows=300) == [(101, 200), (201, 300)]


def test_retries_back_off_to_a_minute_and_an_answer_ends_that() -> None:
    session = connected()
    waits, now_ms = [], 0
    for _ in range(7):
        send_all(session, now_ms)
        due_ms = session.retry_due_ms()
        assert due_ms is not None
        waits.append(due_ms - now_ms)
        now_ms = due_ms
        assert session.tick(now_ms)
    assert waits == [2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]
    send_all(session, now_ms)
    session.heard()
    assert session.retry_due_ms() == now_ms + 2_000


def test_a_head_office_that_answers_late_is_not_asked_ever_again() -> None:
    """It needs 5 s for an answer: repeated each 2 s, it would only have the more to do."""
    session = connected()
    session.heard()
    send_all(session, 0, rows=300)
    assert session.tick(2_000)
    send_all(session, 2_000, rows=300)
    session.heard()
    ack(session, 100, 5_000)
    assert session.retry_due_ms() == 5_000 + 4_000
    session.heard()
    ack(session, 300, 7_000)
    send_all(session, 7_000, rows=400)
    assert session.retry_due_ms() == 7_000 + 4_000
    ack(session, 400, 12_000)
    send_all(session, 12_000, rows=500)
    assert session.rtt_ms == 5_000
    assert session.retry_due_ms() == 12_000 + 20_000, "sent once, answered once: that is the measure now"


def test_jitter_shortens_a_retry_by_at_most_half() -> None:
    session = connected(jitter=0.999)
    send_all(session, 0)
    session.tick(2_000)
    send_all(session, 2_000)
    due_ms = session.retry_due_ms()
    assert due_ms is not None
    assert 4_000 <= due_ms < 4_100


def test_a_slow_link_is_given_four_round_trips_measured_on_first_sendings_only() -> None:
    session = connected()
    send_all(session, 0, rows=200)
    ack(session, 100, 1_000)
    assert session.rtt_ms == 1_000
    assert session.retry_due_ms() == 1_000 + 4_000
    session.tick(5_000)
    send_all(session, 5_000, rows=200)
    ack(session, 200, 5_001)
    assert session.rtt_ms == 1_000, "an ACK after a resend says nothing about the round trip"


def test_acks_only_move_forward() -> None:
    session = connected()
    send_all(session, 0)
    assert ack(session, 500, 10) is not None
    assert ack(session, 500, 11) is None
    assert ack(session, 300, 12) is None
    assert session.acked_seq == 500


def test_an_idle_plant_sends_again_what_head_office_lost() -> None:
    """Nothing is on its way, so nothing can get stuck: what two STATEs in turn are answered is no late ACK."""
    session = connected(acked_seq=300)
    for now_ms in (0, 60_000):
        session.state_sent(now_ms)
        assert ack(session, 100, now_ms + 10) is None
        assert ack(session, 100, now_ms + 20) is None, "an ACK that came twice is still one answer"
        assert session.acked_seq == (300 if now_ms == 0 else 100)
    assert send_all(session, 60_030, rows=300) == [(101, 200), (201, 300)]


def test_late_acks_make_an_idle_plant_send_nothing() -> None:
    session = connected(acked_seq=300)
    for now_ms in range(0, 600_000, 60_000):
        session.state_sent(now_ms)
        ack(session, 100, now_ms + 10)
        ack(session, 300, now_ms + 20)
        assert session.acked_seq == 300
    for seq in (200, 100, 200, 100):
        session.state_sent(700_000)
        ack(session, seq, 700_010)
    assert session.acked_seq == 300, "they do not say the same"


def test_an_ack_beyond_what_this_run_sent_is_taken() -> None:
    """After a restart, head office may hold more than `acked_seq` says."""
    session = connected(acked_seq=100)
    assert ack(session, 2_500, 5) == Acked(2_500, ROWS[2_499].hash)
    assert session.next_records() == (2_500, 100)


def test_another_hash_is_a_fork_and_finishes_nothing() -> None:
    session = connected()
    send_all(session, 0)
    result = ack(session, 100, 5, own_hash="f" * 64)
    assert result == Fork(100, "f" * 64, ROWS[99].hash)
    assert "row 100" in str(result)
    assert session.acked_seq == 0


def test_a_row_that_head_office_has_and_we_do_not_is_a_rollback() -> None:
    session = connected()
    result = session.ack(Ack(last_seq=9, last_hash="a" * 64, term=TERM), None, 0)
    assert result == Fork(9, None, "a" * 64)
    assert "restored from a copy" in str(result)


def test_a_new_link_starts_after_the_last_ack() -> None:
    session = connected()
    send_all(session, 0)
    ack(session, 400, 10)
    session.link_down()
    assert session.next_records() is None
    session.link_up(60_000)
    assert session.state_due_ms() == 0
    assert send_all(session, 60_000)[0] == (401, 500)


def document(number: int) -> WireDocument:
    return WireDocument(number=number, kind="test", body={})


def test_documents_are_taken_in_order_without_gaps() -> None:
    session = connected()
    session.state_sent(0)
    session.heard()
    docs = Docs(documents=tuple(document(number) for number in (5, 3, 4, 7)), term=TERM)
    assert [each.number for each in session.new_documents(docs, applied=3, now_ms=100)] == [4, 5]
    assert session.new_documents(docs, applied=1, now_ms=100) == []
    assert session.new_documents(docs, applied=7, now_ms=100) == []
    assert session.state_due_ms() == 250, "STATE asks for what is missing, or says that nothing is"
