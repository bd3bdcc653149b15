"""A million incidents (or five) over a thousand tenants, made by PostgreSQL itself in a few statements.

Everything follows from the row's number and nothing from chance or from the clock, so that two machines have the same
rows. Tenants are skewed: of two the one with the lower number has more, the first three in a hundred of all. Of the
incidents 12 % are open. The newest fifth has three alerts each, and each alert three or four pieces of evidence.
"""

from dataclasses import dataclass

from tests import rollups

TENANTS = 1_000
EPOCH = "2026-06-01 00:00:00+00"
FIRST_NUMBER = 1_000_000  # Microsoft's numbers begin above; those below are free for incidents that a run adds
BIG_NUMBER = 999_999  # of the first tenant: 150 alerts and 5,000 entities
BIG_ALERTS, BIG_ENTITIES = 150, 5_000
HOT_VALUE = "203.0.113.7"  # an address in one of five hundred pieces of evidence, whoever the tenant
SELDOM, NOWHERE = "needle", "unheardof"
READERS = {20: 4, 200: 4, 1_000: 1}  # how many people may read so many tenants


@dataclass(frozen=True, slots=True)
class Size:
    """``disk`` is what data, indexes, the second copy and the log need at most, in bytes."""

    name: str
    incidents: int

    @property
    def alerts(self) -> int:
        """Three for each of the newest fifth."""
        return self.incidents // 5 * 3

    @property
    def evidence(self) -> int:
        """Two million for a million incidents, ten for five."""
        return self.incidents * 2

    @property
    def disk(self) -> int:
        """Measured: 3.1 KB per incident, and as much again while indexes are built and the log is long."""
        return self.incidents * 6_000 + 4 * 10**9


SIZES = {
    "20K": Size("20K", 20_000),
    "100K": Size("100K", 100_000),
    "1M": Size("1M", 1_000_000),
    "5M": Size("5M", 5_000_000),
}
# A number in [0, 1) that follows from n and k; which tenant the n-th incident is of.
FUNCTIONS = f"""
CREATE SCHEMA IF NOT EXISTS bench;
CREATE OR REPLACE FUNCTION bench.u(n bigint, k bigint) RETURNS float8 LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    'SELECT (hashint8extended(n, k) & 1073741823) / 1073741824.0::float8';
CREATE OR REPLACE FUNCTION bench.tenant_of(n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    'SELECT 1 + floor({TENANTS} * bench.u(n, 1) * bench.u(n, 1))::bigint';
"""
ESTATE = f"""
INSERT INTO tenants_customer (id, name, created_at)
    SELECT n, 'Customer ' || n, '{EPOCH}' FROM generate_series(1, {TENANTS}) n;
INSERT INTO tenants_tenant (id, customer_id, entra_id, slug, name, domain, state, state_code, state_detail,
        state_reference, state_since, accepted_roles, connected_at, created_at)
    SELECT n, n, md5('tenant ' || n)::uuid, 'tenant-' || n, 'Tenant ' || n || ' Holding', 'tenant' || n || '.example',
        'connected', '', '', '', '{EPOCH}', '[]', '{EPOCH}', '{EPOCH}' FROM generate_series(1, {TENANTS}) n;
INSERT INTO tenants_syncstate (tenant_id, next_due_at, lease_owner, lease_epoch, watermark, watermark_text,
        backfilled_at, sweep_due_at, gaps_left, pass_kind, pass_since, pass_skip, pass_newest, pass_missing,
        pass_outdated, pass_silent, failures, is_slow, last_error_code, last_error, progress_pages, progress_seen,
        progress_reached, last_ok_at)
    SELECT n, NULL, '', 0, '{EPOCH}', '2026-06-01T00:00:00Z', '{EPOCH}', '{EPOCH}', 0, '', '', 0, '', 0, 0, 0, 0, false,
        '', '', 0, 0, '', '{EPOCH}' FROM generate_series(1, {TENANTS}) n;
"""  # noqa: S608  constants only
# Person r of those with so many tenants. Whose tenants they are goes by a hash; memberships stand here by themselves,
# because triggers are off while this is loaded.
PERSON = """
WITH person AS (
    INSERT INTO accounts_user (password, username, display_name, is_active, is_staff, time_zone, theme, high_contrast,
        single_keys, created_at)
    VALUES ('!', %(name)s, %(name)s, true, false, 'UTC', 'system', false, true, now()) RETURNING id),
theirs AS (SELECT n FROM generate_series(1, 1000) n ORDER BY bench.u(n, 1000 + %(r)s), n LIMIT %(count)s),
granted AS (
    INSERT INTO tenants_grant (user_id, role, tenant_id, granted_by, granted_at)
    SELECT person.id, 'analyst', theirs.n, 'bench', now() FROM person, theirs RETURNING user_id, tenant_id, role)
INSERT INTO tenants_membership (user_id, tenant_id, role) SELECT user_id, tenant_id, role FROM granted
"""
INCIDENTS = f"""
INSERT INTO incidents_incident (id, tenant_id, number, name, status, remote_status, severity, remote_severity, is_open,
    assigned_to, classification, determination, updated_at, created_at, updated_text, redirect_number, alert_count,
    evidence_count, host, account, web_link, content_hash, cleaned, is_stub, parser_version, first_seen_at, changed_at)
SELECT n, tenant, {FIRST_NUMBER} + n, name || ' on one endpoint involving ' || host, status,
    (ARRAY['Active', 'InProgress', 'Resolved', 'Redirected'])[status], severity,
    (ARRAY['Informational', 'Low', 'Medium', 'High'])[severity], status < 3,
    CASE WHEN bench.u(n, 6) > 0.6 THEN 'analyst' || n %% 40 || '@mssp.example' END,
    CASE WHEN status = 3 THEN 'TruePositive' ELSE 'Unknown' END, '', at, at - interval '1 hour',
    to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"0Z"'),
    CASE WHEN status = 4 THEN {FIRST_NUMBER} + n + 1 END, 1 + n %% 5, 3 + n %% 20, host, 'user' || n %% 2000,
    'https://security.microsoft.com/incidents/' || n, decode(md5(n::text), 'hex'), false, false, 1, at, at
FROM (SELECT n, bench.tenant_of(n) AS tenant,
        CASE WHEN bench.u(n, 2) < 0.12 THEN CASE WHEN bench.u(n, 3) < 0.7 THEN 1 ELSE 2 END
            WHEN bench.u(n, 3) < 0.04 THEN 4 ELSE 3 END AS status,
        CASE WHEN bench.u(n, 4) < 0.25 THEN 1 WHEN bench.u(n, 4) < 0.62 THEN 2 WHEN bench.u(n, 4) < 0.92 THEN 3
            ELSE 4 END AS severity,
        timestamptz '{EPOCH}' - interval '180 days' * (%(incidents)s - n + bench.u(n, 5)) / %(incidents)s AS at,
        'desktop-' || substr(md5((n / 7)::text), 1, 7) AS host,
        (ARRAY['Suspicious sign-in', 'Multi-stage incident', 'Malware was detected', 'Mail with a malicious link',
            'Credential access', 'Unusual file deletion', 'Impossible travel', 'Command and control'])[1 + n %% 8]
            AS name FROM generate_series(1, %(incidents)s::bigint) n) made
"""  # noqa: S608  constants only
SEARCH = f"""
INSERT INTO incidents_incidentsearch (incident_id, tenant_id, text)
SELECT id, tenant_id, lower(name) || ' ' || host || '.corp.example ' || account || '@tenant' || tenant_id
    || '.example 192.0.2.' || id %% 250 || ' 10.' || id %% 200 || '.' || id %% 100 || '.7 ' || md5(id::text)
    || md5('a' || id) || ' ' || md5('b' || id / 4) || md5('c' || id / 4) || ' powershell.exe outlook.exe'
    || ' https://files' || id %% 5000 || '.example/download execution of a suspicious script lateral movement'
    || CASE WHEN id %% 499 = 0 THEN ' {SELDOM}' ELSE '' END
FROM incidents_incident
"""  # noqa: S608  constants only
TAGS = """
INSERT INTO incidents_incidenttag (tenant_id, incident_id, tag)
SELECT tenant_id, id, 'tag ' || id %% 30 FROM incidents_incident WHERE id %% 10 = 0
"""
TECHNIQUES = """
INSERT INTO incidents_incidenttechnique (tenant_id, incident_id, technique)
SELECT bench.tenant_of(n), n, (ARRAY['T1078', 'T1566.002', 'T1059.001', 'T1110.003', 'T1021', 'T1486'])[1 + n %% 6]
FROM generate_series(%(incidents)s - %(alerts)s / 3 + 1, %(incidents)s::bigint) n
"""
_ALERT_FIELDS = """(id, tenant_id, incident_id, alert_id, title, description, category, status, severity,
    remote_severity, service_source, detection_source, classification, determination, investigation_state, assigned_to,
    actor, threat_family, techniques, created_at, updated_at, first_activity_at, last_activity_at, content_hash)"""
ALERTS = f"""
INSERT INTO incidents_alert {_ALERT_FIELDS}
SELECT a, bench.tenant_of(n), n, 'da' || a, 'Suspicious script was executed', 'A script behaved as malware does.',
    'Execution', 'New', 1 + n %% 4, 'Medium', 'MicrosoftDefenderForEndpoint', 'WindowsDefenderAtp', '', '', '', '', '',
    '', '["T1059.001"]', '{EPOCH}', '{EPOCH}', '{EPOCH}'::timestamptz - a * interval '1 second', '{EPOCH}',
    decode(md5(a::text), 'hex')
FROM generate_series(1, %(alerts)s::bigint) a,
    LATERAL (SELECT %(incidents)s - %(alerts)s / 3 + (a + 2) / 3 AS n) of
"""  # noqa: S608  constants only
_EVIDENCE_FIELDS = "(tenant_id, alert_id, kind, value, key, verdict, remediation_status, first_seen_at, data)"
EVIDENCE = f"""
INSERT INTO incidents_evidence {_EVIDENCE_FIELDS}
SELECT bench.tenant_of(%(incidents)s - %(alerts)s / 3 + (alert + 2) / 3), alert, kind, value,
    decode(md5(kind || value || m), 'hex'), 'Suspicious', '',
    '{EPOCH}'::timestamptz - m %% 9999999 * interval '1 second', jsonb_build_object('entityType', kind, 'value', value)
FROM (SELECT m, 1 + (m - 1) * %(alerts)s / %(evidence)s AS alert,
        (ARRAY['ip', 'file', 'url', 'user', 'device'])[1 + m %% 5] AS kind,
        CASE WHEN m %% 500 = 0 THEN '{HOT_VALUE}' ELSE CASE m %% 5
            WHEN 0 THEN '198.51.' || (m / 5) %% 200 || '.' || (m / 1000) %% 250
            WHEN 1 THEN md5('a' || m / 20) || md5('b' || m / 20)
            WHEN 2 THEN 'https://files' || m / 50 || '.example/download'
            WHEN 3 THEN 'user' || m %% 40000 || '@corp.example'
            ELSE 'desktop-' || substr(md5((m / 35)::text), 1, 7) || '.corp.example' END END AS value
    FROM generate_series(1, %(evidence)s::bigint) m) made
"""  # noqa: S608  constants only
BIG = f"""
INSERT INTO incidents_incident (id, tenant_id, number, name, status, remote_status, severity, remote_severity, is_open,
    classification, determination, updated_at, created_at, updated_text, alert_count, evidence_count, host, account,
    web_link, content_hash, cleaned, is_stub, parser_version, first_seen_at, changed_at)
VALUES (%(incidents)s + 1, 1, {BIG_NUMBER}, 'Multi-stage incident on many endpoints', 1, 'Active', 4, 'High', true, '',
    '', '{EPOCH}', '{EPOCH}', '', {BIG_ALERTS}, {BIG_ENTITIES}, 'desktop-big', 'user-big',
    'https://security.microsoft.com/incidents/1', decode(md5('big'), 'hex'), false, false, 1, '{EPOCH}', '{EPOCH}');
INSERT INTO incidents_alert {_ALERT_FIELDS}
SELECT %(alerts)s + a, 1, %(incidents)s + 1, 'big' || a, 'Suspicious script number ' || a,
    repeat('What happened. ', 20), 'Execution', 'New', 1 + a %% 4, 'Medium', 'MicrosoftDefenderForEndpoint',
    'WindowsDefenderAtp', '', '', '', '', '',
    '', '["T1059.001", "T1566.002"]', '{EPOCH}', '{EPOCH}', '{EPOCH}'::timestamptz - a * interval '1 minute',
    '{EPOCH}', decode(md5('big' || a), 'hex') FROM generate_series(1, {BIG_ALERTS}) a;
INSERT INTO incidents_evidence {_EVIDENCE_FIELDS}
SELECT 1, %(alerts)s + 1 + m %% {BIG_ALERTS}, kind, 'big-' || m, decode(md5('big' || m), 'hex'), 'Suspicious', 'Active',
    '{EPOCH}', jsonb_build_object('entityType', kind, 'ipAddress', '10.0.' || m / 250 || '.' || m %% 250, 'fileName',
        'tool' || m || '.exe', 'filePath', 'C:\\Users\\public\\tools\\' || m, 'sha256', md5('a' || m) || md5('b' || m),
        'processCommandLine', 'powershell.exe -File C:\\Users\\public\\tools\\' || m || '.ps1', 'processId', m,
        'userPrincipalName', 'user' || m || '@corp.example', 'url', 'https://files' || m || '.example/x',
        'deviceDnsName', 'desktop-' || m || '.corp.example', 'osPlatform', 'Windows11', 'riskScore', 'high')
FROM (SELECT m, (ARRAY['ip', 'file', 'url', 'user', 'device', 'process'])[1 + m %% 6] AS kind
    FROM generate_series(1, {BIG_ENTITIES}) m) made;
INSERT INTO incidents_incidenttechnique (tenant_id, incident_id, technique)
SELECT 1, %(incidents)s + 1, 'T' || 1000 + n FROM generate_series(1, 30) n;
INSERT INTO incidents_comment (tenant_id, incident_id, position, text, created_by, created_at)
SELECT 1, %(incidents)s + 1, n, repeat('What I saw. ', 20), 'analyst' || n, '{EPOCH}' FROM generate_series(1, 50) n;
"""  # noqa: S608  constants only
# The same incidents as a table has them on which somebody put the foreign key's index and no other.
PLAIN = """
CREATE TABLE bench.plain AS SELECT * FROM incidents_incident ORDER BY id;
ALTER TABLE bench.plain ADD PRIMARY KEY (id);
CREATE INDEX plain_tenant ON bench.plain (tenant_id);
GRANT USAGE ON SCHEMA bench TO portal_web;
GRANT SELECT ON bench.plain TO portal_web;
"""
# In this order; each with what it is called while it runs.
STEPS = (
    ("estate", ESTATE),
    ("incidents", INCIDENTS),
    ("search text", SEARCH),
    ("tags", TAGS),
    ("techniques", TECHNIQUES),
    ("alerts", ALERTS),
    ("evidence", EVIDENCE),
    ("the big incident", BIG),
    ("roll-up", rollups.fill()),
)
LOADED = (
    "incidents_incident",
    "incidents_incidentsearch",
    "incidents_incidenttag",
    "incidents_incidenttechnique",
    "incidents_alert",
    "incidents_evidence",
)
SEQUENCES = ("tenants_customer", "tenants_tenant", "incidents_incident", "incidents_alert")


def statements() -> str:
    """All that decides what the data are."""
    return "".join([FUNCTIONS, PERSON, PLAIN, repr(READERS), *(statement for _, statement in STEPS)])
