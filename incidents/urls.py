"""The queue, and incidents by their tenant's slug and Microsoft's number."""

from django.urls import path

from incidents import views
from incidents.views import triage

app_name = "incidents"
urlpatterns = [
    path("", views.queue, name="queue"),
    path("overview/", views.dashboard, name="dashboard"),
    path("rows/", views.queue_rows, name="queue_rows"),
    path("find/", views.find, name="find"),
    path("next/", triage.next_incident, name="next_incident"),
    path("my-changes/", triage.my_changes, name="my_changes"),
    path("triage/", triage.triage_page, name="triage"),
    path("triage/progress/", triage.progress, name="progress"),
    path("triage/undo/", triage.undo, name="undo"),
    path("triage/cancel/", triage.cancel, name="cancel"),
    path("triage/settle/", triage.settle, name="settle"),
    path("triage/again/", triage.retry, name="retry"),
    path("<slug:tenant>/<int:number>/decision/", triage.decision, name="decision"),
    path("tenants/", views.queue_tenants, name="queue_tenants"),
    path("facets/", views.queue_facets, name="queue_facets"),
    path("freshness/", views.queue_freshness, name="queue_freshness"),
    path("columns/", views.choose_columns, name="choose_columns"),
    path("views/", views.save_view, name="save_view"),
    path("views/<uuid:view>/", views.saved_view, name="saved_view"),
    path("views/<uuid:view>/change/", views.change_view, name="change_view"),
    path("views/<uuid:view>/remove/", views.remove_view, name="remove_view"),
    path("views/<uuid:view>/default/", views.default_view, name="default_view"),
    path("export/", views.export, name="export"),
    path("<slug:tenant>/<int:number>/", views.incident, name="incident"),
    path("<slug:tenant>/<int:number>/alerts/", views.alerts, name="alerts"),
    path("<slug:tenant>/<int:number>/evidence/", views.evidence, name="evidence"),
    path("<slug:tenant>/<int:number>/sightings/", views.sightings, name="sightings"),
    path("<slug:tenant>/<int:number>/story/", views.story, name="story"),
    path("<slug:tenant>/<int:number>/history/", views.history, name="history"),
    path("<slug:tenant>/<int:number>/raw/", views.raw, name="raw"),
    path("<slug:tenant>/<int:number>/changes/", views.changes, name="changes"),
]
