"""The driver of `make mutants` has no tests, and parts of it run on POSIX only."""

collect_ignore_glob = ["*.py"]
