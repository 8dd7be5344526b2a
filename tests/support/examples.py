"""How many generated examples test a property: its explicit ones and a few random ones in `make test`, many in
`make fuzz`. Modules import `given` from here, so that the number is set before.

A failure prints an example that repeats it, and a line `@reproduce_failure(…)`."""

import os

from hypothesis import HealthCheck, given, settings

__all__ = ["given"]

settings.register_profile(
    "examples",
    max_examples=int(os.environ.get("EXAMPLES", "25")),
    deadline=None,
    database=None,
    print_blob=True,
    # Examples share a test's fixtures on purpose, because the fixtures are slow to create.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("examples")
