import torch


def forward(x):
    return torch.relu(x)


def backward(grad_output, x):
    return grad_output * (grad_output > 0)


def jacobian(x):
    return torch.diag((x > 0).to(x.dtype))
