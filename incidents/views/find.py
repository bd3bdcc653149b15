"""What the command list asks the portal for as somebody types."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from incidents import finding
from incidents.access import signed_in


@require_safe
def find(request: HttpRequest) -> HttpResponse:
    """Options for the list."""
    found = finding.find(signed_in(request), request.GET.get("q", "")[: finding.MOST_TEXT])
    return render(request, "incidents/_found.html", {"found": found})
