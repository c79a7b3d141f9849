"""From a row of a file to a sample, one module a row form."""
