"""The queue, and incidents by their tenant's slug and Microsoft's number."""

from django.urls import path

from incidents import views

app_name = "incidents"
urlpatterns = [
    path("", views.queue, name="queue"),
    path("rows/", views.queue_rows, name="queue_rows"),
    path("find/", views.find, name="find"),
    path("<slug:tenant>/<int:number>/", views.incident, name="incident"),
    path("<slug:tenant>/<int:number>/alerts/", views.alerts, name="alerts"),
    path("<slug:tenant>/<int:number>/evidence/", views.evidence, name="evidence"),
    path("<slug:tenant>/<int:number>/raw/", views.raw, name="raw"),
    path("<slug:tenant>/<int:number>/changes/", views.changes, name="changes"),
]
