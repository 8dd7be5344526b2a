"""How many generated examples the properties are tested with: few in `make test`, many in `make fuzz`. Modules import
`given` from here, so that the number is set before."""

import os

from hypothesis import HealthCheck, given, settings

__all__ = ["bounded", "given"]

# `make test` runs the same examples each time, `make fuzz` many new ones. Examples share a test's fixtures on purpose,
# because the fixtures are slow to create.
settings.register_profile(
    "ci",
    derandomize=True,
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.register_profile(
    "fuzz", settings.get_profile("ci"), derandomize=False, max_examples=int(os.environ.get("EXAMPLES", "10000"))
)
settings.load_profile("fuzz" if "EXAMPLES" in os.environ else "ci")


def bounded(examples: int) -> settings:
    """Limits the number of examples in `make test`. `make fuzz` keeps its own number."""
    return settings(max_examples=examples) if settings().derandomize else settings()
