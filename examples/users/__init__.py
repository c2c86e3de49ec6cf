"""A directory of users: the smallest whole application. `python -m examples.users --help` says what it can do."""
