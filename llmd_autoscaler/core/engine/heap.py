"""The heap of an instance: which decode sequence ends at which step, the nearest first.

A key is step * 2^21 + slot, so one comparison orders both.
"""

from llmd_autoscaler.core.engine.compiled import IntRow, kernel
from llmd_autoscaler.core.engine.state import HEAP_SIZE, MAX_SLOTS

SLOT_MASK = MAX_SLOTS - 1


@kernel
def push(heap: IntRow, n: IntRow, key: int) -> None:
    """Add a key to the heap of finishing steps."""
    i = n[HEAP_SIZE]
    n[HEAP_SIZE] = i + 1
    while i > 0:
        parent = (i - 1) >> 1
        if heap[parent] <= key:
            break
        heap[i] = heap[parent]
        i = parent
    heap[i] = key


@kernel
def pop(heap: IntRow, n: IntRow) -> int:
    """Take the smallest key."""
    top = heap[0]
    size = n[HEAP_SIZE] - 1
    n[HEAP_SIZE] = size
    key = heap[size]
    i = 0
    child = 1
    while child < size:
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        if key <= heap[child]:
            break
        heap[i] = heap[child]
        i = child
        child = 2 * i + 1
    heap[i] = key
    return top


@kernel
def drop(heap: IntRow, n: IntRow, slot: int) -> None:
    """Take one request's key out of the heap: all others are pushed anew."""
    size = n[HEAP_SIZE]
    n[HEAP_SIZE] = 0
    for i in range(size):
        # push writes at most at position HEAP_SIZE <= i, which has been read
        key = heap[i]
        if key & SLOT_MASK != slot:
            push(heap, n, key)
