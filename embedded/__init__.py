"""PostgreSQL and Valkey for one machine, without anything to install beside the wheels.

Contract: everything lives below one data directory, both servers listen on unix sockets only (no TCP port), neither
ever runs as root, and both end when the last process that called `ensure` has ended. Nothing outside the data
directory is changed, except for one private folder below /tmp where a socket path would be too long.

This is for trying the portal out and for its tests. Production is given its servers by URL and never imports this.
"""

from embedded.errors import EmbeddedError
from embedded.holding import ensure, release
from embedded.places import Addresses, addresses, default_data_dir

__all__ = ["Addresses", "EmbeddedError", "addresses", "default_data_dir", "ensure", "release"]
