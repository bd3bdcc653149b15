"""Trees of processes: who is whose parent, and that no ids however odd break the page."""

from typing import Any

from django.template.loader import render_to_string
from hypothesis import given
from hypothesis import strategies as st

from incidents.models import Evidence
from incidents.processes import DEEPEST, DeviceTree, process_trees
from tests.incidents.pages import read

START = "2026-03-02T09:{:02}:00.{}Z"


def piece(name: str, **data: Any) -> tuple[Evidence, int]:
    fields = {"fileName": name, "processCommandLine": name, "deviceId": "d1", **data}
    return Evidence(kind="process", value=name, data=fields), 1


def outline(trees: list[DeviceTree]) -> list[str]:
    """Each process behind as many dots as it is deep."""
    lines = []
    for tree in trees:
        depth = 0
        for line in tree.lines:
            lines.append("." * depth + (line.process.name or "?") + ("" if line.process.is_reported else "*"))
            depth += line.opens - len(line.closes)
        assert depth == 0
    return lines


def test_children_hang_on_the_process_that_started_them() -> None:
    trees = process_trees(
        [
            piece("whoami", processId=3, parentProcessId=2, processCreationTime=START.format(3, 0)),
            piece("word", processId=1, processCreationTime=START.format(1, 0)),
            piece("cmd", processId=2, parentProcessId=1, processCreationTime=START.format(2, 0)),
            piece("calc", processId=4, parentProcessId=1, processCreationTime=START.format(4, 0)),
        ],
        {"d1": "wks-1"},
    )
    assert outline(trees) == ["word", ".cmd", "..whoami", ".calc"]
    assert trees[0].device == "wks-1"


def test_an_id_that_was_given_out_twice_is_told_apart_by_its_start() -> None:
    old, new = (
        piece(name, processId=1, processCreationTime=START.format(at, 0)) for name, at in (("old", 1), ("new", 5))
    )
    child = {"processId": 9, "parentProcessId": 1, "processCreationTime": START.format(7, 0)}
    named = piece("named", **child, parentProcessCreationTime=START.format(1, "0000001"))
    assert outline(process_trees([new, old, named], {})) == ["old", ".named", "new"]
    assert outline(process_trees([old, new, piece("unnamed", **child)], {})) == ["old", "new", ".unnamed"]
    stranger = piece("stranger", **child, parentProcessCreationTime=START.format(3, 0), parentProcessFileName="gone")
    assert outline(process_trees([old, new, stranger], {})) == ["old", "gone*", ".stranger", "new"]


def test_a_process_told_with_and_without_its_parent_is_one() -> None:
    same = {"processId": 2, "processCreationTime": START.format(2, 0)}
    word = piece("word", processId=1, processCreationTime=START.format(1, 0))
    with_parent, without = piece("cmd", parentProcessId=1, **same), piece("cmd", **same)
    for order in ([word, with_parent, without], [without, with_parent, word]):
        assert outline(process_trees(order, {})) == ["word", ".cmd"]


def test_the_same_id_on_another_device_is_another_process() -> None:
    child = piece("child", processId=2, parentProcessId=1, parentProcessFileName="its-own", deviceId="d2")
    assert outline(process_trees([piece("parent", processId=1), child], {})) == ["parent", "its-own*", ".child"]


def test_siblings_share_a_parent_that_was_not_reported() -> None:
    both = [piece(name, processId=n, parentProcessId=7, parentProcessFileName="word") for n, name in enumerate("ab", 1)]
    assert outline(process_trees(both, {})) == ["word*", ".a", ".b"]


def test_circles_are_cut_and_everybody_is_shown_once() -> None:
    a = piece("a", processId=1, parentProcessId=2)
    b = piece("b", processId=2, parentProcessId=1)
    own = piece("own", processId=3, parentProcessId=3)
    names = sorted(line.strip(".") for line in outline(process_trees([a, b, own], {})))
    assert names == ["?*", "a", "b", "own"]


def test_a_chain_without_end_stops_being_indented() -> None:
    chain = [piece(str(n), processId=n, parentProcessId=n - 1) for n in range(1, 400)]
    lines = outline(process_trees(chain, {}))
    assert len(lines) == 400
    assert max(line.count(".") for line in lines) == DEEPEST


odd = st.one_of(
    st.none(),
    st.integers(-2, 4),
    st.sampled_from(("", "1", "2", START.format(1, 0), "x")),
    st.lists(st.integers(), max_size=1),
    st.booleans(),
)
fields = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("processId", "parentProcessId", "processCreationTime", "parentProcessCreationTime",
                                "deviceId", "fileName", "parentProcessFileName"), odd)
)  # fmt: skip


def name_in(data: dict[str, Any]) -> str:
    name = data.get("fileName")
    return "" if name is None or isinstance(name, list) else str(name)


@given(st.lists(fields, max_size=12))
def test_whatever_was_sent_every_process_is_shown_once_in_lists_that_close(sent: list[dict[str, Any]]) -> None:
    pieces = [(Evidence(kind="process", value="v", data=data), 1) for data in sent]
    trees = process_trees(pieces, {})
    reported = [line.process for tree in trees for line in tree.lines if line.process.is_reported]
    assert len(reported) == len({id(process) for process in reported}) <= len(sent)
    assert {process.name for process in reported} == {name_in(data) for data in sent}
    outline(trees)
    page = render_to_string("incidents/_processes.html", {"trees": trees})
    for tag in ("ul", "li", "div"):
        assert page.count(f"<{tag}") == page.count(f"</{tag}>")
    assert read(page.encode()).text or not sent
