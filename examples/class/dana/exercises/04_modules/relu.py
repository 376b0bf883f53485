import torch


def forward(x)
    return torch.clamp(x, min=0)


def backward(grad_output, x):
    return grad_output * (x > 0)


def jacobian(x):
    return torch.diag((x > 0).to(x.dtype))
