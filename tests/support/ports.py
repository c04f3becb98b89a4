# SPDX-License-Identifier: PostgreSQL
"""TCP ports for programs that are told theirs before they start."""
import random
import socket

# Below those that the kernel gives to connections and to who asks for any port (net.ipv4.ip_local_port_range).
PORTS = range(20000, 32000)

_held = []


def _hold(port):
    """False when another test process has it. A name in the abstract namespace: it is gone when its process is."""
    holder = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        holder.bind(f"\0pganalytics-test-port-{port}")
    except OSError:
        holder.close()
        return False
    _held.append(holder)
    return True


def _is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True


def free_port():
    """A port that nobody listens on, and that no other test process is given as long as this one lives."""
    return next(port for port in random.sample(PORTS, len(PORTS)) if _hold(port) and _is_free(port))
