import torch


def slope(x):
    # at 0 I take 0, like torch
    return torch.where(x > 0, torch.ones_like(x), torch.zeros_like(x))


def forward(x):
    return torch.maximum(x, torch.zeros_like(x))


def backward(grad_output, x):
    return slope(x) * grad_output


def jacobian(x):
    return torch.diag_embed(slope(x))
