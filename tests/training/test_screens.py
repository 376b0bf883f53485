"""What `gradcheck train` and `gradcheck ensemble` print of wrong files and draw from them: quick, in this process."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from gradcheck.checks.engine import Verification
from gradcheck.commands.cli import cli
from gradcheck.errors import GradcheckError
from gradcheck.reports import training
from gradcheck.training import ensemble, plots, session
from gradcheck.training.learning import Trained
from gradcheck.training.network import History, initial_parameters

ROOT = Path(__file__).parents[2]
LOOP = "07_training/training_loop.py"
RETURN = "return loss, {name: value - lr * grads[name] for name, value in params.items()}"
EPOCHS = 25


@pytest.fixture
def folder(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "solutions", tmp_path / "work", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return Path("work")


def plant(folder, file, right, wrong):
    source = (folder / file).read_text()
    assert right in source
    (folder / file).write_text(source.replace(right, wrong))


def screen(folder, network, capsys, seed=0):
    """What is printed of one network after a short training; its exit code would be 1 where `bad`."""
    chosen = next(each for each in session.NETWORKS if network in each.name)
    standings = {name: training.standing_of(folder, name, None) for name in chosen.exercises}
    lines = training._standing_lines(list(standings.values()))
    parts = {name: each.part for name, each in standings.items()}
    watch = lambda _name: lambda _done, _total, _loss: None
    found, course = session.learner_lines(chosen, training.finder(folder), parts, watch, seed, EPOCHS)
    training._tell([*lines, *found])
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 80, printed
    assert "Traceback" not in printed
    return " ".join(printed.split()), course


NEXT = f"again: pytest work/{LOOP}"
SCREENS = {
    "no 1/B": ("grad_logits = grad_logits / labels.shape[0]", "pass", "called with lr / B it is right"),
    "uphill": ("value - lr *", "value + lr *", "called with −lr it is right"),
    "no mask": (" * (hidden > 0)", "", "the ReLU lets every gradient through"),
    "lr squared": ("value - lr * grads", "value - lr * lr * grads", "lr is multiplied into the step twice"),
    "a bias over the wrong axis": ("grad_hidden.sum(dim=0)", "grad_hidden.sum(dim=1)", "training_loop.train_step does not run"),
    "the loss after": (
        RETURN,
        "new = {n: v - lr * grads[n] for n, v in params.items()}\n    return loss_and_gradients(x, labels, new)[0], new",
        "it is the loss after the update",
    ),
    "None": (RETURN, "pass", "it returned None"),
    "raises": (RETURN, "raise ValueError('no')", "raised ValueError: no"),
    "swapped": (RETURN, RETURN.replace("loss, {", "{").replace("items()}", "items()}, loss"), "the loss is a dict of 4"),
    "NaN": (
        RETURN, RETURN.replace("grads[name]", "grads[name] * float('nan')"), "b_y comes back with NaN or infinity",
    ),
    "dropped rows": ("hidden = x @", "hidden = (x * (torch.rand(x.shape) > 0.2)) @", "gives other parameters"),
    "no losses": ("losses.append(loss)", "pass", "train must return one loss for each epoch; it returned 0 for 25"),
}  # fmt: skip


@pytest.mark.table
@pytest.mark.parametrize("name", SCREENS)
def test_a_wrong_training_loop_is_named_in_the_first_lines_and_its_cause_is_proved(folder, capsys, name):
    right, wrong, words = SCREENS[name]
    plant(folder, LOOP, right, wrong)
    told, course = screen(folder, "training_loop", capsys)
    first, _, then = told.partition("your training_loop (07) ")
    assert "✗ training_loop.train" in first
    assert NEXT in first
    assert words in told
    assert "✗" in then
    if name != "uphill":
        assert "along the gradient" not in told
    assert "every update is 1 times" not in told
    if course:
        assert course.note.startswith("training_loop.train")


def test_a_nan_is_told_with_its_epoch_and_no_accuracy_and_no_mistake_that_it_does_not_show(folder, capsys):
    plant(
        folder, LOOP, RETURN, RETURN.replace("value - lr * grads[name]", "value - lr * grads[name] / torch.zeros(())")
    )
    told, course = screen(folder, "training_loop", capsys)
    assert "the loss became NaN at epoch 1, with lr 1.5; at epoch 0 it was 1.1" in told
    assert "accuracy" not in told
    assert "reverse" not in told
    assert "transposed" not in told
    assert "holds NaN or infinity" in told
    assert not course.run.finite
    assert len(course.run.losses) == EPOCHS


def test_a_right_training_loop_has_nothing_wrong_but_its_few_epochs(folder, capsys):
    told, course = screen(folder, "training_loop", capsys)
    assert "✓ training_loop holds" in told
    assert "✓ gradients at step 0 and parameters after 5 steps agree with the exact run" in told
    assert ":" not in told.split("agree with the exact run")[1]  # no cause of what is no mistake
    assert course.note == ""


def test_what_is_not_written_is_named_and_what_holds_is_not_forgotten(folder, capsys):
    plant(folder, "04_modules/relu.py", "return grad_output * (x > 0)", "raise NotImplementedError('later')")
    told, course = screen(folder, "your modules", capsys)
    assert "✓ linear, relu.forward, cross_entropy hold" in told
    assert told.endswith("your modules (04, 05) not trained: relu.backward is not written yet")
    assert course is None


def test_a_file_that_python_cannot_read_is_one_sentence(folder, capsys):
    plant(folder, "04_modules/relu.py", "def backward(", "def backward((")
    told, _ = screen(folder, "your modules", capsys)
    assert told.count("Python cannot read the file") == 1
    assert told.endswith("✗ not trained: relu.forward does not run, see above")


VARIANCES = {
    "√var": ("return mean, (deviations * deviations).mean(dim=0)", "return mean, (deviations * deviations).mean(dim=0).sqrt()",
             "you returned the standard deviation"),
    "unbiased": ("return mean, (deviations * deviations).mean(dim=0)", "return mean, predictions.var(dim=0)", "you divided by E − 1"),
    "one mean": ("mean = predictions.mean(dim=0)", "mean = predictions.mean().expand(predictions.shape[1])", "mean_and_variance"),
    "negative": ("(deviations * deviations)", "-(deviations * deviations)", "other sign"),
}  # fmt: skip


@pytest.fixture
def drawn(monkeypatch):
    """The ensembles without their training, and what is handed to the picture."""
    made = {}
    rng = np.random.default_rng(3)
    monkeypatch.setattr(ensemble, "predictions", lambda _x, _y, grid, _kind, **_: rng.normal(size=(5, len(grid))))
    real = plots.regression

    def regression(panels, *rest):
        made.update(panels)
        return real(panels, *rest)

    monkeypatch.setattr(plots, "regression", regression)
    return made


@pytest.mark.skipif(bool(plots.missing()), reason=plots.missing())
class TestEnsemble:
    def test_a_right_one_is_drawn_without_a_note(self, folder, drawn, capsys):
        assert training.ensemble_of(folder, Path("plots")) == 0
        assert list(drawn) == ["five ReLU networks", "five tanh networks"]
        printed = capsys.readouterr().out
        assert printed.splitlines()[1] == "  ✓ ensemble holds"
        for members, mean, deviation in drawn.values():
            assert np.allclose(mean, members.mean(0))
            assert np.allclose(deviation, members.std(0))

    def test_one_that_the_grader_fails_on_is_drawn_and_ends_with_3(self, folder, drawn, capsys, monkeypatch):
        def defective(*_):
            raise RuntimeError("planted")

        monkeypatch.setattr(Verification, "_values", defective)
        assert training.ensemble_of(folder, Path("plots")) == 3
        assert "ensemble could not be checked: the grader failed, not your code" in capsys.readouterr().out
        assert list(drawn) == ["five ReLU networks", "five tanh networks"]

    @pytest.mark.parametrize("name", VARIANCES)
    def test_a_wrong_one_is_named_first_and_in_the_title(self, folder, drawn, capsys, name):
        right, wrong, words = VARIANCES[name]
        plant(folder, "07_training/ensemble.py", right, wrong)
        assert training.ensemble_of(folder, Path("plots")) == 1
        printed = capsys.readouterr().out
        lines = printed.splitlines()
        assert lines[1].startswith("  ✗ ensemble.mean_and_variance: ")
        assert words in " ".join(printed.split())
        assert len(drawn) == 2
        assert all(title.endswith("\n(your mean_and_variance does not hold)") for title in drawn)
        assert " ".join(printed.split()).count("your mean_and_variance does not hold") == 2
        if name == "negative":
            assert "σ is no number at 200 of 200 points (the variance is negative there)" in " ".join(printed.split())

    @pytest.mark.parametrize(
        ("source", "words"),
        [
            ("    return predictions.mean(1), predictions.var(1)", "expected"),
            ("    return None", "it returned None"),
            ("    raise ValueError('no')", "raised ValueError: no"),
            ("    raise NotImplementedError", "not drawn: ensemble.mean_and_variance is not written yet"),
        ],
    )
    def test_what_cannot_be_drawn_leaves_no_picture_of_an_earlier_run(self, folder, drawn, capsys, source, words):
        assert training.ensemble_of(folder, Path("plots")) == 0
        (folder / "07_training/ensemble.py").write_text(f"def mean_and_variance(predictions):\n{source}\n")
        capsys.readouterr()
        assert training.ensemble_of(folder, Path("plots")) == 1
        printed = capsys.readouterr().out
        assert words in printed
        assert "not drawn: " in printed
        assert not Path("plots/ensemble.png").exists()


@pytest.fixture
def axes(monkeypatch):
    """The axes of every picture, by its name."""
    made = {}
    monkeypatch.setattr(
        plots, "_saved", lambda figure, folder, name: made.update({name: figure.axes[0]}) or folder / name
    )
    return made


def course(note="", losses=(1.1, 0.5), points=3000):
    params = initial_parameters(4)
    return session.Training("your training_loop (07)", Trained(params, params, list(losses)), points, note)


@pytest.mark.skipif(bool(plots.missing()), reason=plots.missing())
class TestPictures:
    def test_the_loss_has_a_logarithmic_axis_and_each_network_its_own_line(self, axes, tmp_path):
        courses = [course(points=750), course("training_loop.train does not hold", losses=(1.0, float("nan"), -2.0))]
        session.learner_plots(History(None, [1.0, 0.5]), courses, lambda _: None, session.Readiness(), 0, tmp_path)
        loss = axes["loss"]
        assert loss.get_yscale() == "log"
        labels = [text.get_text() for text in loss.get_legend().get_texts()]
        assert labels[0] == "reference, ReLU, SGD"
        assert labels[1] == "your training_loop (07), 750 of 3,000 points"
        assert labels[2] == (
            "your training_loop (07)\n(training_loop.train does not hold)\n(2 of 3 losses NaN, infinite or not above 0)"
        )
        assert len({(line.get_color(), line.get_linestyle()) for line in loss.get_lines()}) == 3

    def test_regions_say_whose_network_it_is_and_what_does_not_hold_of_it(self, axes, tmp_path):
        for note in ("", "training_loop.train does not hold"):
            session.learner_plots(
                History(None, [1.0]), [course(note)], lambda _: None, session.Readiness(), 0, tmp_path
            )
            first, *told, last = axes["regions_yours"].get_title().split("\n")
            assert first.startswith("your training_loop (07): ")
            assert first.endswith("% of the points right")
            assert " ".join(told) == note
            assert last == "your parameters in the reference's forward pass"

    def test_a_title_is_no_wider_than_its_picture(self, tmp_path, monkeypatch):
        seen = {}

        def measured(figure, folder, name):
            figure.canvas.draw()
            boxes = [axes.title.get_window_extent() for axes in figure.axes]
            seen[name] = all(box.x0 >= 0 and box.x1 <= figure.bbox.x1 for box in boxes)
            return folder / name

        monkeypatch.setattr(plots, "_saved", measured)
        wrong = "linear.forward, linear.backward, relu.forward, relu.backward, cross_entropy.backward do not hold"
        session.learner_plots(History(None, [1.0]), [course(wrong)], lambda _: None, session.Readiness(), 0, tmp_path)
        assert seen == {"loss": True, "regions_yours": True, "gradient_by_depth": True}

    def test_regions_of_an_earlier_run_go_where_there_are_none(self, axes, tmp_path):
        (tmp_path / "regions_yours.png").write_bytes(b"old")
        made = session.learner_plots(History(None, [1.0]), [], lambda _: None, session.Readiness(), 0, tmp_path)
        assert [path.name for path in made] == ["loss", "gradient_by_depth"]
        assert not (tmp_path / "regions_yours.png").exists()

    def test_the_gradient_by_depth_says_whose_functions_draw_it(self, axes, folder):
        def labels():
            standing = training.standing_of(folder, "vanishing_gradient", None)
            find = training.finder(folder)
            session.learner_plots(History(None, [1.0]), [], find, standing.part, 0, Path("plots"))
            return [text.get_text() for text in axes["gradient_by_depth"].get_legend().get_texts()]

        assert labels() == ["sigmoid chain (yours)", "ReLU chain (yours)"]
        plant(folder, "06_tricks/vanishing_gradient.py", "lambda s: sigmoid(s) * sigmoid(-s)", "sigmoid")
        assert labels() == ["sigmoid chain (yours, does not hold)", "ReLU chain (yours)"]
        (folder / "06_tricks/vanishing_gradient.py").unlink()
        assert labels() == ["sigmoid chain (the reference's)", "ReLU chain (the reference's)"]


def test_a_bar_shows_no_number_before_there_is_one(monkeypatch):
    from rich import console as rich_console

    shown = Console(force_terminal=True, width=80, record=True, file=io.StringIO())
    monkeypatch.setattr(rich_console, "Console", lambda: shown)
    with training.bars() as watch:
        told = watch("your modules")
        told(25, 300, 0.5)
        told(50, 300, float("nan"))
    text = shown.export_text()
    assert "?" not in text
    assert "0/" not in text.replace("300", "").replace("50/", "")
    assert "loss nan" not in text
    assert training.loss_text(0.5) == "loss 0.500"
    assert training.loss_text(float("nan")) == "loss is NaN"
    assert training.loss_text(float("-inf")) == "loss is infinite"


def test_without_matplotlib_each_command_says_one_sentence(folder, monkeypatch, capsys):
    monkeypatch.setattr(plots, "missing", lambda: "matplotlib is not installed: do this")
    with pytest.raises(GradcheckError, match=r"^matplotlib is not installed: do this$"):
        training.ensemble_of(folder, Path("plots"))
    monkeypatch.setattr(session, "reference_lines", lambda *_: ([], History(None)))
    monkeypatch.setattr(session, "NETWORKS", ())
    assert training.train_folder(folder, Path("plots"), 0) == 0
    assert capsys.readouterr().out.splitlines() == ["no plots: matplotlib is not installed: do this"]


@pytest.mark.parametrize("command", ["train", "ensemble"])
def test_no_exercises_is_one_sentence(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GradcheckError, match=r"^exercises is not a folder; give one laid out like exercises/"):
        cli.main([command], standalone_mode=False)


def test_a_learning_rate_of_zero_is_no_failure_of_ours():
    """An edge of train_step has lr = 0, at which no factor makes the step a whole gradient."""
    import torch

    from gradcheck.catalog import find_exercise
    from gradcheck.checks.candidate import InProcessCandidate
    from gradcheck.checks.engine import Verification
    from gradcheck.diagnosis.evidence import gather
    from tests.checks.solutions import solution

    right = solution("training_loop")

    def train_step(x, labels, params, lr):
        loss, new = right["train_step"](x, labels, params, lr)
        return loss, {name: value / torch.zeros((), dtype=value.dtype) for name, value in new.items()}

    exercise = find_exercise("training_loop")
    candidate = InProcessCandidate(right | {"train_step": train_step})
    verification = Verification(candidate, exercise.task, shrink=False)
    evidence = gather(verification, exercise.task.function("train_step"), "edge")
    assert any(each.trial.arguments["lr"] == 0 for each in evidence.sightings)
