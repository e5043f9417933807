"""Puts what is loaded on pages of 2 MB, where the system has them."""

import ctypes
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

HUGE_PAGE: Final = 2 << 20
MADV_HUGEPAGE: Final = 14  # Linux' asm-generic/mman-common.h; from 6.1 on the second one copies at once
MADV_COLLAPSE: Final = 25
MAPS: Final = Path("/proc/self/maps")


def use_huge_pages(maps: Path = MAPS) -> None:
    """Asks the system for huge pages behind the process's own memory; where it has none, nothing changes.

    A request reads here and there in hundreds of megabytes. With pages of 4 kB most of these places have left the
    processor's table of pages since the last request, and on a virtual machine a walk through it is long.
    """
    with suppress(OSError, AttributeError):  # not on Linux
        advise = ctypes.CDLL(None).madvise
        for start, end in anonymous_memory(maps.read_text()):
            for advice in (MADV_HUGEPAGE, MADV_COLLAPSE):  # what it refuses, it says in a result that changes nothing
                advise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), advice)


def anonymous_memory(maps: str) -> Iterator[tuple[int, int]]:
    """(start, end) of the whole huge pages in each writable part of /proc/self/maps but files and stacks."""
    for line in maps.splitlines():
        addresses, access, _, _, inode, *name = line.split()
        if access == "rw-p" and inode == "0" and name in ([], ["[heap]"]):
            first, last = (int(address, 16) for address in addresses.split("-"))
            start, end = -(-first // HUGE_PAGE) * HUGE_PAGE, last // HUGE_PAGE * HUGE_PAGE
            if start < end:
                yield start, end
