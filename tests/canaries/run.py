"""One run: servers, secrets, processes, the journey; afterwards everything that was said and kept, as sinks."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from psycopg import sql

from demo.ports import free_port
from sandbox.registration import Secret
from sandbox.world import World
from tests.canaries.canaries import Canaries
from tests.canaries.journey import Journey
from tests.canaries.microsoft import Overheard, overheard_cloud
from tests.canaries.portal import Portal, with_password
from tests.canaries.scanner import Sink
from tests.canaries.sinks import collect
from tests.canaries.valkey import Valkey, own_valkey
from tests.defender.certificates import self_signed
from tests.dropped import drop_database


@dataclass(frozen=True)
class Run:
    """What is left of a run: the secrets that were in it, and the places that they could have reached."""

    canaries: Canaries
    sinks: list[Sink]
    answers: set[int]


@contextmanager
def copy_of_database(original: str, canaries: Canaries) -> Iterator[tuple[str, str]]:
    """A copy of the migrated database with a login of its own: the address for the portal, and the administrator's.

    The login may become the portal's roles, and its password is a canary.
    """
    administrator = os.environ["DATABASE_URL"]
    parts = urlsplit(administrator)
    name, login, password = f"test_{original}", f"canary_{os.getpid()}", canaries.plant("database password")
    with psycopg.connect(urlunsplit(parts._replace(path="/postgres")), autocommit=True) as server:
        drop_database(server, name)
        _run(server, "DROP ROLE IF EXISTS {}", login)  # of a run that was killed
        _run(server, "CREATE DATABASE {} TEMPLATE {}", name, original)
        server.execute(
            sql.SQL("CREATE ROLE {} LOGIN NOINHERIT PASSWORD {}").format(sql.Identifier(login), sql.Literal(password))
        )
        for role in ("portal_owner", "portal_web", "portal_worker"):
            _run(server, "GRANT {} TO {}", role, login)
    here = urlunsplit(parts._replace(path=f"/{name}"))
    try:
        yield with_password(here, login, password), here
    finally:
        with psycopg.connect(urlunsplit(parts._replace(path="/postgres")), autocommit=True) as server:
            drop_database(server, name)
            _run(server, "DROP ROLE IF EXISTS {}", login)


def _run(server: "psycopg.Connection[Any]", statement: str, *names: str) -> None:
    server.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def run(folder: Path, original: str) -> Run:
    """Everything, once; about half a minute."""
    canaries = Canaries()
    redis_password = canaries.plant("Redis password")
    world = World(tenants=3, incidents=(3, 6), client_secret=canaries.plant("client secret"))
    with (
        copy_of_database(original, canaries) as (database_url, administrator),
        own_valkey(folder / "valkey", free_port(26400), redis_password) as valkey,
        overheard_cloud(world, canaries) as (cloud, ear),
    ):
        portal = Portal(folder, free_port(28100), cloud, canaries)
        portal.prepare()
        _write_secrets(portal, world, database_url, valkey)
        return _drive(portal, world, ear, valkey, administrator)


def _write_secrets(portal: Portal, world: World, database_url: str, valkey: Valkey) -> None:
    canaries = portal.canaries
    key, certificate = self_signed()
    world.register_certificate(certificate)
    canaries.add_private_key("private key", key)
    secret_key = canaries.plant("SECRET_KEY") + secrets.token_hex(16)
    canaries.add("SECRET_KEY", secret_key)
    portal.secret_file("certificate.pem", certificate + key)
    portal.secret_file("client_secret", world.registration.secrets[0].value)
    world.home.registration.secrets[:] = [Secret(canaries.plant("sign-in app's secret"))]
    portal.secret_file("sign_in_secret", world.home.registration.secrets[0].value)
    portal.secret_file("audit_signing_key", signing_key := new_signing_key())
    canaries.add_signing_key("audit signing key", signing_key)
    portal.secret_file("secret_key", secret_key)
    portal.secret_file("database_url", database_url)
    portal.secret_file("redis_url", f"redis://:{quote(valkey.password, safe='')}@127.0.0.1:{valkey.port}/0")


def new_signing_key() -> str:
    """An Ed25519 key in PEM."""
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _drive(portal: Portal, world: World, ear: Overheard, valkey: Valkey, administrator: str) -> Run:
    password = portal.canaries.plant("password")
    file = portal.secret_file("password", password)
    try:
        made = portal.command("create_admin", "--password-file", str(file))
        assert made.status == 0, made.err[-3000:]
        portal.start()
        journey = Journey(portal, world, portal.canaries, lambda: psycopg.connect(administrator), password, said=[made])
        journey.run()
        portal.look_at_processes()
        kept = valkey.dump()
        portal.crash()
    finally:
        portal.stop()
    sinks = collect(journey, ear, kept, b"".join(valkey.heard), administrator)
    return Run(portal.canaries, sinks, journey.answers.statuses)
