import torch


def my_exp(x):
    # the first 30 terms of the series for e^x
    total = torch.ones_like(x)
    term = torch.ones_like(x)
    n = 1
    while n <= 30:
        total = total + term
        term = term * x / n
        # n = n + 1
    return total


def forward(x):
    return 1 / (1 + my_exp(-x))


def backward(grad_output, x):
    y = torch.sigmoid(x)
    return grad_output * y * (1 - y)


def jacobian(x):
    y = torch.sigmoid(x)
    return torch.diag(y * (1 - y))
