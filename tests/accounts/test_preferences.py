"""A person's own preferences: kept for them alone, on record, and in force on every page."""

from datetime import UTC, datetime

import pytest
from django.test import RequestFactory
from django.utils import timezone

from accounts.models import Theme, User
from accounts.time_zones import TimeZoneMiddleware, zone_choices, zone_names, zone_of
from audit.models import AuditEvent
from tests.cast import NOW, Cast, make_cast, make_incident
from tests.conftest import WebClient

pytestmark = pytest.mark.django_db

PAGE = "/preferences/"
BERLIN = {"time_zone": "Europe/Berlin", "theme": "dark", "high_contrast": "on"}


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def alice(cast: Cast, client: WebClient) -> WebClient:
    client.force_login(cast.alice)
    return client


def test_what_a_person_chooses_is_kept_for_them_alone_and_on_record(alice: WebClient, cast: Cast) -> None:
    assert alice.post(PAGE, BERLIN).headers["Location"] == PAGE
    mine, bobs = User.objects.get(pk=cast.alice.pk), User.objects.get(pk=cast.bob.pk)
    assert (mine.time_zone, mine.theme, mine.high_contrast, mine.single_keys) == ("Europe/Berlin", "dark", True, False)
    assert (bobs.time_zone, bobs.theme, bobs.high_contrast, bobs.single_keys) == ("UTC", "system", False, True)
    row = AuditEvent.objects.get(action="set preferences")
    assert set(row.details) == {"time_zone", "theme", "high_contrast", "single_keys", "at"}


def test_keeping_what_is_in_force_already_writes_nothing(alice: WebClient) -> None:
    alice.post(PAGE, BERLIN)
    alice.post(PAGE, BERLIN)
    assert AuditEvent.objects.filter(action="set preferences").count() == 1


@pytest.mark.parametrize("wrong", [{"time_zone": "Mars/Olympus"}, {"theme": "pink"}, {"time_zone": ""}])
def test_a_wrong_choice_is_told_and_loses_nothing_else(alice: WebClient, cast: Cast, wrong: dict[str, str]) -> None:
    answer = alice.post(PAGE, BERLIN | wrong)
    assert answer.status_code == 422
    assert 'class="errorlist"' in answer.text
    assert 'name="high_contrast" id="id_high_contrast" checked' in answer.text
    assert User.objects.get(pk=cast.alice.pk).theme == Theme.SYSTEM


def test_the_page_is_in_the_persons_theme_before_any_script_has_run(alice: WebClient) -> None:
    assert "data-theme" not in alice.get(PAGE).text.split(">")[1]
    alice.post(PAGE, BERLIN)
    opening = alice.get("/incidents/").text.partition("<head>")[0]
    assert 'data-theme="dark"' in opening
    assert 'data-contrast="more"' in opening
    assert 'data-keys="off"' in opening


def test_the_menus_buttons_change_the_theme_and_nothing_else(alice: WebClient, cast: Cast) -> None:
    alice.post(PAGE, BERLIN | {"single_keys": "on"})
    assert alice.post("/preferences/theme/", {"theme": "light"}, headers={"HX-Request": "true"}).status_code == 204
    assert alice.post("/preferences/theme/", {"theme": "system"}).headers["Location"] == PAGE
    mine = User.objects.get(pk=cast.alice.pk)
    assert (mine.theme, mine.time_zone, mine.single_keys) == ("system", "Europe/Berlin", True)
    assert alice.post("/preferences/theme/", {"theme": "pink"}).status_code == 400
    assert alice.get("/preferences/theme/").status_code == 405


def test_moments_are_shown_in_the_persons_zone_with_utc_beside_it(alice: WebClient, cast: Cast) -> None:
    make_incident(cast.contoso, 7)
    assert 'title="2026-03-02 09:00:00 UTC"' in alice.get("/incidents/contoso/7/").text
    alice.post(PAGE, BERLIN)
    wanted = 'title="2026-03-02 10:00:00 (Europe/Berlin, UTC+01:00) = 2026-03-02 09:00:00 UTC"'
    for path in ("/incidents/contoso/7/", "/incidents/", "/incidents/rows/"):
        assert wanted in alice.get(path).text, path


def test_the_zone_does_not_stay_with_the_thread(cast: Cast) -> None:
    cast.alice.time_zone = "Asia/Tokyo"
    request = RequestFactory().get("/")
    request.user = cast.alice
    seen: list[str] = []
    TimeZoneMiddleware(lambda _: seen.append(timezone.get_current_timezone_name()))(request)  # type: ignore[arg-type, return-value]
    assert seen == ["Asia/Tokyo"]
    assert timezone.get_current_timezone_name() == "UTC"


def test_a_zone_that_the_database_no_longer_has_is_utc(cast: Cast) -> None:
    cast.alice.time_zone = "Europe/Atlantis"
    assert str(zone_of(cast.alice)) == "UTC"


def test_the_list_of_zones_has_places_with_their_offset_of_today() -> None:
    summer = dict(zone_choices(datetime(2026, 7, 1, tzinfo=UTC)))
    winter = dict(zone_choices(NOW))
    assert ("Europe/Berlin", "Berlin (UTC+02:00)") in summer["Europe"]
    assert ("Europe/Berlin", "Berlin (UTC+01:00)") in winter["Europe"]
    assert next(iter(winter)) == "UTC"
    assert len(zone_names()) > 300
    assert not {"localtime", "Etc/GMT+5", "posixrules"} & set(zone_names())
