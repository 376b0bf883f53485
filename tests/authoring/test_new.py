"""`gradcheck new`: from a formula to an exercise that can be graded, in a copy of the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from gradcheck.authoring.new.create import create, load
from gradcheck.authoring.new.plan import Wish
from gradcheck.checks.candidate import InProcessCandidate
from gradcheck.errors import FormulaError, GradcheckError
from gradcheck.grading.grade import grade_candidate
from tests import warm_start

pytestmark = pytest.mark.outside

ROOT = Path(__file__).parent.parent.parent

SOFT = "y[i] = exp(x[i]) / Sum(exp(x[k]), (k, 0, n-1))"

SOLVED = {
    "swish_two": Wish("swish_two", "y[i] = x[i] / (1 + exp(-x[i]))"),
    "affine": Wish(
        "affine", "y[o] = Sum(w[o, i] * x[i], (i, 0, I-1)) + bias[o]", inputs=("x",), batch=("x",), points=(1, 4)
    ),
    "bilinear": Wish(
        "bilinear", "y = Sum(Sum(u[i] * a[i, k] * v[k], (i, 0, m-1)), (k, 0, n-1))", unit="03_backpropagation"
    ),
    "mean_square": Wish(
        "mean_square", "C = Sum((y[i] - t[i])**2, (i, 0, n-1)) / n", inputs=("y", "t:constant"), any_shape=True
    ),
    "leaky": Wish("leaky", "y[i] = Piecewise((x[i], x[i] > 0), (x[i] / 10, True))", unit="08_more", new_unit=True),
    "unit_length": Wish("unit_length", "y[i] = x[i] / sqrt(1 + Sum(x[k]**2, (k, 0, n-1)))"),
}
"""Those whose bodies can be written as well."""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    root = tmp_path_factory.mktemp("checkout")
    for folder in ("gradcheck", "exercises", "solutions"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return root


@pytest.fixture(scope="module")
def made(checkout):
    """By name: the record, the files, and what was said."""
    found = {}
    for name, wish in SOLVED.items():
        said: list[str] = []
        files = create(checkout, Wish(**{**vars(wish), "solve": True}), said.append)
        found[name] = load(files[0].read_text()), files, "\n".join(said)
    return found


def gradcheck(root: Path, *arguments: str):
    return subprocess.run(
        [*warm_start.python(), "-m", "gradcheck", *arguments],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=300,
    )


def functions_of(path: Path):
    namespace: dict[str, object] = {}
    exec(path.read_text(), namespace)
    return {
        name: value
        for name, value in namespace.items()
        if callable(value) and name in ("forward", "backward", "jacobian")
    }


def contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*.py")}


# From the command line, as its author does it.

RIGHT = """
import torch

def forward(x):
    return torch.softmax(x, -1)

def backward(grad_output, x):
    y = forward(x)
    return y * (grad_output - (grad_output * y).sum(-1, keepdim=True))

def jacobian(x):
    y = forward(x)
    return torch.diag(y) - torch.outer(y, y)
"""
WRONG = RIGHT.replace("return y * (grad_output - (grad_output * y).sum(-1, keepdim=True))", "return y * grad_output")


def test_softmax_from_its_formula_to_a_grade(checkout):
    before = contents(checkout)
    run = gradcheck(checkout, "new", "soft", "--formula", SOFT)
    assert run.returncode == 0, run.stderr
    assert "∂y_i/∂x_j = y_i (δ_ij − y_j)" in run.stdout
    assert "in torch: x.softmax(-1)" in run.stdout
    assert "torch.autograd and differences agree" in run.stdout
    assert "backward: 51 wrong answers derived, all told apart" in run.stdout
    assert "gradcheck dev check soft" in run.stdout
    assert "NOT told apart" not in run.stdout
    files = {"gradcheck/catalog/soft.py", "solutions/04_modules/soft.py", "exercises/04_modules/soft.py"}
    after = contents(checkout)
    assert set(after) - set(before) == files
    assert {name: after[name] for name in before} == before

    listed = gradcheck(checkout, "formulas", "soft")
    assert "grad_x_bj = y_bj (g_bj − Σ_i g_bi y_bi)" in listed.stdout

    stub = checkout / "exercises" / "04_modules" / "soft.py"
    kept = stub.read_text()
    stub.write_text(RIGHT)
    right = gradcheck(checkout, "report", "exercises", "--only", "soft")
    stub.write_text(kept)
    assert right.returncode == 0, right.stdout
    assert "4 of 4 points" in right.stdout

    exercise = load((checkout / "gradcheck" / "catalog" / "soft.py").read_text())
    untouched = grade_candidate(exercise, InProcessCandidate(functions_of(stub)), 0, None)
    assert {each.status for each in untouched.results} == {"not_started"}
    stub.write_text(WRONG)
    wrong = grade_candidate(exercise, InProcessCandidate(functions_of(stub)), 0, None)
    stub.write_text(kept)
    assert {each.diagnosis.code for each in wrong.results if each.status == "failed"} == {"missing-term"}

    again = gradcheck(checkout, "new", "soft", "--formula", SOFT)
    assert again.returncode == 2
    assert "the name soft is taken" in again.stderr
    assert contents(checkout) == after


# What is written.


def test_a_solution_that_can_be_derived_passes_when_it_is_graded(made):
    for name, (exercise, files, said) in made.items():
        assert "--solve: the solution passes every check" in said, f"{name}: {said}"
        if name not in ("bilinear", "leaky"):
            continue  # was graded by --solve itself
        report = grade_candidate(exercise, InProcessCandidate(functions_of(files[1])), 3, None)
        assert [each.message for each in report.results if each.status != "passed"] == [], name


def test_every_wrong_answer_is_told_apart(made):
    for name, (exercise, _, said) in made.items():
        assert "not told apart" not in said.lower(), name
        assert said.count("all told apart") == len(exercise.functions), name


def test_a_wrong_answer_is_named_and_earns_nothing_for_it(made):
    exercise, files, _ = made["affine"]
    functions = functions_of(files[1])
    right = functions["backward"]

    def backward(grad_output, *inputs):
        first, second, third = right(grad_output, *inputs)
        return -first, second, third

    report = grade_candidate(exercise, InProcessCandidate({**functions, "backward": backward}), 0, None)
    failed = next(each for each in report.results if each.status == "failed")
    assert failed.diagnosis.code == "sign-flipped"
    assert (report.score, exercise.max_score) == (1, 5)


def test_the_files_are_as_the_house_writes_them(made, checkout):
    files = [str(path) for _, paths, _ in made.values() for path in paths]
    settings = ["--config", str(ROOT / "pyproject.toml")]
    # Where the folder of solutions lies elsewhere, ruff's settings for it do not apply.
    for arguments in (["check", *settings, "--extend-ignore", "ARG001,F401,ISC004"], ["format", "--check", *settings]):
        run = subprocess.run(
            [sys.executable, "-m", "ruff", *arguments, *files], capture_output=True, text=True, cwd=checkout
        )
        assert run.returncode == 0, run.stdout + run.stderr


def test_the_record_says_what_the_formula_says(made):
    swish, affine, mean = (made[name][0] for name in ("swish_two", "affine", "mean_square"))
    assert (swish.operator.flattened, swish.operator.any_shape, swish.unit) == (True, True, "04_modules")
    assert [each.spec.name for each in swish.functions] == ["forward", "backward", "jacobian"]
    inputs = {each.name: (each.shape, each.wrt, each.batched) for each in affine.operator.inputs}
    assert inputs == {
        "x": (("I",), ("q",), True),
        "w": (("O", "I"), ("p", "q"), False),
        "bias": (("O",), ("p",), False),
    }
    assert [each.points for each in affine.functions] == [1, 4]
    assert (mean.unit, mean.functions[0].spec.returns) == ("05_losses", "scalar")
    assert [each.name for each in mean.operator.differentiable_inputs] == ["y"]
    assert made["leaky"][0].path == "08_more/leaky.py"
    assert made["unit_length"][0].operator.unbatched


def test_it_comes_last_in_its_unit(made, checkout):
    orders = [
        int(path.read_text().split("ORDER = ")[1].split()[0])
        for path in (made[name][1][0] for name in ("swish_two", "affine"))
    ]
    assert orders[1] == orders[0] + 1
    assert orders[0] >= 11


def test_a_skeleton_holds_the_derived_formulas_and_no_answer(tmp_path, checkout):
    said: list[str] = []
    root = shutil.copytree(checkout, tmp_path / "copy")
    record, solution, stub = (
        path.read_text() for path in create(root, Wish("tanh_twice", "y[i] = tanh(2 * x[i])"), said.append)
    )
    assert "# ∂y_i/∂x_j = 2 δ_ij (1 − y_i²)" in solution
    assert solution.count("raise NotImplementedError") == solution.count("# TODO: write this") == 3
    assert stub.count("# TODO: your code here") == 3
    assert "∂y_i/∂x_j =" not in stub
    assert "δ_ij" not in stub
    assert record.count('"TODO: ') == 6
    assert "minutes=0,  # TODO" in record
    assert "difficulty=0,  # TODO" in record


def test_a_convolution_comes_from_one_formula(checkout, tmp_path):
    """Record, solution and stub: references agree, the formulas pass, and every derived wrong answer is told apart."""
    said: list[str] = []
    root = shutil.copytree(checkout, tmp_path / "copy")
    wish = Wish("slide", "y[o,i] = Sum(w[o,k]*x[i+k], (k, 0, K-1))")
    record, solution, stub = create(root, wish, said.append)
    assert load(record.read_text()).operator.output_shape == ("O", "L - K + 1")
    assert "y, (O, L - K + 1), of w (O, K) and x (L,)." in stub.read_text()
    assert "# grad_x_r = Σ_k Σ_o g[o,r − k] w_ok" in solution.read_text()
    assert sum("all told apart" in each for each in said) == 2

    def backward(grad_output, w, x):
        windows = x.unfold(0, w.shape[1], 1)
        padded = torch.nn.functional.pad(grad_output, (w.shape[1] - 1,) * 2).unfold(1, w.shape[1], 1)
        return grad_output @ windows, torch.einsum("ork,ok->r", padded, w.flip(1))

    def forward(w, x):
        return w @ x.unfold(0, w.shape[1], 1).T

    exercise = load(record.read_text())
    report = grade_candidate(exercise, InProcessCandidate({"forward": forward, "backward": backward}), 1, None)
    assert [each.message for each in report.results if each.status != "passed"] == []


# What is refused; nothing is written then.


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        (Wish("Swish", SOFT), "cannot be an exercise's name"),
        (Wish("lambda", SOFT), "cannot be an exercise's name"),
        (Wish("../relu", SOFT), "cannot be an exercise's name"),
        (Wish("relu", SOFT), "the name relu is taken"),
        (Wish("parts", SOFT), "the name parts is taken: parts is a file of the catalog"),
        (Wish("logsoftmax", SOFT), "log_softmax is an exercise or operator, for workflows write names without _"),
        (Wish("fresh", SOFT, unit="04_module"), "there is no unit '04_module'; there are: 01_models"),
        (Wish("fresh", SOFT, unit="04_other", new_unit=True), "the number is that of 04_modules"),
        (Wish("fresh", SOFT, unit="../x", new_unit=True), "a unit is called NN_name"),
        (Wish("fresh", SOFT, title='a """ b'), "without quotation"),
        (Wish("fresh", SOFT, points=(1, 2)), "2 numbers for 3 functions"),
        (Wish("fresh", SOFT, points=(1, -2, 1)), "more than 0"),
        (Wish("fresh", SOFT, inputs=("z",)), "the formula has no input z; it has x"),
        (Wish("fresh", SOFT, inputs=("x:integer",)), "cannot be read; write NAME"),
        (Wish("fresh", SOFT, inputs=("x:label",)), "x stands for no index"),
        (Wish("fresh", SOFT, inputs=("x:constant",)), "no input can be differentiated"),
        (Wish("fresh", SOFT, batch=("z",)), "the formula has no input z"),
        (Wish("fresh", SOFT, any_shape=True), "--any-shape: only a formula with one index"),
        (Wish("fresh", "y[i] = exp(x[i])"), "has no finite value at some numbers"),
        (Wish("fresh", "y[i] = 1 / x[i]"), "has no finite value at some numbers"),
        (Wish("fresh", "y[i] = sqrt(x[i])"), "has no finite value at some numbers"),
    ],
    ids=lambda value: "" if isinstance(value, Wish) else value[:40],
)
def test_what_cannot_be_is_refused_and_nothing_written(checkout, wish, message):
    before = contents(checkout)
    with pytest.raises(GradcheckError) as raised:
        create(checkout, wish, lambda _line: None)
    assert message in str(raised.value)
    assert contents(checkout) == before


def test_references_that_disagree_are_refused(checkout, monkeypatch):
    monkeypatch.setattr("gradcheck.authoring.new.torch_code.torch_code", lambda *_: "x.softmax(-1) * 1.001")
    before = contents(checkout)
    with pytest.raises(GradcheckError, match="the references disagree, so nothing is written; random numbers 1"):
        create(checkout, Wish("fresh", SOFT), lambda _line: None)
    assert contents(checkout) == before


def test_a_torch_function_that_fails_at_the_edges_is_told(checkout, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "gradcheck.authoring.new.torch_code.torch_code", lambda *_: "x.exp() / x.exp().sum(-1, keepdim=True)"
    )
    said: list[str] = []
    create(shutil.copytree(checkout, tmp_path / "copy"), Wish("fresh", SOFT), said.append)
    assert any("but not at the edges: write _fresh" in line for line in said)


def test_what_cannot_be_written_in_torch_is_left_to_do(checkout, tmp_path):
    said: list[str] = []
    formula = "C = Sum(Sum(x[i, labels[i], k], (k, 0, n-1)), (i, 0, P-1))"
    root = shutil.copytree(checkout, tmp_path / "copy")
    files = create(root, Wish("fresh", formula, solve=True), said.append)
    assert any("in torch: nothing, for labels in that place" in line for line in said)
    assert any("no solution written" in line for line in said)
    assert 'raise NotImplementedError("_fresh is not written yet")' in files[0].read_text()


def test_a_wrong_answer_that_no_number_tells_apart_is_named(checkout, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "gradcheck.authoring.new.trial._same_numbers", lambda _task, _spec, mutant: mutant.kind == "flip-sign"
    )
    said: list[str] = []
    create(shutil.copytree(checkout, tmp_path / "copy"), Wish("fresh", "y[i] = tanh(x[i])"), said.append)
    assert any("NOT told apart: y has the other sign" in line for line in said)


def test_nothing_is_overwritten_and_nothing_half_written(checkout, tmp_path):
    root = shutil.copytree(checkout, tmp_path / "copy")
    mine = root / "exercises" / "04_modules" / "fresh.py"
    mine.write_text("# mine\n")
    before = contents(root)
    with pytest.raises(GradcheckError, match="exists already, so nothing is written"):
        create(root, Wish("fresh", "y[i] = tanh(x[i])"), lambda _line: None)
    assert contents(root) == before


def test_a_folder_that_takes_no_file_leaves_nothing_behind(checkout, tmp_path, monkeypatch):
    root = shutil.copytree(checkout, tmp_path / "copy")
    before = contents(root)

    def full(path, content):
        if "exercises" in path.parts:
            raise OSError(28, "No space left on device")
        path.write_bytes(content)

    monkeypatch.setattr("gradcheck.authoring.new.create.write_whole", full)
    wish = Wish("fresh", "y[i] = tanh(x[i])", unit="09_new", new_unit=True)
    with pytest.raises(GradcheckError, match=r"fresh\.py cannot be written, so nothing is: No space left"):
        create(root, wish, lambda _line: None)
    assert contents(root) == before
    assert not (root / "solutions" / "09_new").exists()


def test_elsewhere_than_in_a_checkout_it_says_where_to_run(tmp_path):
    with pytest.raises(GradcheckError, match="is not a checkout of gradcheck"):
        create(tmp_path, Wish("fresh", SOFT), lambda _line: None)


def test_a_formula_that_cannot_be_read_shows_the_place(checkout):
    with pytest.raises(FormulaError) as raised:
        create(checkout, Wish("fresh", "y[i] = sin(x[i])"), lambda _line: None)
    lines = str(raised.value).splitlines()
    assert lines[0] == "the formula cannot be used: sin is not a function of the notation"
    assert lines[1][lines[2].index("^") : lines[2].rindex("^") + 1] == "sin(x[i])"
