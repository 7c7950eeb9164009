# Licensed under a 3-clause BSD style license - see LICENSE
"""A small .fits.gz that unpacks to a table of 180 million rows."""

import gzip
import subprocess
import sys

import pytest

from astro_xlatent.spectra._fits import MAX_BYTES

CODE = """
import sys
from pathlib import Path
from astro_xlatent import XraySpectrum
try:
    XraySpectrum.read(sys.argv[1])
except ValueError as error:
    print(error)
status = Path("/proc/self/status").read_text()
print(status.split("VmHWM:")[1].split()[0])
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peak memory is read from /proc")
def test_limit_and_memory(tmp_path, ogip):
    """It is refused with the limit and the remedy, below 1 GB."""
    data = ogip.source().read_bytes()
    at = data.index(b"NAXIS2  =", data.index(b"XTENSION"))
    data = data[:at] + f"NAXIS2  = {180_000_000:>20}".encode().ljust(80) + data[at + 80:]
    path = tmp_path / "bomb.fits.gz"
    with gzip.open(path, "wb", 1) as stream:
        stream.write(data)
        for _ in range(MAX_BYTES // 2**24 + 2):
            stream.write(bytes(2**24))
    assert path.stat().st_size < 10e6
    done = subprocess.run([sys.executable, "-c", CODE, str(path)], capture_output=True, text=True, check=True)
    message, peak = done.stdout.splitlines()
    assert "bomb.fits.gz holds more than 256 MB" in message
    assert "cut out the extension you need" in message
    assert int(peak) < 1e6
