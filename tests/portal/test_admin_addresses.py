"""The administration's addresses, as somebody may type them."""

import pytest

from tests.cast import make_person
from tests.conftest import WebClient


@pytest.mark.django_db
@pytest.mark.parametrize(
    "address", ["/admin/accounts/user/?username=%00", "/admin/tenants/tenant/?q=a%00b", "/admin/accounts/user/?%00=1"]
)
def test_a_character_that_no_text_can_have_is_refused_and_breaks_nothing(client: WebClient, address: str) -> None:
    client.force_login(make_person("ada", is_staff=True))
    assert client.get(address).status_code == 400
    assert client.get("/admin/accounts/user/?q=ada").status_code == 200
