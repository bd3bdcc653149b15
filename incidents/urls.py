"""The queue, and incidents by their tenant's slug and Microsoft's number."""

from django.urls import path

from incidents import views

app_name = "incidents"
urlpatterns = [
    path("", views.queue, name="queue"),
    path("rows/", views.queue_rows, name="queue_rows"),
    path("tenants/", views.queue_tenants, name="queue_tenants"),
    path("facets/", views.queue_facets, name="queue_facets"),
    path("freshness/", views.queue_freshness, name="queue_freshness"),
    path("columns/", views.choose_columns, name="choose_columns"),
    path("views/", views.save_view, name="save_view"),
    path("views/<uuid:view>/", views.saved_view, name="saved_view"),
    path("views/<uuid:view>/change/", views.change_view, name="change_view"),
    path("views/<uuid:view>/remove/", views.remove_view, name="remove_view"),
    path("views/<uuid:view>/default/", views.default_view, name="default_view"),
    path("<slug:tenant>/<int:number>/", views.incident, name="incident"),
    path("<slug:tenant>/<int:number>/alerts/", views.alerts, name="alerts"),
    path("<slug:tenant>/<int:number>/evidence/", views.evidence, name="evidence"),
    path("<slug:tenant>/<int:number>/raw/", views.raw, name="raw"),
    path("<slug:tenant>/<int:number>/changes/", views.changes, name="changes"),
]
