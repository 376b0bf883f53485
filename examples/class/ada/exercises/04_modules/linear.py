import torch


def forward(x, weight, bias):
    return torch.einsum("bi,oi->bo", x, weight) + bias


def backward(grad_output, x, weight, bias):
    grad_x = torch.einsum("bo,oi->bi", grad_output, weight)
    grad_weight = torch.einsum("bo,bi->oi", grad_output, x)
    grad_bias = torch.einsum("bo->o", grad_output)
    return grad_x, grad_weight, grad_bias


def jacobian_x(x, weight, bias):
    return weight.clone()


def jacobian_weight(x, weight, bias):
    n_out, n_in = weight.shape
    jac = torch.zeros(n_out, n_out, n_in, dtype=x.dtype)
    for o in range(n_out):
        jac[o, o] = x
    return jac
