"""What goes wrong when inputs are normalised."""

from __future__ import annotations

from typing import Any

from gradcheck.catalog.exercise import Misconception


def _through_the_statistics(grad_output: Any, x: Any, mean: Any, std: Any, eps: float) -> Any:
    divisor = std.clamp(min=eps)
    y = (x - mean) / divisor
    return (grad_output - grad_output.mean(0) - y * (grad_output * y).mean(0)) / divisor


NORMALISE_MISCONCEPTIONS = (
    Misconception(
        "fit",
        "wrong-function",
        "you returned the variance: the root is missing",
        lambda x: (x.mean(0), (x - x.mean(0)).square().mean(0)),
        "In which unit is x measured, and in which is your std?",
    ),
    Misconception(
        "fit",
        "scaled-by-size",
        "you divided by P − 1, as one does to estimate from a sample",
        lambda x: (x.mean(0), ((x - x.mean(0)).square().sum(0) / (len(x) - 1)).sqrt()),
        "What is the spread of a single sample? The task says which of the two definitions it is.",
    ),
    Misconception(
        "fit",
        "missing-term",
        "you took the root of the mean square of x itself: nothing was subtracted before",
        lambda x: (x.mean(0), x.square().mean(0).sqrt()),
        "What is the standard deviation of a column in which every entry is 7?",
    ),
    Misconception(
        "fit",
        "wrong-function",
        "you averaged the absolute deviations, not their squares",
        lambda x: (x.mean(0), (x - x.mean(0)).abs().mean(0)),
        "What is done to the deviations before they are averaged, and what after?",
    ),
    Misconception(
        "fit",
        "wrong-function",
        "you took the smallest entry and the range: this maps a column to 0 … 1",
        lambda x: (x.amin(0), x.amax(0) - x.amin(0)),
        "Which mean and which spread should a normalised column have?",
    ),
    Misconception(
        "fit",
        "wrong-axis",
        "you took one mean and one std of all entries together: the columns share them",
        lambda x: (x.mean().expand(x.shape[1]), x.std(correction=0).expand(x.shape[1])),
        "One column is a height in metres, one an income in euros. What do they have in common?",
    ),
    Misconception(
        "fit",
        "wrong-axis",
        "you measured the deviations from the mean of all entries, not from each column's own",
        lambda x: (x.mean(0), (x - x.mean()).square().mean(0).sqrt()),
        "Around which number does a column spread?",
    ),
    Misconception(
        "fit",
        "wrong-function",
        "you took the median for the mean",
        lambda x: (x.median(0).values, x.std(0, correction=0)),
        "What becomes of the mean when the largest entry grows?",
    ),
    Misconception(
        "forward",
        "wrong-function",
        "you added eps to std: every column is divided by too much, not only the constant ones",
        lambda x, mean, std, eps: (x - mean) / (std + eps),
        "A column with std 2 and eps 1: by which number should it be divided?",
    ),
    Misconception(
        "forward",
        "wrong-function",
        "you divided by the root of std² + eps, as batch normalisation does",
        lambda x, mean, std, eps: (x - mean) / (std.square() + eps).sqrt(),
        "A column with std 2 and eps 1: by which number should it be divided?",
    ),
    Misconception(
        "forward",
        "ignores-argument",
        "eps has no influence: a std below it is divided by as it is",
        lambda x, mean, std, _eps: (x - mean) / std,
        "How large does a constant column become?",
    ),
    Misconception(
        "forward",
        "wrong-function",
        "you took the smaller one of std and eps",
        lambda x, mean, std, eps: (x - mean) / std.clamp(max=eps),
        "Against which danger is eps there: a std that is too large, or one that is too small?",
    ),
    Misconception(
        "forward",
        "wrong-function",
        "you put the bound eps on the quotient, not on what it is divided by",
        lambda x, mean, std, eps: ((x - mean) / std).clamp(min=eps),
        "Which number must not come too near to zero? And may a normalised input be negative?",
    ),
    Misconception(
        "forward",
        "wrong-mask",
        "columns whose std lies below eps were not scaled at all",
        lambda x, mean, std, eps: (x - mean) / std.where(std >= eps, 1.0),
        "By which number is a column with std 0 divided?",
    ),
    Misconception(
        "forward",
        "wrong-mask",
        "columns whose std lies below eps came back as zeros",
        lambda x, mean, std, eps: (x - mean) * (std >= eps) / std.clamp(min=eps),
        "A column's std is half of eps. Does its input carry nothing?",
    ),
    Misconception(
        "forward",
        "wrong-function",
        "brackets are missing: only the mean was divided",
        lambda x, mean, std, eps: x - mean / std.clamp(min=eps),
        "What does Python do first, a subtraction or a division?",
    ),
    Misconception(
        "forward",
        "wrong-function",
        "you multiplied by what should divide",
        lambda x, mean, std, eps: (x - mean) * std.clamp(min=eps),
        "A wide column is to become narrower. Does it?",
    ),
    Misconception(
        "forward",
        "wrong-function",
        "you took a root of the standard deviation: it is one already",
        lambda x, mean, std, eps: (x - mean) * std.clamp(min=eps).rsqrt(),
        "Is std a variance?",
    ),
    Misconception(
        "forward",
        "ignores-argument",
        "you took mean and std from this x: those that were handed over have no influence",
        lambda x, _mean, _std, eps: (x - x.mean(0)) / x.std(0, correction=0).clamp(min=eps),
        "At test time a single sample comes. Whose statistics should it be measured by?",
    ),
    Misconception(
        "forward",
        "ignores-argument",
        "you subtracted the mean of this x: the one that was handed over has no influence",
        lambda x, _mean, std, eps: (x - x.mean(0)) / std.clamp(min=eps),
        "At test time a single sample comes. From whose mean is it measured?",
    ),
    Misconception(
        "forward",
        "wrong-function",
        "you divided by the square of the larger one of std and eps",
        lambda x, mean, std, eps: (x - mean) * std.clamp(min=eps).pow(-2),
        "In which unit is x measured, and in which is what you divide by?",
    ),
    Misconception(
        "backward",
        "extra-term",
        "you went through mean and std too, as if they were computed from this x",
        _through_the_statistics,
        "Does mean change when an entry of this x does?",
    ),
    Misconception(
        "backward",
        "extra-term",
        "you went through the mean too, as if it were computed from this x",
        lambda grad_output, _x, _mean, std, eps: (grad_output - grad_output.mean(0)) / std.clamp(min=eps),
        "Does mean change when an entry of this x does?",
    ),
    Misconception(
        "backward",
        "extra-term",
        "you normalised grad_output like an input: the mean was subtracted from it",
        lambda grad_output, _x, mean, std, eps: (grad_output - mean) / std.clamp(min=eps),
        "What remains of a constant that is added, when one differentiates?",
    ),
    Misconception(
        "backward",
        "wrong-variable",
        "you multiplied grad_output by the normalised x: that is the forward value, not its slope",
        lambda grad_output, x, mean, std, eps: grad_output * (x - mean) / std.clamp(min=eps),
        "y is a straight line in x. Does its slope depend on x?",
    ),
    Misconception(
        "backward",
        "wrong-mask",
        "columns whose std lies below eps got no gradient",
        lambda grad_output, _x, _mean, std, eps: grad_output * (std >= eps) / std.clamp(min=eps),
        "Does y change with x where eps has taken the place of std?",
    ),
    Misconception(
        "backward",
        "wrong-function",
        "you added eps to std: every column is divided by too much",
        lambda grad_output, _x, _mean, std, eps: grad_output / (std + eps),
        "By which number did forward divide?",
    ),
    Misconception(
        "backward",
        "wrong-function",
        "you divided by the root of std² + eps, as batch normalisation does",
        lambda grad_output, _x, _mean, std, eps: grad_output / (std.square() + eps).sqrt(),
        "By which number did forward divide?",
    ),
    Misconception(
        "backward",
        "ignores-argument",
        "eps has no influence: a std below it is divided by as it is",
        lambda grad_output, _x, _mean, std, _eps: grad_output / std,
        "By which number did forward divide where std is smaller than eps?",
    ),
    Misconception(
        "backward",
        "wrong-function",
        "you took the smaller one of std and eps",
        lambda grad_output, _x, _mean, std, eps: grad_output / std.clamp(max=eps),
        "By which number did forward divide?",
    ),
    Misconception(
        "backward",
        "wrong-function",
        "you multiplied by the divisor: the slope of a quotient is not its reciprocal",
        lambda grad_output, _x, _mean, std, eps: grad_output * std.clamp(min=eps),
        "How much does x / 10 change when x changes by 1?",
    ),
    Misconception(
        "backward",
        "wrong-function",
        "you divided by the square of the divisor, as if it were the variable",
        lambda grad_output, _x, _mean, std, eps: grad_output * std.clamp(min=eps).pow(-2),
        "Which of the numbers in the quotient is differentiated by?",
    ),
)
