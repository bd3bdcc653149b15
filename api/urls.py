"""The API's addresses. What each takes and gives is said beside its operation."""

from django.urls import path

from api import decisions, views

app_name = "api"
urlpatterns = [
    path("openapi.json", views.description, name="openapi"),
    path("incidents/", views.incidents, name="incidents"),
    path("incidents/export/", views.exported, name="export"),
    path("incidents/<slug:tenant>/<int:number>/", views.incident, name="incident"),
    path("decisions/", decisions.made, name="decisions"),
    path("decisions/<slug:key>/", decisions.one, name="decision"),
    path("decisions/<slug:key>/cancel/", decisions.cancelled, name="cancel"),
    path("tenants/", views.tenants, name="tenants"),
]
