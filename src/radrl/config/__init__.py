"""Configuration: the schema, how it is loaded and checked, and how it is shown."""
