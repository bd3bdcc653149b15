"""The export: one line per incident, the object as Microsoft sent it, and a refusal in words."""

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from audit.models import AuditEvent
from incidents.export import as_one_line
from tenants.models import Tenant
from tests.conftest import as_worker
from tests.defender.payloads import documented_alert
from tests.incidents.arranged import connected_tenant, incident, moment, store

pytestmark = pytest.mark.django_db


@pytest.fixture
def contoso() -> Tenant:
    return connected_tenant()


def export(*arguments: str) -> tuple[list[dict[str, Any]], str]:
    """The lines as objects, and what was said beside them."""
    out, beside = io.StringIO(), io.StringIO()
    with as_worker():
        call_command("export_incidents", *arguments, stdout=out, stderr=beside)
    lines = out.getvalue().split("\n")
    assert lines.pop() == ""
    return [json.loads(line) for line in lines], beside.getvalue()


def test_a_line_holds_the_facts_and_the_object_as_sent(contoso: Tenant) -> None:
    raw = incident(
        7,
        tags=["b", "a"],
        status="InProgress",
        severity="Critical",
        assignedTo="alice@contoso.com",
        alerts=[documented_alert(1, alertId="x"), documented_alert(2, alertId="y")],
    )
    store(contoso, raw)
    (line,), beside = export()
    assert line == {
        "tenant_id": str(contoso.entra_id),
        "incident_id": 7,
        "last_update_time": moment(7),
        "status": "InProgress",
        "severity": "Critical",
        "name": raw["incidentName"],
        "assigned_to": "alice@contoso.com",
        "classification": raw["classification"],
        "determination": raw["determination"],
        "redirect_incident_id": None,
        "tags": ["b", "a"],
        "alerts": [{"alert_id": "x"}, {"alert_id": "y"}],
        "raw": raw,
    }
    assert beside.strip() == "1 incidents of 1 tenants."


def test_raw_is_embedded_byte_for_byte(contoso: Tenant) -> None:
    odd = b'{"incidentId": 3,"lastUpdateTime":"2026-03-01T00:00:00Z","x":1.50,"x":2e1,'
    odd += b'"y":"\\u00fc\\ud800","z":"\xe2\x80\xa8"}'
    store(contoso, odd)
    out = io.StringIO()
    with as_worker():
        call_command("export_incidents", stdout=out, stderr=io.StringIO())
    assert f'"raw":{odd.decode()}' in out.getvalue()


def test_alerts_that_left_and_other_tenants_incidents_are_not_in_it(contoso: Tenant) -> None:
    fabrikam = connected_tenant("Fabrikam")
    store(contoso, incident(1, alerts=[documented_alert(1, alertId="stays"), documented_alert(2, alertId="left")]))
    store(contoso, incident(1, updated=5, alerts=[documented_alert(1, alertId="stays")]))
    store(fabrikam, incident(1), incident(2))
    lines, beside = export("--tenant", str(contoso.entra_id))
    assert [(line["incident_id"], line["alerts"]) for line in lines] == [(1, [{"alert_id": "stays"}])]
    assert "1 incidents of 1 tenants" in beside
    lines, beside = export()
    assert [line["tenant_id"] for line in lines] == [str(contoso.entra_id)] + [str(fabrikam.entra_id)] * 2
    assert export("--tenant", "fabrikam")[0] == lines[1:]


def test_an_incident_that_could_not_be_read_says_why(contoso: Tenant) -> None:
    store(contoso, b'{"incidentId": 5, "alerts": [}')
    (line,), _ = export()
    assert (line["incident_id"], line["raw"], line["quarantined"]) == (5, None, "syntax")


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (b'{"a": 1}', '{"a": 1}'),
        (b'{\n "a":\r\n [1,\n2]}', '{"a":[1,2]}'),
        (b'\xef\xbb\xbf{"a":"\\ud800"}', '{"a":"\\ud800"}'),
        (b'{"a":NaN}', '{"a":null}'),
        (b'{"a":"x\ny"}', '{"a":"x\\ny"}'),
        (b'{"a":"\xff"}', '{"a":"\ufffd"}'),
        (b'{"a":[}', "null"),
    ],
)
def test_every_body_becomes_one_line_of_valid_json(body: bytes, line: str) -> None:
    assert as_one_line(body) == line
    json.loads(line)


def test_more_than_the_cursor_holds_at_once_comes_out_whole(contoso: Tenant) -> None:
    for start in range(0, 400, 100):
        store(contoso, *(incident(n, alerts=[]) for n in range(start + 1, start + 101)))
    assert [line["incident_id"] for line in export()[0]] == list(range(1, 401))


def test_an_export_is_in_the_audit_log(contoso: Tenant) -> None:
    store(contoso, incident(1), incident(2))
    export()
    row = AuditEvent.objects.latest("pk")
    assert (row.action, row.tenant, row.details) == ("export incidents", contoso.entra_id, {"incidents": 2})


def test_an_export_is_in_the_audit_log_before_anything_is_read(contoso: Tenant) -> None:
    store(contoso, incident(1), incident(2))
    known: list[bool] = []

    class Reader(io.StringIO):
        def write(self, text: str) -> int:
            known.append(AuditEvent.objects.filter(action="export incidents", tenant=contoso.entra_id).exists())
            return super().write(text)

    with as_worker():
        call_command("export_incidents", stdout=Reader(), stderr=io.StringIO())
    assert known and all(known)


@pytest.mark.parametrize("command", ["export_incidents", "sync_now"])
def test_an_unknown_tenant_is_refused_in_words_with_status_two(contoso: Tenant, command: str) -> None:
    with pytest.raises(CommandError, match="knows no tenant '5a11db0c-0000-4000-8000-000000000000'") as refused:
        call_command(command, "--tenant", "5a11db0c-0000-4000-8000-000000000000")
    assert refused.value.returncode == 2
