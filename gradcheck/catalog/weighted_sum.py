"""Backpropagation through a weighted sum."""

from gradcheck.catalog.exercise import About, Exercise, Misconception, backward
from gradcheck.operators.backpropagation import WEIGHTED_SUM

ORDER = 2

EXERCISE = Exercise(
    name="weighted_sum",
    unit="03_backpropagation",
    title="Backpropagation through a weighted sum",
    about=About(
        statement=(
            "A network alternates weighted sums, s_i = Σ_j w_ij z_j, with point-wise functions, z_i = h(s_i). C is a "
            "function of s; through the sum it becomes one of the units z below and of the weights w. What reaches C "
            "in several ways changes it along all of them, and these changes add up."
        ),
        purpose=(
            "What every layer does in training: the gradient by the weights moves them, and the one by the units is "
            "what the layer below waits for."
        ),
        torch=("torch.mv",),
        idea=(
            "z_j takes part in every sum, so its gradient adds over i: the same matrix, used the other way round. w_ij "
            "stands in s_i alone, beside z_j, so nothing is added up there."
        ),
        minutes=15,
        difficulty=1,
    ),
    operator=WEIGHTED_SUM,
    functions=(backward("grad_output", "z", "w", returns="tuple"),),
    hints=(
        "Which of the sums s_i does z_j take part in, and with which factor in each? And in which does w_ij take part?",
        "Turn z_j a little: every s_i that it takes part in moves, and C with each of them. Add these changes up. w_ij "
        "takes part in one sum only: nothing is added up there.",
        "dC/dz_j = Σ_i g_i ∂s_i/∂z_j and dC/dw_pq = Σ_i g_i ∂s_i/∂w_pq, where s_i = Σ_j w_ij z_j: of the second sum "
        "only the term i = p is left.",
    ),
    misconceptions=(
        Misconception(
            "backward",
            "extra-term",
            "grad_w still holds the weights: you multiplied by the whole term of the sum",
            lambda grad_output, z, w: (grad_output @ w, grad_output[:, None] * z * w),
            "How steep is w z as a function of w?",
        ),
        Misconception(
            "backward",
            "extra-term",
            "grad_z still holds z: you multiplied by the whole term of the sum",
            lambda grad_output, z, w: ((grad_output @ w) * z, grad_output[:, None] * z),
            "How steep is w z as a function of z?",
        ),
        Misconception(
            "backward",
            "wrong-variable",
            "for grad_z you handed the output s back through the weights, where grad_output belongs",
            lambda grad_output, z, w: ((w @ z) @ w, grad_output[:, None] * z),
            "What comes from upstream: s, or how fast C changes with s?",
        ),
        Misconception(
            "backward",
            "wrong-variable",
            "for grad_w you multiplied z by the output s, where grad_output belongs",
            lambda grad_output, z, w: (grad_output @ w, (w @ z)[:, None] * z),
            "What comes from upstream: s, or how fast C changes with s?",
        ),
        Misconception(
            "backward",
            "extra-term",
            "you shared grad_output out by the size of the weights: each column of w is divided by its sum",
            lambda grad_output, z, w: (grad_output @ (w / w.sum(0)), grad_output[:, None] * z),
            "Does a change of z_j have to be shared among the sums, or does it reach each of them in full?",
        ),
    ),
)
