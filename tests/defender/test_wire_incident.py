"""One incident is read whatever its shape, and refused only for what no tolerance can help."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from defender.wire import Unreadable, WireIncident, guess_incident_id, read_incident
from tests.defender.mutations import read_arbitrary_bytes, read_mutated_incidents
from tests.defender.payloads import (
    as_sent,
    documented_alert,
    documented_incident,
    recorded_alert,
    recorded_incident,
)

ANYTHING: list[Any] = [None, True, 0, -7, 2.5, 10**30, "text", [], [None], [[1]], {}, {"a": [1]}, [{}], "x" * 100_000]


def read(value: dict[str, Any]) -> WireIncident:
    return read_incident(as_sent(value))


def test_the_documented_shape_is_read() -> None:
    incident = read(documented_incident())
    assert (incident.incident_id, incident.redirect_incident_id) == (4711, None)
    assert incident.name == "Saved passwords read on one endpoint"
    assert incident.created_at == datetime(2026, 3, 1, 8, 0, 0, 73_333, tzinfo=UTC)
    assert (incident.status, incident.status_code, incident.is_open) == ("Active", 1, True)
    assert (incident.severity, incident.severity_rank) == ("Medium", 3)
    assert (incident.classification, incident.determination) == ("Unknown", "NotAvailable")
    assert incident.techniques == ("T1003", "T1003.001")
    assert (incident.host, incident.account) == ("PC-7.contoso.com", "Alice@contoso.com")
    assert incident.comments[0].text == "Called them"
    assert incident.comments[0].created_text == "2026-03-01T08:30:00.8404534Z"
    assert (incident.assigned_to, incident.web_link, incident.tags) == (None, None, ())
    assert not incident.cleaned and not incident.truncated


def test_the_documented_alert_is_read() -> None:
    alert = read(documented_incident()).alerts[0]
    assert (alert.alert_id, alert.title, alert.severity_rank) == ("da1_1", "Suspicious sign-in helper", 4)
    assert alert.updated_at == datetime(2026, 3, 1, 9, 0, 0, 500_000, tzinfo=UTC)
    assert (alert.resolved_at, alert.assigned_to, alert.actor, alert.threat_family) == (None, None, "", "Passgrab")
    assert [(piece.kind, piece.value) for piece in alert.evidence] == [
        ("device", "pc-7.contoso.com"),
        ("user", "alice@contoso.com"),
        ("ip", "192.0.2.7"),
        ("file", "a" * 40),
        ("mailbox", "alice@contoso.com"),
    ]
    assert alert.evidence[0].data["riskScore"] == "High"
    assert alert.evidence[2].data == {"entityType": "Ip", "ipAddress": "192.0.2.7"}


def test_f29_the_recorded_shape_with_its_undocumented_words_is_read_verbatim() -> None:
    incident = read(recorded_incident(assignedTo="Microsoft (to remove duplicates)", status="New"))
    assert (incident.status, incident.status_code, incident.is_open) == ("New", 9, True)
    assert (incident.severity, incident.severity_rank) == ("UnSpecified", 5)
    assert incident.assigned_to == "Microsoft (to remove duplicates)"
    assert incident.web_link == recorded_incident()["incidentUri"]
    assert incident.comments == ()
    alert = incident.alerts[0]
    assert (alert.category, alert.service_source) == ("None", "MicrosoftApplicationProtection")
    device, app, mailbox = alert.evidence
    assert device.data == {"mdatpDeviceId": "d2", "tags": ["kiosk"], "loggedOnUsers": [{"accountName": "alice"}]}
    assert (app.kind, app.value) == ("oauthapplication", "fabrikam sync")
    assert (mailbox.kind, mailbox.verdict, mailbox.remediation_status) == ("mailbox", "Suspicious", "Active")
    assert mailbox.first_seen_at == datetime(2026, 3, 2, 8, 0, 0, 250_000, tzinfo=UTC)


def test_null_keys_and_missing_keys_mean_the_same() -> None:
    sparse = {key: value for key, value in documented_incident().items() if value is not None}
    alert = {key: value for key, value in documented_alert().items() if value is not None}
    alert["entities"] = [{key: value for key, value in piece.items() if value} for piece in alert["entities"]]
    full, bare = read(documented_incident()), read(sparse | {"alerts": [alert]})
    assert full.alerts[0].evidence == bare.alerts[0].evidence
    assert full.search_text == bare.search_text


def test_a_redirected_shell_is_read_and_closed() -> None:
    shell = read(recorded_incident(status="Redirected", redirectIncidentId="4711", alerts=[]))
    assert (shell.redirect_incident_id, shell.status_code, shell.is_open, shell.alerts) == (4711, 4, False, ())


def test_f30_and_sync_f13_a_seventh_digit_is_cut_in_the_time_and_kept_in_the_text() -> None:
    incident = read(documented_incident())
    assert incident.updated_at == datetime(2026, 3, 1, 9, 0, 1, 999_999, tzinfo=UTC)
    assert incident.updated_text == "2026-03-01T09:00:01.9999999Z"


def test_sync_f13_an_odd_time_costs_the_field_and_not_the_incident() -> None:
    incident = read(documented_incident(createdTime="0001-01-01T00:00:00Z", lastUpdateTime="soon"))
    assert (incident.created_at, incident.updated_at, incident.updated_text) == (None, None, "soon")


@pytest.mark.parametrize("value", ANYTHING, ids=lambda value: repr(value)[:20])
@pytest.mark.parametrize("key", sorted((documented_incident() | recorded_incident()).keys() - {"incidentId"}))
def test_f31_and_sync_f17_any_value_of_any_key_of_an_incident_is_tolerated(key: str, value: Any) -> None:
    incident = read(documented_incident(**{key: value}))
    assert incident.incident_id == 4711
    assert all(len(text) <= 512 for text in (incident.name, incident.status, incident.severity, *incident.tags))


@pytest.mark.parametrize("value", ANYTHING, ids=lambda value: repr(value)[:20])
@pytest.mark.parametrize("key", sorted((documented_alert() | recorded_alert()).keys() - {"alertId"}))
def test_f31_f32_and_sync_f17_any_value_of_any_key_of_an_alert_is_tolerated(key: str, value: Any) -> None:
    incident = read(documented_incident(alerts=[documented_alert(**{key: value}), recorded_alert()]))
    assert [alert.alert_id for alert in incident.alerts] == ["da1_1", "ad815"]


@pytest.mark.parametrize("value", [None, [], {}, [None], "", 5])
def test_f32_and_f34_an_alert_without_readable_entities_has_no_evidence_from_them(value: Any) -> None:
    incident = read(documented_incident(alerts=[documented_alert(entities=value, devices=None)]))
    assert len(incident.alerts[0].evidence) == (1 if value == 5 else 0)


def test_f26_an_unknown_verdict_status_and_key_are_kept_as_sent() -> None:
    piece = {"entityType": "Ip", "ipAddress": "not an address", "verdict": "5", "newKey": "new"}
    incident = read(documented_incident(status="5", alerts=[documented_alert(devices=[], entities=[piece])]))
    (evidence,) = incident.alerts[0].evidence
    assert (incident.status, incident.status_code) == ("5", 9)
    assert (evidence.value, evidence.verdict, evidence.data["newKey"]) == ("not an address", "5", "new")


def test_sync_f17_an_unknown_kind_of_entity_keeps_its_word_and_its_value() -> None:
    piece = {"entityType": "QuantumKey", "name": "Q-7"}
    (evidence,) = read(documented_incident(alerts=[documented_alert(devices=[], entities=[piece])])).alerts[0].evidence
    assert (evidence.kind, evidence.value) == ("other:QuantumKey", "Q-7")


@pytest.mark.parametrize(
    ("sent", "read_as"),
    [(7, 7), ("7", 7), (7.0, 7), (2**63 - 1, 2**63 - 1), (str(2**63 - 1), 2**63 - 1)],
)
def test_an_incident_number_may_be_sent_as_text(sent: Any, read_as: int) -> None:
    assert read(documented_incident(incidentId=sent)).incident_id == read_as


@pytest.mark.parametrize("sent", [None, 0, -1, 2**63, 10**30, str(2**63), "", "7a", "٧", 7.5, True, [7], {}, "-7"])
def test_sync_f19_an_incident_without_a_usable_number_is_unreadable(sent: Any) -> None:
    with pytest.raises(Unreadable) as refused:
        read(documented_incident(incidentId=sent))
    assert refused.value.reason == "no_incident_id"


def test_numbers_sent_as_text_and_texts_sent_as_numbers_are_read() -> None:
    device = {"mdatpDeviceId": 12, "osBuild": "22631"}
    alert = documented_alert(alertId=99, title=404, severity=3, devices=[device], entities=[])
    incident = read(documented_incident(incidentName=2026, tags=[1, True, "a", None, "a"], alerts=[alert]))
    assert (incident.name, incident.tags) == ("2026", ("1", "true", "a"))
    assert (incident.alerts[0].alert_id, incident.alerts[0].title) == ("99", "404")
    assert incident.alerts[0].evidence[0].value == "12"


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b'{"incidentId":1,"incidentName":"a\\u0000b"}', "a\ufffdb"),
        (b'{"incidentId":1,"incidentName":"a\\ud800b"}', "a\ufffdb"),
        (b'{"incidentId":1,"incidentName":"a\\uDFFFb"}', "a\ufffdb"),
        (b'{"incidentId":1,"incidentName":"a\x00b"}', "a\ufffdb"),
        (b'{"incidentId":1,"incidentName":"a\xffb"}', "a\ufffdb"),
        (b'{"incidentId":1,"incidentName":"ok","other":{"\\u0000":[1]}}', "ok"),
        (b'{"incidentId":1,"incidentName":"ok","other":NaN}', "ok"),
        (b'{"incidentId":1,"incidentName":"ok","other":[1e999,-Infinity]}', "ok"),
    ],
)
def test_sync_f19_what_cannot_be_stored_is_replaced_and_told(raw: bytes, name: str) -> None:
    incident = read_incident(raw)
    assert (incident.name, incident.cleaned) == (name, True)


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b'{"incidentId":1,"incidentName":"\\ud83d\\ude00"}', "\U0001f600"),
        (b'{"incidentId":1,"incidentName":"\\\\u0000"}', "\\u0000"),
        (b'{"incidentId":1,"incidentName":"tab\there"}', "tab\there"),
        (b'{"incidentId":1,"incidentName":"ok","big":123456789012345678901234567890}', "ok"),
        ('{"incidentId":1,"incidentName":"\ufffd"}'.encode(), "\ufffd"),
        (b'\xef\xbb\xbf{"incidentId":1,"incidentName":"ok"}', "ok"),
    ],
)
def test_what_can_be_stored_is_not_told_as_replaced(raw: bytes, name: str) -> None:
    incident = read_incident(raw)
    assert (incident.name, incident.cleaned) == (name, False)


def test_a_number_beyond_64_bits_stays_text_in_the_evidence() -> None:
    piece = {"entityType": "Process", "processId": 10**30}
    (evidence,) = read(documented_incident(alerts=[documented_alert(devices=[], entities=[piece])])).alerts[0].evidence
    assert evidence.data["processId"] == str(10**30)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "syntax"),
        (b"<html>", "syntax"),
        (b'{"incidentId":1', "syntax"),
        (b"[]", "not_an_object"),
        (b"5", "not_an_object"),
        (b"null", "not_an_object"),
        (b'{"incidentId":1,"a":' + b"[" * 65 + b"]" * 65 + b"}", "too_deep"),
        (b'{"incidentId":1,"a":' + b'{"a":' * 65 + b"1" + b"}" * 65 + b"}", "too_deep"),
        (b'{"incidentId":1,"a":' + b"[" * 1_000_000, "too_deep"),
        (b'{"incidentId":1,"a":' + b"7" * 401 + b"}", "too_many_digits"),
        (b'{"incidentId":1,"a":[' + b"1," * 2_000_001 + b"1]}", "too_many_values"),
        (b'{"incidentId":1,"a":"' + b"a" * 16 * 1024 * 1024 + b'"}', "too_large"),
    ],
    ids=lambda value: value if isinstance(value, str) else repr(value[:30]),
)
def test_sync_f18_and_f19_only_what_is_over_a_bound_or_no_incident_is_unreadable(raw: bytes, reason: str) -> None:
    with pytest.raises(Unreadable) as refused:
        read_incident(raw)
    assert refused.value.reason == reason
    assert refused.value.incident_id == guess_incident_id(raw)


def test_depth_and_digits_just_within_their_bounds_and_brackets_inside_texts_are_read() -> None:
    assert read_incident(b'{"incidentId":1,"a":' + b"[" * 63 + b"]" * 63 + b"}").incident_id == 1
    assert read_incident(b'{"incidentId":1,"a":' + b"7" * 400 + b"}").incident_id == 1
    assert read_incident(b'{"incidentId":1,"a":"' + b'\\"[{' * 5_000 + b"7" * 5_000 + b'"}').incident_id == 1


def test_an_unreadable_incident_may_still_tell_its_number() -> None:
    assert guess_incident_id(b'{"incidentId" : "4711","x":NaN') == 4711
    assert guess_incident_id(b'{"incidentId":99999999999999999999}') is None
    assert guess_incident_id(b'{"a":1}') is None


def test_alerts_sent_twice_are_one_and_the_last_wins() -> None:
    twice = [documented_alert(1, status="New"), documented_alert(2), documented_alert(1, status="Resolved")]
    alerts = read(documented_incident(alerts=twice)).alerts
    assert [(alert.alert_id, alert.status) for alert in alerts] == [("da1_1", "Resolved"), ("da2_1", "New")]


def test_evidence_sent_twice_is_one_although_its_verdict_moved_on() -> None:
    first = {"entityType": "Ip", "ipAddress": "192.0.2.7", "verdict": "Suspicious"}
    second = first | {"verdict": "Malicious", "evidenceCreationTime": "2026-03-01T00:00:00Z"}
    (evidence,) = (
        read(documented_incident(alerts=[documented_alert(devices=[], entities=[first, second])])).alerts[0].evidence
    )
    assert evidence.verdict == "Malicious"


def test_a_device_stays_itself_when_its_name_and_health_change() -> None:
    def key(**fields: Any) -> bytes:
        device = {"mdatpDeviceId": "d1", **fields}
        return (
            read(documented_incident(alerts=[documented_alert(devices=[device], entities=[])]))
            .alerts[0]
            .evidence[0]
            .key
        )

    assert key(deviceDnsName="a", riskScore="Low") == key(deviceDnsName="b", riskScore="High")
    assert key() != key(mdatpDeviceId="d2")


def test_an_alert_without_an_id_gets_one_that_lasts() -> None:
    first, second = ({**documented_alert(status=status), "alertId": None} for status in ("New", "Resolved"))
    ids = [read(documented_incident(alerts=[alert])).alerts[0].alert_id for alert in (first, second)]
    assert ids[0] == ids[1] and ids[0].startswith("unnamed-")


def test_two_endless_alert_ids_do_not_become_one() -> None:
    alerts = [documented_alert(alertId="x" * 3_000 + end) for end in "ab"]
    ids = [alert.alert_id for alert in read(documented_incident(alerts=alerts)).alerts]
    assert len(set(ids)) == 2 and all(len(alert_id) <= 128 for alert_id in ids)


def test_an_alerts_hash_changes_with_its_content_and_not_with_the_order_of_its_keys() -> None:
    def hash_of(alert: dict[str, Any]) -> bytes:
        return read(documented_incident(alerts=[alert])).alerts[0].hash

    turned = dict(reversed(documented_alert().items()))
    assert hash_of(documented_alert()) == hash_of(turned)
    assert hash_of(documented_alert()) != hash_of(documented_alert(newKey=1))


@pytest.mark.parametrize(
    ("link", "is_kept"),
    [
        ("https://security.microsoft.com/incidents/1?tid=x", True),
        ("https://mto.security.microsoft.com/incident2/1/overview", True),
        ("https://security.microsoft.us/incidents/1", True),
        ("https://security.apps.mil/incidents/1", True),
        ("http://security.microsoft.com/incidents/1", False),
        ("https://security.microsoft.com.evil.example/incidents/1", False),
        ("https://evilsecurity.microsoft.com/", False),
        ("https://security.microsoft.com@evil.example/", False),
        ("https://evil.example\\@security.microsoft.com/", False),
        ("https://evil.example/security.microsoft.com", False),
        ("https://security.microsoft.com:8443/", False),
        ("https://security.microsoft.com/\n", False),
        ('https://security.microsoft.com/"><script>', False),
        ("javascript:alert(1)//https://security.microsoft.com/", False),
        (["https://security.microsoft.com/"], False),
        ("https://security.microsoft.com/" + "a" * 3_000, False),
    ],
)
def test_only_a_link_into_microsofts_portals_is_a_link(link: Any, is_kept: bool) -> None:
    assert read(recorded_incident(incidentUri=link)).web_link == (link if is_kept else None)


def test_f33_invisible_characters_are_kept_in_the_name_and_collapsed_for_search() -> None:
    mail = {"entityType": "MailMessage", "subject": "\ufeffUrgent\u00a0  Invoice", "sender": "x@fabrikam.com"}
    alert = documented_alert(entities=[mail], description='<a href="https://x">click</a>')
    incident = read(documented_incident(incidentName="Suspi\u200bcious  SIGN-IN", alerts=[alert]))
    assert incident.name == "Suspi\u200bcious  SIGN-IN"
    assert incident.search_text.startswith("suspicious sign-in 4711 ")
    assert "urgent invoice" in incident.search_text
    assert incident.alerts[0].description == '<a href="https://x">click</a>'


def test_the_search_text_holds_what_people_look_for_and_has_an_end() -> None:
    text = read(documented_incident(tags=["VIP"])).search_text
    for word in ("4711", "vip", "suspicious sign-in helper", "pc-7.contoso.com", "alice@contoso.com", "192.0.2.7"):
        assert word in text
    entities = [{"entityType": "Url", "url": f"https://{number}.fabrikam.com"} for number in range(5_000)]
    assert len(read(documented_incident(alerts=[documented_alert(entities=entities)])).search_text) <= 16_000


def test_sync_f18_an_incident_of_500_alerts_is_read_whole() -> None:
    incident = read(documented_incident(alerts=[documented_alert(number) for number in range(500)]))
    assert len(incident.alerts) == 500 and not incident.truncated


def test_sync_f18_more_alerts_or_evidence_than_the_bound_are_left_out_and_told() -> None:
    alerts = [{"alertId": str(number)} for number in range(10_001)]
    assert read(documented_incident(alerts=alerts)).truncated
    entities = [{"entityType": "Ip", "ipAddress": str(number)} for number in range(10_001)]
    incident = read(documented_incident(alerts=[documented_alert(entities=entities)]))
    assert incident.truncated and len(incident.alerts[0].evidence) == 10_001


def test_a_value_fits_into_an_index_whatever_its_script() -> None:
    piece = {"entityType": "Process", "processCommandLine": "\U0001f600" * 5_000}
    (evidence,) = read(documented_incident(alerts=[documented_alert(devices=[], entities=[piece])])).alerts[0].evidence
    assert len(evidence.value.encode()) == 2_000
    assert len(evidence.data["processCommandLine"]) == 4_096


@pytest.mark.parametrize("unit", [b"[],", b'"",', b'{"a":1},', b'"\\\\",', b"{},", b'"\\ud800",', b'"",\n', b"\\"])
@pytest.mark.parametrize("key", [b"alerts", b"tags", b"incidentName", b"new"])
def test_sync_f18_a_large_incident_is_read_in_time_linear_in_its_size(key: bytes, unit: bytes) -> None:
    raw = b'{"incidentId":1,"' + key + b'":[' + unit * (1_000_000 // len(unit)) + b"0]}"
    began = time.process_time()
    read_arbitrary_bytes(raw)
    assert time.process_time() - began < 10


def test_sync_f17_300_incidents_of_damaged_shape_are_read() -> None:
    read_mutated_incidents(300)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.binary(max_size=80) | st.text('{}[]",:\\ incidentId1').map(str.encode))
def test_sync_f19_no_bytes_make_the_reader_fail_otherwise(noise: bytes) -> None:
    read_arbitrary_bytes(noise)
    read_arbitrary_bytes(b'{"incidentId":1,"incidentName":"' + noise + b'"}')
    read_arbitrary_bytes(b'{"incidentId":1,"alerts":[' + noise + b"]}")
