"""Settings: .env.example names them all, and production refuses what is missing, unsafe or wrong, in sentences."""

import ast
import itertools
import re
import runpy
from pathlib import Path

import pytest

from tests.repository.production import PRODUCTION, copy_of_the_product, environment, run
from tests.repository.tree import ROOT, parsed

SETTINGS = ROOT / "portal" / "settings.py"
READERS = {"text", "number", "whole", "guid", "guids", "day", "names", "yes", "base_url", "database", "credential"}
SANDBOX = ("SANDBOX_LOGIN_URL", "SANDBOX_XDR_URL", "SANDBOX_MDE_URL", "SANDBOX_GRAPH_URL")
PLACES = ("AUDIT_ANCHOR_FILE",)  # names of files that end like the other way to give a value
CREDENTIALS = ("ENTRA_CLIENT_SECRET", "ENTRA_CLIENT_CERTIFICATE", "ENTRA_FEDERATED_TOKEN_FILE")


class Names:
    """Which strings an expression of the settings module can be: what is assigned and looped over is followed."""

    def __init__(self, module: ast.Module) -> None:
        self.bound: dict[str, list[ast.expr]] = {}
        for node in ast.walk(module):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                self.bound.setdefault(node.targets[0].id, []).append(node.value)
            elif isinstance(node, ast.For) and isinstance(node.target, ast.Name):
                self.bound.setdefault(node.target.id, []).append(node.iter)

    def of(self, node: ast.AST) -> set[str]:
        """Every string the expression may be."""
        match node:
            case ast.Constant(value=str(value)):
                return {value}
            case ast.Name(id=name):
                return self._any(self.bound.get(name, []))
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                return self._any(parts)
            case ast.Dict(values=parts):
                return self._any(parts)
            case ast.Subscript(value=value):
                return self.of(value)
            case ast.IfExp(body=body, orelse=other):
                return self._any([body, other])
            case ast.FormattedValue(value=value):
                return self.of(value)
            case ast.JoinedStr(values=parts):
                return {"".join(choice) for choice in itertools.product(*map(self.of, parts))}
        return set()

    def _any(self, nodes: list[ast.expr]) -> set[str]:
        return set().union(*map(self.of, nodes))


def names_read() -> set[str]:
    """Every setting that portal/settings.py reads: the first argument of env.…() and of os.environ.get()."""
    module = parsed(SETTINGS)
    names, found = Names(module), set()
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and _reads(node.func):
            read = names.of(node.args[0])
            assert read, f"line {node.lineno}: this test cannot tell which setting is read"
            found |= {name for name in read if not name.endswith("_FILE") or name in (*CREDENTIALS, *PLACES)}
    return found


def _reads(function: ast.expr) -> bool:
    if not isinstance(function, ast.Attribute):
        return False
    owner = function.value
    if isinstance(owner, ast.Name):
        return owner.id == "env" and function.attr in READERS
    return isinstance(owner, ast.Attribute) and owner.attr == "environ" and function.attr == "get"


def names_explained() -> set[str]:
    lines = (ROOT / ".env.example").read_text().splitlines()
    return {found[1] for line in lines if (found := re.match(r"#?([A-Z][A-Z0-9_]+)=", line))}


def test_the_example_names_every_setting_and_no_other() -> None:
    assert names_explained() == names_read()


def test_the_example_explains_each_setting_with_its_default() -> None:
    blocks = re.split(r"\n\s*\n", (ROOT / ".env.example").read_text())
    with_settings = [block for block in blocks if re.search(r"^#?[A-Z][A-Z0-9_]+=", block, re.MULTILINE)]
    bare = [block for block in with_settings if not re.search(r"Default|Required|Example", block)]
    assert bare == []


def test_the_example_contains_no_secret() -> None:
    text = (ROOT / ".env.example").read_text()
    databases = ("DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_WORKER_URL")
    for name in ("SECRET_KEY", "ENTRA_CLIENT_SECRET", "SIGN_IN_CLIENT_SECRET", *databases):
        assert re.search(rf"^#{name}=$", text, re.MULTILINE), name


# --- production refuses -----------------------------------------------------------------------------------------------

MISSING = ("PORTAL_BASE_URL", "SECRET_KEY", "DATABASE_URL", "REDIS_URL", "ENTRA_CLIENT_ID", "ENTRA_CLIENT_CERTIFICATE")
GUESSED = "ab" * 30
MISSING_FOR_WEB = ("SIGN_IN_TENANT_ID", "SIGN_IN_CLIENT_ID", "SIGN_IN_CLIENT_CERTIFICATE")
UNSAFE: dict[str, dict[str, str | None]] = {
    "plain http": {"PORTAL_BASE_URL": "http://portal.example.com"},
    "plain http on loopback": {"PORTAL_BASE_URL": "http://localhost:8000"},
    "a short key": {"SECRET_KEY": "short"},
    "a key that can be guessed": {"SECRET_KEY": GUESSED},
    "the key that Django makes for trying": {"SECRET_KEY": "django-insecure-" + PRODUCTION["SECRET_KEY"]},
    "a short former key": {"SECRET_KEY_FALLBACKS": "short"},
    "a former key that can be guessed": {"SECRET_KEY_FALLBACKS": GUESSED},
    "every host": {"ALLOWED_HOSTS": "*"},
    "every host of a domain": {"ALLOWED_HOSTS": "portal.internal,.example.com"},
    "the database's administrator": {"DATABASE_URL": "postgres://postgres:pw@db.example.com/portal"},
    "a database without encryption": {"DATABASE_URL": "postgres://web@db.example.com/portal?sslmode=disable"},
    "a database that need not encrypt": {"DATABASE_URL": "postgres://web@db.example.com/portal?sslmode=allow"},
    "a broker whose certificate nobody checks": {"REDIS_URL": "rediss://r.example.com:6379/0?ssl_cert_reqs=none"},
    "a mail password in clear": {"EMAIL_URL": "smtp://portal:hunter2@mail.example.com:25"},
    "logs of everything": {"LOG_LEVEL": "DEBUG"},
    "logs that can be forged": {"LOG_FORMAT": "console"},
    "no limit to speak of": {"RATE_LIMIT_PER_MINUTE": "100000"},
    "the sandbox cloud": {"MICROSOFT_CLOUD": "sandbox"},
    "two credentials": {"ENTRA_CLIENT_SECRET_FILE": "/etc/hostname"},
    "a secret in the environment": {"ENTRA_CLIENT_SECRET": "seen by everybody", "ENTRA_CLIENT_CERTIFICATE": None},
    "a vault that is not Microsoft's": {
        "ENTRA_VAULT_SECRET": "https://hunter2.vault.azure.net.example.com/secrets/partner",
        "ENTRA_CLIENT_CERTIFICATE": None,
    },
    "a vault beside a certificate": {"ENTRA_VAULT_SECRET": "https://ours.vault.azure.net/secrets/partner"},
    "a next secret in the environment": {"ENTRA_NEXT_CLIENT_SECRET": "seen by everybody"},
    "a secret where web can read it": {"ENTRA_CLIENT_SECRET": "not for you", "PORTAL_PROCESS": "web"},
    "local accounts without second factor": {"LOCAL_SECOND_FACTOR": "false"},
    **{name: {name: "http://localhost:9400"} for name in SANDBOX},
}
# One value out of range or shape per setting that has a range or shape.
WRONG: dict[str, str] = {
    "PORTAL_ENV": "staging",
    "PORTAL_PROCESS": "cron",
    "PORTAL_BASE_URL": "portal.example.com",
    "DATABASE_URL": "mysql://db/portal",
    "DATABASE_WORKER_URL": "sqlite:///db.sqlite3",
    "DATABASE_POOL_SIZE": "0",
    "REDIS_URL": "amqp://guest@mq",
    "MICROSOFT_CLOUD": "china",
    "ENTRA_CLIENT_ID": "our-app",
    "ENTRA_CLIENT_SECRET_EXPIRES": "next spring",
    "ALLOW_SECRET_IN_ENVIRONMENT": "perhaps",
    "SIGN_IN_GUESTS": "somebody@example.com",
    "SIGN_IN_SECOND_FACTOR": "c0",
    "PORTAL_CAPABILITIES": "sync_incidents,make_coffee",
    "MICROSOFT_POOL_SIZE": "many",
    "SYNC_POLL_SECONDS": "0",
    "SYNC_OVERLAP_MINUTES": "-1",
    "SYNC_LEASE_SECONDS": "nan",
    "SYNC_PASS_LIMIT_SECONDS": "inf",
    "SYNC_SHARD": "1000",
    "SYNC_THREADS": "0",
    "SYNC_SLOW_THREADS": "some",
    "SYNC_QUICK_LIMIT_SECONDS": "0",
    "SYNC_PASS_MEGABYTES": "0",
    "SYNC_FIRST_WAIT_SECONDS": "0",
    "SYNC_LONGEST_WAIT_SECONDS": "-1",
    "CREDENTIAL_WAIT_SECONDS": "0.1",
    "SYNC_SWEEP_HOURS": "1e9",
    "SYNC_SWEEP_WINDOW_DAYS": "181",
    "SYNC_BACKFILL_DAYS": "365",
    "SYNC_WAKE_SECONDS": "0",
    "SYNC_RUNS_KEPT_DAYS": "0",
    "TRIAGE_UNDO_SECONDS": "601",
    "TRIAGE_LOOK_SECONDS": "0",
    "TRIAGE_CONFIRM_MINUTES": "0",
    "CONSENT_LINK_HOURS": "0",
    "CONSENT_CHECK_MINUTES": "0",
    "STALE_AFTER_SECONDS": "now",
    "AUDIT_KEPT_DAYS": "364",
    "TRUST_PROXY": "perhaps",
    "RATE_LIMIT_PER_MINUTE": "0",
    "API_RATE_LIMIT_PER_MINUTE": "0",
    "SESSION_IDLE_MINUTES": "0",
    "SESSION_HOURS": "25",
    "LOCAL_SECOND_FACTOR": "sometimes",
    "SEEN_ELSEWHERE_COUNTS_ALL": "some",
    "LOG_LEVEL": "CHATTY",
    "LOG_FORMAT": "xml",
}


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Settings and what they import, without .env and without the packages for trying out."""
    return copy_of_the_product(tmp_path_factory.mktemp("bare"), "portal", "defender")


def problems(stderr: str) -> list[str]:
    """The sentences of a refusal."""
    assert "Traceback" not in stderr
    first, *rest = stderr.strip().splitlines()
    assert first == "The portal does not start, because of its settings:"
    assert all(line.startswith("  - ") and line.endswith(".") for line in rest), rest
    return [line[4:] for line in rest]


def refusal(bare: Path, **changed: str | None) -> list[str]:
    """What a process of its own says with these settings; it must end with status 2."""
    done = run("-c", "import portal.settings", env=environment(**changed), cwd=bare)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    return problems(done.stderr)


def read_here(monkeypatch: pytest.MonkeyPatch, **changed: str | None) -> None:
    """The settings read in this process: the same file, faster where many values are tried."""
    import os

    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name, value in environment(**changed).items():
        monkeypatch.setenv(name, value)
    runpy.run_path(str(SETTINGS))


def test_production_starts_with_what_it_needs_and_no_more(bare: Path) -> None:
    done = run("-W", "error", "-c", "import portal.settings", env=environment(), cwd=bare)
    assert (done.returncode, done.stderr) == (0, "")


def test_unset_means_production(bare: Path) -> None:
    done = run("-c", "import portal.settings as s; print(s.PORTAL_ENV)", env=environment(PORTAL_ENV=None), cwd=bare)
    assert done.stdout == "production\n", done.stderr


def test_nothing_set_at_all_is_told_in_one_go(bare: Path) -> None:
    nothing: dict[str, str | None] = dict.fromkeys(PRODUCTION)
    said = refusal(bare, **nothing)
    for name in MISSING:
        assert sum(name in sentence for sentence in said) >= 1, name
    assert len(said) == len(set(said))


@pytest.mark.parametrize("name", MISSING)
def test_production_refuses_to_start_where_a_value_is_missing(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        read_here(monkeypatch, **{name: None})
    assert ended.value.code == 2
    said = problems(capsys.readouterr().err)
    assert any(name in sentence for sentence in said)


@pytest.mark.parametrize("name", MISSING_FOR_WEB)
def test_web_refuses_to_start_without_the_sign_in_app_and_no_other_process_needs_it(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        read_here(monkeypatch, PORTAL_PROCESS="web", **{name: None})
    assert any(name in sentence for sentence in problems(capsys.readouterr().err))
    for process in ("worker", "beat", "owner"):
        read_here(monkeypatch, PORTAL_PROCESS=process, **dict.fromkeys(MISSING_FOR_WEB))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SIGN_IN_TENANT_ID", "example.com"),
        ("SIGN_IN_CLIENT_ID", "the-app"),
        ("SIGN_IN_CLIENT_ID", PRODUCTION["ENTRA_CLIENT_ID"]),
        ("SIGN_IN_CLIENT_SECRET", "one credential too many"),
    ],
)
def test_web_refuses_a_sign_in_app_that_is_named_wrongly(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        read_here(monkeypatch, PORTAL_PROCESS="web", **{name: value})
    said = problems(capsys.readouterr().err)
    assert any(name in sentence for sentence in said)
    assert "too many" not in str(said)


@pytest.mark.parametrize("what", UNSAFE)
def test_p3_production_refuses_what_is_unsafe(what: str, bare: Path) -> None:
    said = refusal(bare, **UNSAFE[what])
    name = next(iter(UNSAFE[what])).removesuffix("_FILE")
    assert any(name in sentence for sentence in said)
    assert "hunter2" not in " ".join(said)


def test_p3_at_least_fifteen_unsafe_settings_are_refused_one_by_one() -> None:
    assert len({str(changed) for changed in UNSAFE.values()}) == len(UNSAFE) >= 15


@pytest.mark.parametrize("setting", ["local", "test"])
def test_p3_what_is_for_trying_out_is_reached_from_this_machine_only(setting: str, bare: Path) -> None:
    assert any("PORTAL_BASE_URL" in sentence for sentence in refusal(bare, PORTAL_ENV=setting))


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_value_is_refused_in_a_sentence_that_names_it(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        read_here(monkeypatch, **{name: WRONG[name]})
    assert ended.value.code == 2
    said = problems(capsys.readouterr().err)
    assert any(name in sentence for sentence in said)


def test_several_wrong_values_are_told_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        read_here(monkeypatch, SYNC_POLL_SECONDS="often", LOG_LEVEL="CHATTY", REDIS_URL=None)
    said = problems(capsys.readouterr().err)
    assert [any(name in s for s in said) for name in ("SYNC_POLL_SECONDS", "LOG_LEVEL", "REDIS_URL")] == [True] * 3


def test_every_numeric_setting_has_a_wrong_value_here() -> None:
    numbers = {
        name
        for node in ast.walk(parsed(SETTINGS))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in {"number", "whole"}
        for name in Names(parsed(SETTINGS)).of(node.args[0])
    }
    assert numbers - set(WRONG) == set()


@pytest.mark.parametrize("secret", ["SECRET_KEY", "DATABASE_URL", "REDIS_URL"])
def test_a_refusal_never_repeats_a_secret(
    secret: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    value = {"SECRET_KEY": "hunter2-hunter2", "DATABASE_URL": "mysql://u:hunter2@db/p", "REDIS_URL": "x://:hunter2@r"}
    with pytest.raises(SystemExit):
        read_here(monkeypatch, **{secret: value[secret]})
    assert "hunter2" not in capsys.readouterr().err


def test_a_value_may_come_from_a_file(tmp_path: Path, bare: Path) -> None:
    key = tmp_path / "secret_key"
    key.write_text(PRODUCTION["SECRET_KEY"] + "\n")
    program = "import portal.settings as s; print(s.SECRET_KEY)"
    done = run("-c", program, env=environment(SECRET_KEY=None, SECRET_KEY_FILE=str(key)), cwd=bare)
    assert done.stdout == PRODUCTION["SECRET_KEY"] + "\n", done.stderr


def test_a_file_that_is_not_there_is_told_by_name(bare: Path) -> None:
    said = refusal(bare, SECRET_KEY=None, SECRET_KEY_FILE="/nowhere/secret_key")
    assert any("SECRET_KEY_FILE" in sentence for sentence in said)


@pytest.mark.parametrize("process", ["web", "beat", "owner"])
def test_only_workers_hold_the_partner_credential(process: str, bare: Path) -> None:
    program = "import portal.settings as s; print(s.ENTRA_CREDENTIAL)"
    done = run("-c", program, env=environment(PORTAL_PROCESS=process), cwd=bare)
    assert done.stdout == "{}\n", done.stderr


@pytest.mark.parametrize(("process", "holds"), [("worker", True), ("web", False), ("beat", False), ("owner", False)])
def test_only_workers_know_where_the_vault_is(process: str, holds: bool, bare: Path) -> None:
    address = "https://ours.vault.azure.net/secrets/partner"
    program = "import portal.settings as s, sys; print(s.ENTRA_CREDENTIAL, 'azure' in sys.modules)"
    changed = {"PORTAL_PROCESS": process, "ENTRA_VAULT_SECRET": address, "ENTRA_CLIENT_CERTIFICATE": None}
    done = run("-c", program, env=environment(**changed), cwd=bare)
    assert done.stdout == f"{ {'ENTRA_VAULT_SECRET': address} if holds else {} } False\n", done.stderr


@pytest.mark.parametrize("process", ["worker", "beat", "owner"])
def test_only_web_holds_the_credential_of_the_sign_in_app(process: str, bare: Path) -> None:
    program = "import portal.settings as s; print(s.SIGN_IN_CREDENTIAL)"
    done = run("-c", program, env=environment(PORTAL_PROCESS=process), cwd=bare)
    assert done.stdout == "{}\n", done.stderr


def test_the_web_process_is_web_whatever_the_environment_says() -> None:
    first = [node for node in parsed(ROOT / "portal" / "wsgi.py").body if not isinstance(node, ast.Expr)]
    assert isinstance(first[0], ast.Import)
    assert ast.unparse(first[1]) == "os.environ['PORTAL_PROCESS'] = 'web'"
