"""One module a layout: `write(out, lot)` writes one split the way its data set is shipped."""
