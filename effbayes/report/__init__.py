"""The report that people send on: one document, rendered in every format."""
