"""Programs for people. Nothing of it is deployed."""
