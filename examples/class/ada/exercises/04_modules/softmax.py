import torch


def forward(x):
    return torch.softmax(x, dim=-1)


def backward(grad_output, x):
    y = forward(x)
    # g_j y_j - y_j * <g, y>
    inner = torch.einsum("...c,...c->...", grad_output, y)
    return grad_output * y - inner.unsqueeze(-1) * y


def jacobian(x):
    y = forward(x)
    return (torch.eye(x.numel(), dtype=x.dtype) - y) * y[:, None]
