"""The run that all sweeps of one process share."""

from collections.abc import Iterator

import pytest
from django.db import connections
from pytest_django import DjangoDbBlocker

from tests.canaries.run import Run, run


@pytest.fixture(scope="session")
def swept(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Run]:
    """The portal has run with canaries for secrets; here is what is left of it."""
    with django_db_blocker.unblock():
        connections.close_all()
        original = connections.settings["default"]["NAME"]
    yield run(tmp_path_factory.mktemp("canaries"), original)
