"""What is asked of a repository, understood once for both stores."""
