"""Alerts arrive at a real receiver: once, by severity, later if the channel is down, and whatever is killed."""

import json
import logging
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from revenue_integrity import clock
from revenue_integrity.desk.alerts import outbox
from revenue_integrity.desk.alerts.delivery import Delivered, deliver, send_test
from revenue_integrity.desk.alerts.events import Kind, Severity
from revenue_integrity.desk.alerts.outbox import raise_alert, resolve
from revenue_integrity.settings import Settings
from revenue_integrity_tests.desk.alerts.support import MARCH, NOW, Receiver, event, python, receiving, settings_for

MINUTE = timedelta(minutes=1)

DELIVER = """
from revenue_integrity import clock
from revenue_integrity.desk.alerts.delivery import deliver
from revenue_integrity.streams.registry import load_settings
settings = load_settings()
import apprise
print("ready", flush=True)
input()
print(deliver(settings, clock.now()), flush=True)
"""


def test_an_event_is_delivered_once_and_the_same_event_never_again(tmp_path: Path) -> None:
    with receiving() as receiver:
        settings = settings_for(tmp_path, alert_channels={"warning": [receiver.url()]})
        assert raise_alert(settings, event("a"))
        assert not raise_alert(settings, event("a"))
        assert raise_alert(settings, event("b"))
        assert raise_alert(settings, event("a", month=None))
        assert deliver(settings, clock.now()) == Delivered(sent=3)
        assert not raise_alert(settings, event("a"))
        assert deliver(settings, clock.now() + timedelta(days=400)) == Delivered()
    assert sorted(receiver.titles()) == ["[warning] check a failed", "[warning] check a failed", "[warning] check b failed"]


def test_severities_go_to_their_channels_in_their_colour(tmp_path: Path) -> None:
    with receiving() as receiver:
        channels = {name: [receiver.url(name)] for name in ("info", "warning", "critical")}
        settings = settings_for(tmp_path, alert_channels=channels)
        for severity in Severity:
            raise_alert(settings, event(severity, severity=severity))
        deliver(settings, clock.now())
    # The library's types: info is its blue, warning its amber, failure its red.
    arrived = {(message["path"], message["type"]) for message in receiver.messages}
    assert arrived == {("/info", "info"), ("/warning", "warning"), ("/critical", "failure")}


def test_a_severity_without_channels_uses_the_next_lower_and_an_empty_list_means_only_the_log(tmp_path: Path) -> None:
    with receiving() as receiver:
        settings = settings_for(tmp_path, alert_channels={"warning": [receiver.url("w")], "info": []})
        for severity in Severity:
            raise_alert(settings, event(severity, severity=severity))
        assert deliver(settings, clock.now()) == Delivered(sent=2)
    assert Counter(message["type"] for message in receiver.messages) == {"failure": 1, "warning": 1}
    statuses = outbox.frame(settings).set_index("severity")["status"].to_dict()
    assert statuses == {"info": "logged", "warning": "sent", "critical": "sent"}


def test_a_channel_that_is_down_delays_with_growing_waits_and_loses_nothing(tmp_path: Path) -> None:
    with receiving() as receiver:
        settings = settings_for(tmp_path, alert_channels={"warning": [receiver.url()]}, alert_retry_minutes=1)
    with clock.held_at(NOW):
        raise_alert(settings, event("a"))
    tries = [minute for minute in range(20) if deliver(settings, NOW + minute * MINUTE).failed]
    assert tries == [0, 1, 3, 7, 15], "waits of 1, 2, 4, 8 minutes"
    (row,) = outbox.frame(settings).to_dict(orient="records")
    assert (row["status"], row["attempts"], row["next_try_at"]) == ("pending", 5, NOW + 31 * MINUTE)
    with receiving(receiver):
        assert deliver(settings, NOW + 30 * MINUTE) == Delivered(pending=1)
        assert deliver(settings, NOW + 31 * MINUTE) == Delivered(sent=1)
        assert deliver(settings, NOW + 32 * MINUTE) == Delivered()
    assert len(receiver.messages) == 1


def test_waits_stop_growing_at_six_hours(tmp_path: Path) -> None:
    with receiving(Receiver(answer=503)) as receiver:
        settings = settings_for(tmp_path, alert_channels={"warning": [receiver.url()]}, alert_retry_minutes=200)
        with clock.held_at(NOW):
            raise_alert(settings, event("a"))
        deliver(settings, NOW)
        later = NOW + 200 * MINUTE
        deliver(settings, later)
        assert outbox.frame(settings)["next_try_at"].tolist() == [later + timedelta(hours=6)]


def test_a_channel_that_fails_is_asked_once_per_delivery_and_the_others_are_served(tmp_path: Path) -> None:
    with receiving() as well, receiving(Receiver(answer=500)) as ill:
        settings = settings_for(tmp_path, alert_channels={"warning": [ill.url(), well.url()]})
        for content in "abc":
            raise_alert(settings, event(content))
        assert deliver(settings, clock.now()) == Delivered(sent=3, failed=1, pending=3)
        ill.answer = 200
        assert deliver(settings, clock.now() + MINUTE * 2) == Delivered(sent=3)
    assert len(well.messages) == len(ill.messages) == 3


def test_no_trouble_of_a_channel_is_raised(tmp_path: Path) -> None:
    settings = settings_for(
        tmp_path, alert_channels={"warning": ["nosuchservice://token", "slack://incomplete", "json://127.0.0.1:1"]}
    )
    raise_alert(settings, event("a"))
    assert deliver(settings, clock.now()) == Delivered(failed=3, pending=3)


def test_killed_between_sending_and_marking_it_is_sent_again(tmp_path: Path) -> None:
    with receiving() as receiver:
        channels = {"warning": [receiver.url()]}
        settings = settings_for(tmp_path, alert_channels=channels)
        raise_alert(settings, event("a"))
        process = python(tmp_path, DELIVER, channels)
        # The message is in, its sender waits for the answer: kill -9.
        receiver.before_answer = process.kill
        process.communicate("go\n", timeout=60)
        assert process.returncode == -9
        assert len(receiver.messages) == 1
        assert outbox.frame(settings)["status"].tolist() == ["pending"]
        receiver.before_answer = lambda: None
        assert deliver(settings, clock.now()) == Delivered(sent=1)
        assert len(receiver.messages) == 2, "twice rather than never"
        assert deliver(settings, clock.now()) == Delivered()


@pytest.mark.parametrize("after", [1, 7])
def test_killed_while_raising_nothing_acknowledged_is_lost(tmp_path: Path, after: int) -> None:
    code = """
from revenue_integrity.desk.alerts.outbox import raise_alert
from revenue_integrity.streams.registry import load_settings
from revenue_integrity_tests.desk.alerts.support import event
settings = load_settings()
for number in range(10_000):
    raise_alert(settings, event(str(number)))
    print(number, flush=True)
"""
    with receiving() as receiver:
        channels = {"warning": [receiver.url()]}
        process = python(tmp_path, code, channels)
        assert process.stdout
        for _ in range(after):
            process.stdout.readline()
        process.kill()
        rest = process.stdout.read().split()
        process.communicate()
        acknowledged = after + len(rest)
        settings = settings_for(tmp_path, alert_channels=channels)
        arrived = deliver(settings, clock.now())
        # The kill may fall between an event's file and its acknowledgement.
        assert arrived.sent in (acknowledged, acknowledged + 1)
        assert {f"[warning] check {number} failed" for number in range(acknowledged)} <= set(receiver.titles())
        assert raise_alert(settings, event("next one")), "the lock died with its process"


def test_two_processes_at_once_send_each_event_once(tmp_path: Path) -> None:
    with receiving() as receiver:
        channels = {"warning": [receiver.url()]}
        settings = settings_for(tmp_path, alert_channels=channels)
        for number in range(30):
            raise_alert(settings, event(str(number)))
        receiver.before_answer = lambda: time.sleep(0.01)  # long enough that all are at it together
        processes = [python(tmp_path, DELIVER, channels) for _ in range(3)]
        for process in processes:
            assert process.stdout
            assert process.stdout.readline() == "ready\n", process.stderr and process.stderr.read()
        for process in processes:
            assert process.stdin
            process.stdin.write("go\n")
            process.stdin.flush()
        outputs = [process.communicate(timeout=60) for process in processes]
        assert all(process.returncode == 0 for process in processes), outputs
        assert deliver(settings, clock.now()) == Delivered()
    assert sorted(Counter(receiver.titles()).values()) == [1] * 30


def test_a_second_delivery_leaves_the_first_one_alone(tmp_path: Path) -> None:
    with receiving() as receiver:
        settings = settings_for(tmp_path, alert_channels={"warning": [receiver.url()]})
        raise_alert(settings, event("a"))
        seen: list[object] = []

        def meanwhile() -> None:
            # Raising and resolving go on while a channel is slow; a second delivery does not start.
            seen.append(deliver(settings, clock.now()))
            seen.append(raise_alert(settings, event("b")))
            seen.append(resolve(settings, Kind.CHECK_FAILED, MARCH, except_for=[event("b")]))

        receiver.before_answer = meanwhile
        assert deliver(settings, clock.now()).sent == 1
        assert seen == [Delivered(busy=True), True, 1]
        receiver.before_answer = lambda: None
        statuses = outbox.frame(settings).set_index("title")["status"].to_dict()
        assert statuses == {"check a failed": "sent, resolved", "check b failed": "pending"}, "marking sent kept the resolution"


def test_an_unresolved_critical_alert_goes_to_one_channel_after_the_other(tmp_path: Path) -> None:
    with receiving() as receiver:
        settings = settings_for(
            tmp_path,
            alert_channels={"critical": [receiver.url("team")]},
            alert_escalation_channels=[receiver.url("lead"), receiver.url("cfo")],
            alert_escalate_after_minutes=60,
        )
        with clock.held_at(NOW):
            raise_alert(settings, event("a", severity=Severity.CRITICAL))
            raise_alert(settings, event("calm", severity=Severity.WARNING))
        by_minute: dict[int, list[str]] = {}
        for minute in (0, 59, 60, 61, 119, 120, 500):
            before = len(receiver.messages)
            deliver(settings, NOW + minute * MINUTE)
            by_minute[minute] = receiver.paths()[before:]
    assert by_minute == {0: ["/team"], 59: [], 60: ["/lead"], 61: [], 119: [], 120: ["/cfo"], 500: []}
    assert receiver.titles()[1] == "Escalated: [critical] check a failed"


def test_a_resolved_alert_does_not_escalate_and_one_that_holds_again_starts_its_time_anew(tmp_path: Path) -> None:
    with receiving() as receiver:
        settings = settings_for(
            tmp_path, alert_channels={"critical": [receiver.url("team")]}, alert_escalation_channels=[receiver.url("lead")]
        )
        critical = event("a", severity=Severity.CRITICAL)
        with clock.held_at(NOW):
            raise_alert(settings, critical)
            deliver(settings, NOW)
        with clock.held_at(NOW + 30 * MINUTE):
            assert resolve(settings, Kind.CHECK_FAILED, MARCH) == 1
            assert resolve(settings, Kind.CHECK_FAILED, MARCH) == 0
        assert deliver(settings, NOW + 90 * MINUTE) == Delivered(sent=1)
        with clock.held_at(NOW + 100 * MINUTE):
            assert not raise_alert(settings, critical), "it is no new one"
        assert deliver(settings, NOW + 159 * MINUTE) == Delivered(sent=1)
        assert deliver(settings, NOW + 160 * MINUTE) == Delivered(sent=1)
    assert list(zip(receiver.paths(), receiver.titles(), strict=True)) == [
        ("/team", "[critical] check a failed"),
        ("/team", "Resolved: [critical] check a failed"),
        ("/team", "Holds again: [critical] check a failed"),
        ("/lead", "Escalated: [critical] check a failed"),
    ]


def test_what_a_months_state_calls_for_is_one_message_and_so_is_its_end(tmp_path: Path) -> None:
    with receiving() as receiver:
        settings = settings_for(
            tmp_path,
            alert_channels={"warning": [receiver.url("team")]},
            alert_escalation_channels=[receiver.url("lead")],
            alert_escalate_after_minutes=60,
        )
        state = [event("a|1", title="A"), event("b|1", title="B", severity=Severity.CRITICAL), event("c|1", title="C")]
        state += [event("d|1", title="D", severity=Severity.CRITICAL)]
        with clock.held_at(NOW):
            assert outbox.raise_state(settings, "toy", MARCH, state) == 4
        assert deliver(settings, NOW) == Delivered(sent=1)
        assert deliver(settings, NOW + 61 * MINUTE) == Delivered(sent=1)
        # One is over, one goes on with another figure, two stand as they were.
        with clock.held_at(NOW + 62 * MINUTE):
            assert outbox.raise_state(settings, "toy", MARCH, [*state[1:3], event("d|2", title="D more")]) == 1
        assert deliver(settings, NOW + 62 * MINUTE) == Delivered(sent=1)
        with clock.held_at(NOW + 70 * MINUTE):
            assert outbox.raise_state(settings, "toy", MARCH, []) == 0
        assert deliver(settings, NOW + 70 * MINUTE) == Delivered(sent=2)
    by_path = [(path, title) for path, title in zip(receiver.paths(), receiver.titles(), strict=True)]
    assert by_path[:3] == [
        ("/team", "[critical] 2025-03: 4 to look at"),
        ("/lead", "Escalated: [critical] 2025-03: 2 to look at"),
        ("/team", "[warning] 2025-03: 1 to look at, 1 resolved"),
    ]
    assert sorted(by_path[3:]) == [
        ("/lead", "Resolved: [critical] B"),
        ("/team", "[critical] 2025-03: 3 resolved"),
    ]
    body = str(receiver.messages[2]["message"])
    assert "Resolved: [warning] A" in body
    assert "[warning] D more" in body
    assert "[critical] D" not in body.replace("[warning] D more", "")


def test_what_is_resolved_before_it_was_sent_is_told_with_its_end(tmp_path: Path) -> None:
    with receiving() as receiver:
        settings = settings_for(tmp_path, alert_channels={"warning": [receiver.url()]})
        with clock.held_at(NOW):
            raise_alert(settings, event("a"))
        with clock.held_at(NOW + 5 * MINUTE):
            resolve(settings, Kind.CHECK_FAILED, MARCH)
        deliver(settings, NOW + 6 * MINUTE)
    (message,) = receiver.messages
    assert message["message"] == "What to do.\nSince 2025-05-20 10:00 UTC.\nResolved at 2025-05-20 10:05 UTC."


def test_a_pending_alert_follows_a_changed_channel_and_a_new_channel_gets_no_history(tmp_path: Path) -> None:
    with receiving() as old, receiving() as new:
        before = settings_for(tmp_path, alert_channels={"warning": [old.url()]})
        raise_alert(before, event("told"))
        deliver(before, clock.now())
        old.answer = 500
        raise_alert(before, event("pending"))
        deliver(before, clock.now())
        after = settings_for(tmp_path, alert_channels={"warning": [new.url()]})
        assert deliver(after, clock.now()) == Delivered(sent=1)
    assert new.titles() == ["[warning] check pending failed"]


def test_no_secret_of_a_channel_is_shown_logged_or_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    secrets = ("s3cr3t", "p4ssw0rd", "TOKENTOKEN")
    urls = ["json://user:p4ssw0rd@127.0.0.1:1/s3cr3t?key=TOKENTOKEN", "nosuchservice://TOKENTOKEN/s3cr3t"]
    with receiving() as receiver:
        settings = settings_for(
            tmp_path, alert_channels={"warning": [*urls, receiver.url("s3cr3t")]}, alert_escalation_channels=urls
        )
        raise_alert(settings, event("a"))
        deliver(settings, clock.now())
        results = send_test(settings, clock.now())
    assert sorted(key.split("#")[0] for key, problem in results.items() if problem) == ["json", "nosuchservice"]
    assert receiver.paths() == ["/s3cr3t", "/s3cr3t"], "the secret did work"
    out, err = capfd.readouterr()
    kept = "".join(file.read_text() for file in tmp_path.rglob("*") if file.is_file())
    shown = "".join(
        (repr(settings), str(settings.model_dump()), settings.model_dump_json(), out, err, caplog.text, kept, str(results))
    )
    assert "check a failed" in kept
    assert [secret for secret in secrets if secret in shown] == []


def test_a_file_that_holds_no_alert_stops_nothing(tmp_path: Path) -> None:
    with receiving() as receiver:
        settings = settings_for(tmp_path, alert_channels={"warning": [receiver.url()]})
        raise_alert(settings, event("a"))
        raise_alert(settings, event("b"))
        file = next((tmp_path / "alerts" / "events" / "2025-03").glob("*.json"))
        file.write_text(file.read_text()[:50])
        assert deliver(settings, clock.now()) == Delivered(sent=1)
    assert "put aside" in (tmp_path / "logs" / "alerts.log").read_text()


def test_the_log_file_has_a_line_for_every_alert_even_without_channels(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    with clock.held_at(NOW):
        raise_alert(settings, event("a", title="two\nlines"))
        raise_alert(settings, event("a", title="two\nlines"))
        raise_alert(settings, event("b", month=None, severity=Severity.CRITICAL))
    assert (tmp_path / "logs" / "alerts.log").read_text().splitlines() == [
        "2025-05-20T10:00:00.000000Z WARNING check_failed 2025-03 two lines | What to do.",
        "2025-05-20T10:00:00.000000Z CRITICAL check_failed - check b failed | What to do.",
    ]
    assert deliver(settings, NOW) == Delivered()


def test_the_state_of_a_month_raises_what_is_new_and_resolves_what_is_over(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    other = event("a", month=MARCH.replace(month=4))
    raise_alert(settings, other)
    assert outbox.raise_state(settings, "toy", MARCH, [event("a"), event("b")]) == 2
    assert outbox.raise_state(settings, "toy", MARCH, [event("b"), event("c")]) == 1
    rows = outbox.frame(settings)
    assert dict(zip(rows["month"] + " " + rows["title"], rows["status"], strict=True)) == {
        "2025-03 check a failed": "logged, resolved",
        "2025-03 check b failed": "logged",
        "2025-03 check c failed": "logged",
        "2025-04 check a failed": "logged",
    }


def _run(settings_home: Path, channels: dict[str, list[str]], *arguments: str) -> tuple[int, str, str]:
    code = f"from revenue_integrity.cli.program import main; main({list(arguments)!r})"
    process = python(settings_home, code, channels)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_the_command_lists_alerts_and_tests_channels(tmp_path: Path) -> None:
    with receiving() as receiver:
        channels = {"info": [receiver.url("a")], "critical": [receiver.url("b")]}
        settings = Settings(home=tmp_path, alert_channels=channels)
        with clock.held_at(NOW):
            raise_alert(settings, event("a"))
        assert _run(tmp_path, channels, "alerts", "list") == (
            0,
            "raised_at,severity,kind,book,month,title,status,attempts,next_try_at\n"
            "2025-05-20T10:00:00.000000Z,warning,check_failed,,2025-03,check a failed,pending,0,2025-05-20T10:00:00.000000Z\n",
            "",
        )
        code, out, _ = _run(tmp_path, channels, "alerts", "list", "--format", "json")
        assert (code, len(json.loads(out))) == (0, 1)
        assert _run(tmp_path, channels, "alerts", "test")[0] == 0
        assert sorted(receiver.paths()) == ["/a", "/b"]
    code, out, err = _run(tmp_path, channels, "alerts", "test")
    assert (code, out) == (1, "")
    assert err.splitlines()[-1].startswith("error: json#")
    assert str(receiver.port) not in err


def test_a_channel_that_is_no_url_is_refused_without_being_shown(tmp_path: Path) -> None:
    code, _, err = _run(tmp_path, {"critical": ["TOKENTOKEN"]}, "alerts", "list")
    assert code == 2
    assert "alert_channels.critical.0: " in err
    assert "TOKENTOKEN" not in err
    code, _, err = _run(tmp_path, {"slack://TOKENTOKEN": ["critical"]}, "alerts", "list")
    assert code == 2
    assert "alert_channels" in err
    assert "TOKENTOKEN" not in err
