"""Which port a command listens on."""

import socket

import pytest

from llmd_autoscaler.cli.ports import listening_port
from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.local.ports import next_free_port

HOST = "127.0.0.1"


@pytest.fixture
def taken():
    """A port that somebody listens on."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_default_port_in_use_moves_on(taken):
    assert listening_port(HOST, None, default=taken) > taken


def test_a_given_port_does_not_move(taken):
    assert listening_port(HOST, taken, default=8080) == taken


def test_a_port_that_is_promised_to_another_is_not_given_twice():
    first = next_free_port(HOST, 20000)
    assert next_free_port(HOST, first, taken={first}) > first


def test_an_address_of_another_machine_is_refused():
    # TEST-NET-1: nobody's
    with pytest.raises(ConfigError, match=r"cannot listen on 192\.0\.2\.1 .*another --host"):
        next_free_port("192.0.2.1", 8080)
