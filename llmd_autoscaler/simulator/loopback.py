"""Loopback addresses for pods: each its own, so that every simulated server listens on the usual port."""

import ipaddress

_NETWORK = ipaddress.ip_network("127.64.0.0/10")
_BLOCK = 256
_N_BLOCKS = _NETWORK.num_addresses // _BLOCK


class Addresses:
    """The block of one cluster, chosen by its process id so that two clusters seldom meet."""

    def __init__(self, process_id: int) -> None:
        self._first = process_id % _N_BLOCKS * _BLOCK
        self._next = 0
        self._taken: set[str] = set()

    def take(self) -> str:
        """A free address; the last one given back comes last, for a late client must not meet a new pod."""
        for _ in range(_NETWORK.num_addresses):
            self._next += 1
            if self._next >= _BLOCK - 1 and len(self._taken) < _BLOCK // 2:
                self._next = 1  # stay in our block while it has room
            address = str(_NETWORK[(self._first + self._next) % _NETWORK.num_addresses])
            if address not in self._taken:
                self._taken.add(address)
                return address
        raise ValueError("all addresses of 127.64.0.0/10 are taken")

    def give_back(self, address: str) -> None:
        """The pod is gone."""
        self._taken.discard(address)
