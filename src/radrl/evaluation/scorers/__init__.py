"""Metrics of reports that need a model's weights, from a local path; none is needed for an evaluation.

None of them is a measure of truth: each follows wording, or its own reading of a report, in its own way. They stand
beside the metrics that need no model, never in their place, with path, version and settings.
"""
