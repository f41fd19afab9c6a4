"""Whether this process is about to stop."""

import threading
from typing import Final

# Set by the server on SIGTERM: readiness fails from then on, and connections are closed.
draining: Final = threading.Event()
