import ipaddress

from llmd_autoscaler.simulator.loopback import Addresses


def test_addresses_are_loopback_ones_of_the_network_of_pods():
    network = ipaddress.ip_network("127.64.0.0/10")
    addresses = Addresses(process_id=4_194_303)  # the largest of Linux
    assert all(ipaddress.ip_address(addresses.take()) in network for _ in range(600))


def test_no_two_pods_share_an_address():
    addresses = Addresses(process_id=1)
    assert len({addresses.take() for _ in range(600)}) == 600


def test_an_address_that_was_given_back_is_not_the_next_one():
    addresses = Addresses(process_id=1)
    first = addresses.take()
    addresses.give_back(first)
    assert addresses.take() != first


def test_two_processes_start_in_different_blocks():
    assert Addresses(process_id=1).take() != Addresses(process_id=2).take()


def test_addresses_come_round_again_within_the_block_of_their_process():
    addresses, seen = Addresses(process_id=1), set()
    for _ in range(1000):
        address = addresses.take()
        addresses.give_back(address)
        seen.add(address.rpartition(".")[0])
    assert seen == {"127.64.1"}  # block 1 of 256 addresses
