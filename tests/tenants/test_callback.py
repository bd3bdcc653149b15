"""The callback is a claim, never a proof: whatever a browser brings, only the right answer makes a check due."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import product
from threading import Barrier
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from audit.models import AuditEvent
from tenants import links, scope, tasks
from tenants.models import Alarm, ConsentRequest, Tenant, TenantState
from tests.cast import Cast, make_person
from tests.conftest import WebClient, as_worker
from tests.databases import in_threads
from tests.defender.microsoft import Microsoft
from tests.tenants.arranged import (
    again,
    audited,
    everything_stored,
    invited,
    make_link,
    now,
    request_of,
    returned,
)

CALLBACK = "/consent/callback/"
STATES = ("ok", "expired", "used", "other customer's", "missing", "forged")
TENANTS = ("pinned", "other", "garbage", "common", "missing")
CONSENTS = ("True", "False", None)
YES_NO = (True, False)
CELLS = list(product(STATES, TENANTS, CONSENTS, YES_NO, YES_NO, YES_NO))
RIGHT = ("ok", "pinned", "True", False, True, True)


@dataclass
class Story:
    """Contoso with links of every kind, and two other customers' tenants."""

    contoso: Tenant
    fabrikam: Tenant
    northwind: Tenant
    secrets: dict[str, str]

    def query(self, state: str, tenant: str, consent: str | None, error: bool) -> dict[str, str]:
        """What Microsoft, or somebody who pretends to be, sends a browser back with."""
        claimed = {
            "pinned": str(self.contoso.entra_id),
            "other": str(self.northwind.entra_id),
            "garbage": "x' OR 1=1 --",
            "common": "common",
            "missing": None,
        }[tenant]
        secret = self.secrets.get(state)
        fields = {
            "state": links.state_of(secret) if secret else None,
            "tenant": claimed,
            "admin_consent": consent,
            "error": "access_denied" if error else None,
        }
        return {name: value for name, value in fields.items() if value is not None}

    def snapshot(self) -> list[tuple[Any, ...]]:
        """What may not change: the state, its reason and its checks, of every tenant."""
        with scope.operations():
            rows = Tenant.objects.order_by("pk")
            return list(rows.values_list("pk", "state", "state_code", "state_detail", "check_due_at", "connected_at"))


@pytest.fixture
def story(db: None, entra: Microsoft) -> Story:
    contoso, fabrikam, northwind = invited("Contoso"), invited("Fabrikam"), invited("Northwind")
    secrets = {
        "ok": make_link(contoso),
        "expired": make_link(contoso, expires_at=now() - timedelta(seconds=1), outcome="confirm"),
        "used": make_link(contoso, spent_at=now(), outcome="done"),
        "other customer's": make_link(fabrikam),
        "forged": links.new_secret(),
    }
    return Story(contoso, fabrikam, northwind, secrets)


@pytest.fixture
def browser(client: WebClient) -> Iterator[Callable[[str], WebClient]]:
    """A browser in which the link of that secret was opened; none for an empty secret."""

    def opened(secret: str) -> WebClient:
        client.cookies.clear()
        if secret:
            client.cookies["connect"] = links.cookie_of(secret)
        return client

    yield opened
    client.cookies.clear()


def come_and_confirm(story: Story, browser: WebClient, cell: tuple[Any, ...]) -> None:
    """The browser comes back from Microsoft and presses the button, whether the page showed one or not."""
    state, tenant, consent, error, _, _ = cell
    query = story.query(state, tenant, consent, error)
    before = story.snapshot()
    browser.get(CALLBACK, query)
    assert story.snapshot() == before, f"reading the answer changed something: {cell}"
    browser.post(CALLBACK, {"state": query.get("state", "")})


def test_exactly_one_of_720_answers_connects_c1(
    story: Story, entra: Microsoft, browser: Callable[[str], WebClient]
) -> None:
    assert len(CELLS) == 720
    connected, made_due = [], []
    right_token, wrong_token = entra.on_token, lambda asked: entra.issue(str(uuid4()))
    for cell in CELLS:
        state, *_, same_browser, same_tid = cell
        secret = story.secrets.get(state, story.secrets["ok"])
        before = story.snapshot()
        entra.on_token = right_token if same_tid else wrong_token
        with transaction.atomic():
            come_and_confirm(story, browser(secret if same_browser else links.new_secret()), cell)
            if story.snapshot() != before:
                made_due.append(cell)
                with as_worker():
                    tasks.check_due()
                states = {row.name: row.state for row in all_tenants()}
                if TenantState.CONNECTED in states.values():
                    assert states["Contoso"] == TenantState.CONNECTED
                    connected.append(cell)
                else:
                    assert set(states.values()) == {TenantState.INVITED}, cell
            transaction.set_rollback(True)
    assert made_due == [RIGHT, (*RIGHT[:5], False)]
    assert connected == [RIGHT]


def all_tenants() -> list[Tenant]:
    with scope.operations():
        return list(Tenant.objects.all())


def test_a_token_of_another_tenant_fails_closed_after_a_right_answer_c1(
    story: Story, entra: Microsoft, browser: Callable[[str], WebClient]
) -> None:
    entra.on_token = lambda asked: entra.issue(str(story.northwind.entra_id))
    come_and_confirm(story, browser(story.secrets["ok"]), RIGHT)
    with as_worker():
        tasks.check_due()
    assert again(story.contoso).state == TenantState.INVITED
    assert again(story.contoso).state_code == "wrong-token"
    assert Alarm.objects.filter(cleared_at=None).count() == 1
    assert not entra.asked_for("/api/incidents")


@pytest.mark.parametrize("who", ["nobody", "the customer", "an analyst", "staff"])
def test_a_forged_callback_for_another_customers_tenant_changes_nothing_c2(
    cast: Cast, client: WebClient, who: str
) -> None:
    secret = make_link(cast.fabrikam)
    if who == "the customer":
        client.cookies["connect"] = links.cookie_of(secret)
    elif who != "nobody":
        client.force_login(cast.alice if who == "an analyst" else make_person("ada", is_staff=True))
    before = [again(cast.contoso), again(cast.fabrikam)]
    response = client.get(CALLBACK, returned(secret, cast.contoso))
    client.post(CALLBACK, {"state": links.state_of(secret)})
    assert response.status_code == 400
    for old, new in zip(before, [again(cast.contoso), again(cast.fabrikam)], strict=True):
        assert (new.state, new.check_due_at, new.connected_at) == (old.state, old.check_due_at, old.connected_at)
    denied = audited("consent callback", outcome="denied")
    assert len(denied) == 2  # one for the answer, one for the button
    signed_in = who in {"an analyst", "staff"}
    assert all(("(#" in row.actor) == signed_in for row in denied)


def test_reading_the_answer_never_spends_the_link_c3(story: Story, browser: Callable[[str], WebClient]) -> None:
    secret = story.secrets["ok"]
    for _ in range(3):
        page = browser(secret).get(CALLBACK, returned(secret, story.contoso))
        assert page.status_code == 200
    assert request_of(secret).spent_at is None
    assert again(story.contoso).check_due_at is None


def test_a_confirmed_link_is_used_up_c3(story: Story, browser: Callable[[str], WebClient]) -> None:
    secret = story.secrets["ok"]
    here = browser(secret)
    here.get(CALLBACK, returned(secret, story.contoso))
    first = here.post(CALLBACK, {"state": links.state_of(secret)})
    second = here.post(CALLBACK, {"state": links.state_of(secret)})
    replayed = here.get(CALLBACK, returned(secret, story.contoso))
    reopened = here.get(reverse("tenants:connect", args=[secret]))
    assert [first.status_code, second.status_code, replayed.status_code, reopened.status_code] == [200, 410, 410, 410]
    assert "Thank you" in first.text
    assert "This link has been used" in second.text
    [row] = audited("consent returned")
    assert (row.actor, row.tenant) == ("customer's administrator (not signed in)", story.contoso.entra_id)


def test_the_button_alone_without_an_answer_does_nothing(story: Story, browser: Callable[[str], WebClient]) -> None:
    secret = story.secrets["ok"]
    response = browser(secret).post(CALLBACK, {"state": links.state_of(secret)})
    assert response.status_code == 400
    assert request_of(secret).spent_at is None


def test_a_browser_that_did_not_open_the_link_gets_no_button_c3(
    story: Story, browser: Callable[[str], WebClient]
) -> None:
    secret = story.secrets["ok"]
    for opened in ("", story.secrets["other customer's"]):
        page = browser(opened).get(CALLBACK, returned(secret, story.contoso))
        assert (page.status_code, "open our link in this browser" in page.text) == (400, True)
        assert request_of(secret).outcome == "other browser"


def test_an_answer_confirmed_in_another_browser_is_refused_c3(
    story: Story, browser: Callable[[str], WebClient]
) -> None:
    secret = story.secrets["ok"]
    browser(secret).get(CALLBACK, returned(secret, story.contoso))
    response = browser(story.secrets["other customer's"]).post(CALLBACK, {"state": links.state_of(secret)})
    assert response.status_code == 400
    assert "open our link in this browser" in response.text
    assert request_of(secret).spent_at is None


def test_the_button_needs_the_csrf_token_c3(story: Story) -> None:
    secret = story.secrets["ok"]
    strict = WebClient(enforce_csrf_checks=True)
    strict.cookies["connect"] = links.cookie_of(secret)
    page = strict.get(CALLBACK, returned(secret, story.contoso))
    assert strict.post(CALLBACK, {"state": links.state_of(secret)}).status_code == 403
    assert request_of(secret).spent_at is None
    token = page.text.partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
    form = {"state": links.state_of(secret), "csrfmiddlewaretoken": token}
    assert strict.post(CALLBACK, form).status_code == 200


@pytest.mark.parametrize("name", ["state", "tenant", "admin_consent", "error"])
def test_an_answer_that_contradicts_itself_is_not_taken(
    story: Story, browser: Callable[[str], WebClient], name: str
) -> None:
    secret = story.secrets["ok"]
    query = {**returned(secret, story.contoso), "error": ""}
    wrong = {"state": links.new_secret(), "tenant": str(uuid4()), "admin_consent": "False", "error": "access_denied"}
    for twice in ([wrong[name], query[name]], [query[name], wrong[name]]):
        response = browser(secret).get(CALLBACK, {**query, name: twice})
        assert "One last step" not in response.text
        assert request_of(secret).outcome != "confirm"


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"error": "consent_required", "error_description": "AADSTS65004: declined"}, "Nothing was connected"),
        ({"error_subcode": "cancel"}, "Nothing was connected"),
        ({"tenant": "00000000-0000-0000-0000-000000000000"}, "for another tenant than this link was made for"),
        ({"admin_consent": "False"}, "was not complete"),
    ],
)
def test_each_refusal_is_one_sentence_for_the_customer_and_kept_for_staff(
    story: Story, browser: Callable[[str], WebClient], query: dict[str, str], sentence: str
) -> None:
    secret = story.secrets["ok"]
    response = browser(secret).get(CALLBACK, {**returned(secret, story.contoso), **query})
    assert sentence in response.text
    assert request_of(secret).outcome
    assert request_of(secret).spent_at is None
    assert audited("consent callback")[-1].tenant == story.contoso.entra_id
    good = browser(secret).get(CALLBACK, returned(secret, story.contoso))
    assert "One last step" in good.text, "the link still works"


def test_a_hostile_error_text_is_shown_to_staff_escaped_and_cut(
    story: Story, browser: Callable[[str], WebClient]
) -> None:
    secret = story.secrets["ok"]
    hostile = "<script>alert(1)</script>\x00\u202e" + "x" * 5000
    response = browser(secret).get(CALLBACK, {**returned(secret, story.contoso), "error": hostile})
    assert "<script>alert" not in response.text
    kept = request_of(secret).outcome_detail
    assert "\u202e" not in kept
    assert "\x00" not in kept
    assert len(kept) <= 500


@pytest.mark.parametrize("state", ["", "x", "\x00", "é" * 43, "a" * 44, "a" * 5000, "../../admin"])
def test_a_state_that_cannot_be_one_is_unknown(client: WebClient, db: None, state: str) -> None:
    for response in (client.get(CALLBACK, {"state": state}), client.post(CALLBACK, {"state": state})):
        assert response.status_code == 404
        assert "do not know this link" in response.text


def test_what_the_customer_sees_names_neither_tenant_nor_customer_c3(
    story: Story, browser: Callable[[str], WebClient]
) -> None:
    for state, secret in story.secrets.items():
        for tenant, error in (("pinned", False), ("other", False), ("pinned", True)):
            cell = (state, tenant, "True", error)
            here = browser(secret)
            pages = [here.get(CALLBACK, story.query(*cell)), here.post(CALLBACK, {"state": links.state_of(secret)})]
            for page in pages:
                for known in (story.contoso, story.fabrikam, story.northwind):
                    assert known.name not in page.text
                    assert str(known.entra_id) not in page.text


def test_public_pages_are_neither_stored_nor_passed_on(story: Story, browser: Callable[[str], WebClient]) -> None:
    secret = story.secrets["ok"]
    here = browser(secret)
    link = reverse("tenants:connect", args=[secret])
    for page in (here.get(link), here.get(CALLBACK, returned(secret, story.contoso)), here.get(CALLBACK)):
        assert page.headers["Cache-Control"] == "no-store"
        assert page.headers["Referrer-Policy"] == "same-origin"
        assert page.headers["X-Robots-Tag"] == "noindex"
        assert page.headers["X-Frame-Options"] == "DENY"
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]


def test_the_connect_page_leads_to_the_one_tenants_own_consent_page_f54(story: Story, client: WebClient) -> None:
    secret = story.secrets["ok"]
    page = client.get(reverse("tenants:connect", args=[secret]))
    href = page.text.partition('class="button button-primary" href="')[2].partition('"')[0].replace("&amp;", "&")
    address, query = urlsplit(href), parse_qs(urlsplit(href).query)
    assert address.path == f"/{story.contoso.entra_id}/v2.0/adminconsent"
    assert query["state"] == [links.state_of(secret)]
    assert query["redirect_uri"] == ["http://localhost:8000/consent/callback/"]
    cookie = page.cookies["connect"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")


def test_on_https_the_cookie_is_bound_to_the_host_c3(story: Story, client: WebClient, settings: Any) -> None:
    settings.IS_HTTPS = True
    page = client.get(reverse("tenants:connect", args=[story.secrets["ok"]]), secure=True)
    cookie = page.cookies["__Host-connect"]
    assert cookie["secure"] is True
    assert not cookie["domain"]


def test_a_link_outlives_a_change_of_the_portals_key(story: Story, client: WebClient, settings: Any) -> None:
    secret = story.secrets["ok"]
    settings.SECRET_KEY = "another key that is long enough to be one " * 2
    client.get(reverse("tenants:connect", args=[secret]))
    assert "One last step" in client.get(CALLBACK, returned(secret, story.contoso)).text


def test_a_links_secret_is_in_no_log_no_audit_row_and_no_column_k1(
    story: Story, browser: Callable[[str], WebClient], written_log: Callable[[], str]
) -> None:
    secret, old = story.secrets["ok"], story.secrets["used"]
    here = browser(secret)
    for method, shown in product(("get", "post", "put"), (secret, old, links.new_secret())):
        getattr(here, method)(reverse("tenants:connect", args=[shown]))
        getattr(here, method)(f"{CALLBACK}?state={links.state_of(shown)}&tenant={story.contoso.entra_id}")
    here.get(CALLBACK, returned(secret, story.contoso))
    here.post(CALLBACK, {"state": links.state_of(secret)})
    assert request_of(secret).spent_at
    log, stored = written_log(), everything_stored()
    assert "/connect/" in log
    assert request_of(secret).link_hash in stored, "the search sees what is stored"
    for kept in (secret, old):
        for canary in (kept, links.state_of(kept), links.cookie_of(kept)):
            assert canary not in log
            assert canary not in stored


def test_of_fifty_confirmations_at_once_exactly_one_wins_c3(committed: None) -> None:
    contoso = invited("Contoso")
    secret = make_link(contoso)
    cookie = {"Cookie": f"connect={links.cookie_of(secret)}"}
    assert WebClient().get(CALLBACK, returned(secret, contoso), headers=cookie).status_code == 200
    ready = Barrier(50)

    def confirm(_: int) -> int:
        ready.wait(20)
        answer: int = Client().post(CALLBACK, {"state": links.state_of(secret)}, headers=cookie).status_code
        return answer

    answers = in_threads(confirm, 50, role="web")
    assert sorted(answers) == [200] + [410] * 49
    assert len(audited("consent returned")) == 1
    assert AuditEvent.objects.filter(action="consent callback", outcome="denied").count() == 49
    assert again(contoso).check_due_at is not None
    with scope.operations():
        assert ConsentRequest.objects.filter(spent_at__isnull=False).count() == 1
