"""The overview: figures of the person's tenants as drawings and tables."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from incidents.access import signed_in
from incidents.dashboard import MEASURED, figures_for, read_ask
from incidents.dashboard_page import Page

# A tenant list longer than this gets a box to search in.
LONG_LIST = 12


@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    """The page over a period, and over all of the person's tenants or those in the address."""
    figures = figures_for(signed_in(request), read_ask(request.GET), now=timezone.now())
    chosen = set(figures.ask.filters.tenants)
    context = {
        "page": Page(figures),
        "figures": figures,
        "measured": MEASURED,
        "tenant_choices": [(tenant, tenant.slug in chosen) for tenant in figures.tenants],
        "has_long_list": len(figures.tenants) > LONG_LIST,
        "unavailable": len(chosen - {tenant.slug for tenant in figures.tenants}),
    }
    return render(request, "incidents/dashboard.html", context)
