"""The mathematics of the network: read ``backprop`` first. Imports nothing above it."""
