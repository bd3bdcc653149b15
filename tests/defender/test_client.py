"""The incidents of one tenant, over a real socket."""

import gzip
import json
import random
from typing import Any
from urllib.parse import quote

import pytest

from defender.errors import (
    BadInput,
    Forbidden,
    NotFound,
    Rejected,
    Stale,
    Throttled,
    Transient,
    Unauthorized,
)
from defender.transport import Transport
from tests.defender.loopback import Answer, Asked, answer, serving
from tests.defender.microsoft import Microsoft, client, oauth_error

SINCE = "2026-11-22T00:00:00.1234567Z"


def incidents(first: int, count: int) -> list[dict[str, Any]]:
    return [{"incidentId": number, "alerts": []} for number in range(first, first + count)]


def paged(total: int, *, linked: bool = False) -> Any:
    """An API that holds `total` incidents and pages as Microsoft does, with or without a link."""

    def bend(asked: Asked) -> Answer:
        skip, top = int(asked.query.get("$skip", "0")), int(asked.query["$top"])
        entries = incidents(skip + 1, max(0, min(top, total - skip)))
        link = {"@odata.nextLink": f"https://api.security.microsoft.com/api/incidents/?$skip={skip + top}"}
        return answer({"value": entries, **(link if linked and skip + top < total else {})})

    return bend


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize(("total", "pages"), [(0, 1), (99, 1), (100, 2), (250, 3)])
def test_every_incident_is_handed_out_once(
    ms: Microsoft, transport: Transport, total: int, pages: int, linked: bool
) -> None:
    ms.on_api = paged(total, linked=linked)
    got = list(client(ms, transport).incident_pages(since=SINCE))
    assert sum(len(page.items) for page in got) == total
    assert len(got) == pages or (linked and total == 100 and len(got) == 2)
    assert got[-1].next_skip is None
    assert got[0].server_time is not None


def test_the_filter_is_sent_with_all_seven_digits(ms: Microsoft, transport: Transport) -> None:
    list(client(ms, transport).incident_pages(since=SINCE, top=50))
    asked = ms.asked_for("/api/incidents")[0]
    assert asked.query == {"$filter": f"lastUpdateTime ge {SINCE}", "$top": "50", "$skip": "0"}
    assert quote(f"lastUpdateTime ge {SINCE}", safe="$:") in asked.target


@pytest.mark.parametrize(
    "since",
    ["yesterday", "2026-11-22", "2026-13-22T00:00:00Z", "2026-11-22T00:00:00Z or 1 eq 1", "2026-11-22T00:00:00"],
)
def test_a_time_that_is_none_is_refused_before_anything_is_sent(
    ms: Microsoft, transport: Transport, since: str
) -> None:
    with pytest.raises(BadInput):
        list(client(ms, transport).incident_pages(since=since))
    assert ms.server.asked == []


def test_a_pass_can_resume_at_a_page(ms: Microsoft, transport: Transport) -> None:
    ms.on_api = paged(250)
    got = list(client(ms, transport).incident_pages(since=None, skip=200))
    assert [page.skip for page in got] == [200]
    assert len(got[0].items) == 50


def test_each_request_is_announced_before_it_is_made(ms: Microsoft, transport: Transport) -> None:
    calls: list[tuple[str, int]] = []

    def debit(call: str) -> None:
        calls.append((call, len([asked for asked in ms.server.asked if "/api/" in asked.path])))

    defender = client(ms, transport, before_call=debit)
    ms.on_api = lambda asked: answer({"incidentId": 7}) if asked.path.endswith("/7") else None
    list(defender.incident_pages(since=None))
    defender.incident(7)
    defender.update_incident(7, {"status": "Active"})
    assert calls == [("list", 0), ("get", 1), ("patch", 2)]


def test_a_refused_budget_stops_the_call(ms: Microsoft, transport: Transport) -> None:
    def broke(call: str) -> None:
        raise Throttled("Our own budget is spent.", code="budget", retry_after=5.0)

    with pytest.raises(Throttled):
        client(ms, transport, before_call=broke).probe()
    assert ms.asked_for("/api/incidents") == []


# -- M5: links that lead elsewhere -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "link",
    [
        "http://{trap}/api/incidents?$skip=100",
        "https://api.security.microsoft.com@{trap}/api/incidents?$skip=100",
        "//{trap}/?$skip=100",
        "https://graph.microsoft.com/v1.0/users?$skip=100&$top=999",
        "http://{trap}\\@api.security.microsoft.com/?$skip=100",
        "file:///etc/passwd?$skip=100",
    ],
)
def test_a_next_link_to_another_place_never_gets_a_connection(ms: Microsoft, transport: Transport, link: str) -> None:
    with serving() as trap:
        target = link.format(trap=trap.url.removeprefix("http://"))

        def bend(asked: Asked) -> Answer:
            if asked.query["$skip"] == "0":
                return answer({"value": incidents(1, 100), "@odata.nextLink": target})
            return answer({"value": incidents(101, 3)})

        ms.on_api = bend
        got = list(client(ms, transport).incident_pages(since=SINCE))
        assert [page.skip for page in got] == [0, 100]
        assert trap.connections == 0
    assert {asked.path for asked in ms.asked_for("incidents")} == {"/api/incidents"}
    assert {asked.query["$top"] for asked in ms.asked_for("incidents")} == {"100"}
    assert {asked.query["$filter"] for asked in ms.asked_for("incidents")} == {f"lastUpdateTime ge {SINCE}"}


def test_a_link_that_jumps_ahead_does_not_make_a_gap(ms: Microsoft, transport: Transport) -> None:
    def bend(asked: Asked) -> Answer:
        skip = int(asked.query["$skip"])
        link = {"@odata.nextLink": "https://x.invalid/?$skip=5000"} if skip == 0 else {}
        return answer({"value": incidents(skip + 1, 100 if skip == 0 else 1), **link})

    ms.on_api = bend
    assert [page.skip for page in client(ms, transport).incident_pages(since=None)] == [0, 100]


def test_a_link_without_a_skip_still_means_that_there_is_more(ms: Microsoft, transport: Transport) -> None:
    def bend(asked: Asked) -> Answer:
        skip = int(asked.query["$skip"])
        link = {"@odata.nextLink": "https://x.invalid/?$skiptoken=abc"} if skip == 0 else {}
        return answer({"value": incidents(skip + 1, 40 if skip == 0 else 2), **link})

    ms.on_api = bend
    assert [page.skip for page in client(ms, transport).incident_pages(since=None)] == [0, 40]


@pytest.mark.parametrize("skip", [0, 100])
def test_sync_f9_a_link_that_leads_backwards_ends_the_pass(ms: Microsoft, transport: Transport, skip: int) -> None:
    ms.on_api = lambda asked: answer(
        {
            "value": incidents(int(asked.query["$skip"]), 100),
            "@odata.nextLink": f"https://api.security.microsoft.com/api/incidents?$skip={skip}",
        }
    )
    with pytest.raises(Transient) as caught:
        list(client(ms, transport).incident_pages(since=None))
    assert caught.value.code == "paging-loop"
    assert len(ms.asked_for("/api/incidents")) <= 2


def test_sync_f9_a_service_that_repeats_a_page_ends_the_pass(ms: Microsoft, transport: Transport) -> None:
    ms.on_api = lambda asked: answer({"value": incidents(1, 100)})
    with pytest.raises(Transient, match="twice"):
        list(client(ms, transport).incident_pages(since=None))


def test_a_service_that_never_ends_is_left_after_the_agreed_pages(ms: Microsoft, transport: Transport) -> None:
    ms.on_api = lambda asked: answer({"value": incidents(int(asked.query["$skip"]) + 1, 100)})
    with pytest.raises(Transient, match="more pages than any tenant has"):
        list(client(ms, transport).incident_pages(since=None, max_pages=3))


def test_a_redirect_is_not_followed(ms: Microsoft, transport: Transport) -> None:
    with serving() as trap:
        ms.on_api = lambda asked: Answer(302, b"x" * 10, {"Location": f"{trap.url}/api/incidents"})
        with pytest.raises(Transient) as caught:
            client(ms, transport).probe()
        assert caught.value.code == "http-302"
        assert trap.connections == 0


# -- statuses ----------------------------------------------------------------------------------------------------------


def api_error(code: str, message: str = "", target: str = "43f4cb08-8fac-4b65-9db1-745c2ae65f3a") -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "target": target}}


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (400, "InvalidInput", Rejected),
        (403, "Forbidden", Forbidden),
        (403, "DisabledFeature", Forbidden),
        (404, "ResourceNotFound", NotFound),
        (408, "http-408", Transient),
        (409, "http-409", Stale),
        (412, "http-412", Stale),
        (415, "http-415", Rejected),
        (429, "TooManyRequests", Throttled),
        (500, "http-500", Transient),
        (502, "http-502", Transient),
        (503, "http-503", Transient),
        (504, "http-504", Transient),
    ],
)
def test_each_status_is_an_error_of_its_own(
    ms: Microsoft, transport: Transport, status: int, code: str, error: type[Exception]
) -> None:
    sent = "" if code.startswith("http-") else code
    ms.on_api = lambda asked: answer(api_error(sent, "Because of \u202ethis."), status)
    with pytest.raises(error) as caught:
        client(ms, transport).incident(7)
    assert type(caught.value) is error
    assert caught.value.code == code  # type: ignore[attr-defined]
    assert caught.value.reference == "43f4cb08-8fac-4b65-9db1-745c2ae65f3a"  # type: ignore[attr-defined]


def test_the_reason_of_a_refusal_is_kept_and_made_safe(ms: Microsoft, transport: Transport) -> None:
    ms.on_api = lambda asked: answer(api_error("InvalidInput", "Not \u202e\x1b[31mlike that."), 400)
    with pytest.raises(Rejected) as caught:
        client(ms, transport).update_incident(7, {"status": "Nonsense"})
    assert caught.value.detail == "Not \\u202e\\u001b[31mlike that."


def test_f43_f17_a_401_is_answered_once_with_a_fresh_token(ms: Microsoft, transport: Transport) -> None:
    ms.server.queue.clear()
    refused: list[str] = []

    def bend(asked: Asked) -> Answer | None:
        if not refused:
            refused.append(asked.headers["authorization"])
            return answer(api_error("Unauthorized"), 401)
        return None

    ms.on_api = bend
    client(ms, transport).probe()
    sent = [asked.headers["authorization"] for asked in ms.asked_for("/api/incidents")]
    assert len(sent) == 2
    assert sent[0] != sent[1]
    assert len(ms.token_calls) == 2


def test_a_second_401_is_final(ms: Microsoft, transport: Transport) -> None:
    ms.on_api = lambda asked: answer(api_error("Unauthorized"), 401)
    with pytest.raises(Unauthorized):
        client(ms, transport).probe()
    assert len(ms.asked_for("/api/incidents")) == 2


def test_a_consent_withdrawn_between_two_calls_is_named(ms: Microsoft, transport: Transport) -> None:
    defender = client(ms, transport)
    defender.probe()
    ms.on_api = lambda asked: answer(api_error("Unauthorized"), 401)
    ms.on_token = lambda asked: oauth_error(7000229, "invalid_client", 401)
    with pytest.raises(Exception) as caught:
        defender.probe()
    assert getattr(caught.value, "code", "") == "AADSTS7000229"


# -- SYNC-F7, F8: success that is none ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "media_type", "code"),
    [
        (b"<html>Sign in to the hotel</html>", "text/html", "content-type"),
        (b"<html>Sign in to the hotel</html>", "application/json", "html"),
        (b"", "application/json", "empty"),
        (b"  ", "application/json", "empty"),
        (b"null", "application/json", "not_an_object"),
        (b"[]", "application/json", "not_an_object"),
        (b"{}", "application/json", "no_value"),
        (b'{"value":{}}', "application/json", "value_not_a_list"),
        (b'{"value":[{"incidentId":1', "application/json", "truncated"),
        (b'{"value":[]}', "text/plain", "content-type"),
    ],
)
def test_sync_f7_a_success_that_is_no_page_is_transient(
    ms: Microsoft, transport: Transport, body: bytes, media_type: str, code: str
) -> None:
    ms.on_api = lambda asked: Answer(200, body, {"Content-Type": media_type})
    with pytest.raises(Transient) as caught:
        client(ms, transport).probe()
    assert caught.value.code == code
    assert len(caught.value.details.get("body_sha256", "")) == 64


@pytest.mark.parametrize("body", [b"null", b"[]", b"{}", b"nonsense", b'{"incidentId":1', b"[" * 100_000])
def test_sync_f7_a_success_that_is_no_incident_is_transient(ms: Microsoft, transport: Transport, body: bytes) -> None:
    ms.on_api = lambda asked: answer(body)
    with pytest.raises(Transient):
        client(ms, transport).incident(7)


@pytest.mark.parametrize(
    "body",
    [
        b'{"incidentId":7,"incidentName":"half \\ud800 pair"}',
        b'{"incidentId":7,"priorityScore":NaN}',
        b'{"incidentId":7,"note":"\xff\xfe"}\n',
        b'{"incidentId":7,"extra":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_sync_f19_a_damaged_incident_that_names_its_number_is_given_as_sent(
    ms: Microsoft, transport: Transport, body: bytes
) -> None:
    ms.on_api = lambda asked: answer(body)
    assert client(ms, transport).incident(7) == body
    with pytest.raises(Transient):
        client(ms, transport).incident(8)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("TooManyRequests", Throttled),
        ("429", Throttled),
        ("Forbidden", Forbidden),
        ("ResourceNotFound", NotFound),
        ("InternalServerError", Transient),
        ("InvalidInput", Rejected),
        ("NeverHeardOf", Transient),
    ],
)
def test_sync_f8_an_error_inside_a_success_is_taken_by_its_shape(
    ms: Microsoft, transport: Transport, code: str, error: type[Exception]
) -> None:
    ms.on_api = lambda asked: answer(api_error(code, "You can send requests again in 8 seconds."))
    with pytest.raises(error):
        client(ms, transport).probe()
    with pytest.raises(error):
        client(ms, transport).incident(7)


@pytest.mark.parametrize("lines", [b"Content-Length: %d\r\n", b"", b"Transfer-Encoding: chunked\r\n"])
@pytest.mark.parametrize("packed", [True, False])
def test_sync_f6_a_page_cut_at_any_offset_is_no_page(
    ms: Microsoft, transport: Transport, packed: bool, lines: bytes
) -> None:
    whole = json.dumps({"value": incidents(1, 100)}).encode()
    whole = gzip.compress(whole) if packed else whole
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + b"Content-Encoding: gzip\r\n" * packed
    head += lines % len(whole) if b"%d" in lines else lines
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(whole), whole) if b"chunked" in lines else whole
    sent = head + b"Connection: close\r\n\r\n" + body
    # The end of chunks, and the checksum that ends gzip, may be missing without any harm to the page.
    end = len(sent) - (7 if b"chunked" in lines else 0) - (8 if packed and not lines else 0)
    defender = client(ms, transport)
    for offset in random.Random(7).sample(range(1, end), 33):
        ms.on_api = lambda asked, cut=offset: Answer(raw=sent[:cut])  # type: ignore[misc]
        with pytest.raises(Transient):
            list(defender.incident_pages(since=None))


def test_f36_a_partial_answer_is_not_a_success(ms: Microsoft, transport: Transport) -> None:
    ms.on_api = lambda asked: answer({"value": incidents(1, 2)}, 206, Warning="199 - Vendor/Provider/504/10000")
    with pytest.raises(Transient) as caught:
        list(client(ms, transport).incident_pages(since=None))
    assert caught.value.code == "http-206"


def test_a_change_is_sent_as_json_and_never_repeated(ms: Microsoft, transport: Transport) -> None:
    ms.on_api = lambda asked: answer({}, 503)
    with pytest.raises(Transient):
        client(ms, transport).update_incident(7, {"comment": 'He said "no"\n', "assignedTo": None})
    sent = ms.asked_for("/api/incidents/7")
    assert len(sent) == 1
    assert sent[0].method == "PATCH"
    assert sent[0].headers["content-type"] == "application/json"
    assert sent[0].body == b'{"comment":"He said \\"no\\"\\n","assignedTo":null}'
