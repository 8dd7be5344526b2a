"""What the service costs beside other ways to build it, under the Lambda runtime. `python -m tools.bench` measures."""
