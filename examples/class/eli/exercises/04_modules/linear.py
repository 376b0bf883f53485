import torch


def forward(x, weight, bias):
    return torch.nn.functional.linear(x, weight, bias)


def backward(grad_output, x, weight, bias):
    return grad_output.matmul(weight), grad_output.t().matmul(x), grad_output.sum(0)


def jacobian_x(x, weight, bias):
    return weight


def jacobian_weight(x, weight, bias):
    rows = weight.shape[0]
    return torch.stack([torch.outer(unit, x) for unit in torch.eye(rows, dtype=x.dtype)])
