"""What a model's answers are worth: strict metrics with intervals, blind rows, calibration, the seeds' own rules."""
