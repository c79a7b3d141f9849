"""Words of chest radiography, written by hand from anatomy and reporting practice.

The lexicon is YAML, one file a topic, each with a header that says where its entries come from; `tables` reads them
once. `words` folds plurals and hyphens, `findings` and `anatomy` hold canonical names and their surface forms, `cues`
the words that set certainty, severity and course.
"""
