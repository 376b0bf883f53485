import torch


def forward_pass(x):
    return torch.softmax(x, -1)


def bakward(grad_output, x):
    y = forward_pass(x)
    return y * (grad_output - (grad_output * y).sum(-1, keepdim=True))


def jacobian(self, x):
    y = forward_pass(x)
    return torch.diag(y) - torch.outer(y, y)
