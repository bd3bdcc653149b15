"""An incident on the wire. Microsoft Learn: List incidents API; additions are recorded from real answers."""

import re

from tests.contract import shapes
from tests.contract.shapes import Json, alerts_of, devices_of, entities_of, values

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?Z")


def keys_of(items: list[Json]) -> set[str]:
    return {name for item in items for name in item}


def test_nothing_is_sent_that_is_neither_documented_nor_recorded_but_what_is_odd_on_purpose(
    everything: list[Json],
) -> None:
    unknown = shapes.UNKNOWN_ON_PURPOSE
    assert keys_of(everything) - shapes.INCIDENT - shapes.INCIDENT_RECORDED == unknown["incident"]
    assert keys_of(alerts_of(everything)) - shapes.ALERT - shapes.ALERT_RECORDED == set()
    assert keys_of(devices_of(everything)) - shapes.DEVICE - shapes.DEVICE_RECORDED == set()
    assert keys_of(entities_of(everything)) - shapes.ENTITY - shapes.ENTITY_RECORDED == unknown["entity"]


def test_every_documented_key_of_incident_and_alert_is_always_there(everything: list[Json]) -> None:
    assert all(item.keys() >= shapes.INCIDENT for item in everything)
    assert all(item.keys() >= shapes.ALERT for item in alerts_of(everything))
    assert all(comment.keys() == shapes.COMMENT for item in everything for comment in item["comments"])


def test_every_recorded_extra_occurs_somewhere(everything: list[Json]) -> None:
    assert keys_of(everything) >= shapes.INCIDENT_RECORDED
    assert keys_of(alerts_of(everything)) >= shapes.ALERT_RECORDED
    assert keys_of(devices_of(everything)) >= shapes.DEVICE_RECORDED
    assert keys_of(entities_of(everything)) >= shapes.ENTITY_RECORDED


def test_an_entity_leaves_out_what_does_not_apply(everything: list[Json]) -> None:
    """Recorded: no nulls among thousands of pairs, unlike the page's sample."""
    nulls = [entity for entity in entities_of(everything) if None in entity.values()]
    assert nulls == []


def test_types_are_as_documented(everything: list[Json]) -> None:
    for incident in everything:
        assert type(incident["incidentId"]) is int
        assert incident["redirectIncidentId"] is None or type(incident["redirectIncidentId"]) is int
        assert all(isinstance(tag, str) for tag in incident["tags"])
        assert re.fullmatch(
            rf"https://security\.microsoft\.com/incidents/{incident['incidentId']}\?tid=[0-9a-f-]{{36}}",
            incident["incidentUri"],
        )
    for alert in alerts_of(everything):
        assert alert["alertId"][:2] in shapes.ALERT_PREFIXES
        assert alert["investigationId"] is None or type(alert["investigationId"]) is int
        assert all(re.fullmatch(r"T\d{4}(\.\d{3})?", one) for one in alert["mitreTechniques"])


def test_an_alert_names_its_own_incident(everything: list[Json]) -> None:
    assert all(alert["incidentId"] == item["incidentId"] for item in everything for alert in item["alerts"])


def test_times_are_utc_with_none_to_seven_digits_and_every_length_occurs(everything: list[Json]) -> None:
    """Recorded: mostly seven or two digits, also one and none."""
    texts = [item[name] for item in everything for name in ("createdTime", "lastUpdateTime")]
    texts += [alert[name] for alert in alerts_of(everything) for name in ("creationTime", "lastUpdatedTime")]
    assert all(MOMENT.fullmatch(text) for text in texts)
    lengths = {len(text.rstrip("Z").partition(".")[2]) for text in texts}
    assert lengths == set(range(8))


def test_values_of_enumerations_are_the_known_ones_and_a_few_odd_ones(everything: list[Json]) -> None:
    odd, alerts, entities = shapes.ODD, alerts_of(everything), entities_of(everything)
    assert values(everything, "severity") - shapes.SEVERITIES <= odd["severity"]
    assert values(everything, "status") - shapes.STATUSES <= odd["status"]
    assert values(everything, "classification") <= shapes.CLASSIFICATIONS
    assert values(everything, "determination") <= shapes.DETERMINATIONS
    assert values(alerts, "severity") <= shapes.SEVERITIES
    assert values(alerts, "status") <= shapes.ALERT_STATUSES
    assert values(alerts, "serviceSource") <= shapes.SERVICES
    assert values(alerts, "detectionSource") <= shapes.DETECTIONS
    assert values(alerts, "investigationState") - shapes.INVESTIGATION_STATES <= odd["investigationState"]
    assert values(entities, "entityType") - shapes.ENTITY_TYPES == odd["entityType"]


def test_every_kind_of_entity_and_of_source_occurs(everything: list[Json]) -> None:
    assert values(entities_of(everything), "entityType") >= shapes.ENTITY_TYPES
    assert values(alerts_of(everything), "serviceSource") >= shapes.SERVICES - {"OfficeATP"}
    assert values(everything, "status") >= shapes.STATUSES
    assert values(everything, "severity") >= shapes.SEVERITIES


def test_a_merged_incident_is_a_shell_that_points_at_an_incident_of_its_tenant(everything: list[Json]) -> None:
    """Recorded: still listed, status Redirected, without alerts. Learn: redirectIncidentId names the other."""
    known = {item["incidentId"] for item in everything}
    for item in everything:
        is_shell = item["status"] == "Redirected"
        assert (item["redirectIncidentId"] is not None) == is_shell
        assert not is_shell or (item["alerts"] == [] and item["redirectIncidentId"] in known)


def test_one_incident_holds_as_many_alerts_as_the_largest_recorded_one(everything: list[Json]) -> None:
    assert max(len(item["alerts"]) for item in everything) == 150
