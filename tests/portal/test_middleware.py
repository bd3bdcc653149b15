"""Headers on every answer, no word of a client's about itself believed, and no page that hides a character."""

import re
from typing import Any

import pytest
from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.test import Client, RequestFactory, override_settings

from portal.middleware import ClientAddressMiddleware, VisibleTextMiddleware, in_utf_8
from tests.cast import PASSWORD, Cast, make_cast, make_incident, make_person
from tests.repository.tree import ROOT

EVIL = "evil.example"
# What clients and careless proxies send to make a program believe that it is somewhere else.
FUZZ = {
    "host": [
        EVIL,
        f"testserver@{EVIL}",
        f"testserver.{EVIL}",
        f"testserver:80@{EVIL}",
        f"{EVIL}:443",
        f"testserver {EVIL}",
    ],
    "x-forwarded-host": [EVIL],
    "x-forwarded-server": [EVIL],
    "x-host": [EVIL],
    "x-original-host": [EVIL],
    "forwarded": [f"host={EVIL};proto=https;for=127.0.0.1"],
    "x-original-url": [f"//{EVIL}/"],
    "x-rewrite-url": [f"//{EVIL}/"],
    "x-forwarded-prefix": [f"//{EVIL}"],
    "x-script-name": [f"//{EVIL}"],
    "x-forwarded-port": [f"443@{EVIL}"],
    "x-forwarded-proto": [f"https://{EVIL}", "javascript"],
    "x-http-method-override": ["DELETE"],
    "referer": [f"https://{EVIL}/"],
    "origin": [f"https://{EVIL}"],
}
PATHS = (
    "/",
    "/sign-in/",
    "/incidents/",
    "/tenants/",
    "/admin/",
    "/consent/callback/?state=x",
    "/connect/x/",
    "/nothing/",
)


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


def said(answer: Any) -> str:
    """Headers and body."""
    return f"{answer.headers} {answer.content.decode()}"


@pytest.mark.parametrize("trusts", [False, True])
@pytest.mark.parametrize("name", FUZZ)
def test_p4_no_answer_ever_names_a_host_that_the_client_made_up(
    client: Client, cast: Cast, name: str, trusts: bool
) -> None:
    with override_settings(TRUST_PROXY=trusts):
        for value in FUZZ[name]:
            for path in PATHS:
                answer = client.get(path, headers={name: value})
                assert EVIL not in said(answer), (path, value)
                assert answer.status_code in {200, 302, 400, 404}, (path, value)


@pytest.mark.parametrize("name", FUZZ)
def test_p4_a_connect_link_begins_with_the_address_of_the_settings(client: Client, cast: Cast, name: str) -> None:
    staff = make_person("staff", is_staff=True)
    client.force_login(staff)
    value = FUZZ[name][0]
    answer = client.post(f"/tenants/{cast.contoso.slug}/link/", {"form": ""}, headers={name: value}, follow=True)
    assert EVIL not in said(answer)
    if answer.status_code == 200 and name != "host":
        assert f'value="{settings.PORTAL_BASE_URL}/connect/' in answer.content.decode()


@pytest.mark.parametrize(
    "target",
    [
        f"https://{EVIL}/",
        f"//{EVIL}/",
        f"/\\{EVIL}/",
        f"\\\\{EVIL}",
        f"https:{EVIL}",
        f"javascript:alert('{EVIL}')",
        f"/\t/{EVIL}/",
        f"https://testserver@{EVIL}/",
        f" //{EVIL}",
    ],
)
def test_p4_sign_in_leads_to_no_other_site(client: Client, cast: Cast, target: str) -> None:
    answer = client.post(f"/sign-in/?next={target}", {"username": "alice", "password": PASSWORD, "next": target})
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/incidents/"
    answer = client.get("/admin/login/", {"next": target})
    assert not answer.headers.get("Location", "/").startswith(("http", "//", "\\"))


@pytest.mark.parametrize(
    ("forwarded", "trusts", "believed"),
    [
        ("198.51.100.7", False, "127.0.0.1"),
        ("198.51.100.7", True, "198.51.100.7"),
        ("1.1.1.1, 198.51.100.7", True, "198.51.100.7"),
        ("2001:db8::1", True, "2001:db8::1"),
        ("unknown", True, "127.0.0.1"),
        ("198.51.100.7, evil\x00", True, "127.0.0.1"),
        ("", True, "127.0.0.1"),
        ("198.51.100.7,", True, "127.0.0.1"),
    ],
)
def test_p4_only_the_word_of_our_own_proxy_is_the_clients_address(forwarded: str, trusts: bool, believed: str) -> None:
    seen: list[str] = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append(request.META["REMOTE_ADDR"])
        return HttpResponse()

    with override_settings(TRUST_PROXY=trusts):
        ClientAddressMiddleware(view)(RequestFactory().get("/", headers={"x-forwarded-for": forwarded}))
    assert seen == [believed]


@pytest.mark.django_db
def test_the_audit_log_has_the_clients_address_and_not_the_proxys(client: Client) -> None:
    from audit.models import AuditEvent

    with override_settings(TRUST_PROXY=True):
        form = {"username": "nobody", "password": "x" * 20}
        client.post("/sign-in/", form, headers={"x-forwarded-for": "6.6.6.6, 198.51.100.9"}, secure=True)
    assert AuditEvent.objects.latest("id").address == "198.51.100.9"


# --- headers ----------------------------------------------------------------------------------------------------------

WANTED = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}


@pytest.mark.parametrize(
    "path", [*PATHS, "/incidents/?q=x", "/tenants/contoso/", "/admin/tenants/tenant/", "/admin/nothing/"]
)
@pytest.mark.parametrize("signed_in", [False, True])
def test_x7_every_answer_carries_the_headers_and_is_never_stored(
    client: Client, cast: Cast, path: str, signed_in: bool
) -> None:
    if signed_in:
        client.force_login(make_person("staff", is_staff=True))
    answer = client.get(path)
    for name, value in WANTED.items():
        assert value in answer.headers.get(name, ""), (path, name)
    policy = answer.headers["Content-Security-Policy"]
    for part in (
        "default-src 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    ):
        assert part in policy
    assert "unsafe" not in policy and "http" not in policy and "*" not in policy


@pytest.mark.django_db
@pytest.mark.parametrize("path", PATHS)
def test_no_other_site_may_read_an_answer(client: Client, path: str) -> None:
    answer = client.get(path, headers={"origin": f"https://{EVIL}"})
    assert [name for name in answer.headers if name.lower().startswith("access-control-")] == []


@pytest.mark.django_db
@pytest.mark.parametrize("path", [*PATHS, "/livez", "/readyz", "/static/portal/portal.js", "/static/portal/base.css"])
def test_every_answer_says_what_it_is_and_in_which_characters(client: Client, path: str) -> None:
    answer = client.get(path)
    b"".join(answer)  # files stay open until they are read
    kind = answer.headers["Content-Type"]
    assert kind == "application/json" or kind.endswith(("charset=utf-8", 'charset="utf-8"')), kind
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.django_db
def test_no_folder_is_listed_and_no_method_traces(client: Client) -> None:
    for folder in ("/static/", "/static/portal/", "/static/portal", "/static/../portal/", "/static/%2e%2e/manage.py"):
        assert client.get(folder).status_code in {302, 404}, folder
    for path in ("/sign-in/", "/incidents/", "/connect/x/"):
        answer = client.generic("TRACE", path, headers={"x-canary": "s3cr3t"})
        assert answer.status_code in {302, 405}
        assert "s3cr3t" not in said(answer)


@override_settings(SECURE_HSTS_SECONDS=31536000, SECURE_HSTS_INCLUDE_SUBDOMAINS=True, SECURE_SSL_REDIRECT=True)
def test_over_https_the_browser_is_told_to_stay_there_and_plain_http_is_led_there(client: Client, db: None) -> None:
    answer = client.get("/sign-in/", secure=True)
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    answer = client.get("/sign-in/")
    assert (answer.status_code, answer.headers["Location"]) == (301, "https://testserver/sign-in/")


def test_each_page_has_a_nonce_of_its_own_and_every_script_carries_it(client: Client, cast: Cast) -> None:
    client.force_login(cast.alice)
    seen = set()
    for _ in range(3):
        answer = client.get("/incidents/")
        (nonce,) = re.findall(r"script-src 'nonce-([^']+)'(?:;|$)", answer.headers["Content-Security-Policy"])
        scripts = re.findall(r"<script[^>]*>", answer.content.decode())
        assert scripts and all(f'nonce="{nonce}"' in script for script in scripts)
        seen.add(nonce)
    assert len(seen) == 3
    assert all(len(nonce) >= 22 for nonce in seen)


def test_the_administrations_pages_run_scripts_of_our_own_origin_and_no_others(client: Client, cast: Cast) -> None:
    client.force_login(make_person("staff", is_staff=True))
    assert "script-src 'self';" in client.get("/admin/").headers["Content-Security-Policy"] + ";"


@pytest.mark.django_db
def test_an_error_inside_says_nothing_outside(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(**_: Any) -> None:
        raise RuntimeError("secret detail of the database")

    monkeypatch.setattr("tenants.callback.open_link", fails)
    client.raise_request_exception = False
    answer = client.get("/connect/whatever/")
    assert answer.status_code == 500
    assert "secret detail" not in said(answer) and "RuntimeError" not in said(answer)
    assert "<script" not in answer.content.decode()
    assert answer.headers["Cache-Control"] == "no-store"


# --- text that hides --------------------------------------------------------------------------------------------------

HIDDEN = ["\u202e", "\u2066", "\u200f", "\u061c", "\x1b", "\x7f", "\x9b", "\u2028", "\ufeff", "\u2060", "\U000e0041"]


def page(text: str, kind: str = "text/html; charset=utf-8") -> HttpResponse:
    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(text, content_type=kind)

    return VisibleTextMiddleware(view)(RequestFactory().get("/"))


@pytest.mark.parametrize("character", HIDDEN)
def test_m3_a_hidden_character_on_any_page_is_shown_as_its_code(character: str) -> None:
    assert page(f"<p>a{character}b</p>").content.decode() == f"<p>a⟨U+{ord(character):04X}⟩b</p>"


def test_m3_writing_of_people_line_breaks_and_tabs_are_left_alone() -> None:
    for text in ("Käse\n\t日本語 مرحبا Ελληνικά 👍 – … ⟨ ‹› é", "a\r\nb"):
        assert page(text).content.decode() == text


def test_m3_files_to_take_along_stay_as_they_are() -> None:
    assert page("a\u202eb", "application/json").content.decode() == "a\u202eb"
    assert JsonResponse({"a": "\u202e"}).content == b'{"a": "\\u202e"}'


def test_m3_names_with_overrides_are_harmless_on_every_page_that_shows_them(client: Client, cast: Cast) -> None:
    """Names of tenants, customers and people come from staff and from Entra ID; nobody filters them on the way in."""
    from accounts.models import User
    from tenants import scope
    from tenants.models import Tenant

    staff = make_person("staff", is_staff=True)
    make_incident(cast.contoso, 7, "x\u202ey")
    with scope.operations():
        Tenant.objects.filter(pk=cast.contoso.pk).update(name="Con\u202eosot")
    User.objects.filter(pk__in=[staff.pk, cast.alice.pk]).update(display_name="Ali\u202eec")
    for person, paths in (
        (staff, ("/tenants/", "/tenants/contoso/", "/admin/tenants/tenant/", "/admin/accounts/user/")),
        (cast.alice, ("/incidents/", "/incidents/contoso/7/")),
    ):
        client.force_login(person)
        for path in paths:
            body = client.get(path, follow=True).content.decode()
            assert "U+202E" in body, path
            assert "\u202e" not in body, path


@pytest.mark.parametrize("said", ["charset=hex", "charset=punycode", 'CharSet="utf-7"', "charset*=us'en'hex"])
def test_no_client_chooses_how_its_text_is_decoded(said: str) -> None:
    """Some of Python's decoders raise, others make characters that no database stores."""
    seen: list[WSGIRequest] = []

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append(WSGIRequest(environ))
        return []

    form = RequestFactory().post("/sign-in/?next=%C3%A4", {"username": "ö"})
    environ = {**form.environ, "CONTENT_TYPE": f"{form.environ['CONTENT_TYPE']}; {said}"}
    in_utf_8(application)(environ, lambda *told: lambda body: None)
    assert (seen[0].GET["next"], seen[0].POST["username"]) == ("ä", "ö")


def test_the_web_process_answers_in_our_encoding_only() -> None:
    assert "application = in_utf_8(" in (ROOT / "portal" / "wsgi.py").read_text()


@pytest.mark.django_db
def test_a_cookie_with_a_character_that_no_database_stores_is_refused_and_no_fault() -> None:
    answer = Client().get("/sign-in/", headers={"cookie": f'{settings.SESSION_COOKIE_NAME}="abcdefgh\\000"'})
    assert answer.status_code == 400
