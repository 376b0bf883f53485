"""What junit-10.xsd takes for a JUnit file, the schema of Jenkins' xUnit plugin, which pytest names as its own too.

github.com/jenkinsci/xunit-plugin, src/main/resources/org/jenkinsci/plugins/xunit/types/model/xsd/junit-10.xsd.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

TIME = re.compile(r"(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\.[0-9]*)?")
VERDICT = (set(), {"type", "message"}, set())
AGAIN = ({"type"}, {"message"}, {"stackTrace", "system-out", "system-err"})
RULES: dict[str, tuple[set[str], set[str], set[str]]] = {
    # element: attributes that it must have, further ones that it may have, children
    "testsuites": (set(), {"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors"},
        {"group", "time", "skipped", "timestamp", "hostname", "id", "package", "file", "log", "url"},
        {"testsuite", "properties", "testcase", "system-out", "system-err"},
    ),
    "testcase": (
        {"name"},
        {"time", "classname", "group"},
        {"skipped", "error", "failure", "rerunFailure", "rerunError", "flakyFailure", "flakyError", "system-out", "system-err"},
    ),
    "properties": (set(), set(), {"property"}),
    "property": ({"name", "value"}, set(), set()),
    "failure": VERDICT, "error": VERDICT, "skipped": VERDICT,
    "rerunFailure": AGAIN, "rerunError": AGAIN, "flakyFailure": AGAIN, "flakyError": AGAIN,
    "system-out": (set(), set(), set()), "system-err": (set(), set(), set()), "stackTrace": (set(), set(), set()),
}  # fmt: skip
MIXED = {"failure", "error", "skipped", "rerunFailure", "rerunError", "flakyFailure", "flakyError"}
TEXT = {"system-out", "system-err", "stackTrace"}


def validated(text: str) -> ET.Element:
    """The document; AssertionError for whatever the schema does not allow, and where numbers are not what they count."""
    root = ET.fromstring(text.encode("utf-8"))
    assert root.tag in ("testsuites", "testsuite")
    for element in root.iter():
        must, may, children = RULES[element.tag]
        assert must <= set(element.keys()), (element.tag, element.keys())
        assert set(element.keys()) <= must | may, (element.tag, element.keys())
        assert {child.tag for child in element} <= children, element.tag
        if element.tag not in MIXED | TEXT:
            assert not "".join((element.text or "", *(child.tail or "" for child in element))).strip(), element.tag
        if element.tag in ("testsuites", "testsuite") and "time" in element.keys():
            assert TIME.fullmatch(element.get("time")), element.get("time")
    for element in (*root.iter("testsuites"), *root.iter("testsuite")):
        for count, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            if count in element.keys():
                assert int(element.get(count)) == len(list(element.iter(tag))), count
    return root
