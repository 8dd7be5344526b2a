"""What the functions share: the tables, the archive and the provider. Knows no HTTP server and no Lambda event."""
