"""The queue as it is often written: models, ``Paginator``, live counts, tags and filters in the template.

It has the same middleware, sign-in and scope as the portal's own pages, and a table whose foreign key has the index
that Django gives it.
"""

from typing import Any, ClassVar, Self

from django.core.paginator import Paginator
from django.db import models
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.template import Context, Template
from django.urls import path

from incidents.access import signed_in
from incidents.models import Severity, Status
from portal.urls import urlpatterns as portals_own
from tenants.models import Tenant
from tenants.scope import member_tenants


class PlainIncident(models.Model):
    """A row of the second copy."""

    tenant = models.ForeignKey(Tenant, on_delete=models.DO_NOTHING, related_name="+")
    number = models.BigIntegerField()
    name = models.TextField()
    status = models.SmallIntegerField(choices=Status.choices)
    severity = models.SmallIntegerField(choices=Severity.choices)
    is_open = models.BooleanField()
    assigned_to = models.TextField(null=True)
    alert_count = models.IntegerField()
    host = models.TextField()
    account = models.TextField()
    updated_at = models.DateTimeField()

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        app_label = "bench"
        managed = False
        db_table = '"bench"."plain"'

    def __str__(self) -> str:
        return self.name


PAGE = """{% load humanize %}<!doctype html><html lang="en"><head><title>Queue</title></head><body>
<p>{{ page.paginator.count|intcomma }} open</p>
<ul>{% for row in by_severity %}<li>{{ row.severity }}: {{ row.n|intcomma }}</li>{% endfor %}</ul>
<ul>{% for row in by_tenant %}<li>{{ row.tenant__name }}: {{ row.n|intcomma }}</li>{% endfor %}</ul>
<table>{% for row in page %}<tr><td>{{ row.get_severity_display }}</td>
<td><a href="{% url "incidents:incident" row.tenant.slug row.number %}">{{ row.name }}</a> #{{ row.number }}</td>
<td>{{ row.tenant.name }}</td><td>{{ row.get_status_display }}</td><td>{{ row.assigned_to|default:"Nobody" }}</td>
<td>{{ row.alert_count|intcomma }}</td><td>{{ row.host }} {{ row.account }}</td>
<td><time datetime="{{ row.updated_at|date:"c" }}">{{ row.updated_at|naturaltime }}</time></td></tr>{% endfor %}</table>
<p>Page {{ page.number }} of {{ page.paginator.num_pages }}</p></body></html>"""
_template: list[Template] = []


def plain_queue(request: HttpRequest) -> HttpResponse:
    """The newest fifty, how many there are, and counts by severity and tenant."""
    mine = PlainIncident.objects.filter(tenant__in=member_tenants(signed_in(request).pk), is_open=True)
    context: dict[str, Any] = {
        "page": Paginator(mine.select_related("tenant").order_by("-updated_at", "-id"), 50).get_page(1),
        "by_severity": mine.values("severity").annotate(n=Count("id")).order_by("severity"),
        "by_tenant": mine.values("tenant__name").annotate(n=Count("id")).order_by("tenant__name"),
    }
    if not _template:
        _template.append(Template(PAGE))
    return HttpResponse(_template[0].render(Context(context)))


urlpatterns = [path("plain/", plain_queue, name="plain_queue"), *portals_own]
