"""A recorded graph as words: each gradient as the sum over its paths, in numbers and LaTeX."""
