def forward(x):
    return 1 / (1 + torch.exp(-x))


def backward(grad_output, x):
    y = forward(x)
    return grad_output * y * (1 - y)


def jacobian(x):
    return (forward(x) * (1 - forward(x))).diag()
