"""The data of a fit: what y means, rows in memory, and rows in the partitions of a cluster."""
