"""Samplers and what follows from draws; pure functions of arrays and keys."""
