"""AWS and the provider in memory, for tests and the benchmark."""
