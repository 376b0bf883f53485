import torch


def forward(x, weight, bias):
    return x @ weight + bias


def backward(grad_output, x, weight, bias):
    return grad_output @ weight, x @ grad_output, grad_output.sum(0)


def jacobian_x(x, weight, bias):
    return weight


def jacobian_weight(x, weight, bias):
    raise NotImplementedError
