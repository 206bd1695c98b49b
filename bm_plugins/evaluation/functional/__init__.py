"""The mathematics of the scores: numpy or torch alone."""
