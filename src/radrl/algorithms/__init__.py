"""How rewards become gradients: pure functions of tensors."""
