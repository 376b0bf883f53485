"""A class that never was: synthetic reports with the mistakes that classes make, and the summary of them."""

from __future__ import annotations

import random
from collections.abc import Iterator

from gradcheck.catalog import all_exercises
from gradcheck.classes.report import CourseTitle, GraderUsed
from gradcheck.classes.summary import ClassSummary
from tests.reports.plain_reports import plain, typed

LAYERS = (
    ("limits", True, "address space 2 GiB, CPU 60 s, files 1 MB"),
    ("no new privileges", True, ""),
    ("Landlock", True, "ABI 4: reads the interpreter and its own folder"),
    ("seccomp", True, "filter loaded"),
    ("namespaces", True, "user, network, pid, mount"),
    ("another user", True, "uid 65534"),
)

MISTAKES = """
softmax backward missing-term 30 the term −y_bj Σ_i g_bi y_bi of the gradient of x is missing
softmax backward diagonal-only 11 only the Jacobian's diagonal is used: y (1 − y) times grad_output
softmax backward wrong-axis 4 the sum runs over the batch; it belongs over the classes
softmax jacobian transposed 2 the flattening is column by column
softmax jacobian diagonal-only 13 the entries off the diagonal are zero
softmax forward unstable 22 NaN for x = 1000: subtract the largest entry first
softmax forward wrong-axis 5 normalised over the batch; each row should sum to 1
log_softmax backward missing-term 17 the sum of grad_output over the classes is missing
log_softmax backward wrong-function 6 exp(x) stands where softmax(x) belongs
log_softmax forward unstable 19 −inf for x = −1000: log(softmax(x)) loses what logsumexp keeps
log_softmax jacobian transposed 9 the Jacobian is transposed: rows are outputs
linear backward missing-reduction 24 the gradient of bias has shape (B, O); sum it over the batch
linear backward transposed 12 the gradient of weight is transposed
linear backward swapped-gradients 3 the gradients of x and weight have changed places
linear jacobian_weight wrong-index 18 the right numbers at the wrong places
linear jacobian_x transposed 7 the Jacobian of x is transposed
relu backward missing-upstream 14 you returned dy/dx; the chain rule still needs grad_output
relu backward mask-from-upstream 5 the mask comes from grad_output; it comes from x
relu jacobian wrong-shape 8 a vector came back; the Jacobian is (n, n)
maximum backward kink 9 where x1 equals x2 the two shares do not add up to grad_output
maximum backward missing-mask 4 grad_output goes to both inputs
duplicate backward overwritten-not-accumulated 10 of contributions that add up only the last one counts
sigmoid backward missing-upstream 7 you returned y (1 − y); the chain rule still needs grad_output
sigmoid forward unstable 15 NaN for x = −10000
sigmoid backward wrong-variable 6 x stands where y belongs
softplus forward unstable 20 inf for x = 1000
softplus backward wrong-function 4 tanh stands where sigmoid belongs
tanh backward wrong-function 6 1 − y stands where 1 − y² belongs
mse backward scaled-by-size 21 right up to the factor 1/n: the mean is over all elements
mse backward sign-flipped 8 the gradient has the other sign
mse backward scaled-by-constant 7 right up to the factor 2
nll backward scaled-by-size 12 right up to the factor 1/B
nll backward labels-as-numbers 5 class numbers are computed with; they choose an entry
cross_entropy backward missing-term 9 the one-hot term is missing
cross_entropy backward scaled-by-size 10 right up to the factor 1/B
cross_entropy forward unstable 11 inf for logits of 1000
bce_with_logits backward sign-flipped 6 the gradient has the other sign
bce_with_logits forward unstable 16 NaN for logits of ±1000
nearest_neighbour predict wrong-axis 3 the smallest distance is sought over the samples
squared_error gradient scaled-by-constant 9 right up to the factor 2
gradient_descent step wrong-direction 4 the step goes uphill
minibatches batches edge-size 8 the last, smaller batch is lost
graph backward overwritten-not-accumulated 16 of contributions that add up only the last one counts
multi_stage backward missing-derivative 7 grad_output is passed on without the local derivative
vector_chain_rule chain transposed 6 the product of Jacobians stands in the other order
weighted_sum backward wrong-variable 5 w stands where x belongs
dropout backward ignores-argument 6 p has no influence: divide by 1 − p
dropout forward ignores-generator 4 another generator than the one given was used
normalise backward missing-term 3 the derivative of the mean is taken for zero
weight_decay l1_gradient kink 5 the subgradient at 0 lies outside [−α, α]
initialisation kaiming_normal wrong-distribution 5 the standard deviation is 2 / fan_in; the root is missing
two_layer_net backward updated-too-early 2 W_y was changed before its old value was used
training_loop train_step loss-after-update 8 the loss returned is that after the update
inference accuracy wrong-type 3 a tensor came back; a float was asked for
softmax jacobian raised 3 RuntimeError: The size of tensor a (3) must match the size of tensor b (4)
linear forward raised 2 NameError: name 'wieght' is not defined
relu forward wrong-dtype 2 float32 came back for a float64 input
embedding backward overwritten-not-accumulated 9 repeated indices overwrite each other
attention backward timed-out 1 no answer within 10 seconds
three_layer_net backward unrecognised 6 differs from dC/dw0 at [0, 1], [2, 0]
"""


REASON = "the references disagree on relu at x = 0.5"


def mistakes() -> Iterator[tuple[str, str, str, int, str]]:
    for line in MISTAKES.strip().splitlines():
        exercise, function, code, percent, text = line.split(" ", 4)
        yield exercise, function, code, int(percent), text


def report(
    name: str, *, wrong=(), started=None, errored=(), ungraded=(), student=None, late=0, problems=(), layers=LAYERS
) -> dict:
    """A report in which the mistakes of `wrong` were made; `started`: how many exercises, all if None. The grader failed
    on those that are `ungraded`, whatever the submission did.
    """
    exercises = []
    for place, exercise in enumerate(all_exercises().values()):
        checks = []
        for number, (function, code, text) in enumerate(
            (function, code, text) for task, function, code, text in wrong if task == exercise.name
        ):
            status = "errored" if code in ("raised", "timed-out") or exercise.name in errored else "failed"
            diagnosis = {"code": code, "text": text, "confidence": 1.0, "think": "Where does x stand?"}
            checks += [
                {"id": f"{exercise.name}.{function}.values", "status": status, "message": text, "diagnosis": diagnosis},
                {"id": f"{exercise.name}.{function}.edge_cases{number}", "status": "skipped", "message": ""},
            ]
        status, score = "passed", float(exercise.max_score)
        if started is not None and place >= started:
            checks, status, score = [], "not_started", 0.0
        elif checks:
            status = "errored" if any(check["status"] == "errored" for check in checks) else "failed"
            score = round(score * 0.5 ** (len(checks) // 2), 2)
        if exercise.name in ungraded:
            function = exercise.functions[0].spec.name
            failure = {"id": f"{exercise.name}.{function}.edge_cases", "status": "ungraded", "message": REASON}
            checks, status, score = [*checks, failure], "ungraded", 0.0
        exercises.append(
            {
                "name": exercise.name, "unit": exercise.unit, "status": status, "score": score,
                "max_score": float(exercise.max_score), "hint": 0, "gave_up": False, "checks": checks,
            }
        )  # fmt: skip
    score = sum(each["score"] for each in exercises)
    final = max(0.0, score - 5.0 * late)
    return {
        "schema": "gradcheck/report/v1", "submission": name, "seed": 7, "score": score,
        "max_score": sum(each["max_score"] for each in exercises), "exercises": exercises, "digest": "0" * 64,
        "problems": list(problems), "warnings": [], "student": student, "submitted": "", "commit": "",
        "sandbox": [{"name": name, "held": held, "detail": detail} for name, held, detail in layers],
        "policy": {"earned": score, "late_days": late, "late_penalty": 5.0 * late, "hint_penalty": 0.0, "note": ""},
        "ungraded": list(ungraded), "final_score": None if ungraded else final,
    }  # fmt: skip


FIRST = "Ada Ben Chloé Dmitri Emre Fatima Gül Hana Ines Jürgen Kofi Liam Mei Noor Olga Priya Quentin Rosa Søren Tomás".split()
LAST = "Abe Bauer Chen Diaz Eriksen Fofanah Garcia Haddad Ivanova Jensen Kaya Lopez Müller Nguyen Okafor Park".split()
NOTES = (
    "notes.txt lies where exercises belong; it was not read.",
    "04_modules/relu.py is larger than 1,000,000 bytes; it counts as not started.",
    "two folders hold exercises; week2/exercises was graded, backup/exercises was not.",
    "05_losses/mse.py is a link; it was not followed.",
)


def reports(count: int, seed: int = 0, layers=LAYERS) -> Iterator[dict]:
    draw = random.Random(seed)
    total = len(all_exercises())
    for number in range(count):
        first, last = draw.choice(FIRST), draw.choice(LAST)
        skill = draw.betavariate(2.2, 2)
        wrong = [
            (exercise, function, code, text)
            for exercise, function, code, percent, text in mistakes()
            if draw.random() * 60 < percent * (1.7 - 1.8 * skill)
        ]
        started = None if draw.random() < 0.55 else 0 if draw.random() < 0.07 else draw.randint(13, total)
        name = f"{first}-{last}-{number + 1:04}".lower()
        yield report(
            name,
            wrong=wrong,
            started=started,
            student={"name": f"{first} {last}", "email": f"{name}@example.org", "id": f"{10_000 + 37 * number}"},
            late=draw.choice((0,) * 12 + (1, 1, 2)),
            problems=draw.sample(NOTES, draw.choice((0,) * 14 + (1, 2))),
            layers=layers,
        )


ATTACKS = (
    "<img src=x onerror=alert(1)>", "<script>alert(1)</script>", "</script><script>alert(1)</script>", "<svg/onload=alert(1)>",
    "javascript:alert(1)", "\"><iframe src='http://example.org/'></iframe>", "<style>@import 'http://example.org/'</style>",
    "<link rel=stylesheet href=http://example.org/>", "<!--", "&#60;img src=http://example.org/x&#62;", "\u2028alert(1)",
)  # fmt: skip


def attacked() -> list[dict]:
    """Submissions whose every text attacks the page."""
    return [
        report(
            f"{number} {text}".replace("/", "_"),
            wrong=[("softmax", "backward", text, text)],
            student=dict.fromkeys(("name", "email", "id"), text),
            problems=[text],
        )
        for number, text in enumerate(ATTACKS)
    ]


def summary_of(found, title="Deep Learning, week 2: backpropagation") -> dict:
    course = {"title": title, "deadline": "2026-11-06T23:59:00+01:00"}
    grader = GraderUsed(version="0.1.0", catalog="5f0c2d9e")
    gathered = ClassSummary(CourseTitle(**course), grader, list(all_exercises().values()))
    for place, each in enumerate(found):
        gathered.add(typed(each), seconds=0.02 + 0.9 / (place % 97 + 1), reused=False)
    summary = plain(gathered.so_far())
    summary["timings"] |= {
        "started": "2026-11-07T08:00:00+00:00", "finished": "2026-11-07T08:00:09+00:00", "wall_s": 9.04,
        "per_minute": 1991.2,
    }  # fmt: skip
    return summary
