"""The page of one incident: what it says, how it stays small, and that its content does nothing."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import override_settings
from pytest_django import DjangoAssertNumQueries

from incidents.models import (
    Alert,
    Comment,
    Evidence,
    Incident,
    IncidentChange,
    IncidentRaw,
    IncidentTag,
    IncidentTechnique,
    Severity,
    Status,
)
from incidents.page import portal_link
from tenants import scope
from tests.cast import NOW, Cast, make_alert, make_cast, make_evidence, make_incident
from tests.conftest import WebClient
from tests.incidents.pages import HOSTILE, Reader, assert_harmless, read

pytestmark = pytest.mark.django_db

LINK = "https://security.microsoft.com/incidents/7?tid=x"


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def alice(cast: Cast, client: WebClient) -> WebClient:
    client.force_login(cast.alice)
    return client


def page(client: WebClient, number: int = 7, part: str = "") -> Reader:
    answer = client.get(f"/incidents/contoso/{number}/{part}")
    assert answer.status_code == 200
    return read(answer.content)


def test_the_header_says_what_it_is_whose_it_is_and_what_was_decided(alice: WebClient, cast: Cast) -> None:
    made = make_incident(
        cast.contoso,
        7,
        "Ransomware",
        severity=Severity.HIGH,
        status=Status.RESOLVED,
        assigned_to="bob@mssp.example",
        classification="TruePositive",
        determination="CompromisedUser",
    )
    with scope.tenant(cast.contoso.pk):
        IncidentTag.objects.create(tenant=cast.contoso, incident=made, tag="vip")
    text = page(alice).text
    for words in ("High", "Resolved", "Ransomware #7", "Contoso", "bob@mssp.example", "True positive", "vip"):
        assert words in text
    assert "Compromised account" in text


def test_f26_f29_words_we_do_not_know_are_shown_as_microsoft_sent_them(alice: WebClient, cast: Cast) -> None:
    make_incident(
        cast.contoso, 7, severity=Severity.UNKNOWN, remote_severity="Critical", status=Status.OTHER, remote_status="New"
    )
    text = page(alice).text
    assert "Unknown (Critical)" in text
    assert "New" in text


def test_alerts_stand_in_the_order_of_their_first_activity(alice: WebClient, cast: Cast) -> None:
    made = make_incident(cast.contoso, 7)
    make_alert(made, "b", "Second thing", first_activity_at=NOW)
    make_alert(
        made, "a", "First thing", first_activity_at=NOW - timedelta(hours=1), description="one\ntwo <b>three</b>"
    )
    make_alert(made, "c", "Moved away", gone_at=NOW)
    text = page(alice).text
    assert text.index("First thing") < text.index("Second thing")
    assert "two <b>three</b>" in text
    assert "Moved away" not in text


def test_evidence_stands_once_by_kind_with_the_columns_of_its_kind(alice: WebClient, cast: Cast) -> None:
    made = make_incident(cast.contoso, 7)
    alerts = [make_alert(made, str(n)) for n in range(3)]
    for alert in alerts:
        make_evidence(alert, "process", "p", processCommandLine="cmd /c whoami", fileName="cmd.exe", processId=4)
    make_evidence(alerts[0], "device", "d", deviceDnsName="wks-1", healthStatus="Active", riskScore="High")
    make_evidence(alerts[0], "other:KubernetesPod", "pod", podName="web-1", namespace="prod", nested={"a": 1})
    seen = page(alice)
    assert seen.text.count("cmd /c whoami") == 1
    for words in (
        "Processes 1",
        "cmd.exe PID 4, in 3 alerts",
        "wks-1",
        "KubernetesPod",
        "podName: web-1 namespace: prod",
    ):
        assert words in seen.text


def test_addresses_are_defanged_and_never_links(alice: WebClient, cast: Cast) -> None:
    made = make_incident(cast.contoso, 7)
    alert = make_alert(made, "a", description="seen at https://evil.example/path")
    make_evidence(alert, "url", "u", url="http://evil.example/kit")
    make_evidence(alert, "url", "v", url="evil.example")
    seen = page(alice)
    assert "hxxp://evil[.]example/kit" in seen.text
    assert "hxxps://evil[.]example/path" in seen.text
    assert "evil.example" not in seen.text
    assert not [link for link in seen.links if "evil" in link]


def test_techniques_have_names_and_tactics(alice: WebClient, cast: Cast) -> None:
    made = make_incident(cast.contoso, 7)
    with scope.tenant(cast.contoso.pk):
        for technique in ("T1078.004", "T0000"):
            IncidentTechnique.objects.create(tenant=cast.contoso, incident=made, technique=technique)
    text = page(alice).text
    assert "T1078.004 Cloud Accounts" in text
    assert "initial access" in text
    assert "T0000 not in the portal's table" in text


def test_merges_are_told_from_both_ends(alice: WebClient, cast: Cast) -> None:
    make_incident(cast.contoso, 7)
    make_incident(cast.contoso, 8, status=Status.REDIRECTED, redirect_number=7)
    make_incident(cast.fabrikam, 9, status=Status.REDIRECTED, redirect_number=7)
    target, shell = page(alice, 7), page(alice, 8)
    assert "Merged from #8." in target.text
    assert "/incidents/contoso/7/" in shell.links
    assert "merged this incident into another" in shell.text


def test_stubs_gone_and_cleaned_incidents_say_so(alice: WebClient, cast: Cast) -> None:
    make_incident(cast.contoso, 7, "", is_stub=True, gone_at=NOW, cleaned=True)
    text = page(alice).text
    for words in ("could not be read", "no longer in Defender", "were replaced", "(no name)", "No entities reported"):
        assert words in text


def test_the_link_to_defender_is_text_in_the_sandbox_and_a_link_outside(alice: WebClient, cast: Cast) -> None:
    make_incident(cast.contoso, 7, web_link=LINK)
    make_incident(cast.contoso, 8, web_link="https://security.microsoft.com.evil.example/")
    assert LINK not in page(alice).links
    with override_settings(IS_SANDBOX=False):
        assert LINK in page(alice).links
        seen = page(alice, 8)
    assert "not a Microsoft portal" in seen.text
    assert not [link for link in seen.links if "evil" in link]


@pytest.mark.parametrize(
    ("address", "trusted"),
    [
        (LINK, True),
        ("https://security.microsoft.us/incidents/7", True),
        ("https://security.apps.mil/", True),
        ("http://security.microsoft.com/", False),
        ("https://security.microsoft.com@evil.example/", False),
        ("https://security.microsoft.com.evil.example/", False),
        ("https://evilsecurity.microsoft.com.evil/", False),
        ("https://notsecurity.microsoft.com/", False),
        ("https://security.microsoft.com:8443/", False),
        ("https://security.microsoft.com\\@evil.example/", False),
        ("javascript:alert('https://security.microsoft.com/')", False),
        ("https://[security.microsoft.com/", False),
        ("", False),
    ],
)
def test_only_https_to_a_microsoft_portal_is_a_link(address: str, trusted: bool) -> None:
    assert bool(portal_link(address)) is trusted


def test_raw_json_is_laid_out_bounded_and_escaped(alice: WebClient, cast: Cast) -> None:
    made = make_incident(cast.contoso, 7)
    body = json.dumps({"incidentName": "<script>\u202e", "url": "http://evil.example"}, ensure_ascii=False).encode()
    with scope.tenant(cast.contoso.pk):
        raw = IncidentRaw.objects.create(tenant=cast.contoso, incident=made, body=body)
    answer = alice.get("/incidents/contoso/7/raw/")
    assert b"<script" not in answer.content
    assert '"incidentName": "<script>⟨U+202E⟩"' in read(answer.content).text
    with scope.tenant(cast.contoso.pk):
        raw.body = b'{"a": "' + b"x" * 3_000_000
        raw.save()
    assert len(alice.get("/incidents/contoso/7/raw/").content) < 300_000


def test_an_incident_without_bytes_says_that_nothing_is_kept(alice: WebClient, cast: Cast) -> None:
    make_incident(cast.contoso, 7)
    assert "Nothing is kept" in page(alice, part="raw/").text


def test_the_page_learns_of_changes_without_being_swapped(alice: WebClient, cast: Cast) -> None:
    made = make_incident(cast.contoso, 7)
    address = page(alice).polled["changed"]
    assert alice.get(address).status_code == 204
    with scope.tenant(cast.contoso.pk):
        Incident.objects.filter(pk=made.pk).update(changed_at=NOW + timedelta(seconds=1))
    note = read(alice.get(address).content)
    assert "Load this incident again: it changed" in note.text
    assert "/incidents/contoso/7/" in note.links


@pytest.fixture
def huge(cast: Cast) -> Incident:
    made = make_incident(cast.contoso, 7, alert_count=150)
    with scope.tenant(cast.contoso.pk):
        alerts = Alert.objects.bulk_create(
            Alert(
                tenant=cast.contoso,
                incident=made,
                alert_id=f"alert-{n}",
                title=f"Alert number {n}",
                severity=Severity.HIGH,
                content_hash=b"0" * 16,
                first_activity_at=NOW + timedelta(seconds=n),
            )
            for n in range(150)
        )
        Evidence.objects.bulk_create(
            Evidence(
                tenant=cast.contoso,
                alert=alert,
                kind=("ip", "file", "process", "user")[n % 4],
                value=str(n),
                key=n.to_bytes(16, "big"),
                data={
                    "ipAddress": f"ip-{n}",
                    "fileName": f"file-{n}",
                    "userPrincipalName": f"user-{n}",
                    "processId": n,
                },
            )
            for alert in alerts
            for n in range(alert.pk % 7, 34 * 7, 7)
        )
    return made


def test_an_incident_of_150_alerts_and_5000_pieces_opens_with_few_queries_and_a_small_page(
    alice: WebClient, huge: Incident, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with scope.tenant(huge.tenant_id):
        assert Evidence.objects.count() == 5_100
    with django_assert_max_num_queries(35):
        answer = alice.get("/incidents/contoso/7/")
    seen = read(answer.content)
    assert "Alerts 150" in seen.text
    assert "Evidence 238" in seen.text
    assert "Show all 150 alerts" in seen.text
    assert "Show all 150 moments" in seen.text
    assert seen.text.count("Alert number") == 20 + 15
    assert seen.text.count("ip-") == 10
    assert seen.text.count("PID") == 20
    assert len(answer.content) < 150_000


def test_what_follows_the_first_view_takes_few_queries_each(
    alice: WebClient, huge: Incident, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for part in ("alerts/", "story/", "history/", "sightings/", "evidence/?kind=process", "evidence/?alert=alert-3"):
        with django_assert_max_num_queries(22):
            answer = alice.get(f"/incidents/contoso/7/{part}")
        assert answer.status_code == 200


def test_the_rest_is_a_click_away_and_nothing_is_missing(alice: WebClient, huge: Incident) -> None:
    rest = page(alice, part="alerts/")
    assert rest.text.count("Alert number") == 130
    later = page(alice, part="story/")
    assert later.text.count("Alert number") == 135
    processes = page(alice, part="evidence/?kind=process")
    assert {f"file-{n}" for n in range(2, 238, 4)} <= {word.strip() for word in processes.words}
    assert "Alert number 149" in rest.text
    table = page(alice, part="evidence/?kind=ip")
    assert {f"ip-{n}" for n in range(0, 238, 4)} <= set(table.words)


def test_an_alert_brings_its_own_evidence_and_no_others(alice: WebClient, cast: Cast) -> None:
    made = make_incident(cast.contoso, 7)
    make_incident(cast.contoso, 8)
    first, second = make_alert(made, "da-1/x", "First"), make_alert(made, "da-2", "Second")
    for number in range(12):
        make_evidence(first, "ip", f"203.0.113.{number}", ipAddress=f"203.0.113.{number}")
    make_evidence(second, "user", "eve@contoso.example", userPrincipalName="eve@contoso.example")
    make_alert(made, "da-3", "Third")
    asked = next(a["hx-get"] for _, a in page(alice).tags if "da-1" in a.get("hx-get", ""))
    seen = read(alice.get(asked).content)
    assert "Show all 12 IP addresses" in seen.text
    assert "eve@" not in seen.text
    whole = next(a["hx-get"] for _, a in seen.tags if "hx-get" in a)
    assert (
        read(alice.get(whole).content).text.count("203[.]0[.]113[.]") == 24
    )  # the value, and what its button is called
    assert "No entities reported with this alert" in page(alice, part="evidence/?alert=da-3").text
    assert alice.get("/incidents/contoso/8/evidence/?alert=da-2").status_code == 404
    assert alice.get("/incidents/contoso/7/evidence/?alert=da-9").status_code == 404


def test_devices_say_how_they_are_and_hashes_can_be_copied(alice: WebClient, cast: Cast) -> None:
    alert = make_alert(make_incident(cast.contoso, 7), "a")
    make_evidence(
        alert, "device", "d", deviceDnsName="wks-1", healthStatus="ImpairedCommunication", riskScore="High",
        version="24H2", loggedOnUsers=[{"accountName": "eve", "domainName": "C"}], tags=["crown jewel", "kiosk"],
    )  # fmt: skip
    make_evidence(alert, "file", "f", fileName="a.exe", sha256="ab" * 32, sha1="<script>")
    make_evidence(alert, "ip", "i", ipAddress="10.0.0.1 <b>")
    seen = page(alice)
    for words in ("ImpairedCommunication", "High", "24H2", "eve", "crown jewel, kiosk", "Version"):
        assert words in seen.text
    assert [a["data-copy-value"] for _, a in seen.tags if "data-copy-value" in a] == ["ab" * 32]


def test_the_history_stands_on_the_page_in_words(alice: WebClient, cast: Cast) -> None:
    made = make_incident(cast.contoso, 7)
    with scope.tenant(cast.contoso.pk):
        for number in range(11):
            IncidentChange.objects.create(
                tenant=cast.contoso, incident=made, seen_at=NOW, updated_at=NOW + timedelta(minutes=number),
                differences={"remote_status": ["Active", f"Odd {number}"], "tags": [["old"], ["new"]]},
                by="Alice" if number == 10 else "",
            )  # fmt: skip
    seen = page(alice)
    for words in ("Status: from Active to Odd 10", "Tags: added new removed old", "by Alice here", "Show all changes"):
        assert words in seen.text
    assert "to Odd 0" not in seen.text
    rest = page(alice, part="history/")
    assert "to Odd 0" in rest.text
    assert "First seen here" in rest.text


def test_a_kind_that_the_incident_does_not_have_is_not_found(alice: WebClient, huge: Incident) -> None:
    for kind in ("", "device", "%00", "' OR 1=1"):
        assert alice.get(f"/incidents/contoso/7/evidence/?kind={kind}").status_code == 404


@pytest.mark.parametrize("payload", HOSTILE)
def test_f33_hostile_text_in_every_field_stays_text(alice: WebClient, cast: Cast, payload: str) -> None:
    of_both = ("remote_severity", "assigned_to", "classification", "determination")
    of_incident: dict[str, Any] = dict.fromkeys((*of_both, "remote_status", "host", "account", "web_link"), payload)
    made = make_incident(cast.contoso, 7, payload, severity=Severity.UNKNOWN, status=Status.OTHER, **of_incident)
    texts = ("description", "category", "status", "service_source", "detection_source", "investigation_state", "actor")
    of_alert: dict[str, Any] = dict.fromkeys((*of_both, *texts, "threat_family"), payload)
    alert = make_alert(made, payload, payload, techniques=[payload], **of_alert)
    names = (
        "processCommandLine",
        "parentProcessId",
        "processId",
        "deviceId",
        "sha256",
        "healthStatus",
        "url",
        "deviceDnsName",
        "fileName",
        "subject",
        "sender",
        payload,
    )
    fields: dict[str, Any] = dict.fromkeys(names, payload)
    for kind in ("process", "url", "device", "file", "mailmessage", "other:" + payload):
        make_evidence(alert, kind, payload, **fields)
    with scope.tenant(cast.contoso.pk):
        Evidence.objects.update(verdict=payload, remediation_status=payload)
        IncidentTag.objects.create(tenant=cast.contoso, incident=made, tag=payload)
        IncidentTechnique.objects.create(tenant=cast.contoso, incident=made, technique=payload)
        Comment.objects.create(
            tenant=cast.contoso, incident=made, position=0, text=payload, created_by=payload, created_at=NOW
        )
        IncidentRaw.objects.create(tenant=cast.contoso, incident=made, body=payload.encode())
        head = {key: [payload, payload] for key in ("remote_status", "name", "assigned_to", "classification")}
        IncidentChange.objects.create(
            tenant=cast.contoso, incident=made, seen_at=NOW, updated_at=NOW, by=payload,
            differences={**head, "tags": [[], [payload]]},
        )  # fmt: skip
        Evidence.objects.update(first_seen_at=NOW)
    for part in ("", "alerts/", "sightings/", "story/", "history/", "evidence/?kind=process"):
        assert_harmless(alice.get(f"/incidents/contoso/7/{part}").content)
    evidence = alice.get("/incidents/contoso/7/evidence/", {"kind": "other:" + payload})
    assert evidence.status_code == 200
    assert_harmless(evidence.content)
    of_one = alice.get("/incidents/contoso/7/evidence/", {"alert": payload})
    assert of_one.status_code == 200
    assert_harmless(of_one.content)
    raw = alice.get("/incidents/contoso/7/raw/").content
    assert_harmless(raw.replace(b"http://evil.example", b"hxxp"))
