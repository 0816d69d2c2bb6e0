"""What the log keeps, and what it is told seldom."""

from ipcchat.server.eventlog import EventLog
from ipcchat.wire.messages import LogLine


def test_it_keeps_the_last_lines_of_its_level_and_tells_them_on() -> None:
    log, told = EventLog("info", keep=2), list[LogLine]()
    log.add_sink(told.append)
    for number in range(3):
        log.info("joined", str(number))
    log.debug("detail", "nobody asked")
    assert [line.text for line in log.last(10)] == ["1", "2"]
    assert [line.text for line in told] == ["0", "1", "2"]
    log.remove_sink(told.append)
    log.info("joined", "3")
    assert len(told) == 3 and log.last(0) == []


def test_what_would_fill_it_is_a_line_a_minute_of_each_topic() -> None:
    log = EventLog()
    for number in range(100):
        log.seldom("warning", "full", f"turned away: {number}")
        log.seldom("error", "journal", "a page could not be read", "pages")
        log.seldom("error", "journal", "not stored", "commits")
    assert [line.text for line in log.last(100)] == [
        "turned away: 0",
        "a page could not be read",
        "not stored",
    ]
