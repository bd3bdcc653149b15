"""What can be said about Dockerfile and compose.yaml without Docker; nobody has run them here."""

import fnmatch
import re
from typing import Any

import pytest
import yaml

from tests.repository.production import PRODUCTION
from tests.repository.test_settings import names_explained
from tests.repository.tree import FOR_TRIALS, PRODUCT, ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
LOCKS = ("requirements.txt", "requirements-vault.txt")
OURS = {"web", "worker", "beat", "migrate"}
ONE_SHOT = {"migrate"}


def instructions() -> list[tuple[str, str]]:
    """(instruction, arguments) of the Dockerfile, continued lines joined."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in lines if line.strip()]


def lets_through(path: str) -> bool:
    """Whether .dockerignore lets a path into the build: the last line that matches it or a folder above decides."""
    kept = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        rule = line.strip()
        if not rule or rule.startswith("#"):
            continue
        pattern = rule.removeprefix("!").removeprefix("**/")
        parts = path.split("/")
        prefixes = ["/".join(parts[: end + 1]) for end in range(len(parts))]
        candidates = prefixes + (parts if "**/" in rule else [])
        if any(fnmatch.fnmatchcase(candidate, pattern) for candidate in candidates):
            kept = rule.startswith("!")
    return kept


def environment_of(name: str) -> dict[str, Any]:
    found = SERVICES[name].get("environment", {})
    assert isinstance(found, dict)
    return found


def test_the_last_user_of_the_image_has_no_rights() -> None:
    users = [arguments for instruction, arguments in instructions() if instruction == "USER"]
    assert users
    assert users[-1].split(":")[0] not in {"root", "0"}
    after = [instruction for instruction, _ in instructions()]
    assert "RUN" not in after[after.index("USER") :]


def test_the_image_is_built_in_stages() -> None:
    assert len([1 for instruction, _ in instructions() if instruction == "FROM"]) >= 2


def test_packages_come_from_the_production_lock_with_hashes_and_as_wheels() -> None:
    installs = [arguments for instruction, arguments in instructions() if "pip install" in arguments]
    assert len(installs) == 1
    assert "--require-hashes" in installs[0]
    assert "--only-binary :all:" in installs[0]
    locks = set(re.findall(r"requirements[a-z-]*\.txt", (ROOT / "Dockerfile").read_text()))
    assert locks == {"requirements.txt", "requirements-vault.txt"}
    assert ("ARG", "LOCK=requirements.txt") in instructions(), "the one without the vault, unless somebody says so"


@pytest.mark.parametrize(
    "path",
    [*(f"{package}/__init__.py" for package in (*FOR_TRIALS, "tests")), ".env", ".git/config", ".local/secret_key"],
)
def test_what_is_for_trying_out_stays_out_of_the_image(path: str) -> None:
    assert not lets_through(path)


@pytest.mark.parametrize(
    "path", [*(f"{package}/__init__.py" for package in PRODUCT), "templates/base.html", "manage.py", *LOCKS]
)
def test_what_production_runs_is_in_the_image(path: str) -> None:
    assert lets_through(path)


def test_no_secret_is_baked_into_the_image() -> None:
    """The placeholders of the build stand in a RUN line of a stage that is thrown away."""
    kept = [arguments for instruction, arguments in instructions() if instruction in {"ENV", "ARG"}]
    assert [line for line in kept if re.search(r"SECRET|PASSWORD|TOKEN|_URL", line)] == []


def test_every_service_is_there() -> None:
    assert set(SERVICES) == OURS | {"postgres", "redis"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_runs_without_rights(name: str) -> None:
    service = SERVICES[name]
    assert service["user"].split(":")[0] not in {"", "0", "root"}
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert not service.get("privileged")
    assert "cap_add" not in service


@pytest.mark.parametrize("name", sorted(set(SERVICES) - ONE_SHOT))
def test_a_service_says_whether_it_is_well(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"]
    assert SERVICES[name]["restart"] == "unless-stopped"


def test_the_web_is_well_when_it_is_ready() -> None:
    assert "/readyz" in str(SERVICES["web"]["healthcheck"]["test"])


def test_migrations_run_once_before_anything_else() -> None:
    for name in OURS - ONE_SHOT:
        assert SERVICES[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
    assert SERVICES["migrate"]["restart"] == "no"


def test_only_the_worker_has_the_partner_credential() -> None:
    holders = {name for name, service in SERVICES.items() if "entra_certificate" in service.get("secrets", [])}
    assert holders == {"worker"}
    named = {name for name in SERVICES if any(key.startswith("ENTRA_CLIENT_C") for key in environment_of(name))}
    assert named == {"worker"}


def test_the_web_cannot_vouch_for_the_audit_log() -> None:
    holders = {name for name, service in SERVICES.items() if "audit_signing_key" in service.get("secrets", [])}
    assert holders == {"worker"}
    kept = [volume for volume in SERVICES["worker"]["volumes"] if volume.endswith(":/var/lib/portal")]
    assert kept, "a container without a volume forgets its anchors"
    assert str(environment_of("worker")["AUDIT_ANCHOR_FILE"]).startswith("/var/lib/portal/")


def test_only_the_web_has_the_credential_of_the_sign_in_app() -> None:
    holders = {name for name, service in SERVICES.items() if "sign_in_certificate" in service.get("secrets", [])}
    assert holders == {"web"}
    assert {name for name in SERVICES if "SIGN_IN_CLIENT_CERTIFICATE" in environment_of(name)} == {"web"}


def test_each_process_has_a_database_login_of_its_own() -> None:
    logins = {name: {key for key in environment_of(name) if key.startswith("DATABASE")} for name in OURS}
    assert logins == {
        "web": {"DATABASE_URL_FILE"},
        "beat": {"DATABASE_URL_FILE"},
        "worker": {"DATABASE_WORKER_URL_FILE"},
        "migrate": {"DATABASE_OWNER_URL_FILE"},
    }
    processes = {name: environment_of(name)["PORTAL_PROCESS"] for name in OURS}
    assert processes == {"web": "web", "beat": "beat", "worker": "worker", "migrate": "owner"}


def test_secrets_come_as_files_that_exist_as_secrets() -> None:
    for name, service in SERVICES.items():
        mounted = set(service.get("secrets", []))
        assert mounted <= set(COMPOSE["secrets"])
        for key, value in environment_of(name).items():
            if str(value).startswith("/run/secrets/"):
                assert str(value).removeprefix("/run/secrets/") in mounted, (name, key)
            assert key not in {"SECRET_KEY", "DATABASE_URL", "ENTRA_CLIENT_SECRET", "POSTGRES_PASSWORD"}


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_setting_in_the_file_is_a_setting_of_the_portal(name: str) -> None:
    explained = names_explained()
    names = {key if key in explained else key.removesuffix("_FILE") for key in environment_of(name)}
    assert names - explained == set()
    of_web = {key for key in PRODUCTION if key.startswith("SIGN_IN_")}
    needed = set(PRODUCTION) - {"DATABASE_URL", "ENTRA_CLIENT_CERTIFICATE"} - (of_web if name != "web" else set())
    assert needed - names == set()


def test_only_the_web_is_reachable_and_only_from_this_host() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert list(published) == ["web"]
    assert all(port.startswith("127.0.0.1:") for port in published["web"])
    assert COMPOSE["networks"]["data"] == {"internal": True}
    assert {name for name, service in SERVICES.items() if "outside" in service["networks"]} == {"web", "worker"}


def test_the_broker_forgets_nothing() -> None:
    command = SERVICES["redis"]["command"]
    assert command[command.index("--appendonly") + 1] == "yes"
    assert command[command.index("--maxmemory-policy") + 1] == "noeviction"


def test_workers_consume_the_queue_that_tasks_go_to() -> None:
    assert not any(str(part).startswith(("-Q", "--queues")) for part in SERVICES["worker"]["command"])
