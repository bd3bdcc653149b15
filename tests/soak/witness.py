"""Looks on while the soak runs: writes by workers that had lost their lease, freshness, memory."""

import statistics
import time
from dataclasses import dataclass, field
from typing import Any

import psycopg

from tests.soak.stage import Stage

# A lease's owner begins with machine and process, and so does the name a worker gives to its connections. Whatever
# keeps or ends a lease, or moves a watermark, must come from the owner, and where there is none from nobody; a claim
# raises the epoch and is not looked at.
_JOURNAL = """
CREATE TABLE soak_zombie (at timestamptz DEFAULT clock_timestamp(), tenant_id bigint, writer text, owner text);
GRANT INSERT ON soak_zombie TO portal_worker, portal_web;
CREATE FUNCTION soak_look() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.lease_epoch = OLD.lease_epoch
        AND (NEW.lease_until IS DISTINCT FROM OLD.lease_until OR NEW.watermark_text <> OLD.watermark_text)
        AND current_setting('application_name') LIKE 'portal-worker %'
        AND NOT starts_with(OLD.lease_owner, split_part(current_setting('application_name'), ' ', 2) || ':')
    THEN
        INSERT INTO soak_zombie (tenant_id, writer, owner)
            VALUES (OLD.tenant_id, current_setting('application_name'), OLD.lease_owner);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER soak_look BEFORE UPDATE ON tenants_syncstate FOR EACH ROW EXECUTE FUNCTION soak_look();
"""
_AGES = """
SELECT extract(epoch FROM clock_timestamp() - s.last_ok_at)
FROM tenants_syncstate s JOIN tenants_tenant t ON t.id = s.tenant_id
WHERE s.last_ok_at IS NOT NULL AND t.state IN ('connected', 'degraded')
"""


@dataclass
class Witness:
    """``ages`` are seconds since the last complete pass, over all tenants and samples; ``memory`` (minute, MiB)."""

    stage: Stage
    ages: list[float] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def install(self) -> None:
        """Put the journal into the database."""
        with self.stage.database() as connection:
            connection.execute(_JOURNAL)

    def sample(self, survivor: str) -> None:
        """One look; where the database is away there is none."""
        self.memory.append(((time.monotonic() - self.began) / 60, self.stage.rss(survivor)))
        try:
            with self.stage.database() as connection:
                self.ages += [float(age) for (age,) in connection.execute(_AGES)]
        except psycopg.OperationalError:
            return

    def zombies(self) -> list[str]:
        """Writes by workers that had lost their lease."""
        with self.stage.database() as connection:
            rows = connection.execute("SELECT tenant_id, writer, owner FROM soak_zombie ORDER BY at").fetchall()
        return [f"tenant {tenant}: {writer} wrote under the lease of {owner}" for tenant, writer, owner in rows]

    def figures(self) -> dict[str, Any]:
        """Freshness in seconds and the slope of memory in MiB per minute, its first half left aside (caches fill)."""
        ages = sorted(self.ages) or [0.0]
        return {
            "freshness_p50": round(ages[len(ages) // 2], 1),
            "freshness_p95": round(ages[int(len(ages) * 0.95)], 1),
            "freshness_max": round(ages[-1], 1),
            "rss_mib": round(self.memory[-1][1], 1) if self.memory else 0.0,
            "rss_slope_mib_per_minute": round(slope(self.memory[len(self.memory) // 2 :]), 2),
        }


def slope(points: list[tuple[float, float]]) -> float:
    """The slope of the straight line through the points; 0 where there is none."""
    if len({x for x, _ in points}) < 2:
        return 0.0
    return statistics.linear_regression([x for x, _ in points], [y for _, y in points]).slope
