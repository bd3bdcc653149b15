"""Retention by sealing: old rows leave the table only into a signed file, and the chain goes on from its last hash."""

import gzip
import json
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from pytest_django import Settings

from audit.models import AuditEvent, Segment
from audit.record import COMMAND_LINE, WORKER, Event, record
from audit.sealing import NotSealed, seal
from audit.signing import public_keys, public_pem
from audit.verify import verify
from tests.audit.tampering import insider, run
from tests.audit.test_anchors import pem_of
from tests.conftest import database_role

pytestmark = pytest.mark.short

KEY = Ed25519PrivateKey.generate()
KEYS = public_keys(public_pem(KEY))


def write(n: int) -> None:
    record(*[Event(by=WORKER, action=f"step {number}") for number in range(n)])


def seal_all(folder: Path) -> Segment | None:
    """Everything that is there, as far as that goes."""
    now = timezone.now()
    return seal(before=now + timedelta(days=1), folder=folder, key=KEY, by=COMMAND_LINE, now=now)


@pytest.fixture
def twice(db: None, tmp_path: Path) -> Path:
    """A log that was sealed twice and went on: rows 1 to 4 and 5 to 9 are in files, 10 to 12 in the table."""
    write(5)
    seal_all(tmp_path)
    write(4)
    seal_all(tmp_path)
    write(1)
    return tmp_path


def test_sealed_rows_are_in_the_files_and_the_rest_hangs_on_them(twice: Path) -> None:
    assert [(s.first_seq, s.last_seq) for s in Segment.objects.all()] == [(1, 4), (5, 9)]
    assert list(AuditEvent.objects.order_by("id").values_list("id", flat=True)) == [10, 11, 12]
    finding = verify(keys=KEYS)
    assert (finding.bad, finding.rows, finding.sealed, finding.last) == (None, 3, 9, 12)


def test_a_file_can_be_checked_with_nothing_but_sha256(twice: Path) -> None:
    prev, numbers = "0" * 64, []
    for segment in Segment.objects.all():
        raw = (twice / segment.file_name).read_bytes()
        assert sha256(raw).hexdigest() == segment.file_sha256
        for line in map(json.loads, gzip.decompress(raw).splitlines()):
            assert line["prev"] == prev
            prev = sha256((prev + line["canonical"]).encode()).hexdigest()
            assert line["hash"] == prev
            numbers.append(json.loads(line["canonical"])["seq"])
        assert segment.last_hash == prev
    assert numbers == list(range(1, 10))
    assert sorted(path.name for path in twice.iterdir()) == sorted(s.file_name for s in Segment.objects.all())


def test_sealing_is_itself_recorded(twice: Path) -> None:
    row = AuditEvent.objects.filter(action="seal audit log").latest("id")
    assert (row.actor, row.details["first"], row.details["last"]) == ("command line", 5, 9)
    assert row.subject == Segment.objects.get(first_seq=5).file_name


def test_the_newest_row_always_stays_so_that_rows_to_come_have_something_to_hang_on(db: None, tmp_path: Path) -> None:
    assert seal_all(tmp_path) is None
    write(1)
    assert seal_all(tmp_path) is None
    assert AuditEvent.objects.count() == 1


def test_younger_rows_stay(db: None, tmp_path: Path) -> None:
    write(3)
    now = timezone.now()
    assert seal(before=now - timedelta(days=1), folder=tmp_path, key=KEY, by=COMMAND_LINE, now=now) is None
    assert list(tmp_path.iterdir()) == []


def test_rows_that_do_not_hold_are_not_filed_away(db: None, tmp_path: Path) -> None:
    write(6)
    with insider():
        run("UPDATE audit_auditevent SET actor = 'nobody' WHERE seq = 3")
        run("SET LOCAL ROLE portal_owner")
        with pytest.raises(NotSealed, match="Row 3 does not hold"):
            seal_all(tmp_path)
        assert AuditEvent.objects.count() == 6
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("role", ["web", "worker"])
def test_web_and_worker_can_seal_nothing(db: None, tmp_path: Path, role: str) -> None:
    write(6)
    with database_role(role), pytest.raises(DatabaseError):
        seal_all(tmp_path)
    assert AuditEvent.objects.count() == 6
    assert not Segment.objects.exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"first_seq": 2}, {"last_seq": 6}, {"last_seq": 7}, {"last_hash": "0" * 64}, {"first_prev": "1" * 64},
        {"file_sha256": "none"}, {"signature": ""},
    ],
    ids=str,
)  # fmt: skip
def test_the_function_that_removes_rows_looks_for_itself(db: None, wrong: dict[str, object]) -> None:
    write(6)
    given = {
        "first_seq": 1, "last_seq": 4, "first_prev": "0" * 64, "last_hash": AuditEvent.objects.get(id=4).hash,
        "file_name": "x", "file_sha256": "a" * 64, "key": "k", "signature": "s",
    }  # fmt: skip
    with pytest.raises(DatabaseError, match="no sealed segment"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT audit_seal(%s::jsonb)", [json.dumps(given | wrong)])
    assert AuditEvent.objects.count() == 6


@pytest.mark.parametrize("change", ["UPDATE audit_segment SET last_seq = 99", "DELETE FROM audit_segment"])
@pytest.mark.parametrize("role", ["web", "worker", "owner", "audit"])
def test_nobody_changes_what_is_known_of_a_segment(twice: Path, role: str, change: str) -> None:
    with database_role(role), pytest.raises(DatabaseError), transaction.atomic():
        run(change)


def test_rows_outside_a_segment_cannot_be_deleted_even_as_the_audit_role(twice: Path) -> None:
    with database_role("audit"), pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        run("DELETE FROM audit_auditevent WHERE seq = 10")


TAMPERING = {
    "a segment invented to hide rows": (
        "DELETE FROM audit_auditevent WHERE seq = 10;"
        "INSERT INTO audit_segment (first_seq, last_seq, first_prev, last_hash, file_name, file_sha256, key, signature,"
        " sealed_at) SELECT 10, 10, s.last_hash, a.prev, 'x', s.file_sha256, s.key, s.signature, now()"
        " FROM audit_segment s, audit_auditevent a WHERE s.first_seq = 5 AND a.seq = 11"
    ),
    "a segment's end moved": "DELETE FROM audit_auditevent WHERE seq = 10; UPDATE audit_segment SET last_seq = 10,"
    " last_hash = (SELECT prev FROM audit_auditevent WHERE seq = 11) WHERE first_seq = 5",
    "the first segment gone": "DELETE FROM audit_segment WHERE first_seq = 1",
    "the last segment gone": "DELETE FROM audit_segment WHERE first_seq = 5",
    "another file": "UPDATE audit_segment SET file_sha256 = repeat('0', 64) WHERE first_seq = 5",
    "another signature": "UPDATE audit_segment SET signature = 'AAAA' WHERE first_seq = 5",
}


@pytest.mark.parametrize("what", TAMPERING)
def test_tampering_with_segments_is_found_r1(twice: Path, what: str) -> None:
    with insider():
        run(TAMPERING[what])
        assert verify(keys=KEYS).bad is not None
    assert verify(keys=KEYS).bad is None


def test_a_segment_cannot_be_trusted_without_a_key(twice: Path) -> None:
    assert verify(keys={}).bad == 1


def test_anchors_hold_at_a_segments_end_too(twice: Path) -> None:
    good = {4: Segment.objects.get(first_seq=1).last_hash, 10: AuditEvent.objects.get(id=10).hash}
    assert verify(anchors=good, keys=KEYS).bad is None
    assert verify(anchors=good | {4: "0" * 64}, keys=KEYS).bad == 4


# --- the commands -----------------------------------------------------------------------------------------------------


def tomorrow() -> str:
    return f"{timezone.now() + timedelta(days=1):%Y-%m-%d}"


def test_the_command_seals_and_the_check_reads_the_files(
    db: None, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.AUDIT_SIGNING_KEY, settings.AUDIT_KEPT = pem_of(KEY), timedelta(days=-2)
    write(5)
    call_command("seal_audit", "--before", tomorrow(), "--to", str(tmp_path))
    assert capsys.readouterr().out.startswith("Rows 1 to 4 are in audit-000000000001-000000000004-")
    call_command("verify_audit", "--no-anchors", "--segments", str(tmp_path))
    assert "4 more in sealed segments" in capsys.readouterr().out
    (file,) = tmp_path.iterdir()
    file.write_bytes(gzip.compress(b"{}\n"))
    with pytest.raises(CommandError, match=r"Row 1 is the first .* is not the file that was sealed") as ended:
        call_command("verify_audit", "--no-anchors", "--segments", str(tmp_path))
    assert ended.value.returncode == 1
    file.unlink()
    with pytest.raises(CommandError, match="is missing"):
        call_command("verify_audit", "--no-anchors", "--segments", str(tmp_path))


def test_rows_younger_than_the_setting_allows_cannot_be_sealed(db: None, settings: Settings, tmp_path: Path) -> None:
    settings.AUDIT_SIGNING_KEY = pem_of(KEY)
    write(5)
    with pytest.raises(CommandError, match="365 days") as ended:
        call_command(
            "seal_audit", "--before", f"{timezone.now() - timedelta(days=300):%Y-%m-%d}", "--to", str(tmp_path)
        )
    assert ended.value.returncode == 2
    assert AuditEvent.objects.count() == 5


@pytest.mark.parametrize(("typed", "key"), [("long ago", "given"), ("2020-01-01", "")])
def test_what_cannot_be_done_ends_with_status_2(
    db: None, settings: Settings, tmp_path: Path, typed: str, key: str
) -> None:
    settings.AUDIT_SIGNING_KEY = pem_of(KEY) if key else ""
    with pytest.raises(CommandError) as ended:
        call_command("seal_audit", "--before", typed, "--to", str(tmp_path))
    assert ended.value.returncode == 2


def test_the_command_says_where_there_is_nothing_to_seal_or_a_row_does_not_hold(
    db: None, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.AUDIT_SIGNING_KEY, settings.AUDIT_KEPT = pem_of(KEY), timedelta(days=-2)
    call_command("seal_audit", "--before", tomorrow(), "--to", str(tmp_path))
    assert "nothing to seal" in capsys.readouterr().out
    write(5)
    with insider():
        run("UPDATE audit_auditevent SET actor = 'nobody' WHERE seq = 2")
        run("SET LOCAL ROLE portal_owner")
        with pytest.raises(CommandError, match="Row 2 does not hold"):
            call_command("seal_audit", "--before", tomorrow(), "--to", str(tmp_path))
        assert AuditEvent.objects.count() == 5
    assert list(tmp_path.iterdir()) == []
