"""`python -m examples.users`"""

import sys

try:
    from .cli import main

    sys.exit(main())
except KeyboardInterrupt:
    sys.exit(130)  # as a shell counts Ctrl-C; what was not committed is undone
