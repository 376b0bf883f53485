import torch


def forward(logits, labels):
    loss = (torch.logsumexp(logits, 1) - logits[range(len(labels)), labels]).mean()


def backward(grad_output, logits, labels):
    p = torch.softmax(logits, 1)
    p[range(len(labels)), labels] -= 1
    return grad_output * p / len(labels)
