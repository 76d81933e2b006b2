"""Bayes: how sure a network is of itself, and how much to penalise it."""
