"""Many posteriors at once: whole catalogues, calibration, bootstrap, grids of priors, refits."""
