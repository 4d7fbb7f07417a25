"""Models of a trend, each with its priors; pure functions of arrays and keys."""
