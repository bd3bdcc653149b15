"""The roll-up of many tenants at once, counted from the incidents; without Django, so without ``incidents.rollup``."""

# As incidents.rollup has them: status, severity, unassigned.
CELLS = [(status, severity, nobody) for status in (1, 2, 9, 3, 4) for severity in range(1, 6) for nobody in (0, 1)]


def fill(where: str = "true") -> str:
    """SQL that inserts a row for each tenant whose incidents meet the condition."""
    cells = ", ".join(
        f"coalesce(sum(n) FILTER (WHERE status = {status} AND severity = {severity} AND nobodys = {nobody}), 0)"
        for status, severity, nobody in CELLS
    )
    return f"""
INSERT INTO incidents_rollup (tenant_id, cells)
SELECT tenant_id, ARRAY[{cells}]::integer[]
FROM (SELECT tenant_id, status, severity, (assigned_to IS NULL)::integer AS nobodys, count(*) AS n
      FROM incidents_incident WHERE {where} GROUP BY 1, 2, 3, 4) counted
GROUP BY tenant_id;
"""  # noqa: S608  constants, and a condition of the tests' own
