"""Which parts of a process are put on huge pages, and that they are."""

import subprocess
import sys
from pathlib import Path

import pytest

from serving.runtime.huge_pages import HUGE_PAGE, anonymous_memory, use_huge_pages

THP = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def test_parts_of_whole_huge_pages_that_are_no_file() -> None:
    maps = """\
00200000-00a00000 rw-p 00000000 00:00 0                                  [heap]
01000000-01a10000 rw-p 00000000 00:00 0
02100000-02900000 rw-p 00000000 00:00 0
03000000-03100000 rw-p 00000000 00:00 0
04000000-05000000 rw-p 00000000 00:00 0                                  [stack]
05000000-06000000 rw-p 00000000 fe:00 1234                               /usr/lib/libfaiss.so
06000000-07000000 r--p 00000000 00:00 0
07000000-08000000 rw-s 00000000 00:01 99                                 /dev/zero (deleted)
"""
    assert list(anonymous_memory(maps)) == [
        (0x0020_0000, 0x00A0_0000),
        (0x0100_0000, 0x01A0_0000),  # as far as the pages are whole
        (0x0220_0000, 0x0280_0000),
    ]


@pytest.mark.skipif(not THP.is_file() or "[never]" in THP.read_text(), reason="this system has no huge pages")
def test_the_advice_is_given_for_memory_that_keeps_what_it_holds() -> None:
    """How many pages the system then gives depends on how its memory is broken up; the advice does not."""
    code = f"""
import numpy as np
from pathlib import Path
from serving.runtime.huge_pages import use_huge_pages
small = [np.full({HUGE_PAGE // 64}, number, np.int64) for number in range(256)]  # each below numpy's own limit
use_huge_pages()
assert all((values == number).all() for number, values in enumerate(small))
advised = size = 0
for line in Path("/proc/self/smaps").read_text().splitlines():
    size = int(line.split()[1]) if line.startswith("Size:") else size
    advised += size if line.startswith("VmFlags:") and "hg" in line.split() else 0
print(advised)
"""
    run = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    assert int(run.stdout) * 1024 >= 48 << 20  # of the 64 MB


def test_nothing_happens_where_there_are_no_maps(tmp_path: Path) -> None:
    use_huge_pages(tmp_path / "maps")
