"""Programs for developers and operators. None of them is deployed."""
