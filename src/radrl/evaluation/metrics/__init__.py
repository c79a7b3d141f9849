"""Metrics as pure functions of what was predicted and what is true."""
