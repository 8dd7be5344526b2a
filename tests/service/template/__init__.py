import tests.support.stack  # noqa: F401 - the handlers read their environment when they are imported
