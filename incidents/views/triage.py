"""Changing incidents: the form, the decision, taking it back, choosing in a conflict, and what has become of it.

Nothing here is sent to Microsoft; ``incidents.triage`` leaves rows that are due. Every page works as a plain form too:
a POST answers with a redirect, so that reloading and going back repeat nothing.
"""

from typing import Any
from uuid import uuid4

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import retarget, trigger_client_event

from accounts.actor import actor_for
from accounts.roles import Permission
from incidents import asking, triage
from incidents.access import access_incident, may, signed_in
from incidents.again import again
from incidents.considering import consider
from incidents.decided import changes_for, decision_of
from incidents.decisions import LONGEST_COMMENT
from incidents.following import following
from incidents.matching import Matching, TooLong, matching
from incidents.models import Incident, Intent, IntentState
from incidents.overlay import strip_of
from incidents.pending import shown
from incidents.triage import Bulk
from incidents.writing import write_access

POLL_SECONDS = 2
# What a form that goes on with what was chosen does not take along.
_NEW_EACH_TIME = frozenset({"csrfmiddlewaretoken", "key", "incident", "to_merged"})


@require_http_methods(["GET", "HEAD", "POST"])
def triage_page(request: HttpRequest) -> HttpResponse:
    """The form of one action for the chosen incidents, or with ``matching`` for all that a queue's filters find; a POST
    without that or ``ask`` decides. Pages ask by POST too, since a page of rows makes too long an address.
    """
    data = request.POST if request.method == "POST" else request.GET
    action = asking.action_in(data)
    if action is None:
        raise Http404
    if request.method != "POST" or "matching" in data or ("ask" in data and not action.is_direct):
        return _form(request, action, data)
    user = signed_in(request)
    decision = asking.decision_in(data, action, user)
    bulk = triage.decide(
        user=user,
        by=actor_for(request),
        targets=asking.targets_in(data),
        decision=decision,
        key=asking.key_in(data),
        now=timezone.now(),
    )
    if bulk.batch is None:
        return _form(request, action, data, bulk.answers[0].sentence if bulk.answers else "Choose incidents first.")
    summary = asking.summary_of(action, decision, len(bulk.accepted))
    return _decided(request, action, bulk, summary)


@require_POST
def undo(request: HttpRequest) -> HttpResponse:
    """Take back what has not left yet of one of the person's own decisions."""
    user = signed_in(request)
    batch = decision_of(user, request.POST.get("key", ""))
    if batch is None:
        raise Http404
    undone = triage.undo(user=user, by=actor_for(request), batch=batch, now=timezone.now())
    return _told(request, "incidents/_triage_undone.html", {"undone": undone})


@require_POST
def cancel(request: HttpRequest) -> HttpResponse:
    """Take back one change that is still waiting. One that is settled and one of others get the same answer."""
    undone = triage.cancel(
        user=signed_in(request), by=actor_for(request), intents=[_change(request)], now=timezone.now()
    )
    return _told(request, "incidents/_triage_undone.html", {"undone": undone})


@require_POST
def settle(request: HttpRequest) -> HttpResponse:
    """The person's choice in a conflict: mine or theirs."""
    choice = request.POST.get("choice", "")
    if choice not in {"mine", "theirs"}:
        raise Http404
    answer = triage.settle(
        user=signed_in(request), by=actor_for(request), intent=_change(request), choice=choice, now=timezone.now()
    )
    if answer.code == "not-found":
        raise Http404
    return _told(request, "incidents/_triage_settled.html", {"answer": answer, "choice": choice})


@require_POST
def retry(request: HttpRequest) -> HttpResponse:
    """Decide once more what Microsoft refused or what was given up."""
    change, to_merged = _change(request), asking.number_in(request.POST.get("to_merged", ""))
    answer = again(
        user=signed_in(request), by=actor_for(request), intent=change, to_merged=to_merged, now=timezone.now()
    )
    if answer is None:
        raise Http404
    told = {"answer": answer, "choice": "mine", "change": change}
    if answer.merged_into and not _is_part(request):
        return render(request, "incidents/triage_again.html", told)
    return _told(request, "incidents/_triage_settled.html", told)


@require_safe
def my_changes(request: HttpRequest) -> HttpResponse:
    """Everything of the person's that is on its way, what wants a choice first; with ``decision``, that one alone."""
    changes = changes_for(signed_in(request), request.GET.get("decision", ""))
    query = {"decision": changes.only} if changes.only else {}
    context = {
        "changes": changes,
        "poll_seconds": POLL_SECONDS,
        "part_url": f"{reverse('incidents:my_changes')}?{urlencode(query)}",
    }
    if not _is_part(request):
        return render(request, "incidents/my_changes.html", context | triage_frame())
    if request.GET.get("version") == changes.version:
        return HttpResponse(status=204)
    return render(request, "incidents/_triage_changes.html", context)


@require_safe
def progress(request: HttpRequest) -> HttpResponse:
    """How far one decision has come: a line in the note that tells of it."""
    changes = changes_for(signed_in(request), request.GET.get("decision", ""))
    if not changes.only:
        raise Http404
    return render(request, "incidents/_triage_progress.html", {"changes": changes, "poll_seconds": POLL_SECONDS})


@require_safe
def decision(request: HttpRequest, tenant: str, number: int) -> HttpResponse:
    """What was decided of one incident, or 204 where the page shows it already."""
    found = access_incident(signed_in(request), tenant, number, to=Permission.READ_INCIDENTS)
    context = strip_context(request, found)
    if request.GET.get("version") == context["strip"].version:
        return HttpResponse(status=204)
    return render(request, "incidents/_triage_strip.html", context)


@require_safe
def next_incident(request: HttpRequest) -> HttpResponse:
    """Leads to the incident that comes after this one in the queue that the person came from."""
    found = following(signed_in(request), request.GET)
    return redirect(found)


def strip_context(request: HttpRequest, incident: Incident) -> dict[str, Any]:
    """What the part of an incident's page that tells of decisions needs."""
    user = signed_in(request)
    return {
        "incident": incident,
        "strip": strip_of(incident),
        "may_triage": may(user, incident.tenant_id, to=Permission.TRIAGE),
        "access": write_access(incident.tenant),
        "strip_seconds": POLL_SECONDS,
        **triage_frame(),
    }


def _form(request: HttpRequest, action: asking.Action, data: QueryDict, problem: str = "") -> HttpResponse:
    user = signed_in(request)
    every = None
    if "matching" in data:
        try:
            every = matching(user, data.get("matching", ""))
        except TooLong:
            every, problem = Matching(), "These filters are too long to be taken along. Choose a tenant group instead."
    targets = every.targets if every else asking.targets_in(data)
    considered = consider(user, targets, people="assignee" in action.fields)
    context = {
        "action": action,
        "considered": considered,
        "chosen": asking.chosen_in(data),
        "problem": problem or ("" if considered.lines or considered.barred else _nothing(every)),
        "every": every,
        "statuses": asking.STATUSES,
        "verdicts": asking.VERDICTS,
        "longest_comment": LONGEST_COMMENT,
        "undo_seconds": round(settings.TRIAGE_UNDO.total_seconds()),
        "key": str(uuid4()),
        "back": _back(data),
    }
    if _is_part(request):
        part = render(request, "incidents/_triage_form.html", context)
        return retarget(part, "#triage-body") if request.method == "POST" else part
    return render(request, "incidents/triage.html", context, status=422 if problem else 200)


def _nothing(every: Matching | None) -> str:
    if every is None:
        return "Choose incidents first."
    return "Nothing that you may change matches the filters." if every.left_aside else "Nothing matches the filters."


def _decided(request: HttpRequest, action: asking.Action, bulk: Bulk, summary: str) -> HttpResponse:
    key = bulk.batch.key if bulk.batch else ""
    if not _is_part(request):
        return redirect(f"{reverse('incidents:my_changes')}?{urlencode({'decision': key})}")
    context = {
        "action": action,
        "bulk": bulk,
        "decision": key,
        "summary": summary,
        "merged": [answer for answer in bulk.refused if answer.merged_into],
        "others": [answer for answer in bulk.refused if answer.code != "conflict" and not answer.merged_into],
        "choices": [shown(one) for answer in bulk.refused for one in answer.intents if _is_conflict(one)],
        "sent": [(name, one) for name, all_ in request.POST.lists() if name not in _NEW_EACH_TIME for one in all_],
        "poll_seconds": POLL_SECONDS,
        "next_key": str(uuid4()),
    }
    answer = render(request, "incidents/_triage_decided.html", context)
    return trigger_client_event(answer, "decided", {"key": context["next_key"], "open": bool(bulk.refused)})


def _told(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """A note where scripts run; the list of changes where they do not."""
    if not _is_part(request):
        return redirect("incidents:my_changes")
    return trigger_client_event(render(request, template, context), "decided", {"key": str(uuid4()), "open": False})


def _is_conflict(intent: Intent) -> bool:
    return intent.state == IntentState.CONFLICT


def _change(request: HttpRequest) -> int:
    text = request.POST.get("change", "")
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Http404
    return int(text)


def triage_frame() -> dict[str, Any]:
    """What every page needs on which incidents are changed."""
    return {"triage_actions": list(asking.ACTIONS.values()), "triage_key": str(uuid4())}


def _back(data: QueryDict) -> str:
    places = asking.targets_in(data)
    if len(places) == 1 and "matching" not in data:
        return reverse("incidents:incident", args=[places[0].tenant, places[0].number])
    return reverse("incidents:queue")


def _is_part(request: HttpRequest) -> bool:
    htmx: Any = getattr(request, "htmx", None)
    return bool(htmx) and not htmx.history_restore_request
