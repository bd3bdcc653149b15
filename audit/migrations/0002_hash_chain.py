"""Rows get a number without gaps, canonical bytes and a hash that ties each to the one before; rows there are tied too."""

from django.db import migrations, models

from audit.canonical import GENESIS, canonical_sql, hash_sql

# The owner may do this to rows that have no hash yet; the triggers are back before the migration ends.
CHAIN_WHAT_IS_THERE = f"""
ALTER TABLE audit_auditevent DISABLE TRIGGER USER;
DO $$
DECLARE
    old record;
    number bigint := 0;
    last_hash text := '{GENESIS}';
    text_of text;
BEGIN
    -- Numbers only become smaller and are given in order, so no two rows ever hold the same one.
    FOR old IN SELECT seq FROM audit_auditevent ORDER BY seq LOOP
        number := number + 1;
        UPDATE audit_auditevent SET seq = number WHERE seq = old.seq;
        SELECT {canonical_sql("r")} INTO text_of FROM audit_auditevent r WHERE seq = number;
        UPDATE audit_auditevent SET canonical = text_of, prev = last_hash, hash = {hash_sql("last_hash", "text_of")}
            WHERE seq = number RETURNING hash INTO last_hash;
    END LOOP;
END $$;
ALTER TABLE audit_auditevent ENABLE TRIGGER USER;
"""

APPEND = f"""
-- Runs as portal_audit; takes many events at once; uses the database's clock. The lock makes one chain of all that is
-- appended, and is held until the caller's transaction ends.
CREATE OR REPLACE FUNCTION audit_append(events jsonb) RETURNS SETOF bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    e record;
    last_seq bigint := 0;
    last_hash text := '{GENESIS}';
    new_hash text;
BEGIN
    IF jsonb_array_length(events) = 0 THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('audit_auditevent'));
    SELECT a.seq, a.hash INTO last_seq, last_hash FROM audit_auditevent a ORDER BY a.seq DESC LIMIT 1;
    IF NOT FOUND THEN
        last_seq := 0;
        last_hash := '{GENESIS}';
    END IF;
    FOR e IN
        SELECT x.*, {canonical_sql("x")} AS canonical FROM (
            SELECT last_seq + given.n AS seq, clock_timestamp() AS at, left(given.actor, 200) AS actor,
                left(given.action, 80) AS action, given.tenant, left(coalesce(given.subject, ''), 300) AS subject,
                given.outcome, coalesce(given.details, '{{}}') AS details,
                left(coalesce(given.request_id, ''), 32) AS request_id,
                left(coalesce(given.address, ''), 64) AS address
            FROM ROWS FROM (jsonb_to_recordset(events) AS (actor text, action text, tenant uuid, subject text,
                outcome text, details jsonb, request_id text, address text)) WITH ORDINALITY
                AS given(actor, action, tenant, subject, outcome, details, request_id, address, n)
        ) x ORDER BY x.seq
    LOOP
        new_hash := {hash_sql("last_hash", "e.canonical")};
        INSERT INTO audit_auditevent
            (seq, at, actor, action, tenant, subject, outcome, details, request_id, address, canonical, prev, hash)
        VALUES (e.seq, e.at, e.actor, e.action, e.tenant, e.subject, e.outcome, e.details, e.request_id, e.address,
            e.canonical, last_hash, new_hash);
        last_hash := new_hash;
        RETURN NEXT e.seq;
    END LOOP;
END $$;
"""

SEALING = """
-- Rows may leave the table only into a sealed segment, and only through audit_seal.
CREATE OR REPLACE FUNCTION audit_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'audit_auditevent' AND TG_OP = 'DELETE' AND current_user = 'portal_audit' THEN
        PERFORM 1 FROM public.audit_segment s WHERE OLD.seq BETWEEN s.first_seq AND s.last_seq;
        IF FOUND THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'The audit log is append-only.' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_segment_no_change BEFORE UPDATE OR DELETE ON audit_segment
    FOR EACH ROW EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER audit_segment_no_truncate BEFORE TRUNCATE ON audit_segment
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();

-- Takes the oldest rows out of the table, once a file holds them. Looks itself whether the segment is what it says:
-- the oldest rows, all of them, tied to the segment before, and never the newest row, which new rows hang on.
CREATE FUNCTION audit_seal(given jsonb) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    s record;
    gone bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('audit_auditevent'));
    SELECT * INTO s FROM jsonb_to_record(given) AS x(first_seq bigint, last_seq bigint, first_prev text,
        last_hash text, file_name text, file_sha256 text, key text, signature text);
    PERFORM 1
        FROM audit_auditevent f, audit_auditevent l
        WHERE f.seq = s.first_seq AND f.seq = (SELECT min(seq) FROM audit_auditevent) AND f.prev = s.first_prev
            AND l.seq = s.last_seq AND l.hash = s.last_hash AND l.seq >= f.seq
            AND l.seq < (SELECT max(seq) FROM audit_auditevent)
            AND (SELECT count(*) FROM audit_auditevent WHERE seq BETWEEN f.seq AND l.seq) = l.seq - f.seq + 1
            AND f.seq = coalesce((SELECT max(last_seq) FROM audit_segment), 0) + 1;
    IF NOT FOUND OR s.file_sha256 !~ '^[0-9a-f]{64}$' OR coalesce(s.signature, '') = '' THEN
        RAISE EXCEPTION 'This is no sealed segment of the audit log.' USING ERRCODE = 'insufficient_privilege';
    END IF;
    INSERT INTO audit_segment
        (first_seq, last_seq, first_prev, last_hash, file_name, file_sha256, key, signature, sealed_at)
    VALUES (s.first_seq, s.last_seq, s.first_prev, s.last_hash, s.file_name, s.file_sha256, s.key, s.signature,
        clock_timestamp());
    DELETE FROM audit_auditevent WHERE seq BETWEEN s.first_seq AND s.last_seq;
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END $$;
"""

OWNERS = """
ALTER FUNCTION audit_append(jsonb) OWNER TO portal_audit;
ALTER FUNCTION audit_refuse_change() OWNER TO portal_audit;
ALTER FUNCTION audit_seal(jsonb) OWNER TO portal_audit;
REVOKE ALL ON FUNCTION audit_seal(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_seal(jsonb) TO portal_owner;
ALTER TABLE audit_auditevent OWNER TO portal_audit;
ALTER TABLE audit_segment OWNER TO portal_audit;
REVOKE ALL ON audit_auditevent, audit_segment FROM portal_audit;
GRANT SELECT, INSERT, DELETE ON audit_auditevent TO portal_audit;
GRANT SELECT, INSERT ON audit_segment TO portal_audit;
GRANT SELECT ON audit_segment TO portal_web, portal_worker;
"""

READS = """
-- Whether this person opened this incident within the hour is asked at every opening.
CREATE INDEX audit_event_reads ON audit_auditevent (actor, subject, at) WHERE action = 'read incident';
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]

    operations = [
        migrations.AlterField(
            "auditevent",
            "id",
            models.BigIntegerField(db_column="seq", primary_key=True, serialize=False, verbose_name="number"),
        ),
        migrations.AlterField("auditevent", "action", models.CharField(max_length=80)),
        migrations.AlterField("auditevent", "tenant", models.UUIDField(null=True)),
        migrations.AddField(
            "auditevent",
            "canonical",
            models.TextField(default="", help_text="The bytes that are hashed: see audit/canonical.py."),
            preserve_default=False,
        ),
        migrations.AddField(
            "auditevent",
            "prev",
            models.CharField(default="", help_text="The hash of the row before.", max_length=64),
            preserve_default=False,
        ),
        migrations.AddField(
            "auditevent",
            "hash",
            models.CharField(default="", help_text="SHA-256 over prev and canonical.", max_length=64),
            preserve_default=False,
        ),
        migrations.CreateModel(
            name="Segment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("first_seq", models.BigIntegerField(unique=True)),
                ("last_seq", models.BigIntegerField(unique=True)),
                ("first_prev", models.CharField(max_length=64)),
                ("last_hash", models.CharField(max_length=64)),
                ("file_name", models.CharField(max_length=200)),
                ("file_sha256", models.CharField(max_length=64)),
                ("key", models.CharField(help_text="Fingerprint of the key that signed.", max_length=64)),
                ("signature", models.CharField(max_length=100)),
                ("sealed_at", models.DateTimeField()),
            ],
            options={"ordering": ["first_seq"], "verbose_name": "sealed segment of the audit log"},
        ),
        migrations.RunSQL(CHAIN_WHAT_IS_THERE + APPEND + SEALING + READS, migrations.RunSQL.noop),
        migrations.AddIndex(
            "auditevent", models.Index(fields=["tenant", "-id"], name="audit_event_of_tenant")
        ),
        migrations.AddIndex("auditevent", models.Index(fields=["actor", "-id"], name="audit_event_of_actor")),
        migrations.AddIndex("auditevent", models.Index(fields=["action", "-id"], name="audit_event_of_action")),
        migrations.RunSQL(OWNERS, migrations.RunSQL.noop),
    ]
