"""Whatever a worker sends, the judge gets plain data within bounds or says that it is no answer."""

from __future__ import annotations

import json
import math
import socket
import struct
import threading
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gradcheck.checks.outcome import (
    Argument,
    Call,
    Fault,
    Foreign,
    GeneratorArgument,
    Operand,
    Operation,
    Outcome,
    Returned,
    Stray,
    Unwritten,
)
from gradcheck.isolation.worker import values
from gradcheck.isolation.worker.wire import Closed, Malformed, Seconds, Silent, receive, send


@pytest.fixture
def pair():
    one, other = socket.socketpair()
    yield one, other
    one.close()
    other.close()


def soon(seconds=5.0):
    return Seconds(seconds)


def test_a_frame_arrives_as_it_was_sent(pair):
    body = bytes(range(256)) * 20_000
    threading.Thread(target=send, args=(pair[0], {"do": "call", "n": [1, 2.5, None]}, body)).start()
    assert receive(pair[1], patience=soon()) == ({"do": "call", "n": [1, 2.5, None]}, bytearray(body))


@pytest.mark.parametrize(
    "sent",
    [
        struct.pack(">II", 0xFFFFFFFF, 0),
        struct.pack(">II", 2, 0xFFFFFFFF) + b"{}",
        struct.pack(">II", 4, 0) + b"oops",
        struct.pack(">II", 2, 0) + b"[]",
        struct.pack(">II", 4, 0) + b"\xff\xfe{}",
        struct.pack(">II", 200_000, 0) + b"[" * 200_000,
        struct.pack(">II", 6000, 0) + b'{"a":' + b"9" * 5994 + b"}",
    ],
)
def test_what_is_no_frame_is_malformed(pair, sent):
    threading.Thread(target=pair[0].sendall, args=(sent,)).start()
    with pytest.raises(Malformed):
        receive(pair[1], patience=soon())


def test_half_a_frame_is_waited_for_and_not_longer(pair):
    pair[0].sendall(struct.pack(">II", 100, 0) + b"{")
    with pytest.raises(Silent):
        receive(pair[1], patience=soon(0.1))
    pair[0].close()
    with pytest.raises(Closed):
        receive(pair[1], patience=soon())


def test_a_byte_now_and_then_does_not_keep_the_judge(pair):
    def drip():
        pair[0].sendall(struct.pack(">II", 100, 0))
        for _ in range(50):
            time.sleep(0.02)
            try:
                pair[0].sendall(b" ")
            except OSError:
                return

    threading.Thread(target=drip, daemon=True).start()
    began = time.monotonic()
    with pytest.raises(Silent):
        receive(pair[1], patience=soon(0.2))
    assert time.monotonic() - began < 5


def test_an_announced_length_costs_no_memory(pair):
    pair[0].sendall(struct.pack(">II", 2, 60 << 20) + b"{}")
    pair[0].close()
    tracemalloc.start()
    with pytest.raises(Closed):
        receive(pair[1], patience=soon())
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 4 << 20


OPERATION = Operation(
    7,
    "x @ w",
    "binary",
    "@",
    (Operand("x", "Tensor", (2, 3), "float64"), Operand("w"), Operand("3", "int", value="3")),
    "w_1",
    ("w1",),
    (Stray(3, "torch.ones(2)", "float32", "w"),),
)
OUTCOMES = [
    Outcome("returned", 2.5),
    Outcome("returned", math.inf),
    Outcome("returned", "text"),
    Outcome("returned", Foreign("None", "is there a return statement?")),
    Outcome("not_started"),
    Outcome("unfinished", fault=Fault("NotImplementedError", ""), unwritten=Unwritten("f", 3, "alone", "S.g", 8)),
    Outcome(
        "unfinished", fault=Fault("NotImplementedError", ""), unwritten=Unwritten("f", 3, "alone", "<lambda>", 8, 1)
    ),
    Outcome("raised", fault=Fault("ValueError", "no", ("relu.py:3 in f", "    x"), ("ValueError", "Exception"))),
    Outcome("raised", fault=Fault("RuntimeError", "no", operation=OPERATION)),
    Outcome("timed_out", fault=Fault("timeout", "no result")),
    Outcome("returned", 1.0, mutated=("x",), refused="torch.autograd", recorded=True, advanced=("generator",)),
    Outcome("returned", 1.0, operations=12, generators={"generator": bytes(range(200))}, drew_elsewhere=True),
]


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_an_outcome_comes_back_as_it_was(outcome):
    header, body = values.pack([outcome], "printed")
    assert values.unpack(json.loads(json.dumps(header)), body, 1) == ([outcome], "printed")


def test_many_outcomes_come_back_in_their_order():
    header, body = values.pack(OUTCOMES, "")
    assert values.unpack(json.loads(json.dumps(header)), body, len(OUTCOMES)) == (OUTCOMES, "")


def test_tensors_of_one_form_are_told_once():
    rng = np.random.default_rng(0)
    sent = [Outcome("returned", Returned((2, 3), "float64", "cpu", rng.standard_normal((2, 3)))) for _ in range(50)]
    header, body = values.pack(sent, "")
    assert len(header["forms"]) == 1
    got, _ = values.unpack(json.loads(json.dumps(header)), body, 50)
    assert [each.value.values.tolist() for each in got] == [each.value.values.tolist() for each in sent]


def test_tensors_come_back_as_they_were():
    first = Returned((2, 3), "float32", "cpu", np.arange(6.0).reshape(2, 3), ("x",))
    none = Returned((0, 3), "float64", "cpu", np.zeros((0, 3)))
    labels = Returned((), "int64", "cpu", np.asarray(2**60))
    sparse = Returned((4,), "float64", "cpu", None, problem="not an ordinary dense tensor")
    header, body = values.pack([Outcome("returned", {"a": (first, none), "b": labels, 3: sparse})], "")
    value = values.unpack(json.loads(json.dumps(header)), body, 1)[0][0].value
    assert list(value) == ["a", "b", 3]
    for got, wanted in zip((*value["a"], value["b"]), (first, none, labels), strict=True):
        assert got.values.tolist() == wanted.values.tolist()
        assert got.values.dtype == wanted.values.dtype
        assert (got.shape, got.dtype, got.shares_with) == (wanted.shape, wanted.dtype, wanted.shares_with)
    assert value[3] == sparse


RIGHT = values.pack([Outcome("returned", (Returned((2,), "float64", "cpu", np.ones(2)),), recorded=True)], "")


def changed(header, change):
    """The header with something else in its only outcome."""
    return header | {"outcomes": [header["outcomes"][0] | change]}


@pytest.mark.parametrize(
    "change",
    [
        {"state": "passed"},
        {"state": None},
        {"recorded": 1},
        {"operations": True},
        {"operations": 1e300},
        {"value": None},
        {"value": []},
        {"value": ["T", [["R", [2], "float64", "cpu", "f", [], ""]] * 5000]},
        {"value": ["R", [2, -1], "float64", "cpu", "f", [], ""]},
        {"value": ["R", [10**9, 10**9], "float64", "cpu", "f", [], ""]},
        {"value": ["R", [0] + [1 << 26] * 15, "float64", "cpu", "f", [], ""]},
        {"value": ["R", [0, 10**30], "float64", "cpu", "f", [], ""]},
        {"value": ["R", [3], "float64", "cpu", "f", [], ""]},
        {"value": ["R", [2.0], "float64", "cpu", "f", [], ""]},
        {"value": ["R", [True], "float64", "cpu", "f", [], ""]},
        {"value": ["R", [2], "float64", "cpu", "O", [], ""]},
        {"value": ["R", [1] * 64, "float64", "cpu", "f", [], ""]},
        {"value": ["R", [2], 7, "cpu", "f", [], ""]},
        {"value": ["R", [2], "float64", "cpu", "f", "x", ""]},
        {"value": ["T", [["T", [["T", [["T", [["T", [["F", 1]]]]]]]]]]]},
        {"value": ["F", "1"]},
        {"value": ["F", 10**400]},
        {"value": ["D", [[["key"], ["F", 1.0]]]]},
        {"value": ["Z"]},
        {"fault": "died"},
        {"state": "raised", "fault": None},
        {"mutated": "x"},
        {"mutated": [1]},
        {"generators": [["g", "not base64!"]]},
        {"generators": [["g", "A" * 20_000]]},
        {"printed": 3},
    ],
)
def test_a_header_that_says_anything_else_is_malformed(change):
    header, body = RIGHT
    header = json.loads(json.dumps(header))
    values.unpack(header, body, 1)
    with pytest.raises(Malformed):
        values.unpack(header | change if "printed" in change else changed(header, change), body, 1)


FORM = ["R", [2], "float64", "cpu", "f", [], ""]


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"outcomes": [], "forms": [], "printed": ""},
        {"outcomes": [0], "forms": [], "printed": ""},
        {"outcomes": [1], "forms": [FORM], "printed": ""},
        {"outcomes": [-1], "forms": [FORM], "printed": ""},
        {"outcomes": [False], "forms": [FORM], "printed": ""},
        {"outcomes": [0.0], "forms": [FORM], "printed": ""},
        {"outcomes": [FORM], "forms": [], "printed": ""},
        {"outcomes": [0, 0], "forms": [FORM], "printed": ""},
        {"outcomes": [0], "forms": [FORM, FORM], "printed": ""},
        {"outcomes": [0], "forms": [["F", 1.0]], "printed": ""},
        {"outcomes": [0], "forms": [["T", [["F", 1.0]]]], "printed": ""},
        {"outcomes": [0], "forms": [["T", [["T", [FORM]]]]], "printed": ""},
        {"outcomes": [0], "forms": [["D", [["x", FORM]]]], "printed": ""},
        {"outcomes": [0], "forms": [[*FORM[:2], "a", "b", "f", "x", ""]], "printed": ""},
        {"outcomes": {"0": 0}, "forms": [FORM], "printed": ""},
        {"outcomes": [0], "forms": {"0": FORM}, "printed": ""},
        {"outcomes": [0], "forms": [FORM]},
    ],
)
@pytest.mark.parametrize("most", [1, 2])
def test_a_batch_of_anything_else_is_malformed(header, most):
    if most == 2 and header.get("outcomes") == [0, 0]:
        assert len(values.unpack(header, bytes(32), most)[0]) == 2
        return
    with pytest.raises(Malformed):
        values.unpack(header, bytes(16), most)


def test_many_forms_cannot_ask_for_more_than_a_frame_holds():
    large = ["R", [1 << 20], "float64", "cpu", "f", [], ""]
    with pytest.raises(Malformed):
        values.length_of({"outcomes": [0] * 500, "forms": [large], "printed": ""}, 500)


@pytest.mark.parametrize(
    "change",
    [
        {0: -1},
        {0: True},
        {0: "7"},
        {1: 7},
        {2: "passed"},
        {2: None},
        {4: None},
        {4: [["x", "Tensor", [2, -3], "float64", ""]]},
        {4: [["x", "Tensor", [2] * 17, "float64", ""]]},
        {4: [["x", "Tensor", "2", "float64", ""]]},
        {4: [["x", "Tensor"]]},
        {6: "w1"},
        {7: [[3, "torch.ones(2)", None, "w"]]},
        {7: 3},
        {8: 1},
    ],
)
def test_an_operation_of_anything_else_is_malformed(change):
    header, body = values.pack([Outcome("raised", fault=Fault("ValueError", "no", operation=OPERATION))], "")
    header = json.loads(json.dumps(header))
    row = header["outcomes"][0]["fault"][4]
    for place, other in change.items():
        row[place:] = [other, *row[place + 1 :]]
    with pytest.raises(Malformed):
        values.unpack(header, body, 1)


def test_what_is_told_of_an_operation_is_short():
    row = [10**30, "x" * 9999, "call", "f" * 9999, [["x" * 9999, "", None, "", ""]] * 99, "", ["y" * 9999], []]
    header = {"outcomes": [json.loads(json.dumps(values.pack([Outcome("not_started")], "")[0]["outcomes"][0]))]}
    header["outcomes"][0] |= {"state": "raised", "fault": ["E", "no", [], [], row]}
    ((found,), _) = values.unpack(header | {"forms": [], "printed": ""}, b"", 1)
    told = found.fault.operation
    assert max(map(len, (told.source, told.name, told.operands[0].source, *told.similar))) <= 200
    assert len(told.operands) <= 40
    assert told.line < 10**10


@pytest.mark.parametrize(
    "unwritten",
    [
        None,
        "f",
        ["f", 3, "alone", "", 0],
        ["f is right: full marks", 3, "alone", "", 0, 0],
        ["f", 3, "alone", "g\nall checks passed", 0, 0],
        ["f", 3, "alone", "<script>alert(1)</script>", 0, 0],
        ["", 3, "alone", "", 0, 0],
        ["f", "3 (all passed)", "alone", "", 0, 0],
        ["f", True, "alone", "", 0, 0],
        ["f", -1, "alone", "", 0, 0],
        ["f", 3, "passed", "", 0, 0],
        ["f", 3, ["alone"], "", 0, 0],
        ["f" * 1000, 3, "alone", "", 0, 0],
        [["f"], 3, "alone", "", 0, 0],
    ],
)
def test_what_is_not_written_cannot_be_told_in_a_submissions_own_words(unwritten):
    header, body = values.pack([Outcome("unfinished", 0.0, Fault("NotImplementedError", ""))], "")
    with pytest.raises(Malformed):
        values.unpack(changed(header, {"unwritten": unwritten}), body, 1)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.sampled_from("RTDXSFfi"),
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=25,
)


@settings(deadline=None, suppress_health_check=list(HealthCheck))  # on a machine that is busy
@given(
    st.dictionaries(st.sampled_from(list(RIGHT[0])), JSON),
    st.dictionaries(st.sampled_from(list(RIGHT[0]["outcomes"][0])), JSON),
    st.binary(max_size=64),
)
def test_nothing_but_malformed_comes_of_anything(change, inside, body):
    try:
        values.unpack(changed(RIGHT[0], inside) | change, body, 4)
    except Malformed:
        pass


def test_arguments_arrive_as_they_were_sent():
    sent = {
        "x": Argument(np.arange(6.0).reshape(2, 3), "float32", "transposed"),
        "labels": Argument(np.asarray([1, 2]), "int64"),
        "mask": Argument(np.asarray([True, False]), "bool"),
        "params": {"w": Argument(np.zeros((0, 2)), "float64"), ("a", 1): (1, 2.5, math.inf)},
        "parents": {"c": ["a", "b"], 3: []},
        "generator": GeneratorArgument(7, b"\x00\xff", 3),
        "lr": np.float64(0.5),
    }
    packed = values.Packed()
    nodes = json.loads(json.dumps(values.pack_calls([Call("f", {}), Call("g", sent, count=True)], packed)))
    first, second = values.unpack_calls(nodes, packed.bytes())
    assert (first, second.function, second.count) == (Call("f", {}), "g", True)
    got = second.arguments
    assert list(got) == list(sent)
    for name in ("x", "labels", "mask"):
        assert (got[name].dtype, got[name].layout) == (sent[name].dtype, sent[name].layout)
        assert got[name].values.tolist() == sent[name].values.tolist()
        assert got[name].values.dtype == sent[name].values.dtype
    assert got["params"]["w"].values.shape == (0, 2)
    assert got["params"]["a", 1] == (1, 2.5, math.inf)
    assert (got["parents"], got["generator"], got["lr"]) == (sent["parents"], sent["generator"], 0.5)
