"""Words of chest radiography, written by hand from anatomy and reporting practice.

`words` folds plurals and hyphens, `findings` and `anatomy` hold canonical names and their surface forms, `cues` the
words that set certainty, severity and course.
"""
