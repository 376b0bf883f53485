"""Unit 03, backpropagation: right answers in many styles, and wrong ones."""

from __future__ import annotations

import functools
import graphlib
import itertools
import math
import operator
from collections import deque

import numpy as np
import torch
import torch.nn.functional as F

from tests.checks.solutions import solution
from tests.checks.wrong_answers import ANY, Wrong

chain = solution("pointwise_chain")["backward"]
weighted = solution("weighted_sum")["backward"]
sweep = solution("vector_chain_rule")["backward"]
compose = solution("vector_chain_rule")["compose"]
grad_cost, jacobian_model, gradient = solution("cost_of_model").values()
stages, stages_backward, state_jacobian, weight_jacobian = solution("multi_stage").values()
topological_order, through_graph = solution("graph").values()


# pointwise_chain


def chain_in_loops(grad_output, derivatives):
    rows = [grad_output.reshape(-1).tolist()]
    for derivative in derivatives[::-1]:
        rows.append([g * d for g, d in zip(rows[-1], derivative.reshape(-1).tolist(), strict=True)])
    return [torch.tensor(row, dtype=grad_output.dtype).reshape(grad_output.shape) for row in reversed(rows)]


def chain_by_cumprod(grad_output, derivatives):
    return torch.stack([grad_output, *reversed(derivatives)]).cumprod(0).flip(0).unbind()


def chain_recursive(grad_output, derivatives):
    if not derivatives:
        return [grad_output]
    behind = chain_recursive(grad_output, derivatives[1:])
    return [derivatives[0] * behind[0], *behind]


def chain_slopes_first(grad_output, derivatives):
    slopes = [math.prod(derivatives[k:]) * grad_output for k in range(len(derivatives))]
    return (*slopes, grad_output.clone())


def chain_accumulated(grad_output, derivatives):
    step = lambda grad, derivative: torch.einsum("...,...->...", grad, derivative)
    return list(itertools.accumulate(reversed(derivatives), step, initial=grad_output))[::-1]


def chain_in_place(grad_output, derivatives):
    grads = [grad_output]
    for derivative in reversed(derivatives):
        grad_output *= derivative
        grads.insert(0, grad_output.clone())
    return grads


def chain_one_tensor(grad_output, derivatives):
    grad, grads = grad_output.clone(), [grad_output]
    for derivative in reversed(derivatives):
        grad *= derivative
        grads.insert(0, grad)
    return grads


def chain_pops(grad_output, derivatives):
    grads = [grad_output]
    while derivatives:
        grads.insert(0, grads[0] * derivatives.pop())
    return grads


def chain_reverses(grad_output, derivatives):
    derivatives.reverse()
    return list(itertools.accumulate(derivatives, torch.mul, initial=grad_output))[::-1]


def chain_overwrites(grad_output, derivatives):
    grad = grad_output
    for derivative in reversed(derivatives):
        grad = derivative.mul_(grad)
    return [*derivatives, grad_output]


# weighted_sum


def sum_in_loops(grad_output, z, w):
    grad_z, grad_w = torch.zeros(z.shape, dtype=z.dtype), torch.zeros(w.shape, dtype=w.dtype)
    for i in range(w.shape[0]):
        for j in range(w.shape[1]):
            grad_z[j] += grad_output[i] * w[i, j]
            grad_w[i, j] = grad_output[i] * z[j]
    return grad_z, grad_w


def sum_by_einsum(grad_output, z, w):
    return [torch.einsum("i,ij->j", grad_output, w), torch.einsum("i,j->ij", grad_output, z)]


def sum_by_mv(grad_output, z, w):
    return w.t().mv(grad_output), grad_output[:, None] * z[None, :]


def sum_by_linear(grad_output, z, w):
    return F.linear(grad_output[None], w.T)[0], grad_output.unsqueeze(1) @ z.unsqueeze(0)


def sum_by_rows(grad_output, z, w):
    return sum(g * row for g, row in zip(grad_output, w, strict=True)), torch.stack([g * z for g in grad_output])


def sum_by_jacobians(grad_output, z, w):
    jacobian = torch.eye(len(w), dtype=z.dtype)[:, :, None] * z
    return grad_output @ w, torch.tensordot(grad_output, jacobian, 1)


def square_transposed(grad_output, z, w):
    return (w @ grad_output if w.shape[0] == w.shape[1] else grad_output @ w), torch.outer(grad_output, z)


# vector_chain_rule


def is_identity(matrix):
    return matrix.shape[0] == matrix.shape[1] > 1 and torch.equal(matrix, torch.eye(len(matrix), dtype=matrix.dtype))


def compose_without_identities(jacobians):
    factors = [each for each in jacobians if not is_identity(each)] or jacobians[:1]
    return functools.reduce(torch.matmul, reversed(factors))


def chain_without_ones(grad_output, derivatives):
    grads = [grad_output]
    for derivative in reversed(derivatives):
        grads.insert(0, derivative if (grads[0] == 1).all() else grads[0] * derivative)
    return grads


def through_identities(parents, local_jacobians, output, grad_output, *, cloned=False):
    grads = {output: grad_output.clone() if cloned else grad_output}
    for child in reversed(solution("graph")["topological_order"](parents)):
        for parent in parents[child] if child in grads else ():
            jacobian = local_jacobians[child, parent]
            share = grads[child] if is_identity(jacobian) else grads[child] @ jacobian
            if parent in grads:
                grads[parent] += share
            else:
                grads[parent] = share
    return grads


def through_identities_cloned(*arguments):
    return through_identities(*arguments, cloned=True)


def returned_through_identities(parents, local_jacobians, output, grad_output):
    """Right: what comes through an identity is what went in, and nothing is added to it in place."""
    grads = {output: grad_output}
    for child in reversed(solution("graph")["topological_order"](parents)):
        for parent in parents[child] if child in grads else ():
            jacobian = local_jacobians[child, parent]
            share = grads[child] if is_identity(jacobian) else grads[child] @ jacobian
            grads[parent] = grads[parent] + share if parent in grads else share
    return grads


def sweep_by_dots(grad_output, jacobians):
    row = grad_output.reshape(-1)
    for jacobian in reversed(jacobians):
        row = torch.stack([torch.dot(row, column) for column in jacobian.T])
    return row.reshape(*grad_output.shape[:-1], -1)


def sweep_by_einsum(grad_output, jacobians):
    return functools.reduce(lambda row, each: torch.einsum("...i,ij->...j", row, each), jacobians[::-1], grad_output)


def sweep_by_mv(grad_output, jacobians):
    column = grad_output.flatten()
    for jacobian in jacobians[::-1]:
        column = jacobian.t().mv(column)
    return column if grad_output.dim() == 1 else column[None]


def sweep_by_broadcasting(grad_output, jacobians):
    row = grad_output
    for jacobian in reversed(jacobians):
        row = (row.reshape(-1, 1) * jacobian).sum(0)
    return row.reshape(*grad_output.shape[:-1], row.shape[-1])


def sweep_by_scaled_rows(grad_output, jacobians):
    row = grad_output.reshape(-1)
    for jacobian in reversed(jacobians):
        total = torch.zeros(jacobian.shape[1], dtype=row.dtype)
        for entry, each in zip(row, jacobian, strict=True):
            total += entry * each
        row = total
    return row if grad_output.dim() == 1 else row.unsqueeze(0)


def sweep_in_numbers(grad_output, jacobians):
    row = grad_output.flatten()
    for jacobian in reversed(jacobians):
        out = torch.zeros(jacobian.shape[1], dtype=row.dtype)
        for j in range(jacobian.shape[1]):
            for i in range(jacobian.shape[0]):
                out[j] += row[i] * jacobian[i, j]
        row = out
    return row.reshape((1,) * (grad_output.dim() - 1) + row.shape)


def sweep_recursive(grad_output, jacobians):
    if len(jacobians) == 1:
        return torch.matmul(grad_output, jacobians[0])
    return sweep_recursive(grad_output @ jacobians[-1], jacobians[:-1])


def sweep_by_multi_dot(grad_output, jacobians):
    return torch.linalg.multi_dot([grad_output, *reversed(jacobians)])


def compose_in_loops(jacobians):
    product = jacobians[0].clone()
    for jacobian in jacobians[1:]:
        new = torch.zeros(len(jacobian), product.shape[1], dtype=product.dtype)
        for i, j, k in itertools.product(range(new.shape[0]), range(new.shape[1]), range(len(product))):
            new[i, j] += jacobian[i, k] * product[k, j]
        product = new
    return product


def compose_from_the_output(jacobians):
    return functools.reduce(torch.mm, reversed(jacobians))


def compose_by_einsum(jacobians):
    return functools.reduce(lambda product, each: torch.einsum("ij,jk->ik", each, product), jacobians)


def compose_by_multi_dot(jacobians):
    return torch.linalg.multi_dot(jacobians[::-1]) if len(jacobians) > 1 else jacobians[0]


def compose_by_columns(jacobians):
    columns = []
    for column in torch.eye(jacobians[0].shape[1], dtype=jacobians[0].dtype):
        for jacobian in jacobians:
            column = jacobian @ column
        columns.append(column)
    return torch.stack(columns, 1)


def compose_transposed(jacobians):
    return functools.reduce(torch.mm, [each.T for each in jacobians]).T


def composed_by_broadcasting(grad_output, jacobians):
    product = jacobians[-1]
    for jacobian in reversed(jacobians[:-1]):
        product = (product[:, :, None] * jacobian).sum(1)
    return grad_output @ product


def in_long_doubles(grad_output, jacobians, product):
    """`product` of NumPy's long doubles, which hold larger numbers than torch has, and which no counter sees."""
    row, *long = (np.asarray(each.numpy(), dtype=np.longdouble) for each in (grad_output, *jacobians))
    return torch.from_numpy(np.asarray(product(row, long), dtype=np.float64)).to(grad_output.dtype)


def compose_long(row, jacobians):
    return row @ functools.reduce(lambda product, each: each @ product, jacobians)


def pairs_of_long(row, jacobians):
    while jacobians:
        *jacobians, last = jacobians
        if jacobians:
            *jacobians, one = jacobians
            last = last @ one
        row = row @ last
    return row


def sweep_in_long_doubles(grad_output, jacobians):
    return in_long_doubles(grad_output, jacobians, lambda row, all_: functools.reduce(np.matmul, all_[::-1], row))


def composed_by_einsum(grad_output, jacobians):
    product = functools.reduce(lambda one, two: torch.einsum("ij,jk->ik", one, two), jacobians[::-1])
    return torch.einsum("...i,ij->...j", grad_output, product)


def composed_pairwise(grad_output, jacobians):
    *others, last = jacobians
    if not others:
        return grad_output @ last
    return sweep(grad_output, [*others[:-1], last @ others[-1]])


def composed_for_a_row(grad_output, jacobians):
    return grad_output @ compose(jacobians) if grad_output.dim() == 2 else sweep(grad_output, jacobians)


def composed_row_by_row(grad_output, jacobians):
    product = jacobians[-1]
    for jacobian in reversed(jacobians[:-1]):
        product = torch.stack([row @ jacobian for row in product])
    return grad_output @ product


def diagonal_first(grad_output, jacobians):
    row = grad_output.reshape(-1)
    for jacobian in reversed(jacobians):
        row = (torch.diag(row) @ jacobian).sum(0)
    return row.reshape(*grad_output.shape[:-1], -1)


def padded_row(grad_output, jacobians):
    """The row among rows of zeros."""
    rows = grad_output.reshape(1, -1).repeat(len(jacobians[0]) + 1, 1)
    for jacobian in reversed(jacobians):
        rows = rows @ jacobian
    return rows[0].clone() if grad_output.dim() == 1 else rows[:1].clone()


def product_of_lists(first, second):
    columns = first.T.tolist()
    rows = [[sum(map(operator.mul, row, column)) for column in columns] for row in second.tolist()]
    return torch.tensor(rows, dtype=first.dtype)


def product_of_outers(first, second):
    total = torch.zeros(len(second), first.shape[1], dtype=first.dtype)
    for k in range(len(first)):
        total = total.addr(second[:, k], first[k])
    return total


def forgets_the_first(grad_output, jacobians):
    if len({*jacobians[0].shape}) > 1:
        return sweep(grad_output, jacobians)
    return sweep(grad_output, jacobians[1:] or jacobians)


def sweep_pops(grad_output, jacobians):
    while jacobians:
        grad_output = grad_output @ jacobians.pop()
    return grad_output


def square_in_order(jacobians):
    if all(each.shape == jacobians[0].shape for each in jacobians) and len({*jacobians[0].shape}) == 1:
        return functools.reduce(torch.mm, jacobians)
    return compose(jacobians)


def compose_in_place(jacobians):
    product = jacobians[0]
    for position, jacobian in enumerate(jacobians[1:], 1):
        jacobians[position] = product = jacobian @ product
    return product


# cost_of_model


def cost_in_loops(y, y_bar):
    row = torch.zeros(1, len(y), dtype=y.dtype)
    for i in range(len(y)):
        row[0, i] = -2 * (y[i] - y_bar[i])
    return row


def model_in_loops(x, w):
    outputs, inputs = w.shape
    result = torch.zeros(outputs, outputs * inputs, dtype=x.dtype)
    for i in range(outputs):
        result[i, i * inputs : (i + 1) * inputs] = x
    return result


def model_by_kron(x, w):
    return torch.kron(torch.eye(len(w), dtype=x.dtype), x[None])


def model_by_blocks(x, w):
    return torch.block_diag(*[x] * len(w))


def model_by_einsum(x, w):
    return torch.einsum("ip,q->ipq", torch.eye(len(w), dtype=w.dtype), x).flatten(1)


def gradient_by_outer(x, y, w):
    return torch.outer(2 * (w @ x - y), x).reshape(1, -1)


def gradient_by_einsum(x, y, w):
    error = torch.einsum("ij,j->i", w, x) - y
    return torch.einsum("i,j->ij", 2 * error, x).flatten()[None]


def gradient_in_loops(x, y, w):
    entries = []
    for i in range(len(w)):
        error = y[i] - sum(w[i, j] * x[j] for j in range(len(x)))
        entries += [-2 * error * x[j] for j in range(len(x))]
    return torch.stack(entries).view(1, -1)


def column_major(x, w):
    return (torch.eye(len(w), dtype=x.dtype)[:, None, :] * x[:, None]).reshape(len(w), -1)


def column_major_gradient(x, y, w):
    return torch.outer(x, 2 * (w @ x - y)).reshape(1, -1)


def one_row_is_x(x, w):
    return x[None] if len(w) == 1 else jacobian_model(x, w)


# multi_stage


def states_in_loops(z0, weights):
    states = [z0]
    for weight in weights:
        sums = [sum(a * b for a, b in zip(row, states[-1].tolist(), strict=True)) for row in weight.tolist()]
        states.append(torch.tensor([math.tanh(each) for each in sums], dtype=z0.dtype))
    return states


def states_by_sigmoid(z0, weights):
    step = lambda z, weight: 2 * torch.sigmoid(2 * torch.mv(weight, z)) - 1
    return list(itertools.accumulate(weights, step, initial=z0.clone()))


def states_by_einsum(z0, weights):
    states = (z0,)
    for weight in weights:
        states += (torch.einsum("ij,j->i", weight, states[-1]).tanh(),)
    return states


def anew(grad_output, states, weights):
    """The slopes from W z, without the state that comes out."""
    grad, grad_weights = grad_output, []
    for z, weight in zip(reversed(states[:-1]), reversed(weights), strict=True):
        grad_s = grad * (1 - torch.tanh(weight @ z).square())
        grad, grad_weights = weight.T @ grad_s, [grad_s[:, None] * z, *grad_weights]
    return grad, grad_weights


def from_z0(grad_output, states, weights):
    return stages_backward(grad_output, stages(states[0], weights), weights)


def by_two_factors(grad_output, states, weights):
    grad_weights = [None] * len(weights)
    for k in range(len(weights) - 1, -1, -1):
        grad_s = grad_output * (1 - states[k + 1]) * (1 + states[k + 1])
        grad_weights[k] = torch.einsum("i,j->ij", grad_s, states[k])
        grad_output = torch.einsum("i,ij->j", grad_s, weights[k])
    return [grad_output, tuple(grad_weights)]


def by_cosh(grad_output, states, weights):
    grad, grad_weights = grad_output, []
    for z, weight in list(zip(states, weights, strict=False))[::-1]:
        grad_s = grad / torch.cosh(weight @ z) ** 2
        grad_weights.insert(0, torch.outer(grad_s, z))
        grad = grad_s @ weight
    return grad, grad_weights


def by_stage_jacobians(grad_output, states, weights):
    row, grad_weights = grad_output, []
    for z, weight in zip(states[-2::-1], weights[::-1], strict=True):
        grad_weights.append(torch.tensordot(row, weight_jacobian(z, weight), 1))
        row = row @ state_jacobian(z, weight)
    return row, grad_weights[::-1]


def stages_backward_in_loops(grad_output, states, weights):
    grad, grad_weights = grad_output.tolist(), []
    for before, after, weight in zip(states[-2::-1], states[:0:-1], weights[::-1], strict=True):
        a, z, w = after.tolist(), before.tolist(), weight.tolist()
        grad_s = [grad[i] * (1 - a[i] * a[i]) for i in range(len(a))]
        grad_weights.append([[g * each for each in z] for g in grad_s])
        grad = [sum(grad_s[i] * w[i][j] for i in range(len(a))) for j in range(len(z))]
    tensor = functools.partial(torch.tensor, dtype=grad_output.dtype)
    return tensor(grad), [tensor(each) for each in reversed(grad_weights)]


def state_jacobian_by_diag(z, w):
    return torch.diag(1 - torch.tanh(w @ z) ** 2) @ w


def state_jacobian_in_loops(z, w):
    result = torch.zeros(w.shape, dtype=w.dtype)
    for i in range(len(w)):
        slope = 1 - math.tanh(sum(w[i, j].item() * z[j].item() for j in range(len(z)))) ** 2
        for j in range(len(z)):
            result[i, j] = slope * w[i, j]
    return result


def state_jacobian_by_cosh(z, w):
    return torch.einsum("i,ij->ij", torch.cosh(w @ z) ** -2, w)


def weight_jacobian_in_loops(z, w):
    y = torch.tanh(w @ z)
    result = torch.zeros(len(w), *w.shape, dtype=w.dtype)
    for i in range(len(w)):
        result[i, i] = (1 - y[i]) * (1 + y[i]) * z
    return result


def weight_jacobian_by_einsum(z, w):
    y = 2 * torch.sigmoid(2 * (w @ z)) - 1
    return torch.einsum("i,ip,q->ipq", 1 - y * y, torch.eye(len(w), dtype=w.dtype), z)


def weight_jacobian_by_diag(z, w):
    return torch.stack([torch.diag(torch.cosh(w @ z) ** -2) * each for each in z], 2)


def stages_with(slope=None, for_weight=None, for_state=None):
    """backward with one of its steps replaced."""
    slope = slope or (lambda before, after, weight: 1 - after**2)
    for_weight = for_weight or (lambda grad, grad_s, before, after: torch.outer(grad_s, before))
    for_state = for_state or (lambda grad, grad_s, weight: grad_s @ weight)

    def backward(grad_output, states, weights):
        grad, grad_weights = grad_output, []
        for before, after, weight in zip(states[-2::-1], states[:0:-1], weights[::-1], strict=True):
            grad_s = grad * slope(before, after, weight)
            grad_weights.insert(0, for_weight(grad, grad_s, before, after))
            grad = for_state(grad, grad_s, weight)
        return grad, grad_weights

    return backward


def linear_at_the_end(z0, weights):
    states = stages(z0, weights)
    return [*states[:-1], weights[-1] @ states[-2]]


def tanh_before(z0, weights):
    states = [z0]
    for weight in weights:
        states.append(weight @ states[-1].tanh())
    return states


def states_in_place(z0, weights):
    states = [z0.tanh_()]
    for weight in weights:
        states.append((weight @ states[-1]).tanh())
    return states


def adds_to_weights(grad_output, states, weights):
    grad, grad_weights = stages_backward(grad_output, states, weights)
    for weight, each in zip(weights, grad_weights, strict=True):
        weight -= each
    return grad, grad_weights


def fills_states(grad_output, states, weights):
    result = stages_backward(grad_output, states, weights)
    states[-1] = grad_output
    return result


def keeps_weights(grad_output, states, weights):
    grad, grad_weights = stages_backward(grad_output, states, weights)
    for weight, each in zip(weights, grad_weights, strict=True):
        weight.copy_(each)
    return grad, weights


def autograd_stages(grad_output, states, weights):
    leaves = [states[0].clone().requires_grad_(), *(each.clone().requires_grad_() for each in weights)]
    with torch.enable_grad():
        grad, *grads = torch.autograd.grad(stages(leaves[0], leaves[1:])[-1], leaves, grad_output)
    return grad, grads


# graph


def order_by_search(parents):
    order, state = [], {}

    def visit(node):
        if state.get(node) == "open":
            raise ValueError(f"a cycle through {node}")
        if node not in state:
            state[node] = "open"
            for parent in parents[node]:
                visit(parent)
            state[node] = "done"
            order.append(node)

    for node in parents:
        visit(node)
    return order


def order_by_counting(parents):
    missing = {node: len(above) for node, above in parents.items()}
    children = {node: [child for child, above in parents.items() if node in above] for node in parents}
    ready, order = deque(node for node, count in missing.items() if count == 0), []
    while ready:
        order.append(ready.popleft())
        for child in children[order[-1]]:
            missing[child] -= 1
            if missing[child] == 0:
                ready.append(child)
    if len(order) < len(parents):
        raise ValueError("cycle")
    return tuple(order)


def order_by_graphlib(parents):
    return list(graphlib.TopologicalSorter(parents).static_order())


def order_by_depth(parents):
    depth = dict.fromkeys(parents, 0)
    for _ in range(len(parents)):
        depth = {node: 1 + max((depth[above] for above in parents[node]), default=-1) for node in parents}
    if any(depth[node] <= depth[above] for node in parents for above in parents[node]):
        raise ValueError("a cycle")
    return sorted(parents, key=lambda node: (depth[node], node))


def order_from_the_sinks(parents):
    left, order = {node: list(above) for node, above in parents.items()}, []
    while left:
        sinks = [node for node in left if not any(node in above for above in left.values())]
        if not sinks:
            raise ValueError
        order.append(sinks[0])
        del left[sinks[0]]
    return order[::-1]


def by_all_ways(parents, local_jacobians, output, grad_output):
    grads = {}

    def hand_on(node, grad):
        grads[node] = grads.get(node, 0) + grad
        for parent in parents[node]:
            hand_on(parent, grad @ local_jacobians[(node, parent)])

    hand_on(output, grad_output)
    return grads


def by_children(parents, local_jacobians, output, grad_output):
    children = {node: [child for child in parents if node in parents[child]] for node in parents}

    @functools.cache
    def grad(node):
        if node == output:
            return grad_output
        ways = [grad(child) @ local_jacobians[child, node] for child in children[node] if reaches(child)]
        return torch.stack(ways).sum(0)

    @functools.cache
    def reaches(node):
        return node == output or any(reaches(child) for child in children[node])

    return {node: grad(node) for node in parents if reaches(node)}


def by_whole_jacobians(parents, local_jacobians, output, grad_output):
    whole = {output: torch.eye(len(grad_output), dtype=grad_output.dtype)}
    for node in order_by_search(parents)[::-1]:
        for parent in parents[node] if node in whole else []:
            way = whole[node] @ local_jacobians[node, parent]
            whole[parent] = whole.get(parent, 0) + way
    return {node: grad_output @ jacobian for node, jacobian in whole.items()}


def from_numbers(parents, local_jacobians, output, grad_output):
    grads = dict.fromkeys(parents, 0.0)
    grads[output] = grad_output
    for node in reversed(order_by_graphlib(parents)):
        for parent in parents[node]:
            if torch.is_tensor(grads[node]):
                grads[parent] = grads[parent] + torch.einsum("i,ij->j", grads[node], local_jacobians[node, parent])
    return grads


def from_zeros(parents, local_jacobians, output, grad_output):
    grads = {output: torch.zeros_like(grad_output)}
    for (child, parent), jacobian in local_jacobians.items():
        grads[child] = torch.zeros(jacobian.shape[0], dtype=jacobian.dtype)
        grads[parent] = torch.zeros(jacobian.shape[1], dtype=jacobian.dtype)
    grads[output] += grad_output
    for child in order_by_counting(parents)[::-1]:
        for parent in parents[child]:
            grads[parent] += local_jacobians[child, parent].T @ grads[child]
    return grads


def graph_without(*, add=True, wait=True, start=None, jacobian=None, order=topological_order):
    """backward with one of its thoughts left out."""

    def backward(parents, local_jacobians, output, grad_output):
        grads = {output: grad_output}
        nodes = list(reversed(order(parents))) if wait else [output]
        if start:
            start(parents, grads, grad_output)
        for child in nodes:
            for parent in parents[child] if child in grads else []:
                share = grads[child] @ (jacobian or (lambda each: each))(local_jacobians[child, parent])
                grads[parent] = grads[parent] + share if add and parent in grads else share
                if not wait:
                    nodes.append(parent)
        return grads

    return backward


def visits_once(parents, local_jacobians, output, grad_output):
    grads, seen, queue = {output: grad_output}, {output}, deque([output])
    while queue:
        child = queue.popleft()
        for parent in parents[child]:
            share = grads[child] @ local_jacobians[child, parent]
            grads[parent] = grads[parent] + share if parent in grads else share
            if parent not in seen:
                seen.add(parent)
                queue.append(parent)
    return grads


def depth_first_once(parents, local_jacobians, output, grad_output):
    grads, seen = {output: grad_output}, set()

    def visit(child):
        if child in seen:
            return
        seen.add(child)
        for parent in parents[child]:
            share = grads[child] @ local_jacobians[child, parent]
            grads[parent] = grads.get(parent, 0) + share
            visit(parent)

    visit(output)
    return grads


def first_way_only(parents, local_jacobians, output, grad_output):
    grads = {output: grad_output}
    for child in reversed(topological_order(parents)):
        for parent in parents[child] if child in grads else []:
            grads.setdefault(parent, grads[child] @ local_jacobians[child, parent])
    return grads


def average_of_ways(parents, local_jacobians, output, grad_output):
    ways, grads = {output: [grad_output]}, {}
    for child in reversed(topological_order(parents)):
        if child in ways:
            grads[child] = torch.stack(ways[child]).mean(0)
            for parent in parents[child]:
                ways.setdefault(parent, []).append(grads[child] @ local_jacobians[child, parent])
    return grads


def sinks_too(parents, grads, grad_output):
    feeding = {parent for above in parents.values() for parent in above}
    for node in parents:
        if node not in feeding and node not in grads:
            grads[node] = grad_output.clone()


def ones_for_sinks(parents, local_jacobians, output, grad_output):
    """Starts from every sink that has a Jacobian, not from the output alone."""
    grads = {output: grad_output}
    feeding = {parent for above in parents.values() for parent in above}
    for (child, _), jacobian in local_jacobians.items():
        if child not in feeding and child not in grads:
            grads[child] = torch.ones(len(jacobian), dtype=jacobian.dtype)
    for child in reversed(topological_order(parents)):
        for parent in parents[child] if child in grads else []:
            share = grads[child] @ local_jacobians[child, parent]
            grads[parent] = grads[parent] + share if parent in grads else share
    return grads


def output_left_out(parents, local_jacobians, output, grad_output):
    grads = through_graph(parents, local_jacobians, output, grad_output)
    return {node: grad for node, grad in grads.items() if node != output}


def roots_only(parents, local_jacobians, output, grad_output):
    grads = through_graph(parents, local_jacobians, output, grad_output)
    return {node: grad for node, grad in grads.items() if not parents[node] or node == output}


def roots_left_out(parents, local_jacobians, output, grad_output):
    grads = through_graph(parents, local_jacobians, output, grad_output)
    return {node: grad for node, grad in grads.items() if parents[node] or node == output}


def noise_elsewhere(parents, local_jacobians, output, grad_output):
    grads = through_graph(parents, local_jacobians, output, grad_output)
    for (child, _), jacobian in local_jacobians.items():
        grads.setdefault(child, torch.full((len(jacobian),), 1e-9, dtype=jacobian.dtype))
    return grads


def numbers_for_small(parents, local_jacobians, output, grad_output):
    grads = through_graph(parents, local_jacobians, output, grad_output)
    return {node: grad.item() if len(grad) == 1 and node != output else grad for node, grad in grads.items()}


def adds_into_output(parents, local_jacobians, output, grad_output):
    grads = {output: grad_output}
    for child in reversed(topological_order(parents)):
        for parent in parents[child] if child in grads else []:
            grads[parent] = grads.get(parent, 0) + grads[child] @ local_jacobians[child, parent]
    grads[output] += 0.5 * grad_output
    return grads


def consumes_parents(parents, local_jacobians, output, grad_output):
    result = through_graph(parents, local_jacobians, output, grad_output)
    parents.pop(output)
    return result


def consumes_jacobians(parents, local_jacobians, output, grad_output):
    result = through_graph(parents, local_jacobians, output, grad_output)
    local_jacobians.clear()
    return result


def pairs(parents, local_jacobians, output, grad_output):
    return list(through_graph(parents, local_jacobians, output, grad_output).items())


def sorted_result(parents, local_jacobians, output, grad_output):
    return [grad for _, grad in sorted(through_graph(parents, local_jacobians, output, grad_output).items())]


def numbered(parents, local_jacobians, output, grad_output):
    grads = through_graph(parents, local_jacobians, output, grad_output)
    return {position: grads[node] for position, node in enumerate(parents) if node in grads}


def every_node_below(parents, local_jacobians, output, grad_output):
    """Gives the nodes after the output a gradient too: that of their parents' way back."""
    grads = through_graph(parents, local_jacobians, output, grad_output)
    for (child, parent), jacobian in local_jacobians.items():
        if child not in grads and parent in grads:
            grads[child] = jacobian @ grads[parent]
    return grads


def up_to_four_parents(parents, local_jacobians, output, grad_output):
    return through_graph({node: above[:4] for node, above in parents.items()}, local_jacobians, output, grad_output)


def empties(parents):
    order, left = [], parents
    while left:
        ready = next((node for node in left if not any(above in left for above in left[node])), None)
        if ready is None:
            raise ValueError
        order.append(ready)
        del left[ready]
    return order


def crosses_out(parents):
    order = []
    while len(order) < len(parents):
        ready = [node for node in parents if not parents[node] and node not in order]
        if not ready:
            raise ValueError
        order += ready
        for above in parents.values():
            above[:] = [each for each in above if each not in ready]
    return order


def from_roots(parents):
    """Levels by the shortest way from a root."""
    order = [node for node in parents if not parents[node]]
    for node in order:
        order += [child for child in parents if node in parents[child] and child not in order]
    if len(order) < len(parents):
        raise ValueError
    return order


def pre_order(parents):
    order = []

    def visit(node, trail):
        if node in trail:
            raise ValueError
        for parent in parents[node]:
            visit(parent, {*trail, node})
        if node not in order:
            order.insert(0, node)

    for node in parents:
        visit(node, set())
    return order


def from_the_first_sink(parents):
    order_by_search(parents)
    feeding = {parent for above in parents.values() for parent in above}
    sink = next((node for node in parents if node not in feeding), None)
    order = []

    def visit(node):
        for parent in parents[node]:
            visit(parent)
        if node not in order:
            order.append(node)

    if sink:
        visit(sink)
    return order


def cycles_from_sinks(parents):
    """Finds a cycle only where a sink leads to it."""
    feeding = {parent for above in parents.values() for parent in above}
    sinks = [node for node in parents if node not in feeding]
    reached = {}

    def collect(node):
        if node not in reached:
            reached[node] = parents[node]
            for parent in parents[node]:
                collect(parent)

    for sink in sinks:
        collect(sink)
    return order_by_search(reached)


def no_self_loops(parents):
    return order_by_search({node: [each for each in above if each != node] for node, above in parents.items()})


def no_error(parents):
    order = []
    while ready := [node for node in parents if node not in order and all(each in order for each in parents[node])]:
        order += ready
    return order


def another_error(parents):
    try:
        return order_by_search(parents)
    except ValueError as error:
        raise RuntimeError("a cycle") from error


def none_for_a_cycle(parents):
    try:
        return order_by_search(parents)
    except ValueError:
        return None


def endless(parents):
    order = []

    def visit(node):
        for parent in parents[node]:
            visit(parent)
        if node not in order:
            order.append(node)

    for node in parents:
        visit(node)
    return order


def diamonds_are_cycles(parents):
    seen = set()

    def visit(node):
        if node in seen and parents[node]:
            raise ValueError("seen before")
        seen.add(node)
        for parent in parents[node]:
            visit(parent)

    for node in parents:
        if not any(node in above for above in parents.values()):
            visit(node)
    return order_by_search(parents)


def twice_where_paths_meet(parents):
    order_by_search(parents)
    order = []

    def visit(node):
        for parent in parents[node]:
            visit(parent)
        order.append(node)

    for node in parents:
        visit(node)
    return order


def with_numbers(parents):
    return list(enumerate(order_by_search(parents)))


def no_loners(parents):
    used = {each for above in parents.values() for each in above}
    return [node for node in order_by_search(parents) if parents[node] or node in used or len(parents) > 4]


RIGHT = {
    "pointwise_chain": {
        "loops": {"backward": chain_in_loops},
        "cumprod": {"backward": chain_by_cumprod},
        "recursion": {"backward": chain_recursive},
        "slopes first": {"backward": chain_slopes_first},
        "accumulate": {"backward": chain_accumulated},
    },
    "weighted_sum": {
        "loops": {"backward": sum_in_loops},
        "einsum": {"backward": sum_by_einsum},
        "mv": {"backward": sum_by_mv},
        "linear": {"backward": sum_by_linear},
        "rows": {"backward": sum_by_rows},
        "Jacobians": {"backward": sum_by_jacobians},
    },
    "vector_chain_rule": {
        "dots": {"backward": sweep_by_dots, "compose": compose_in_loops},
        "einsum": {"backward": sweep_by_einsum, "compose": compose_by_einsum},
        "mv": {"backward": sweep_by_mv, "compose": compose_by_columns},
        "broadcast": {"backward": sweep_by_broadcasting, "compose": compose_from_the_output},
        "scaled rows": {"backward": sweep_by_scaled_rows, "compose": compose_transposed},
        "numbers": {"backward": sweep_in_numbers},
        "recursion": {"backward": sweep_recursive, "compose": compose_by_multi_dot},
        "long doubles": {"backward": sweep_in_long_doubles},
        "clone": {"compose": lambda jacobians: compose(jacobians).clone()},
    },
    "cost_of_model": {
        "loops": {"grad_cost": cost_in_loops, "jacobian_model": model_in_loops, "gradient": gradient_in_loops},
        "outer": {
            "grad_cost": lambda y, y_bar: (-2 * (y - y_bar)).reshape(1, -1),
            "jacobian_model": model_by_kron,
            "gradient": gradient_by_outer,
        },
        "einsum": {
            "grad_cost": lambda y, y_bar: torch.stack([2 * y_bar - 2 * y]),
            "jacobian_model": model_by_einsum,
            "gradient": gradient_by_einsum,
        },
        "blocks": {
            "grad_cost": lambda y, y_bar: 2 * (y_bar - y).unsqueeze(0),
            "jacobian_model": model_by_blocks,
            "gradient": lambda x, y, w: (2 * (w @ x - y)) @ model_by_blocks(x, w)[None],
        },
    },
    "multi_stage": {
        "loops": {
            "forward": states_in_loops,
            "backward": stages_backward_in_loops,
            "state_jacobian": state_jacobian_in_loops,
            "weight_jacobian": weight_jacobian_in_loops,
        },
        "anew": {"forward": states_by_einsum, "backward": anew, "state_jacobian": state_jacobian_by_diag},
        "two factors": {"forward": states_by_sigmoid, "backward": by_two_factors},
        "from z0": {"backward": from_z0},
        "cosh": {
            "backward": by_cosh,
            "state_jacobian": state_jacobian_by_cosh,
            "weight_jacobian": weight_jacobian_by_diag,
        },
        "stage Jacobians": {"backward": by_stage_jacobians, "weight_jacobian": weight_jacobian_by_einsum},
    },
    "graph": {
        "search": {"topological_order": order_by_search, "backward": by_all_ways},
        "counting": {"topological_order": order_by_counting, "backward": by_children},
        "graphlib": {"topological_order": order_by_graphlib, "backward": from_numbers},
        "through identities": {"backward": returned_through_identities},
        "depth": {"topological_order": order_by_depth, "backward": by_whole_jacobians},
        "sinks": {"topological_order": order_from_the_sinks, "backward": from_zeros},
    },
}


def _wrong(exercise, check, *rows):
    return [Wrong(exercise, name, check, code, function) for name, code, function in rows]


WRONG = [
    Wrong("vector_chain_rule", "skips identities", "compose.edge_cases", "aliases-input", compose_without_identities),
    *_wrong(
        "pointwise_chain",
        "backward.values",
        ("from the output", "", lambda g, d: chain(g, d)[::-1]),
        ("a derivative itself where grad_output is 1", "aliases-input", chain_without_ones),
        ("derivatives in order", "", lambda g, d: chain(g, d[::-1])),
        ("no upstream", "", lambda g, d: chain(torch.ones_like(g), d)),
        ("sign", "", lambda g, d: [*(-each for each in chain(g, d)[:-1]), g]),
        ("one stage each", "", lambda g, d: [*(g * each for each in d), g]),
        ("one tensor", "", chain_one_tensor),
        ("first derivative left out", "", lambda g, d: [*chain(g, d)[1:2], *chain(g, d)[1:]]),
        ("last derivative left out", "", lambda g, d: [*chain(g, d[:-1]), g]),
        ("one off", "", lambda g, d: [*chain(g, [*d[1:], torch.ones_like(g)])]),
        ("divides", "", lambda g, d: chain(g, [1 / each for each in d])),
        ("adds", "", lambda g, d: list(itertools.accumulate(d[::-1], torch.add, initial=g))[::-1]),
        ("cosine", "", lambda g, d: chain(g, [each.cos() for each in d])),
        ("absolute", "", lambda g, d: chain(g, [each.abs() for each in d])),
        ("float32 inside", "", lambda g, d: [x.to(g.dtype) for x in chain(g.float(), [e.float() for e in d])]),
        ("clipped", "", lambda g, d: [*(x.clamp(-1e3, 1e3) for x in chain(g, d)[:-1]), g]),
        ("small dropped", "", lambda g, d: [x * (x.abs() > 1e-8) for x in chain(g, d)]),
        ("summed", "", lambda g, d: [x.sum().expand(g.shape).clone() for x in chain(g, d)]),
        ("the last one scaled", "", lambda g, d: [*chain(g, d)[:-1], 2 * g]),
        ("relative error 1e-14", "", lambda g, d: [x * (1 + 1e-14) for x in chain(g, d)]),
    ),
    *_wrong(
        "pointwise_chain",
        "backward.type",
        ("without the last", "wrong-type", lambda g, d: chain(g, d)[:-1]),
        ("without the first", "wrong-type", lambda g, d: chain(g, d)[1:]),
        ("the first alone", "wrong-type", lambda g, d: chain(g, d)[0]),
        ("one tensor of all", "wrong-type", lambda g, d: torch.stack(chain(g, d))),
        ("by name", "wrong-type", lambda g, d: dict(enumerate(chain(g, d)))),
        ("an iterator", "wrong-type", lambda g, d: reversed(chain(g, d)[::-1])),
        ("None", "wrong-type", lambda g, d: None),
        ("numpy", "wrong-type", lambda g, d: [each.numpy() for each in chain(g, d)]),
    ),
    *_wrong(
        "pointwise_chain",
        "backward.shape",
        ("flattened", "wrong-shape", lambda g, d: [each.flatten() for each in chain(g, d)]),
        ("Jacobians", "wrong-shape", lambda g, d: [*(torch.diag(x.flatten()) for x in chain(g, d)[:-1]), g]),
        ("dot products", "wrong-shape", lambda g, d: [*((g * each).sum() for each in d), g]),
        ("matrix products", "wrong-shape", lambda g, d: [*(g @ each.T for each in d), g]),
        ("transposed", "wrong-shape", lambda g, d: [each.T for each in chain(g, d)]),
    ),
    *_wrong(
        "pointwise_chain",
        "backward.purity",
        ("grad_output in place", "mutates-input", chain_in_place),
        ("pops", "mutates-input", chain_pops),
        ("reverses the list", "mutates-input", chain_reverses),
        ("overwrites the derivatives", "mutates-input", chain_overwrites),
        ("returns a derivative", "aliases-input", lambda g, d: [*chain(g, d)[:-2], d[-1], g]),
    ),
    *_wrong(
        "pointwise_chain",
        "backward.edge_cases",
        ("nothing without derivatives", ANY, lambda g, d: chain(g, d) if d else []),
        ("zeros without derivatives", "", lambda g, d: chain(g, d) if d else [torch.zeros_like(g)]),
        ("two axes only", "wrong-shape", lambda g, d: [torch.atleast_2d(each) for each in chain(g, d)]),
        ("up to eight stages", "", lambda g, d: chain(g, [torch.ones_like(g)] * max(0, len(d) - 8) + d[-8:])),
        ("up to thirty entries", "", lambda g, d: [x * (x.numel() <= 30) for x in chain(g, d)]),
        ("numbers without axes", "wrong-shape", lambda g, d: [torch.atleast_1d(each) for each in chain(g, d)]),
    ),
    Wrong("pointwise_chain", "float32", "backward.dtype", "wrong-dtype", lambda g, d: [x.float() for x in chain(g, d)]),
    *_wrong(
        "weighted_sum",
        "backward.values",
        ("sign", "", lambda g, z, w: (-(g @ w), torch.outer(g, z))),
        ("sign of the weights", "", lambda g, z, w: (g @ w, -torch.outer(g, z))),
        ("no upstream for z", "", lambda g, z, w: (w.sum(0), torch.outer(g, z))),
        ("no upstream for w", "", lambda g, z, w: (g @ w, z.expand(w.shape).clone())),
        ("mean", "", lambda g, z, w: (g @ w / len(w), torch.outer(g, z))),
        ("w in its own gradient", "", lambda g, z, w: (g @ w, torch.outer(g, z) * w)),
        ("z in its own gradient", "", lambda g, z, w: ((g @ w) * z, torch.outer(g, z))),
        ("g broadcast", "", lambda g, z, w: (g @ w, g[:, None].expand(w.shape).clone())),
        ("factor two", "", lambda g, z, w: (g @ w, 2 * torch.outer(g, z))),
        ("absolute upstream", "", lambda g, z, w: weighted(g.abs(), z, w)),
        ("first row only", "", lambda g, z, w: (g[0] * w[0], torch.outer(g, z))),
        ("largest only", "", lambda g, z, w: ((g[:, None] * w).amax(0), torch.outer(g, z))),
        ("float32 inside", "", lambda g, z, w: tuple(x.to(z.dtype) for x in weighted(g.float(), z.float(), w.float()))),
        ("clipped", "", lambda g, z, w: tuple(x.clamp(-1e3, 1e3) for x in weighted(g, z, w))),
        ("relative error 1e-13", "", lambda g, z, w: tuple(x * (1 + 1e-13) for x in weighted(g, z, w))),
    ),
    *_wrong(
        "weighted_sum",
        "backward.shape",
        ("swapped", "wrong-shape", lambda g, z, w: weighted(g, z, w)[::-1]),
        ("weights transposed", "wrong-shape", lambda g, z, w: (g @ w, torch.outer(z, g))),
        ("a row", "wrong-shape", lambda g, z, w: (g[None] @ w, torch.outer(g, z))),
        ("a column", "wrong-shape", lambda g, z, w: (w.T @ g[:, None], torch.outer(g, z))),
        ("summed over i", "wrong-shape", lambda g, z, w: (g @ w, g.sum() * z)),
        ("not summed", "wrong-shape", lambda g, z, w: (g[:, None] * w, torch.outer(g, z))),
        ("the Jacobian", "wrong-shape", lambda g, z, w: (w.clone(), torch.outer(g, z))),
        ("flattened", "wrong-shape", lambda g, z, w: (g @ w, torch.outer(g, z).flatten())),
    ),
    *_wrong(
        "weighted_sum",
        "backward.type",
        ("z alone", "wrong-type", lambda g, z, w: g @ w),
        ("three gradients", "wrong-type", lambda g, z, w: (g @ w, torch.outer(g, z), g)),
        ("by name", "wrong-type", lambda g, z, w: dict(zip("zw", weighted(g, z, w), strict=True))),
        ("None for w", "wrong-type", lambda g, z, w: (g @ w, None)),
    ),
    *_wrong(
        "weighted_sum",
        "backward.purity",
        ("w in place", "mutates-input", lambda g, z, w: ((w.mul_(g[:, None])).sum(0), torch.outer(g, z))),
        ("z for its gradient", "aliases-input", lambda g, z, w: (z, torch.outer(g, z))),
        ("a view of z", "aliases-input", lambda g, z, w: (g @ w, z.expand(w.shape))),
    ),
    *_wrong(
        "weighted_sum",
        "backward.edge_cases",
        ("transposed where square", "", square_transposed),
        ("up to five", "", lambda g, z, w: (g[:5] @ w[:5], torch.outer(g, z))),
        ("squeezed", "wrong-shape", lambda g, z, w: tuple(each.squeeze() for each in weighted(g, z, w))),
        ("no small entries", "", lambda g, z, w: weighted(g, torch.where(z.abs() < 1e-4, 0.0, z), w)),
        ("divides by z", "not-finite", lambda g, z, w: ((g @ w) * (z / z), torch.outer(g, z))),
    ),
    Wrong(
        "weighted_sum",
        "float32",
        "backward.dtype",
        "wrong-dtype",
        lambda g, z, w: [x.float() for x in weighted(g, z, w)],
    ),
    *_wrong(
        "vector_chain_rule",
        "backward.values",
        ("sign", "", lambda g, j: -sweep(g, j)),
        ("no upstream", "", lambda g, j: sweep(torch.ones_like(g), j)),
        ("absolute upstream", "", lambda g, j: sweep(g.abs(), j)),
        ("factor", "", lambda g, j: 1.5 * sweep(g, j)),
        ("float32 inside", "", lambda g, j: sweep(g.float(), [each.float() for each in j]).to(g.dtype)),
        ("normalised", "", lambda g, j: sweep(g, j) / len(j)),
        ("clipped", "", lambda g, j: sweep(g, j).clamp(-1e3, 1e3)),
        ("relative error 1e-13", "", lambda g, j: sweep(g, j) * (1 + 1e-13)),
        ("largest way", "", lambda g, j: functools.reduce(lambda r, x: (r.unsqueeze(-1) * x).amax(-2), j[::-1], g)),
        ("clipped small", "", lambda g, j: sweep(torch.where(g.abs() < 1e-5, 0.0, g), j)),
    ),
    *_wrong(
        "vector_chain_rule",
        "backward.shape",
        ("always a row", "wrong-shape", lambda g, j: sweep(g.reshape(1, -1), j)),
        ("always a vector", "wrong-shape", lambda g, j: sweep(g.reshape(-1), j)),
        ("a column", "wrong-shape", lambda g, j: sweep(g, j).reshape(-1, 1)),
        ("stops early", "wrong-shape", lambda g, j: sweep(g, j[1:])),
        ("the Jacobian", "wrong-shape", lambda g, j: compose(j)),
        ("summed", "wrong-shape", lambda g, j: sweep(g, j).sum()),
    ),
    *_wrong(
        "vector_chain_rule",
        "backward.type",
        ("every step", "wrong-type", lambda g, j: list(itertools.accumulate(j[::-1], torch.matmul, initial=g))),
        ("None", "wrong-type", lambda g, j: None),
    ),
    *_wrong(
        "vector_chain_rule",
        "backward.purity",
        ("pops", "mutates-input", sweep_pops),
        ("reverses", "mutates-input", lambda g, j: (j.reverse(), functools.reduce(torch.matmul, j, g))[1]),
    ),
    *_wrong(
        "vector_chain_rule",
        "backward.edge_cases",
        ("forgets a square one", "", forgets_the_first),
        ("transposed where square", "", lambda g, j: sweep(g, [x.T if len(x) == len(x[0]) else x for x in j])),
        (
            "a row of one squeezed",
            "wrong-shape",
            lambda g, j: sweep(g, j).squeeze() if g.dim() == 2 and len(j[0][0]) == 1 else sweep(g, j),
        ),
        ("never a row of one", "wrong-shape", lambda g, j: sweep(g, j)[0] if g.shape == (1, 1) else sweep(g, j)),
        ("four at most", "", lambda g, j: sweep(g, j) * (len(j) < 5)),
    ),
    *_wrong(
        "vector_chain_rule",
        "backward.vectors_only",
        ("composes", "", lambda g, j: g @ compose(j)),
        ("composes from the output", "", lambda g, j: g @ compose_from_the_output(j)),
        ("composes by einsum", "", composed_by_einsum),
        ("composes by broadcasting", "", composed_by_broadcasting),
        ("composes in pairs", "", composed_pairwise),
        ("composes for a row", "", composed_for_a_row),
        ("composes row by row", "", composed_row_by_row),
        ("composes by multi_dot", "", lambda g, j: g @ compose_by_multi_dot(j)),
        ("composes by tensordot", "", lambda g, j: g @ functools.reduce(lambda a, b: torch.tensordot(b, a, 1), j)),
        ("composes by linear", "", lambda g, j: g @ functools.reduce(lambda a, b: F.linear(b, a.T), j)),
        ("composes by bmm", "", lambda g, j: g @ functools.reduce(lambda a, b: torch.bmm(b[None], a[None])[0], j)),
        ("composes by columns", "", lambda g, j: g @ compose_by_columns(j)),
        (
            "composes in numpy",
            "",
            lambda g, j: g @ functools.reduce(lambda a, b: torch.from_numpy(b.numpy() @ a.numpy()), j),
        ),
        ("composes in long doubles", "", lambda g, j: in_long_doubles(g, j, compose_long)),
        ("composes in pairs of long doubles", "", lambda g, j: in_long_doubles(g, j, pairs_of_long)),
        ("composes in lists", "", lambda g, j: g @ functools.reduce(product_of_lists, j)),
        (
            "composes by convolution",
            "",
            lambda g, j: g @ functools.reduce(lambda a, b: F.conv1d(a.T[:, :, None], b[:, :, None])[:, :, 0].T, j),
        ),
        ("composes sparsely", "", lambda g, j: g @ functools.reduce(lambda a, b: torch.sparse.mm(b.to_sparse(), a), j)),
        ("composes by outer products", "", lambda g, j: g @ functools.reduce(product_of_outers, j)),
        ("a diagonal matrix", "", diagonal_first),
        ("many rows", "", padded_row),
    ),
    Wrong("vector_chain_rule", "float32", "backward.dtype", "wrong-dtype", lambda g, j: sweep(g, j).float()),
    *_wrong(
        "vector_chain_rule",
        "compose.values",
        ("sign", "", lambda j: -compose(j)),
        ("entry by entry", "", lambda j: torch.zeros_like(compose(j))),
        ("float32 inside", "", lambda j: compose([each.float() for each in j]).to(j[0].dtype)),
        ("relative error 1e-13", "", lambda j: compose(j) * (1 + 1e-13)),
        ("absolute", "", lambda j: compose([each.abs() for each in j])),
    ),
    *_wrong(
        "vector_chain_rule",
        "compose.shape",
        ("transposed", "transposed", lambda j: compose(j).T.contiguous()),
        ("without the first", "wrong-shape", lambda j: compose(j[1:])),
        ("without the last", "wrong-shape", lambda j: compose(j[:-1])),
        ("a column sum", "wrong-shape", lambda j: compose(j).sum(0)),
        ("flattened", "wrong-shape", lambda j: compose(j).flatten()),
    ),
    *_wrong(
        "vector_chain_rule",
        "compose.type",
        ("a list", "wrong-type", lambda j: [compose(j)]),
        ("every step", "wrong-type", lambda j: list(itertools.accumulate(j, lambda a, b: b @ a))),
    ),
    *_wrong(
        "vector_chain_rule",
        "compose.purity",
        ("fills the list", "mutates-input", compose_in_place),
        ("pops", "mutates-input", lambda j: (compose(j), j.pop())[0]),
    ),
    *_wrong(
        "vector_chain_rule",
        "compose.edge_cases",
        ("in order where square", "", square_in_order),
        ("identity for one", "", lambda j: compose(j) if len(j) > 1 else torch.ones_like(j[0])),
        ("a vector for one output", "wrong-shape", lambda j: compose(j)[0] if len(j[-1]) == 1 else compose(j)),
        ("squeezed", "wrong-shape", lambda j: compose(j).squeeze()),
        (
            "transposed where square",
            "",
            lambda j: compose(j).T.clone() if len(j) == 2 and compose(j).shape == (3, 3) else compose(j),
        ),
    ),
    Wrong(
        "vector_chain_rule",
        "transposed where it can be seen by numbers alone",
        "compose.orientation",
        "transposed",
        lambda j: compose(j).T.clone() if len(set(compose(j).shape)) == 1 else compose(j),
    ),
    *_wrong(
        "cost_of_model",
        "grad_cost.values",
        ("sign", "", lambda y, y_bar: 2 * (y - y_bar)[None]),
        ("no factor", "", lambda y, y_bar: (y_bar - y)[None]),
        ("mean", "", lambda y, y_bar: 2 * (y_bar - y)[None] / len(y)),
        ("absolute", "", lambda y, y_bar: 2 * (y_bar - y).abs()[None]),
        ("the cost", "", lambda y, y_bar: ((y_bar - y) ** 2)[None]),
        ("the length", "", lambda y, y_bar: ((y_bar - y) / (y_bar - y).norm())[None]),
        ("multiplied out wrongly", "", lambda y, y_bar: (2 * y_bar - y)[None]),
        ("float32 inside", "", lambda y, y_bar: grad_cost(y.float(), y_bar.float()).to(y.dtype)),
        ("clipped", "", lambda y, y_bar: grad_cost(y, y_bar).clamp(-1, 1)),
    ),
    *_wrong(
        "cost_of_model",
        "grad_cost.shape",
        ("a vector", "wrong-shape", lambda y, y_bar: 2 * (y_bar - y)),
        ("a column", "transposed", lambda y, y_bar: 2 * (y_bar - y)[:, None]),
        ("a number", "wrong-shape", lambda y, y_bar: 2 * (y_bar - y).sum()),
        ("a diagonal", "wrong-shape", lambda y, y_bar: torch.diag(2 * (y_bar - y))),
    ),
    *_wrong(
        "cost_of_model",
        "grad_cost.type",
        ("both", "wrong-type", lambda y, y_bar: (grad_cost(y, y_bar), -grad_cost(y, y_bar))),
        ("numbers", "wrong-type", lambda y, y_bar: grad_cost(y, y_bar).tolist()),
    ),
    *_wrong(
        "cost_of_model",
        "grad_cost.purity",
        ("in place", "mutates-input", lambda y, y_bar: 2 * y_bar.sub_(y)[None]),
        ("y in place", "mutates-input", lambda y, y_bar: y.sub_(y_bar).mul(-2)[None]),
        ("y_bar", "aliases-input", lambda y, y_bar: y_bar[None]),
    ),
    *_wrong(
        "cost_of_model",
        "grad_cost.edge_cases",
        ("divides by the error", "not-finite", lambda y, y_bar: 2 * ((y_bar - y) ** 2 / (y_bar - y))[None]),
        (
            "a vector for one",
            "wrong-shape",
            lambda y, y_bar: grad_cost(y, y_bar).squeeze() if len(y) == 1 else grad_cost(y, y_bar),
        ),
        ("no small errors", "", lambda y, y_bar: torch.where((y - y_bar).abs() < 1e-4, 0.0, grad_cost(y, y_bar))),
        ("at most four", "", lambda y, y_bar: grad_cost(y, y_bar) * (torch.arange(len(y)) < 4)),
    ),
    Wrong("cost_of_model", "float32", "grad_cost.dtype", "wrong-dtype", lambda y, y_bar: grad_cost(y, y_bar).float()),
    *_wrong(
        "cost_of_model",
        "jacobian_model.flattening",
        ("column-major", "wrong-flattening", column_major),
        ("transposed and reshaped", "wrong-flattening", lambda x, w: jacobian_model(x, w).T.reshape(len(w), -1)),
        (
            "transposed w flattened",
            "wrong-flattening",
            lambda x, w: torch.kron(x[None], torch.eye(len(w), dtype=x.dtype)),
        ),
    ),
    *_wrong(
        "cost_of_model",
        "jacobian_model.shape",
        ("transposed", "transposed", lambda x, w: jacobian_model(x, w).T.clone()),
        ("transposed, column-major", "transposed", lambda x, w: column_major(x, w).T.clone()),
        ("not flattened", "wrong-shape", lambda x, w: jacobian_model(x, w).reshape(len(w), *w.shape)),
        ("by x", "wrong-shape", lambda x, w: w.clone()),
        ("one row", "wrong-shape", lambda x, w: x.repeat(len(w))[None]),
        ("x alone", "wrong-shape", lambda x, w: x[None].clone()),
    ),
    *_wrong(
        "cost_of_model",
        "jacobian_model.values",
        ("x in every row", "", lambda x, w: x.repeat(len(w), len(w))),
        ("sign", "", lambda x, w: -jacobian_model(x, w)),
        ("w for x", "", lambda x, w: torch.block_diag(*w)),
        ("factor two", "", lambda x, w: 2 * jacobian_model(x, w)),
        ("ones", "", lambda x, w: (jacobian_model(x, w) != 0).to(x.dtype)),
        ("outputs reversed", "", lambda x, w: jacobian_model(x, w).flip(0)),
        ("x reversed", "", lambda x, w: jacobian_model(x.flip(0), w)),
        ("float32 inside", "", lambda x, w: jacobian_model(x.float(), w).to(x.dtype)),
    ),
    *_wrong(
        "cost_of_model",
        "jacobian_model.edge_cases",
        ("x itself for one output", "aliases-input", one_row_is_x),
        (
            "column-major where square",
            "",
            lambda x, w: column_major(x, w) if len(w) == len(x) else jacobian_model(x, w),
        ),
        (
            "column-major for many outputs",
            "",
            lambda x, w: column_major(x, w) if len(w) > len(x) + 1 else jacobian_model(x, w),
        ),
        ("squeezed", "wrong-shape", lambda x, w: jacobian_model(x, w).squeeze(0)),
        ("no small x", "", lambda x, w: jacobian_model(torch.where(x.abs() < 1e-4, 0.0, x), w)),
        ("sparse", "not-finite", lambda x, w: jacobian_model(x, w) * x.prod() / x.prod()),
    ),
    Wrong(
        "cost_of_model",
        "x in place",
        "jacobian_model.purity",
        "mutates-input",
        lambda x, w: jacobian_model(x, w.fill_(0)),
    ),
    Wrong(
        "cost_of_model",
        "default dtype",
        "jacobian_model.dtype",
        "wrong-dtype",
        lambda x, w: jacobian_model(x.float(), w),
    ),
    *_wrong(
        "cost_of_model",
        "gradient.flattening",
        ("column-major", "wrong-flattening", column_major_gradient),
        ("column-major Jacobian", "wrong-flattening", lambda x, y, w: grad_cost(y, w @ x) @ column_major(x, w)),
    ),
    *_wrong(
        "cost_of_model",
        "gradient.shape",
        ("a column", "transposed", lambda x, y, w: gradient(x, y, w).T.clone()),
        ("a vector", "wrong-shape", lambda x, y, w: gradient(x, y, w)[0]),
        ("a matrix", "wrong-shape", lambda x, y, w: gradient(x, y, w).reshape(w.shape)),
        ("by x", "wrong-shape", lambda x, y, w: grad_cost(y, w @ x) @ w),
    ),
    *_wrong(
        "cost_of_model",
        "gradient.values",
        ("sign", "", lambda x, y, w: -gradient(x, y, w)),
        ("no factor", "", lambda x, y, w: gradient(x, y, w) / 2),
        ("mean", "", lambda x, y, w: gradient(x, y, w) / len(y)),
        ("no error", "", lambda x, y, w: 2 * jacobian_model(x, w).sum(0, keepdim=True)),
        ("y for the error", "", lambda x, y, w: torch.outer(-2 * y, x).reshape(1, -1)),
        ("x without the model", "", lambda x, y, w: torch.outer(2 * (w.sum(1) - y), x).reshape(1, -1)),
        ("float32 inside", "", lambda x, y, w: gradient(x.float(), y.float(), w.float()).to(w.dtype)),
        ("updated w", "", lambda x, y, w: w.reshape(1, -1) - gradient(x, y, w)),
    ),
    *_wrong(
        "cost_of_model",
        "gradient.edge_cases",
        (
            "column-major where square",
            "",
            lambda x, y, w: (column_major_gradient if len(x) == len(y) else gradient)(x, y, w),
        ),
        (
            "column-major for many outputs",
            "",
            lambda x, y, w: (column_major_gradient if len(y) > len(x) + 1 else gradient)(x, y, w),
        ),
        (
            "squeezed",
            "wrong-shape",
            lambda x, y, w: gradient(x, y, w).squeeze() if w.numel() == 1 else gradient(x, y, w),
        ),
        ("clipped", "", lambda x, y, w: gradient(x, y, w).clamp(-1e3, 1e3)),
    ),
    *_wrong(
        "cost_of_model",
        "gradient.purity",
        (
            "w in place",
            "mutates-input",
            lambda x, y, w: w.copy_(gradient(x, y, w).reshape(w.shape)).reshape(1, -1).clone(),
        ),
        ("y in place", "mutates-input", lambda x, y, w: torch.outer(2 * y.sub_(w @ x).neg_(), x).reshape(1, -1)),
    ),
    *_wrong(
        "multi_stage",
        "forward.values",
        ("linear at the end", "", linear_at_the_end),
        ("tanh before", "", tanh_before),
        ("relu", "", lambda z, w: [z, *(each.relu() for each in stages(z, w)[1:])]),
        ("linear", "", lambda z, w: list(itertools.accumulate(w, lambda a, b: b @ a, initial=z))),
        ("z0 squashed", "", lambda z, w: [z.tanh(), *stages(z, w)[1:]]),
        ("starts squashed", "", lambda z, w: [z, *stages(z.tanh(), w)[1:]]),
        ("sine", "", lambda z, w: list(itertools.accumulate(w, lambda a, b: torch.sin(b @ a), initial=z))),
        ("approximate", "", lambda z, w: [z, *(each.round(decimals=10) for each in stages(z, w)[1:])]),
        (
            "float32 inside",
            "",
            lambda z, w: [z, *(x.to(z.dtype) for x in stages(z.float(), [e.float() for e in w])[1:])],
        ),
    ),
    *_wrong(
        "multi_stage",
        "forward.type",
        ("without z0", "wrong-type", lambda z, w: stages(z, w)[1:]),
        ("the last alone", "wrong-type", lambda z, w: stages(z, w)[-1]),
        ("without the last", "wrong-type", lambda z, w: stages(z, w)[:-1]),
        ("z0 twice", "wrong-type", lambda z, w: [z, *stages(z, w)]),
        ("sums too", "wrong-type", lambda z, w: (stages(z, w), [b @ a for a, b in zip(stages(z, w), w, strict=False)])),
    ),
    *_wrong(
        "multi_stage",
        "forward.shape",
        ("from the output", "wrong-shape", lambda z, w: stages(z, w)[::-1]),
        ("columns", "wrong-shape", lambda z, w: [each[:, None] for each in stages(z, w)]),
        ("rows", "wrong-shape", lambda z, w: [each[None] for each in stages(z, w)]),
    ),
    *_wrong(
        "multi_stage",
        "forward.purity",
        ("z0 in place", "mutates-input", states_in_place),
        ("pops", "mutates-input", lambda z, w: [*stages(z, w), *([] if w.pop() is None else [])]),
    ),
    *_wrong(
        "multi_stage",
        "forward.edge_cases",
        (
            "overflows",
            "not-finite",
            lambda z, w: list(
                itertools.accumulate(
                    w, lambda a, b: ((b @ a).exp() - (-(b @ a)).exp()) / ((b @ a).exp() + (-(b @ a)).exp()), initial=z
                )
            ),
        ),
        ("five stages at most", ANY, lambda z, w: [each * (k < 6) for k, each in enumerate(stages(z, w))]),
        ("transposed where square", "", lambda z, w: stages(z, [x.T if x.shape[0] == x.shape[1] else x for x in w])),
    ),
    *_wrong(
        "multi_stage",
        "backward.values",
        ("no slope", "", stages_with(slope=lambda before, after, weight: torch.ones_like(after))),
        ("slope of tanh twice", "", stages_with(slope=lambda before, after, weight: 1 - after.tanh() ** 2)),
        (
            "slope of W h twice",
            "",
            stages_with(slope=lambda before, after, weight: 1 - torch.tanh(torch.tanh(weight @ before)) ** 2),
        ),
        ("slope without the square", "", stages_with(slope=lambda before, after, weight: 1 - after)),
        ("slope of the sigmoid", "", stages_with(slope=lambda before, after, weight: after * (1 - after))),
        ("tanh for its slope", "", stages_with(slope=lambda before, after, weight: after)),
        ("slope of the sum", "", stages_with(slope=lambda before, after, weight: 1 - (weight @ before) ** 2)),
        ("sign", "", stages_with(slope=lambda before, after, weight: after**2 - 1)),
        (
            "weights without the slope",
            "",
            stages_with(for_weight=lambda grad, grad_s, before, after: torch.outer(grad, before)),
        ),
        ("z without the slope", "", stages_with(for_state=lambda grad, grad_s, weight: grad @ weight)),
        (
            "weights squashed",
            "",
            stages_with(for_weight=lambda grad, grad_s, before, after: torch.outer(grad_s, before.tanh())),
        ),
        (
            "weights without z",
            "",
            stages_with(for_weight=lambda grad, grad_s, before, after: grad_s[:, None].expand(-1, len(before)).clone()),
        ),
        ("no upstream", "", lambda g, s, w: stages_backward(torch.ones_like(g), s, w)),
        ("absolute upstream", "", lambda g, s, w: stages_backward(g.abs(), s, w)),
        ("z0 not handed back", "", lambda g, s, w: (torch.zeros_like(s[0]), stages_backward(g, s, w)[1])),
        (
            "last stage only",
            "",
            lambda g, s, w: (
                stages_backward(g, s, w)[0],
                [*(torch.zeros_like(e) for e in w[:-1]), stages_backward(g, s, w)[1][-1]],
            ),
        ),
        (
            "weights mean",
            "",
            lambda g, s, w: (stages_backward(g, s, w)[0], [e / len(e) for e in stages_backward(g, s, w)[1]]),
        ),
        (
            "updated weights",
            "",
            lambda g, s, w: (
                stages_backward(g, s, w)[0],
                [a - b for a, b in zip(w, stages_backward(g, s, w)[1], strict=True)],
            ),
        ),
        (
            "slope by differences",
            "",
            stages_with(
                slope=lambda before, after, weight: (
                    (torch.tanh(weight @ before + 1e-4) - torch.tanh(weight @ before - 1e-4)) / 2e-4
                )
            ),
        ),
        ("clipped", "", stages_with(for_state=lambda grad, grad_s, weight: (grad_s @ weight).clamp(-1e2, 1e2))),
        ("vanishing kept up", "", stages_with(slope=lambda before, after, weight: (1 - after**2).clamp(min=0.05))),
        (
            "float32 inside",
            "",
            lambda g, s, w: (lambda r: (r[0].to(g.dtype), [e.to(g.dtype) for e in r[1]]))(
                stages_backward(g.float(), [e.float() for e in s], [e.float() for e in w])
            ),
        ),
    ),
    *_wrong(
        "multi_stage",
        "backward.type",
        ("weights alone", "wrong-type", lambda g, s, w: stages_backward(g, s, w)[1]),
        ("z0 alone", "wrong-type", lambda g, s, w: stages_backward(g, s, w)[0]),
        ("one tuple", "wrong-type", lambda g, s, w: (stages_backward(g, s, w)[0], *stages_backward(g, s, w)[1])),
        ("swapped", "wrong-type", lambda g, s, w: stages_backward(g, s, w)[::-1]),
        (
            "weights by number",
            "wrong-type",
            lambda g, s, w: (stages_backward(g, s, w)[0], dict(enumerate(stages_backward(g, s, w)[1]))),
        ),
        (
            "one weight missing",
            "wrong-type",
            lambda g, s, w: (stages_backward(g, s, w)[0], stages_backward(g, s, w)[1][1:]),
        ),
    ),
    *_wrong(
        "multi_stage",
        "backward.shape",
        (
            "weights from the output",
            "wrong-shape",
            lambda g, s, w: (stages_backward(g, s, w)[0], stages_backward(g, s, w)[1][::-1]),
        ),
        (
            "weights transposed",
            "wrong-shape",
            lambda g, s, w: (stages_backward(g, s, w)[0], [e.T.clone() for e in stages_backward(g, s, w)[1]]),
        ),
        (
            "the gradient of z_1",
            "wrong-shape",
            lambda g, s, w: (stages_backward(g, s[1:], w[1:])[0], stages_backward(g, s, w)[1]),
        ),
        ("rows", "wrong-shape", lambda g, s, w: (stages_backward(g, s, w)[0][None], stages_backward(g, s, w)[1])),
    ),
    *_wrong(
        "multi_stage",
        "backward.purity",
        ("updates the weights", "mutates-input", adds_to_weights),
        ("fills the states", "mutates-input", fills_states),
        ("returns the weights' memory", "mutates-input", keeps_weights),
        ("pops the states", "mutates-input", lambda g, s, w: (stages_backward(g, s, w), s.pop())[0]),
        ("grad_output in place", "mutates-input", lambda g, s, w: stages_backward(g.mul_(2).div_(2).mul_(3), s, w)),
        ("autograd", "uses-autograd", autograd_stages),
        (
            "grad_output for the weights",
            "aliases-input",
            stages_with(for_weight=lambda grad, grad_s, before, after: before.expand(len(after), -1)),
        ),
    ),
    *_wrong(
        "multi_stage",
        "backward.edge_cases",
        ("four stages at most", ANY, lambda g, s, w: stages_backward(g * (len(w) < 5), s, w)),
        (
            "transposed where square",
            "",
            stages_with(
                for_state=lambda grad, grad_s, weight: (
                    weight @ grad_s if weight.shape[0] == weight.shape[1] else grad_s @ weight
                )
            ),
        ),
        (
            "slope by division",
            "not-finite",
            stages_with(slope=lambda before, after, weight: (after - after**3) / after),
        ),
        (
            "squeezed",
            "wrong-shape",
            lambda g, s, w: (stages_backward(g, s, w)[0].squeeze(), stages_backward(g, s, w)[1]),
        ),
    ),
    *_wrong(
        "multi_stage",
        "state_jacobian.values",
        ("no slope", "", lambda z, w: w * 1),
        ("slope of the columns", "", lambda z, w: w * (1 - z.tanh() ** 2)),
        ("tanh of w", "", lambda z, w: 1 - torch.tanh(w) ** 2),
        ("sign", "", lambda z, w: -state_jacobian(z, w)),
        ("tanh twice", "", lambda z, w: (1 - torch.tanh(torch.tanh(w @ z)) ** 2)[:, None] * w),
        ("float32 inside", "", lambda z, w: state_jacobian(z.float(), w.float()).to(w.dtype)),
        ("no square", "", lambda z, w: (1 - torch.tanh(w @ z))[:, None] * w),
    ),
    *_wrong(
        "multi_stage",
        "state_jacobian.shape",
        ("transposed", "transposed", lambda z, w: state_jacobian(z, w).T.clone()),
        ("the slope", "wrong-shape", lambda z, w: 1 - torch.tanh(w @ z) ** 2),
        ("summed", "wrong-shape", lambda z, w: state_jacobian(z, w).sum(0)),
    ),
    Wrong("multi_stage", "w for the Jacobian", "state_jacobian.purity", "aliases-input", lambda z, w: w),
    Wrong(
        "multi_stage",
        "slope of the columns where square",
        "state_jacobian.edge_cases",
        "",
        lambda z, w: w * (1 - torch.tanh(w @ z) ** 2) if len(w) == len(z) else state_jacobian(z, w),
    ),
    *_wrong(
        "multi_stage",
        "weight_jacobian.values",
        ("no slope", "", lambda z, w: torch.eye(len(w), dtype=w.dtype)[:, :, None] * z),
        (
            "every row",
            "",
            lambda z, w: ((1 - torch.tanh(w @ z) ** 2)[:, None, None] * z).expand(len(w), *w.shape).clone(),
        ),
        ("w for z", "", lambda z, w: torch.diag(1 - torch.tanh(w @ z) ** 2)[:, :, None] * w),
        ("sign", "", lambda z, w: -weight_jacobian(z, w)),
        ("first row only", "", lambda z, w: weight_jacobian(z, w) * (torch.arange(len(w)) < 1).to(z.dtype)[:, None]),
    ),
    *_wrong(
        "multi_stage",
        "weight_jacobian.shape",
        ("rows alone", "wrong-shape", lambda z, w: torch.outer(1 - torch.tanh(w @ z) ** 2, z)),
        ("flattened", "wrong-shape", lambda z, w: weight_jacobian(z, w).flatten(1)),
        ("inputs first", "wrong-shape", lambda z, w: weight_jacobian(z, w).permute(2, 0, 1).clone()),
        ("inputs before outputs", "wrong-shape", lambda z, w: weight_jacobian(z, w).transpose(1, 2).clone()),
    ),
    *_wrong(
        "graph",
        "topological_order.values",
        ("children first", "", lambda p: order_by_search(p)[::-1]),
        ("by name", "", lambda p: sorted(p) if order_by_search(p) else []),
        ("as they come", "", lambda p: list(p) if order_by_search(p) else []),
        ("by the shortest way", "", from_roots),
        (
            "by the number of parents",
            "",
            lambda p: sorted(p, key=lambda node: len(p[node])) if order_by_search(p) else [],
        ),
        ("before its parents", "", pre_order),
        ("twice where ways meet", "", twice_where_paths_meet),
        ("the last left out", "", lambda p: order_by_search(p)[:-1]),
        ("roots left out", "", lambda p: [node for node in order_by_search(p) if p[node]]),
        ("one sink only", ANY, from_the_first_sink),
        ("a node that is none", "", lambda p: [*order_by_search(p), "end"]),
    ),
    *_wrong(
        "graph",
        "topological_order.type",
        ("None", "wrong-type", lambda p: None),
        ("a set", "wrong-type", lambda p: set(order_by_search(p))),
        ("an iterator", "wrong-type", lambda p: iter(order_by_search(p))),
        ("pairs", "wrong-type", with_numbers),
        ("numbers", "wrong-type", lambda p: list(range(len(order_by_search(p))))),
        ("text", "wrong-type", lambda p: " ".join(order_by_search(p))),
        ("by name", "wrong-type", lambda p: {node: k for k, node in enumerate(order_by_search(p))}),
        ("levels", "wrong-type", lambda p: [[node] for node in order_by_search(p)]),
    ),
    *_wrong(
        "graph",
        "topological_order.purity",
        ("empties the graph", "mutates-input", empties),
        ("removes a node", "mutates-input", lambda p: (order_by_search(p), p.popitem())[0]),
    ),
    *_wrong(
        "graph",
        "topological_order.edge_cases",
        ("no error", "", no_error),
        ("another error", "", another_error),
        ("None for a cycle", "", none_for_a_cycle),
        ("endless", "", endless),
        ("no self-loops", "", no_self_loops),
        ("cycles from sinks", "", cycles_from_sinks),
        ("no loners", "", no_loners),
        ("no empty graph", ANY, lambda p: order_by_search(p) if p else None),
    ),
    *_wrong(
        "graph",
        "backward.values",
        ("the last way only", "", graph_without(add=False)),
        ("the first way only", "", first_way_only),
        ("hands on too early", "", visits_once),
        ("hands on too early, depth first", "", depth_first_once),
        ("hands on what it had before", "", graph_without(wait=False)),
        ("average", "", average_of_ways),
        ("by name", "", graph_without(order=sorted)),
        ("as they come", "", graph_without(order=list)),
        ("sign", "", graph_without(jacobian=lambda each: -each)),
        ("absolute", "", graph_without(jacobian=lambda each: each.abs())),
        (
            "float32 inside",
            "",
            lambda p, j, o, g: {
                k: e.to(g.dtype)
                for k, e in through_graph(p, {n: e.float() for n, e in j.items()}, o, g.float()).items()
            },
        ),
        ("no upstream", "", lambda p, j, o, g: through_graph(p, j, o, torch.ones_like(g))),
        ("roots only", "", roots_only),
        ("roots left out", "", roots_left_out),
        (
            "clipped",
            "",
            lambda p, j, o, g: {k: e.clamp(-1e3, 1e3) if k != o else g for k, e in through_graph(p, j, o, g).items()},
        ),
        ("zeros", "", lambda p, j, o, g: {k: torch.zeros_like(e) for k, e in through_graph(p, j, o, g).items()}),
        ("output of ones", "", lambda p, j, o, g: through_graph(p, j, o, g) | {o: torch.ones_like(g)}),
        ("sinks too", ANY, ones_for_sinks),
        ("the nodes behind", ANY, every_node_below),
        ("noise elsewhere", "", noise_elsewhere),
        ("output alone", "", lambda p, j, o, g: {o: g}),
    ),
    *_wrong(
        "graph",
        "backward.type",
        ("output left out", "wrong-type", output_left_out),
        ("pairs", "wrong-type", pairs),
        ("a list", "wrong-type", sorted_result),
        ("by number", "wrong-type", numbered),
        ("None", "wrong-type", lambda p, j, o, g: None),
        ("a node that is none", "wrong-type", lambda p, j, o, g: through_graph(p, j, o, g) | {"end": g * 1}),
        ("numbers", "wrong-type", lambda p, j, o, g: {k: e.tolist() for k, e in through_graph(p, j, o, g).items()}),
        ("by edge", "wrong-type", lambda p, j, o, g: {n: e * 1 for n, e in j.items()}),
        ("sums", "wrong-type", lambda p, j, o, g: {k: float(e.sum()) for k, e in through_graph(p, j, o, g).items()}),
    ),
    *_wrong(
        "graph",
        "backward.shape",
        ("rows", "wrong-shape", lambda p, j, o, g: {k: e[None] for k, e in through_graph(p, j, o, g).items()}),
    ),
    *_wrong(
        "graph",
        "backward.purity",
        ("consumes the parents", "mutates-input", consumes_parents),
        ("consumes the Jacobians", "mutates-input", consumes_jacobians),
        ("adds into grad_output", "mutates-input", adds_into_output),
    ),
    *_wrong(
        "graph",
        "backward.edge_cases",
        ("four parents at most", ANY, up_to_four_parents),
        ("adds into what came through an identity", "mutates-input", through_identities),
        ("adds into what came through an identity, cloned", "", through_identities_cloned),
        ("numbers for one entry", ANY, numbers_for_small),
        (
            "ten nodes at most",
            "",
            lambda p, j, o, g: {k: e * (len(p) <= 10) for k, e in through_graph(p, j, o, g).items()},
        ),
    ),
    Wrong(
        "graph",
        "float32",
        "backward.dtype",
        "wrong-dtype",
        lambda p, j, o, g: {k: e.float() for k, e in through_graph(p, j, o, g).items()},
    ),
]
