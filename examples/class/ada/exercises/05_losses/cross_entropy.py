import torch
import torch.nn.functional as F


def forward(logits, labels):
    return F.cross_entropy(logits, labels)


def backward(grad_output, logits, labels):
    p = F.softmax(logits, dim=1)
    truth = F.one_hot(labels, logits.shape[1]).to(logits.dtype)
    return grad_output * (p - truth) / len(labels)
