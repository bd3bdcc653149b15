"""The queue's export for programs: the same file as people get, under the token's scope."""

from functools import partial

from django.http import StreamingHttpResponse
from django.utils import timezone

from api import schema, tokens
from api.models import Token
from api.operations import Call
from audit.record import Event, record
from incidents.filters import SEVERITIES, Filters
from incidents.queue_export import file_of
from incidents.views.export import said, sent


def answer(call: Call) -> StreamingHttpResponse:
    """Recorded before the first byte. The token is looked at again for every piece of the file."""
    asked: schema.ExportQuery = call.query
    filters = filters_of(asked)
    record(Event(by=call.by, action="export incidents", details=said(filters, asked.format)))
    reach = partial(tokens.only_tenants, call.token)
    lines = file_of(call.user, filters, asked.format, only=reach, may_go_on=partial(_holds, call.token))
    return sent(lines, asked.format)


def filters_of(asked: schema.ExportQuery) -> Filters:
    """The queue's filters."""
    return Filters(
        tenants=tuple(dict.fromkeys(asked.tenant)),
        severities=tuple(key for key in SEVERITIES if key in asked.severity),
        status=asked.status,
        assignee=asked.assignee.replace("\x00", ""),
        text=asked.q.replace("\x00", "").strip(),
    )


def _holds(token: Token) -> bool:
    return tokens.holds(token, timezone.now())
