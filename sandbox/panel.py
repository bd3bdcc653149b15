"""The control page: what this is, what can be done, what is switched on, and what was done last."""

from collections import deque
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from sandbox import page
from sandbox.cast import STATES, Tenant
from sandbox.faults import Fault
from sandbox.page import button, select, text
from sandbox.world import World

MARK = [("_page", "1")]
# One page of tenants; a search finds the others.
SHOWN = 100
# The faults that make sense to somebody who is looking at a portal; tests use the API for all of them.
FAULTS = (
    ("throttle", "refuse: too many calls (429)"),
    ("status", "fail with 503"),
    ("slow", "take 2 s over every call"),
    ("html", "send a web page instead of JSON"),
    ("cut", "drop the connection in the middle"),
    ("poison", "send one incident broken"),
    ("drift", "move incidents while pages are read"),
    ("token_without_roles", "give tokens without roles"),
    ("wrong_tenant_token", "give tokens of another tenant"),
    ("secret_expired", "say the secret has expired"),
)
STATE_WORDS = {
    "connected": "consented, all well",
    "pending": "never consented",
    "role_missing": "consented, a role is missing",
    "review": "consented to more than asked",
    "revoked": "application removed",
    "no_licence": "no Defender licence",
    "slow": "slow: 2 s for every call",
    "throttling": "throttling: refuses 25 s of every minute",
    "disabled": "application disabled",
    "lapsed": "licence lapsed",
}


class Panel:
    """The page of one world; `say` notes what was done, for the next look at the page."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.said: deque[str] = deque(maxlen=5)

    def say(self, sentence: str) -> None:
        """One sentence about what has just been done."""
        self.said.appendleft(f"{self.world.clock.now():%H:%M:%S} UTC: {sentence[:300]}")

    async def home(self, request: Request) -> Response:
        """The page; ``q`` narrows the tenants to those whose name or domain contains it."""
        wanted = request.query_params.get("q", "").strip()[:80]
        found = [one for one in self.world.tenants.values() if wanted.lower() in f"{one.name} {one.domain}".lower()]
        parts = [_INTRODUCTION, self._done(), self._everywhere(), self._tenants(found, wanted), self._calls()]
        return page.html("Control", "".join(parts))

    def _done(self) -> str:
        if not self.said:
            return ""
        latest, *earlier = self.said
        more = "".join(f"<li>{text(sentence)}</li>" for sentence in earlier)
        before = f'<details><summary>Before that</summary><ul class="quiet">{more}</ul></details>' if more else ""
        return f'<div class="done"><p role="status"><strong>Done.</strong> {text(latest)}</p>{before}</div>'

    def _everywhere(self) -> str:
        lively = self.world.pace > 0
        own = [fault for fault in self.world.faults.active() if fault.tenant_id is None]
        pace = button("Make it quiet" if lively else "Make it lively", "/_sandbox/pace", _pace(0 if lively else 1))
        busy = button("Make it busy", "/_sandbox/pace", _pace(20)) if self.world.pace < 20 else ""
        off = button("Switch all faults off", "/_sandbox/clear", MARK) if self.world.faults.active() else ""
        now = "lively: incidents arrive, change and merge by themselves" if lively else "quiet: only you act"
        return f"""<section aria-labelledby="all"><h2 id="all">In every tenant</h2>
<p>The world is {now}. {_chips(own)}</p>
<div class="row">{pace}{busy}{_switch("/_sandbox/faults", "every tenant")}{off}</div></section>"""

    def _tenants(self, found: Sequence[Tenant], wanted: str) -> str:
        rows = "".join(self._row(tenant) for tenant in found[:SHOWN])
        many = len(self.world.tenants) > SHOWN or wanted
        search = _search(wanted, min(len(found), SHOWN), len(self.world.tenants)) if many else ""
        return f"""<section aria-labelledby="tenants"><h2 id="tenants">Tenants</h2>{search}
<div class="scroll" role="region" aria-label="Table of tenants" tabindex="0"><table><thead><tr>
<th scope="col">Tenant</th><th scope="col">State</th><th scope="col">Let happen</th><th scope="col">Consent</th>
<th scope="col">Faults</th>
</tr></thead><tbody>{rows}</tbody></table></div></section>"""

    def _row(self, tenant: Tenant) -> str:
        here, name = f"/_sandbox/tenants/{tenant.tenant_id}", tenant.name
        faults = [fault for fault in self.world.faults.active(tenant.tenant_id) if fault.tenant_id]
        off = button("Off", f"{here}/clear", MARK, about=f"with the faults of {name}") if faults else ""
        count = f"{len(tenant.book)} incidents" if tenant.is_made else "not read yet"
        consent = button("Approve", f"{here}/consent", MARK, about=f"for {name}")
        if tenant.principal:
            consent = button("Revoke", f"{here}/revoke", MARK, about=f"of {name}")
        return f"""<tr{' class="struck"' if faults else ""}><th scope="row">{text(name)}
<small>{text(tenant.domain)}<br>{text(tenant.tenant_id)}</small></th>
<td>{text(tenant.state.replace("_", " "))}<br><small>{text(count)}</small></td>
<td>{button("New incident", f"{here}/incidents", MARK, about=f"in {name}")}</td>
<td>{consent}<details><summary>More<span class="heard"> states of {text(name)}</span></summary>
{_states(here, tenant)}</details></td>
<td>{_chips(faults)}{off} {_switch(f"{here}/faults", name)}</td></tr>"""

    def _calls(self) -> str:
        names = {tenant.tenant_id: tenant.name for tenant in self.world.tenants.values()}
        calls = self.world.calls.since(max(0, self.world.calls.last - 20))[::-1]
        rows = "".join(
            f"<tr><td>{call.number}</td><td>{text(call.operation or call.path[:60])}</td>"
            f"<td>{text(names.get(call.tenant_id or '', '–'))}</td><td>{call.status}</td>"
            f"<td>{call.took * 1000:.0f}</td></tr>"
            for call in calls
        )
        if not rows:
            return '<p class="quiet">Nobody has called yet.</p>'
        heads = "".join(f'<th scope="col">{head}</th>' for head in ("No.", "Call", "Tenant", "Status", "ms"))
        return f"""<details class="calls"><summary>The latest calls ({self.world.calls.last} so far)</summary>
<div class="scroll" role="region" aria-label="The latest calls" tabindex="0"><table><thead><tr>{heads}</tr></thead>
<tbody>{rows}</tbody></table></div></details>"""


_INTRODUCTION = """<h1>Sandbox cloud</h1>
<p class="lead">It plays the part of Entra ID and Microsoft Defender XDR for a portal that is being tried out. What you
do here happens “at Microsoft”, as if customers, attackers or the network had done it; nobody tells the portal, it has
to find out by itself.</p>"""


def _search(wanted: str, shown: int, total: int) -> str:
    return f"""<form method="get" role="search"><label>Name or domain
<input type="search" name="q" value="{text(wanted)}"></label> <button>Find</button></form>
<p class="quiet">{shown} of {total} tenants are shown.</p>"""


def _pace(pace: int) -> list[tuple[str, str]]:
    return [("pace", str(pace)), *MARK]


def _chips(faults: Sequence[Fault]) -> str:
    """Active faults, each marked in words and in look."""
    return "".join(f'<span class="chip">on: {text(fault.kind.replace("_", " "))}</span> ' for fault in faults)


def _switch(action: str, where: str) -> str:
    kinds = select("kind", FAULTS, label=f"Fault in {where}", heard_only=True)
    form = f'<form method="post" action="{text(action)}" class="switch">{page.hidden(MARK)}{kinds}'
    return f'{form}<button>Switch on<span class="heard"> in {text(where)}</span></button></form>'


def _states(here: str, tenant: Tenant) -> str:
    states = [(state, STATE_WORDS[state]) for state in STATES]
    chosen = select("state", states, label=f"State of {tenant.name}", heard_only=True)
    return f"""<form method="post" action="{text(here)}/state" class="switch">{page.hidden(MARK)}{chosen}
<button>Set<span class="heard"> the state of {text(tenant.name)}</span></button></form>"""
