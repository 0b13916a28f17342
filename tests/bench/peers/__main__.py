"""`make peers`: installs the readers that `make bench ARGS=plates` then measures beside ours."""

import sys

from tests.bench.bench_plates_peers import PEERS
from tests.bench.peers.environment import Environment


def main() -> int:
    """0 when all of them are there."""
    failed = 0
    for peer in PEERS:
        environment = Environment(peer.name)
        sys.stdout.write(f"{peer.title} …\n")
        sys.stdout.flush()
        environment.install()
        failed += bool(environment.missing)
        sys.stdout.write(f"  {environment.missing or 'ready'}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
