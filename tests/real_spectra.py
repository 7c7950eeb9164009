# Licensed under a 3-clause BSD style license - see LICENSE
"""Which real spectra are read and which refused, and their comparison with Sherpa."""

import numpy as np
import pytest

#: Files whose header leaves the response out: what lies beside them.
BESIDE = {
    "chandra/source1/source1.pi": ("arf_1024.fits", "rmf_1024.fits"),
    "chandra/pi2278/pi2278.fits": ("arf2278.fits", "rmf2278.fits"),
    "erosita/020_SourceSpec_00001/020_SourceSpec_00001.fits":
        ("020_ARF_00001.fits", "onaxis_tm0_rmf_2023-01-17.fits.gz"),
    "xmm_newton/PN_PWN_34/PN_PWN.fits": ("PN_PWN.arf", "PN_PWN.rmf"),
    "xmm_newton/PN_PWN_35/PN_PWN.fits": ("PN_PWN.arf", "PN_PWN.rmf"),
    "xmm_newton/pn_pi_src_bin10/pn_pi_src_bin10.ds": ("pn_pi_src.arf", "epn_ff20_dY9.rmf"),
    "swift/target_sr/target_sr.pha": ("target_sr.arf", "swxpc0to12s6_20130101v014.rmf.gz"),
    "asca/sis0/sis0.pha": ("sis0.arf", "sis0.rmf"),
}
#: Files whose header names a response that is not there; another lies beside them.
STRANGER = {"xmm_newton/pn_pi_src_bin10/pn_pi_src_bin10.ds"}
READ = [
    "chandra/acisf04938_000N002_r0043_pha3/acisf04938_000N002_r0043_pha3.fits",
    "chandra/acisf07867_000N001_r0002_pha3/acisf07867_000N001_r0002_pha3.fits",
    "chandra/acisf01575_001N001_r0085_pha3/acisf01575_001N001_r0085_pha3.fits.gz",
    "chandra/acisf01878_000N001_r0100_pha3/acisf01878_000N001_r0100_pha3.fits",
    "chandra/3c273/3c273.pi",
    "chandra/obs1/obs1.pi",
    "chandra/obs2/obs2.pi",
    "chandra/obs3/obs3.pi",
    "chandra/obs4/obs4.pi",
    "chandra/qso/qso.pi",
    "chandra/q1127_src1/q1127_src1.pi",
    "chandra/1666_3/1666_3.pi",
    "chandra/179/179.pi",
    "xmm_newton/PN/PN.pha",
    *BESIDE,
]
REFUSED = {
    "chandra/hrcf24564_000N030_r0001_pha3/hrcf24564_000N030_r0001_pha3.fits.gz": "HRC spectrum",
    "xmm_newton/source/source.pha": "RATE spectrum",
    "ixpe/det1_filt_src_I/det1_filt_src_I.pha": "RATE spectrum",
    "exosat/s54405/s54405.pha": "NET spectrum",
}


def power_law(lo, hi):
    """Photons/cm2/s per bin of 1e-3 E^-1.7, the integral in closed form."""
    return 1e-3 * (lo**-0.7 - hi**-0.7) / 0.7


def sherpa_counts(data):
    """Counts per channel of the same power law, folded by Sherpa."""
    from sherpa.astro.instrument import Response1D
    from sherpa.models import PowLaw1D

    model = PowLaw1D()
    model.gamma, model.ampl = 1.7, 1e-3
    data.notice()
    data.grouped = False
    return data.eval_model(Response1D(data)(model))


def assert_as_sherpa(spectrum, data):
    """Counts, exposure, scales, channel energies and a folded model agree."""
    np.testing.assert_array_equal(spectrum.counts, data.counts)
    np.testing.assert_array_equal(spectrum.channel, data.channel)
    assert spectrum.exposure == pytest.approx(data.exposure, rel=1e-12)
    np.testing.assert_allclose(spectrum.backscale, data.backscal, rtol=1e-12)
    arf, rmf = data.get_response()
    np.testing.assert_allclose(spectrum.e_lo, np.minimum(rmf.e_min, rmf.e_max), rtol=1e-6)
    np.testing.assert_allclose(spectrum.e_hi, np.maximum(rmf.e_min, rmf.e_max), rtol=1e-6)
    response = spectrum.response
    folded = response.fold(power_law(response.e_lo, response.e_hi)) * spectrum.exposure
    expected = sherpa_counts(data)
    np.testing.assert_allclose(folded, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())
