"""The Celery app of a worker with one of the seeded bugs: ``SOAK_BUG`` names it."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

import django

django.setup()

from portal.celery import app  # noqa: E402  Django comes first
from tests.soak.bugs import BUGS  # noqa: E402

BUGS[os.environ["SOAK_BUG"]]()

__all__ = ["app"]
