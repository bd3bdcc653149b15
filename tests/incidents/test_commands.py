"""The commands as processes of their own: pipes that break, and a worker that holds the lease."""

import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from django.db import connection

from tests.incidents.arranged import connected_tenant, incident, sent, store


def test_a_reader_that_has_read_enough_ends_it_quietly(committed: None) -> None:
    tenant = connected_tenant()
    for start in range(0, 400, 100):
        store(tenant, *(sent(incident(n, description="x" * 5000)) for n in range(start + 1, start + 101)))
    writer = subprocess.Popen(
        [sys.executable, "manage.py", "export_incidents"],
        cwd=Path(__file__).resolve().parents[2],
        env={**worker_environment(), "DATABASE_URL": url_of_this_database()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert writer.stdout and writer.stderr
    first = json.loads(writer.stdout.readline())
    writer.stdout.close()
    complaints = writer.stderr.read().decode()
    writer.stderr.close()
    assert (first["incident_id"], writer.wait(60)) == (1, 0)
    assert complaints == ""


def worker_environment() -> dict[str, str]:
    return {**os.environ, "PORTAL_PROCESS": "worker", "PORTAL_ENV": "test"}


def url_of_this_database() -> str:
    """The copy that this test works on, as a URL."""
    name = connection.settings_dict["NAME"]
    return urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}"))
