"""What people, customers and workers do in one run; most of it goes wrong on purpose."""

import html
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import requests

from sandbox.world import World
from tests.canaries.canaries import Canaries
from tests.canaries.doors import by_microsoft, by_password
from tests.canaries.portal import Portal, Said
from tests.canaries.visitor import Answers, Visitor

# Shows up wherever incidents do, so that a sink without it has not been listened to.
MARK = "Beacon seen at the harbour"
PAGES = ("/", "/tenants/", "/tenants/contoso/", "/tenants/contoso/access/", "/sessions/", "/audit/", "/audit/download/")
_BREAKABLE = ("django_session", "accounts_user", "tenants_consentrequest")


@dataclass
class Journey:
    """Everybody and everything that takes part."""

    portal: Portal
    world: World
    canaries: Canaries
    administer: Callable[[], "psycopg.Connection[Any]"]
    password: str
    answers: Answers = field(default_factory=Answers)
    said: list[Said] = field(default_factory=list)

    def visitor(self) -> Visitor:
        """Somebody new."""
        return Visitor(self.portal.url, self.answers, self.canaries)

    def run(self) -> None:
        """All of it, commands beside pages as far as they do not wait for each other."""
        with ThreadPoolExecutor(1) as beside:
            first = beside.submit(self._commands_with_success)
            staff = self._sign_in()
            self._connect(staff)
            self._look_around(staff)
            self._ask_for_nonsense(staff)
            self._let_a_program_in(staff)
            first.result()
            second = beside.submit(self._commands_in_trouble)
            self._change_people(staff)
            self._workers_in_trouble(staff)
            second.result()
        self._pages_in_trouble(staff)
        staff.post("/sign-out/", seen_on="/tenants/")

    # People: how they come in is in tests.canaries.doors

    def _sign_in(self) -> Visitor:
        """Ada, by every door there is."""
        by_microsoft(self.visitor(), self.canaries)
        staff = self.visitor()
        by_password(staff, self.canaries, self.password)
        return staff

    def _connect(self, staff: Visitor) -> None:
        """A customer's administrator opens the link, consents, confirms, and comes again."""
        asked = {"customer": "Contoso", "tenant": "contoso.example"}
        link = self._link_on(staff.post("/tenants/connect/", asked))
        replaced = link
        link = self._link_on(staff.post("/tenants/contoso/link/", seen_on="/tenants/contoso/"))
        customer = self.visitor()
        customer.get(urlsplit(replaced).path)
        back = self._consent(customer, link)
        self.visitor().get(back)  # another browser
        customer.get(back.replace("tenant=", "tenant=x"))
        customer.get(f"/consent/callback/?error=access_denied&state={self._state_of(back)}")
        fields = {"state": self._state_of(back)}
        assert customer.post("/consent/callback/", fields, seen_on=back).status_code == 200
        customer.get(back)
        assert customer.get(urlsplit(link).path).status_code == 410
        self._eventually(lambda: "Connected" in staff.get("/tenants/contoso/state/").text)

    def _link_on(self, page: requests.Response) -> str:
        found = re.search(r'id="link" value="([^"]+)"', page.text)
        assert found, page.text[:2000]
        link = html.unescape(found[1])
        self.canaries.add("connect link", link.rstrip("/").rpartition("/")[2])
        return link

    def _consent(self, customer: Visitor, link: str) -> str:
        """Through our page and Microsoft's; returns where Microsoft sends the browser."""
        page = customer.get(urlsplit(link).path)
        found = re.search(r'href="([^"]+/adminconsent[^"]*)"', page.text)
        assert found, page.text[:2000]
        microsoft = html.unescape(found[1])
        self.canaries.add("consent state", self._state_of(microsoft))
        decided = requests.post(microsoft, data={"answer": "accept"}, timeout=20, allow_redirects=False)
        assert decided.status_code == 302, decided.text[:500]
        return decided.headers["Location"]

    @staticmethod
    def _state_of(url: str) -> str:
        return parse_qs(urlsplit(url).query)["state"][0]

    def _look_around(self, staff: Visitor) -> None:
        """Every page that there is, with an incident on it."""
        incident = self.world.new_incident(self.world.tenant("contoso"), {"incidentName": MARK})
        self._eventually(lambda: MARK in staff.get("/incidents/").text)
        one = f"/incidents/contoso/{incident['incidentId']}/"
        pages = ["", "alerts/", "evidence/", "raw/", "changes/"]
        for path in (
            *(one + page for page in pages),
            "/tenants/",
            "/tenants/contoso/",
            "/admin/",
            "/",
            "/livez",
            *PAGES,
        ):
            staff.get(path)
        for path in re.findall(r'href="(/admin/[a-z]+/[a-z]+/)"', staff.get("/admin/").text):
            listed = staff.get(path).text
            for row in re.findall(rf'href="({path}[^"?]+/change/)', listed)[:2]:
                staff.get(row)
        for path in ("/livez", "/readyz"):
            staff.get(path)

    def _ask_for_nonsense(self, staff: Visitor) -> None:
        """404, 400 and 405, also with something in the address that could be a link's secret."""
        nearly = self.canaries.values["connect link"][-1].decode()[::-1]
        self.canaries.add("connect link", nearly)
        for path in (f"/connect/{nearly}/", f"/consent/callback/?state={nearly}&code={nearly}", "/no-such-page/"):
            staff.get(path)
            self.visitor().get(path)
        staff.get("/tenants/", headers={"Host": "evil.example"})
        staff.get("/tenants/contoso/check/")  # 405: it is there for forms
        staff.bare_post("/incidents/", {"state": nearly})
        staff.post("/tenants/connect/", {"customer": "Nobody", "tenant": "nobody.invalid"})

    def _let_a_program_in(self, staff: Visitor) -> None:
        """A token is made, used well and badly, shown where it does not belong, and revoked."""
        day = (datetime.now(UTC) + timedelta(days=9)).date().isoformat()
        said = {"name": "Program", "verbs": "read-incidents", "is_everywhere": "on", "expires_on": day}
        found = re.search(r'id="token" value="([^"]+)"', staff.post("/tokens/new/", said).text)
        assert found
        self.canaries.add("API token", found[1])
        assert self._by_program("/api/v1/incidents/").status_code == 200
        assert self._by_program("/api/v1/tenants/").status_code == 403
        for path in ("/api/v1/incidents/nosuch/7/", f"/api/v1/{found[1]}/", f"/api/v1/incidents/?cursor={found[1]}"):
            self._by_program(path)
        revoke = re.search(r'action="(/tokens/\d+/revoke/)"', staff.get("/tokens/").text)
        assert revoke
        staff.post(revoke[1], seen_on="/tokens/")
        assert self._by_program("/api/v1/incidents/").status_code == 401

    def _by_program(self, path: str) -> requests.Response:
        token = self.canaries.values["API token"][-1].decode()
        return self.visitor().get(path, headers={"Authorization": f"Bearer {token}"})

    def _change_people(self, staff: Visitor) -> None:
        """A person is added in the administration, first wrongly, and gets a new password."""
        made, wrong = self.canaries.plant("password"), self.canaries.plant("password")
        person = {"username": "dana", "display_name": "Dana", "password1": made, "password2": wrong}
        assert staff.post("/admin/accounts/user/add/", person | {"usable_password": "true"}).status_code == 200
        person["password2"] = made
        added = staff.post("/admin/accounts/user/add/", person | {"usable_password": "true"})
        assert added.status_code == 302, added.text[:3000]
        path = added.headers["Location"].replace("change/", "password/")
        changed = {"password1": wrong, "password2": wrong, "usable_password": "true"}
        assert staff.post(path, changed).status_code == 302

    # Workers and commands

    def _kept(self, said: Said, status: int = 0) -> Said:
        assert said.status == status, said.err[-3000:]
        self.said.append(said)
        return said

    def _commands_with_success(self) -> None:
        arguments = ("fabrikam.example", "--name", "Fabrikam", "--sandbox-approve")
        linked = self._kept(self.portal.command("connect_tenant", *arguments))
        self.canaries.add("connect link", linked.out.decode().strip().rstrip("/").rpartition("/")[2])
        one = "--tenant fabrikam.example"
        lines = ("verify_tenant fabrikam.example", f"sync_now {one}", f"check_credential {one}")
        self._kept(self.portal.commands(*lines, name="commands that read", LOG_FORMAT="console"))

    def _commands_in_trouble(self) -> None:
        """The same again while Microsoft answers badly; then what was read is written out."""
        fabrikam = self.world.tenant("fabrikam").tenant_id
        self.world.faults.add(fabrikam, {"kind": "html", "status": 500})
        self._kept(self.portal.command("sync_now", "--tenant", "fabrikam.example"), status=1)
        lines = ("export_incidents", "export_incidents --format csv", "export_audit", "anchor_audit")
        self._kept(self.portal.commands(*lines, name="commands that export"))

    def _workers_in_trouble(self, staff: Visitor) -> None:
        """Each fault strikes a pass or a proof of the worker at least once."""
        contoso = self.world.tenant("contoso").tenant_id
        for kind, on in (("cut", "list"), ("status", "list"), ("error_object", "list"), ("html", "token")):
            self._struck(staff, contoso, {"kind": kind, "on": [on], "count": 1})
        for kind in ("opaque_token", "token_without_roles", "wrong_tenant_token", "secret_expired"):
            self._struck(staff, contoso, {"kind": kind, "count": 1})
        self._eventually(lambda: len(list((self.portal.folder / "mail").iterdir())) >= 1)

    def _struck(self, staff: Visitor, tenant: str, fault: dict[str, Any]) -> None:
        made = self.world.faults.add(tenant, fault)
        staff.post("/tenants/contoso/check/", seen_on="/tenants/contoso/")
        staff.post("/tenants/contoso/sync/", seen_on="/tenants/contoso/")
        self._eventually(lambda: made.remaining == 0)

    def _pages_in_trouble(self, staff: Visitor) -> None:
        """Tables are away for a moment: 500, with a traceback in the log, where secrets are at hand."""
        link = self.canaries.values["connect link"][-1].decode()
        with self._without_tables():
            assert staff.get("/incidents/").status_code == 500
            other = self.visitor()
            assert other.get(f"/connect/{link}/").status_code == 500
            assert self._by_program("/api/v1/incidents/").status_code == 500
            assert other.post("/sign-in/", {"username": "admin", "password": self.password}).status_code == 500
            time.sleep(1)  # a turn of the worker

    @contextmanager
    def _without_tables(self) -> Iterator[None]:
        with self.administer() as connection:
            for table in _BREAKABLE:
                connection.execute(f"ALTER TABLE {table} RENAME TO away_{table}".encode())
        try:
            yield
        finally:
            with self.administer() as connection:
                for table in _BREAKABLE:
                    connection.execute(f"ALTER TABLE away_{table} RENAME TO {table}".encode())

    @staticmethod
    def _eventually(question: Callable[[], Any], seconds: float = 180) -> None:
        until = time.monotonic() + seconds
        while not question():
            assert time.monotonic() < until, "not in time"
            time.sleep(0.2)
