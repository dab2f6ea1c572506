"""The engine: rows, Values, the walks over what they recorded, and the calculus."""
