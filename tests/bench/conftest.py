"""The sides of the benchmark are no tests: some need libraries that only a peer's Python has."""

collect_ignore_glob = ["sides/*"]
