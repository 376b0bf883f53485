"""What a candidate is compared with: formulas derived by SymPy, exact values, torch.autograd, differences."""
