"""A fit: its parameters, its members, what watches them, and where they start."""
