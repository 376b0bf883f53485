import torch


def forward(x):
    return x * (x > 0)


def backward(grad_output, x):
    return torch.where(x > 0, grad_output, torch.zeros_like(grad_output))


def jacobian(x):
    return torch.diag(torch.where(x > 0, 1.0, 0.0).to(x.dtype))
