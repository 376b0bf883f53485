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
from gradcheck.training import animation, ensemble, plots, session
from gradcheck.training.learning import Trained
from gradcheck.training.network import History, initial_parameters, two_layer

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
    "no losses": ("losses.append(loss)", "pass", "train must return one loss for each epoch; it returned 0 for 5"),
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
    assert len(course.run.losses) == session._EVERY < EPOCHS  # no call more


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
def figures(monkeypatch):
    """Every picture, by its name."""
    made = {}
    monkeypatch.setattr(plots, "_saved", lambda figure, folder, name: made.update({name: figure}) or folder / name)
    return made


def course(note="", losses=(1.1, 0.5), points=3000, params=None):
    params = params or initial_parameters(4)
    run = Trained(params, params, list(losses), {0: params, 1: params, 2: params})
    return session.Training("your training_loop (07)", run, points, note)


def draw(courses, folder, *, animated=False, find=lambda _: None, chain=None):
    references = {
        name: History(two_layer(kind, 4), [1.0, 0.5], 0.5)
        for name, kind in zip(session.SHOWN, ("relu", "linear"), strict=True)
    }
    return session.draw(references, courses, find, chain or session.Readiness(), 0, folder, animated=animated)


def texts(figure):
    """What stands on a figure beside its axes."""
    return [text.get_text() for text in figure.texts]


WRONG = "linear.forward, linear.backward, relu.forward, relu.backward, cross_entropy.backward do not hold"


@pytest.mark.skipif(bool(plots.missing()), reason=plots.missing())
class TestPictures:
    def test_the_loss_has_a_logarithmic_axis_with_numbers_and_each_network_its_own_line(self, figures, tmp_path):
        courses = [course(points=750), course("training_loop.train does not hold", losses=(1.0, float("nan"), -2.0))]
        draw(courses, tmp_path)
        figure = figures["loss"]
        (axes,) = figure.axes
        assert axes.get_yscale() == "log"
        assert [" ".join(text.get_text().split()) for text in figure.legends[0].get_texts()] == [
            "reference, ReLU, SGD 0.5 at last",
            "reference, linear, Adam 0.5 at last",
            "your training_loop (07), 750 of 3,000 points 0.5 at last",
            "your training_loop (07) (training_loop.train does not hold) (2 of 3 losses NaN, infinite or not above 0)",
        ]
        assert len({(line.get_color(), line.get_linestyle()) for line in axes.get_lines()}) == 4
        figure.canvas.draw()
        low, high = axes.get_ylim()
        shown = [tick.get_text() for tick in axes.get_yticklabels() if low <= tick.get_position()[1] <= high]
        assert shown == ["0.5", "1"]

    @pytest.mark.parametrize(("least", "numbers"), [(0.1, ["0.1", "0.2", "0.5", "1"]), (0.0011, ["0.003", "0.01"])])
    def test_a_loss_can_be_read_off_its_axis(self, figures, tmp_path, least, numbers):
        draw([course(losses=(1.1, least))], tmp_path)
        (axes,) = figures["loss"].axes
        figures["loss"].canvas.draw()
        shown = {tick.get_text() for tick in axes.get_yticklabels()}
        assert set(numbers) <= shown

    def test_regions_stand_side_by_side_and_say_what_does_not_hold_of_them(self, figures, tmp_path):
        draw([course("training_loop.train does not hold"), course(), course()], tmp_path)
        figure = figures["regions"]
        assert len(figure.axes) == 4  # the one that departs, the last of those that agree, two references
        names = [text for text in texts(figure) if text.startswith(("your", "reference"))]
        assert names == ["your training_loop (07)"] * 2 + ["reference, ReLU, SGD", "reference, linear, Adam"]
        told = [text for text in texts(figure) if "of the points right" in text]
        assert told[0].endswith("% of the points right\n(training_loop.train does not hold)")
        assert told[2:] == ["50.0% of the points right"] * 2
        assert texts(figure)[-1] == "Yours by your parameters, in the reference's forward pass."

    def test_without_a_network_of_the_learners_the_references_are_drawn(self, figures, tmp_path):
        nan = {name: value * float("nan") for name, value in initial_parameters(4).items()}
        (tmp_path / "learning.gif").write_bytes(b"old")
        made = draw([course(params=nan)], tmp_path, animated=True)
        assert [path.name for path in made] == ["regions", "loss", "gradient_by_depth"]
        assert len(figures["regions"].axes) == 2
        assert not (tmp_path / "learning.gif").exists()  # it would be taken for this run's

    def test_logits_that_are_no_numbers_give_a_picture_all_the_same(self, figures, tmp_path):
        huge = {name: value * 1e300 for name, value in initial_parameters(4).items()}
        with np.errstate(all="raise"):
            draw([course(params=huge)], tmp_path)
        pixels = figures["regions"].axes[0].images[0].get_array()
        assert np.isfinite(pixels).all()

    def test_nothing_is_wider_than_its_picture(self, tmp_path, monkeypatch):
        seen = {}

        def measured(figure, folder, name):
            figure.canvas.draw()
            titles = [axes.title for axes in figure.axes]
            boxes = [text.get_window_extent() for text in (*titles, *figure.texts)]
            boxes += [legend.get_window_extent() for legend in figure.legends]
            inside = all(
                box.x0 >= 0 and box.x1 <= figure.bbox.x1 and box.y0 >= 0 and box.y1 <= figure.bbox.y1 for box in boxes
            )
            apart = [box for box in boxes if box.width]
            seen[name] = inside and not any(
                one.overlaps(other) for number, one in enumerate(apart) for other in apart[:number]
            )
            return folder / name

        monkeypatch.setattr(plots, "_saved", measured)
        draw([course(WRONG), course(WRONG), course()], tmp_path)
        assert seen == {"loss": True, "regions": True, "gradient_by_depth": True}

    def test_the_animation_shows_every_kept_step_in_one_small_file(self, tmp_path):
        from PIL import Image

        run = course(WRONG)
        path = draw([run], tmp_path, animated=True)[-1]
        assert path == tmp_path / "learning.gif"
        assert path.stat().st_size < 2_000_000
        with Image.open(path) as image:
            assert image.n_frames == 3
            assert image.info["loop"] == 0
            lengths = []
            for number in range(3):
                image.seek(number)
                lengths.append(image.info["duration"])
                assert image.convert("RGB").getpixel((2, 370)) == (255, 255, 255)
        assert lengths == [animation.FRAME_MS, animation.FRAME_MS, animation.LAST_MS]

    @pytest.mark.parametrize("loss", [float("nan"), 0.0, 1e300])
    @pytest.mark.filterwarnings("error::RuntimeWarning", "error::UserWarning")
    def test_losses_that_no_axis_can_show_are_no_trouble(self, tmp_path, loss):
        made = draw([course(losses=(loss, loss))], tmp_path, animated=True)
        assert [path.name for path in made] == ["regions.png", "loss.png", "gradient_by_depth.png", "learning.gif"]
        assert all(path.stat().st_size > 5_000 for path in made)

    def test_the_animation_ends_with_the_end_of_the_training(self, tmp_path, monkeypatch):
        shown = []
        monkeypatch.setattr(animation, "learning", lambda _t, steps, *_: shown.extend(steps) or tmp_path)
        params = initial_parameters(4)
        way = {5 * number: params for number in range(61)}
        run = Trained(params, params, [1.0] * 300, way)
        draw([session.Training("your modules (04, 05)", run, 750)], tmp_path, animated=True)
        epochs = [epoch for epoch, _ in shown]
        assert epochs[:3] == [0, 5, 10]
        assert epochs[-1] == 300
        assert epochs == sorted(set(epochs))
        assert len(epochs) < 50

    def test_the_gradient_by_depth_says_whose_functions_draw_it(self, figures, folder):
        def labels():
            standing = training.standing_of(folder, "vanishing_gradient", None)
            draw([], Path("plots"), find=training.finder(folder), chain=standing.part)
            return [text.get_text().split("\n")[0] for text in figures["gradient_by_depth"].legends[0].get_texts()]

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


@pytest.fixture
def untrained(monkeypatch):
    """`train` without its checks, its trainings and their pictures; the long training is not so long."""

    def standing(folder, name, _cached):
        states = dict.fromkeys(session.USED[name], "passed")
        return training.Standing(name, training.locate(folder, training.find_exercise(name)), states, {})

    monkeypatch.setattr(training, "standing_of", standing)
    monkeypatch.setattr(session, "reference_lines", lambda *_: ([], {}))
    monkeypatch.setattr(session, "NETWORKS", (session.LearnerNetwork("yours", ("training_loop",)),))
    monkeypatch.setattr(session, "learner_lines", lambda *_: ([session.Line("yours", "fine", holds=True)], None))
    monkeypatch.setattr(session, "draw", lambda *_, **__: [Path("plots/regions.png")])
    monkeypatch.setattr(session, "LONG", 300)


def test_without_matplotlib_each_command_says_one_sentence(folder, untrained, monkeypatch, capsys):
    monkeypatch.setattr(plots, "missing", lambda: "matplotlib is not installed: do this")
    told = r"^matplotlib is not installed: do this$"
    with pytest.raises(GradcheckError, match=told):
        training.ensemble_of(folder, Path("plots"))
    with pytest.raises(GradcheckError, match=told):
        training.keepsake(folder, Path("plots"))
    assert training.train_folder(folder, Path("plots"), 0) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "no plots: matplotlib is not installed: do this"
    assert "plots:" not in printed


@pytest.mark.skipif(bool(plots.missing()), reason=plots.missing())
class TestTheEnd:
    def test_what_was_built_is_used_where_nothing_is_wrong(self, folder, untrained, monkeypatch, capsys):
        assert training.train_folder(folder, None, 0) == 0
        printed = capsys.readouterr().out
        assert "what you built\n    All of it is yours: on your spiral of 600 points your train" in printed
        (folder / "07_training/inference.py").unlink()
        assert training.train_folder(folder, None, 0) == 0
        assert "what you built\n    Your cross_entropy asks 1.099 = ln 3" in capsys.readouterr().out
        departs = [session.Line("yours", "departs", holds=False)]
        monkeypatch.setattr(session, "learner_lines", lambda *_: (departs, None))
        assert training.train_folder(folder, Path("plots"), 0, finished=True) == 1
        printed = capsys.readouterr().out
        assert "what you built" not in printed
        assert "to read" not in printed
        assert not Path("plots/keepsake.png").exists()

    def test_who_has_passed_everything_gets_a_picture_and_something_to_read(self, folder, untrained, capsys):
        from PIL import Image

        assert training.train_folder(folder, Path("plots"), 0, finished=True) == 0
        printed = capsys.readouterr().out
        assert "  plots/keepsake.png" in printed
        assert "every exercise has passed; what to read next" in printed
        assert max(map(len, printed.splitlines())) <= 80
        with Image.open("plots/keepsake.png") as image:
            assert image.size == (1600, 1600)
            colours = {image.convert("RGB").getpixel(place) for place in ((200, 200), (1400, 400), (300, 1300))}
        assert len(colours) == 3  # the regions of three classes, which the network has to know
        assert training.train_folder(folder, Path("plots"), 0) == 0
        assert "to read" not in capsys.readouterr().out

    def test_a_narrow_terminal_gets_short_lines_and_whole_addresses(self, folder, untrained, monkeypatch, capsys):
        monkeypatch.setenv("COLUMNS", "40")
        assert training.train_folder(folder, None, 0, finished=True) == 0
        lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
        addresses = [each.address for each in training.READ_NEXT]
        assert [line for line in lines if line.startswith("https://")] == addresses
        told = lines[lines.index("what you built") : lines.index("every exercise has passed; what to read next")]
        assert len(told) > 5
        assert max(map(len, told)) <= 36

    def test_a_course_without_the_training_loop_has_something_to_read_but_no_picture(self, folder, untrained, capsys):
        (folder / LOOP).unlink()
        assert training.train_folder(folder, Path("plots"), 0, finished=True) == 0
        printed = capsys.readouterr().out
        assert "keepsake" not in printed
        assert "what to read next" in printed

    @pytest.mark.parametrize(
        ("source", "words"),
        [
            (None, "training_loop.py is missing"),
            ("def train(x, labels, params, lr, epochs):\n    raise ValueError('no')\n", "a call raised ValueError: no"),
            ("def train(x, labels, params, lr, epochs):\n    return [1.0] * epochs, params\n", "come back unchanged"),
            (
                "def train(x, labels, params, lr, epochs):\n    return [float('nan')] * epochs, params\n",
                "the loss became NaN at epoch 0",
            ),
        ],
    )
    def test_no_picture_is_made_of_what_does_not_learn(self, folder, untrained, source, words):
        if source:
            (folder / LOOP).write_text(source)
        else:
            (folder / LOOP).unlink()
        with pytest.raises(GradcheckError, match="there is no picture of your network: .*" + words):
            training.keepsake(folder, Path("plots"))
        assert not Path("plots/keepsake.png").exists()

    def test_a_folder_that_cannot_be_written_is_told_before_anybody_waits(self, folder, monkeypatch):
        Path("plots").write_text("a file")
        monkeypatch.setattr(session, "reference_lines", lambda *_: pytest.fail("trained first"))
        told = r"plots.* cannot be written: .*; give --plots another folder"
        with pytest.raises(GradcheckError, match=told):
            training.train_folder(folder, Path("plots"), 0)
        with pytest.raises(GradcheckError, match=told):
            training.keepsake(folder, Path("plots"))

    def test_the_command_knows_who_has_passed_everything(self, folder, monkeypatch):
        from gradcheck.catalog import all_exercises
        from gradcheck.grading.grade import locate
        from gradcheck.grading.last_results import digest_of, remember

        asked = []
        monkeypatch.setattr(training, "train_folder", lambda *_, **given: asked.append(given) or 0)

        def typed(*options):
            with pytest.raises(SystemExit):
                cli.main(["train", "work", *options], standalone_mode=False)
            return asked.pop()

        assert typed() == {"animated": True, "finished": False}
        for exercise in all_exercises().values():
            checks = {
                f"{each.spec.name}.{check}": "passed" for each in exercise.functions for check in each.spec.checks
            }
            remember(exercise, digest_of(locate(folder, exercise)), checks, Path(".gradcheck"))
        assert typed("--no-animation") == {"animated": False, "finished": True}
        (folder / LOOP).write_text("changed = True\n")
        assert not typed()["finished"]


def test_what_to_read_next_says_why_and_where():
    assert 3 <= len(training.READ_NEXT) <= 5
    assert len({each.address for each in training.READ_NEXT}) == len(training.READ_NEXT)
    for each in training.READ_NEXT:
        assert each.address.startswith("https://")
        assert each.why.endswith(".")


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
