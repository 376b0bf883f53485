"""Sentences that were untrue or could not be read, each standing for its kind."""

from __future__ import annotations

import re

import msgspec
import numpy as np
import pytest
import torch

from gradcheck.catalog import all_exercises, find_exercise
from gradcheck.checks import compare, wording
from gradcheck.checks.cases import Case
from gradcheck.checks.compare import Wanted
from gradcheck.checks.outcome import Fault, Outcome, Returned
from gradcheck.checks.results import CheckResult
from gradcheck.checks.traits import traits_of
from gradcheck.checks.trials import Trial
from gradcheck.classes.written import check_written
from gradcheck.diagnosis.circumstances import KNOWN
from gradcheck.diagnosis.codes import CODES, thought
from gradcheck.diagnosis.guess import say
from gradcheck.diagnosis.matching import close
from tests.checks.solutions import solution
from tests.diagnosis.diagnosed import first_failure


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("expected")


def log_one_plus_exp(x):
    return torch.where(x > 100, x, torch.log(1 + torch.exp(torch.clamp(x, max=100.0))))


def bce_forward(logits, targets):
    return (targets * log_one_plus_exp(-logits) + (1 - targets) * log_one_plus_exp(logits)).mean()


def from_five_on(x):
    """Right for rows of up to five."""
    return torch.softmax(x, -1) if x.shape[-1] <= 5 else torch.softmax(x[..., :5], -1).repeat(1, 2)[..., : x.shape[-1]]


def no_ones(x):
    return x.relu() if 1 not in x.shape else x.relu() + 1


def first_prediction(logits):
    return torch.softmax(logits, 1).argmax(1)


def replaced_deviation(x):
    std = x.std(0, unbiased=False)
    return x.mean(0), torch.where(std < 1e-12, torch.ones_like(std), std)


def by_squares(x):
    return x.mean(0), (x.square().mean(0) - x.mean(0) ** 2).clamp(min=0).sqrt()


AT_EDGES = [
    ("bce_with_logits", "forward", bce_forward),
    ("softmax", "forward", from_five_on),
    ("relu", "forward", no_ones),
    ("inference", "predict", first_prediction),
    ("normalise", "fit", replaced_deviation),
    ("normalise", "fit", by_squares),
    ("softmax", "forward", lambda x: x.exp() / x.exp().sum(-1, True)),
    ("relu", "forward", lambda x: torch.where((x.abs() > 9).any(), -x.relu(), x.relu())),
    ("maximum", "forward", lambda a, b: torch.where(a == b, 2 * a, torch.maximum(a, b))),
]


@pytest.mark.table
@pytest.mark.parametrize(
    ("name", "function", "wrong"), AT_EDGES, ids=lambda each: each if isinstance(each, str) else ""
)
def test_what_is_told_of_an_edge_holds_of_the_case_that_is_shown(name, function, wrong, cache):
    result = first_failure(name, function, wrong, cache, shrink=True)
    assert result.check == "edge_cases"
    exercise = find_exercise(name)
    spec = exercise.task.function(function)
    shown = traits_of(result.counterexample.arguments, None if spec.reference else spec.operator or exercise.operator)
    told = [known for known in KNOWN if re.search(rf" {re.escape(known.words)}(,|:|$)", result.message)]
    assert all(known.facts <= shown for known in told), result.message
    here = re.search(r"here: (.*)$", result.message)
    assert here is None or result.diagnosis.cases[0].startswith(here[1])
    reason = re.search(r"exp\(", result.message)
    assert told or here or reason or "for these" in result.message, result.message
    assert "arguments" not in msgspec.to_builtins(check_written(result))["counterexample"]
    finite = np.isfinite(np.asarray(result.counterexample.got, dtype=float)).all() if name == "softmax" else True
    told_so = re.search(r" (is|are) (NaN|infinite)", result.message) is not None
    assert told_so == (name == "bce_with_logits" or not finite)


def test_rounded_ties_have_nothing_to_do_with_equal_sizes(cache):
    result = first_failure("inference", "predict", first_prediction, cache, shrink=True)
    assert result.message == "right for ordinary inputs, but the prediction is wrong where entries are nearly equal"


def test_a_size_that_passes_is_not_the_reason():
    sizes = [known for known in KNOWN if known.code in ("edge-size", "empty-batch")]
    assert len(sizes) >= 6
    assert all(known.strict for known in sizes)


def test_infinity_is_near_nothing_else():
    infinite, finite = np.array([np.inf, 1.0]), np.array([5.0, 1.0])
    assert close(infinite, infinite, "float64", 1.0)
    assert not close(infinite, finite, "float64", 1.0)
    assert not close(finite, infinite, "float64", 1.0)
    assert not close(infinite, -infinite, "float64", 1.0)
    beyond = np.array([1e200, 1.0])
    assert close(infinite, beyond, "float32", 1.0)
    assert not close(infinite, beyond, "float64", 1.0)


def test_cancellation_gives_no_infinity(cache):
    result = first_failure("normalise", "fit", by_squares, cache, shrink=True)
    assert np.isfinite(np.asarray(result.counterexample.got["std"])).all()
    assert "NaN" not in result.message
    assert "infinite" not in result.message


def test_a_mask_kept_with_the_wrong_chance_is_not_wrong_at_zero_alone(cache):
    def keeps_with_p(x, p, generator):
        if not 0 <= p < 1:
            raise ValueError
        mask = torch.rand(x.shape, generator=generator, dtype=torch.float64) < p
        return x * mask / (1 - p), mask

    result = first_failure("dropout", "forward", keeps_with_p, cache, shrink=True)
    assert result.message == "nothing is dropped at p = 0: the mask must be True everywhere"


@pytest.mark.parametrize(
    ("name", "function", "wrong", "words"),
    [
        (
            "linear",
            "backward",
            lambda g, x, w, b: (g @ w, g.T @ x, g.sum(0).squeeze()),
            "grad_bias has shape (); expected (1,), the shape of bias",
        ),
        ("relu", "forward", lambda x: x.relu().squeeze(), "y has shape ("),
        (
            "nll",
            "forward",
            lambda p, t: None if p.shape[1] == 1 else solution("nll")["forward"](p, t),
            "it returned None",
        ),
    ],
)
def test_a_wrong_form_at_an_edge_reads_as_such(name, function, wrong, words, cache):
    result = first_failure(name, function, wrong, cache, shrink=True)
    assert result.check == "edge_cases"
    assert result.diagnosis.code in ("wrong-shape", "wrong-type")
    assert result.message.startswith("right for ordinary inputs, but ")
    assert words in result.message


kept: dict[tuple[int, ...], int] = {}


def counts_calls(x):
    kept[x.shape] = kept.get(x.shape, 0) + 1
    return x.relu() + kept[x.shape] - 1


def dropped(mask_of):
    def forward(x, p, generator):
        if not 0 <= p < 1:
            raise ValueError
        mask = mask_of(x, p, generator)
        return x * mask / (1 - p), mask

    return forward


@pytest.mark.parametrize(
    ("exercise", "function", "wrong", "code", "words"),
    [
        (
            "dropout",
            "forward",
            dropped(lambda x, p, _: torch.rand_like(x) >= p),
            "nondeterministic",
            "returned two different results: another source of chance than generator is used, one that torch, Python or NumPy",
        ),
        (
            "dropout",
            "forward",
            dropped(lambda x, p, _: torch.from_numpy(np.random.default_rng().random(x.shape)) >= p),
            "nondeterministic",
            "returned two different results: it draws nothing from generator, so they come from somewhere else",
        ),
        (
            "minibatches",
            "epoch_batches",
            lambda n, size, generator: list(torch.from_numpy(np.random.permutation(n)).split(size)),
            "nondeterministic",
            "another source of chance than generator is used: np.random.permutation(n) on line ",
        ),
        ("relu", "forward", counts_calls, "keeps-state", "another call: it keeps kept between calls (line "),
        ("relu", "forward", lambda x: x.relu() + torch.rand(()), "nondeterministic", "torch.rand(()) on line "),
    ],
)  # fmt: skip
def test_two_results_for_the_same_arguments(exercise, function, wrong, code, words, cache):
    kept.clear()
    result = first_failure(exercise, function, wrong, cache)
    assert (result.diagnosis.code, words in result.message) == (code, True), result.message


def test_a_result_in_the_memory_of_the_argument_of_its_name(cache):
    def wrong(w1, b1, w2, alpha):
        if alpha <= 0:
            raise ValueError
        return w1 * alpha, b1 if alpha == 1 else b1 * alpha, w2 / alpha

    result = first_failure("relu_rescaling", "rescale", wrong, cache)
    assert result.diagnosis.code == "aliases-input"
    assert result.message.startswith("the b1 that comes back lies in the memory of the argument b1: ")
    other = wording.shared(
        CheckResult("linear", "backward", "purity", "passed"), Trial(Case(""), {}, (), ()), "grad_x", "w"
    )
    assert other.message.startswith("grad_x shares its memory with w: ")


def test_a_list_within_a_result_is_named_once(cache):
    def one_loss(*arguments):
        losses, params = solution("training_loop")["train"](*arguments)
        return losses[:1], params

    result = first_failure("training_loop", "train", one_loss, cache)
    told = r"[^;]*; for the loss it returned a tuple or list of 1; expected a tuple of \d numbers"
    assert re.fullmatch(told, result.message), result.message
    template = (Wanted("y", (), "float64"), {"a": Wanted("a", (), "float64")})
    returned = Returned((), "float64", "cpu", np.zeros(()))
    assert compare.type_problem(template, (returned, returned)) == (
        "the second part is a tensor; expected a dict with the keys 'a'"
    )


def test_the_parts_of_a_list_are_those_of_its_name(cache):
    right = solution("multi_stage")["backward"]

    def reversed_weights(*arguments):
        first, weights = right(*arguments)
        return first, weights[::-1]

    result = first_failure("multi_stage", "backward", reversed_weights, cache)
    assert result.message.startswith("the parts of grad_weights are in reverse order: grad_weights[0] has shape (")


def test_two_things_have_two_shapes(cache):
    result = first_failure("linear", "backward", lambda g, x, w, b: (g.T @ x, g @ w, g.sum(0)), cache)
    assert result.message.startswith("grad_x and grad_weight have changed places: grad_x has shape (")


def should_have_raised(outcome):
    blank = CheckResult("dropout", "forward", "edge_cases", "passed")
    trial = Trial(Case("p = 1, float64"), {}, (), (), raises="ValueError")
    return wording.should_have_raised(blank, trial, outcome).message


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome("timed_out", fault=Fault("timeout", "no result after 10 s")), "it had no result when its time was up"),
        (Outcome("exited", fault=Fault("SystemExit", "it called sys.exit()")), "it called sys.exit"),
        (Outcome("not_started"), "it raised NotImplementedError"),
        (Outcome("raised", fault=Fault("KeyError", "'p'")), "it raised KeyError"),
        (Outcome("returned", 1.0), "it returned a result"),
    ],
)
def test_how_a_call_ended_that_should_have_raised(outcome, words):
    assert should_have_raised(outcome) == f"forward must raise ValueError here (p = 1); {words}"


def test_a_thought_speaks_of_what_the_function_gives(cache):
    specs = [graded.spec for exercise in all_exercises().values() for graded in exercise.functions]
    plain = [find_exercise(name).task.function(function) for name, function in (
        ("softmax", "forward"), ("linear_model", "forward"), ("inference", "probabilities"), ("one_hot", "one_hot"),
        ("weight_decay", "decayed_step"), ("normalise", "fit"), ("two_layer_net", "forward"), ("graph", "topological_order"),
    )]  # fmt: skip
    assert all(each in specs for each in plain)
    for spec in plain:
        for code in (
            "wrong-shape",
            "returns-zero",
            "missing-reduction",
            "extra-reduction",
            "extra-term",
            "sign-flipped",
        ):
            told = thought(code, spec)
            assert told
            assert not re.search(r"\bC\b|[Gg]radient|derivative|dC", told), (spec.name, told)
    for name, function in (("softmax", "backward"), ("weight_decay", "l2_gradient"), ("two_layer_net", "backward")):
        assert thought("wrong-shape", find_exercise(name).task.function(function)) == CODES["wrong-shape"].think
    jacobian = find_exercise("softmax").task.function("jacobian")
    assert "gradient" not in thought("wrong-shape", jacobian)
    result = first_failure("softmax", "forward", lambda x: torch.softmax(x, -1)[None], cache)
    assert "gradient" not in result.diagnosis.think


def names_of(spec) -> set[str]:
    """The names of the function's arguments and results."""
    operator = spec.operator
    own = [str(spec.reference.names)] if spec.reference else []
    own += [operator.output_name, *(each.name for each in operator.inputs)] if operator else []
    return {*spec.parameters, *re.findall(r"\w+", " ".join(own))}


def test_a_thought_names_nothing_that_the_function_does_not_have():
    """For every function, and every code whatever: whether it can occur there nobody needs to know."""
    count = 0
    for exercise in all_exercises().values():
        for spec in (graded.spec for graded in exercise.functions):
            for code in CODES:
                told = thought(code, spec)
                mentioned = set(re.findall(r"\bgrad_\w+|\b[xyzwg](?:_\w)?\b|\{\w*\}|dC/d\w+", told))
                mentioned -= {"grad_output"} if code == "contradicts-backward" else set()
                assert mentioned <= names_of(spec), (exercise.name, spec.name, told)
                assert "  " not in told
                count += bool(told)
    assert count > 3000
    step = find_exercise("gradient_descent").task.function("full_batch_step")
    networks = find_exercise("two_layer_net").task.function("backward")
    assert "gradient" not in thought("wrong-shape", step)
    assert "grad_logits" in thought("changes-upstream", networks)
    assert thought("changes-upstream", step) == ""


def test_entries_that_are_not_scaled(cache):
    result = first_failure("dropout", "forward", dropped_plain, cache)
    assert result.diagnosis.code == "missing-term"
    assert result.message == "the entries of y that are kept are those of x as they came: they are not scaled"


def dropped_plain(x, p, generator):
    mask = torch.rand(x.shape, generator=generator) >= p
    return x * mask, mask


def test_several_things_are(cache):
    assert say("{what} {is} zero everywhere", "the probabilities") == "the probabilities are zero everywhere"
    assert say("{what} {has} the other sign", "the new parameters") == "the new parameters have the other sign"
    assert say("{what} {is} zero everywhere", "the loss") == "the loss is zero everywhere"
    assert say("the terms of {what} count", "the logits") == "the terms of the logits count"
    result = first_failure(
        "two_layer_net", "forward", lambda params, x: 0 * solution("two_layer_net")["forward"](params, x), cache
    )
    assert "the logits is" not in result.message
    result = first_failure("inference", "probabilities", lambda logits: 0 * logits, cache)
    assert result.message == "the probabilities are zero everywhere"
    wanted = [Wanted("the logits", (2, 3), "float64")]
    got = [Returned((3,), "float32", "cpu", np.zeros(3))]
    assert compare.shape_problem(wanted, got).startswith("the logits have shape (3,)")
    assert compare.dtype_problem(wanted, got).startswith("the logits are float32")


def test_a_dtype_of_the_functions_own_is_not_that_of_the_input(cache):
    result = first_failure(
        "one_hot", "one_hot", lambda labels, n: torch.nn.functional.one_hot(labels, n).double(), cache
    )
    assert result.message == "the result is float64; expected float32"


def test_arguments_that_are_changed_are_listed():
    blank = CheckResult("add", "backward", "purity", "passed")
    trial = Trial(Case(""), {}, (), ())
    told = wording.mutated(blank, trial, ("x1", "x2", "grad_output")).message
    assert told.startswith("it changes its arguments x1, x2 and grad_output in place; the caller still needs them")
    one = wording.mutated(blank, trial, ("x",)).message
    assert one.startswith("it changes its argument x in place; the caller still needs it,")


def test_what_a_call_fails_at_is_a_fact_of_its_arguments(cache):
    right = solution("vector_chain_rule")["backward"]

    def vectors_only(grad_output, jacobians):
        if grad_output.dim() != 1:
            raise RuntimeError("1D tensors expected")
        return right(grad_output, jacobians)

    def rows_of_three(x):
        if x.shape[-1] != 3:
            raise RuntimeError("sizes differ")
        return torch.softmax(x, -1)

    def doubles_only(x):
        if x.dtype != torch.float64:
            raise RuntimeError("expected Double")
        return x.relu()

    told = first_failure("vector_chain_rule", "backward", vectors_only, cache)
    assert "at one size" not in told.message
    assert re.match(
        r"it works where grad_output has the shape \(\d+,\), but not where it has \(1, \d+\): ", told.message
    )
    told = first_failure("softmax", "forward", rows_of_three, cache)
    assert told.diagnosis.code == "hard-coded-size"
    assert re.match(r"it works where x has the shape \((2, )?3,?\), but not where it has ", told.message)
    told = first_failure("relu", "forward", doubles_only, cache)
    assert told.message.startswith("it works in float64, but not in float32: ")
    assert told.diagnosis.code == "wrong-dtype"
