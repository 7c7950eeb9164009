# Licensed under a 3-clause BSD style license - see LICENSE
"""
A first look: simulated sources with known truth, and real ones where at hand.

Run it as ``astro-xlatent demo``.
"""

import os
from importlib.util import find_spec
from pathlib import Path

from astro_xlatent.cli.shell import say, tell
from astro_xlatent.core.errors import TableError, XlatentError

__all__ = ["add_parser", "find_real_spectra", "run", "simulated_sources"]

#: Name, class, telescope, N_H in 1/cm2, and expected counts of the simulated sources.
RECIPES = [
    ("quasar", "AGN", "csc", 3e20, 2000),
    ("hidden nucleus", "AGN", "csc", 5e22, 400),
    ("quasar", "AGN", "erosita", 3e20, 300),
    ("young star", "YSO", "csc", 1e22, 150),
    ("cool star", "LM-STAR", "erosita", 5e19, 80),
    ("cooling neutron star", "NS", "csc", 2e21, 60),
]
#: Seconds of exposure, and area of the off-source region in source regions.
EXPOSURE, OFF_REGION = 20e3, 10.0
#: Expected background counts in the source region.
BACKGROUND_COUNTS = 3.0


def add_parser(commands):
    """Add the subcommand; gives its parser."""
    command = commands.add_parser("demo", help="enrich some real and simulated sources")
    command.add_argument("-o", "--output", metavar="DIR", default="demo_output",
                         help="folder for table and plot (default: demo_output)")
    command.add_argument("--data", metavar="DIR", help="folder with real spectra and labels "
                         "(default: ../shared/data beside the current folder, where present)")
    return command


def _emission(name):
    """Photons/cm2/s in the bins of the incident grid before absorption."""
    from astro_xlatent.physics import emission

    if name == "quasar":
        return emission.powerlaw(1.9)
    if name == "hidden nucleus":
        return emission.powerlaw(1.7)
    if name == "cooling neutron star":
        return emission.blackbody(0.2)
    return emission.plasma({"young star": 2.5, "cool star": 0.7}[name], abundance=0.4)


def _observe(rate, response, counts, mission, rng):
    """A spectrum with Poisson noise and its off-source background."""
    from astro_xlatent.spectra.spectrum import XraySpectrum

    expected = counts * rate / rate.sum()
    seen = (response.channel_e_lo > 0.3) & (response.channel_e_hi < 8.0)
    background = BACKGROUND_COUNTS * seen / seen.sum()
    telescope, instrument = {"csc": ("CHANDRA", "ACIS"), "erosita": ("EROSITA", "TM0")}[mission]
    common = {"exposure": EXPOSURE, "telescope": telescope, "instrument": instrument}
    off = XraySpectrum(counts=rng.poisson(background * OFF_REGION), backscale=OFF_REGION, **common)
    return XraySpectrum(counts=rng.poisson(expected + background), response=response,
                        background=off, **common)


def simulated_sources(seed=1):
    """
    Simulate a handful of sources as Chandra and eROSITA would see them.

    The responses are the missions' shipped default ones.

    Parameters
    ----------
    seed : int, optional
        Seed of counts and background.

    Returns
    -------
    table : `~astropy.table.Table`
        Columns ``name``, ``origin``, ``truth``: what was simulated, in words.
    spectra : list of `~astro_xlatent.spectra.spectrum.XraySpectrum`
        One for each row.
    """
    import numpy as np
    from astropy.table import Table

    from astro_xlatent.missions.base import get_mission
    from astro_xlatent.physics.absorption import transmission

    rng = np.random.default_rng(seed)
    rows, spectra = [], []
    for name, label, mission, nh, counts in RECIPES:
        response = get_mission(mission).default_response().on_grid()
        rate = response.fold(np.ravel(_emission(name)) * np.ravel(transmission(nh)))
        spectra.append(_observe(rate, response, counts, mission, rng))
        rows.append((name, f"simulated, {mission}", f"{label}, N_H {nh:.0e}, {counts} counts"))
    return Table(rows=rows, names=("name", "origin", "truth")), spectra


def _data_folder(data):
    """The folder of real data: as given, as the environment says, or the usual place."""
    return Path(data or os.environ.get("XLATENT_SHARED") or Path("..") / "shared" / "data")


def find_real_spectra(data=None):
    """
    Find real spectra: in a data folder, else those that Sherpa brings along.

    Parameters
    ----------
    data : str or `~pathlib.Path`, optional
        Folder with ``spectra/inventory.csv``; by default the environment
        variable ``XLATENT_SHARED`` or ``../shared/data``.

    Returns
    -------
    table : `~astropy.table.Table`
        Columns ``name``, ``origin``, ``truth`` and ``path``; empty if there
        are none.
    """
    import numpy as np
    from astropy.table import Table

    folder = _data_folder(data)
    inventory = folder / "spectra" / "inventory.csv"
    if inventory.is_file():
        found = Table.read(inventory, format="ascii.csv")
        # One spectrum of each object is enough here.
        _, first = np.unique(found["object"], return_index=True)
        rows = [(str(r["object"])[:21], f"real, {r['mission']}", str(r["src_class"]),
                 str(folder / r["folder"] / r["pha"])) for r in found[np.sort(first)]
                if r["mission"] in ("Chandra", "eROSITA")]
    else:
        rows = [(path.name[:14], "real, Chandra", "", str(path)) for path in _sherpa_spectra()]
    return Table(rows=rows or None, names=("name", "origin", "truth", "path"), dtype=[str] * 4)


def _sherpa_spectra():
    """CSC spectra that an installed Sherpa has among its test data."""
    spec = find_spec("sherpa")
    places = spec.submodule_search_locations if spec else []
    return sorted(p for place in places
                  for p in (Path(place) / "astro/datastack/tests/data").glob("acisf*_pha3.fits"))


def _read_spectra(found):
    """Read spectra; those that cannot be used are named with the reason and left out."""
    from astro_xlatent.spectra.spectrum import XraySpectrum

    keep, spectra = [], []
    for i, path in enumerate(found["path"]):
        try:
            spectra.append(XraySpectrum.read(path))
            keep.append(i)
        except XlatentError as error:
            tell(f"refused: {error}")
    return found[keep], spectra


def _real_bands(data):
    """Some labelled detections of the Chandra Source Catalog, with bands only."""
    import numpy as np
    from astropy.table import Table

    path = _data_folder(data) / "labels" / "csc2_labelled_detections.csv.gz"
    if not path.is_file():
        return None
    table = Table.read(path, format="ascii.csv")
    bright = np.argsort(-np.ma.filled(table["src_cnts_aper_b"].astype(float), 0), kind="stable")
    # Every hundredth of the brighter half, so that bright and faint ones occur.
    table = table[np.sort(bright[:len(table) // 2:400])]
    table["origin"] = "real, CSC bands"
    table["truth"] = table["class_label"].astype(str)
    return table


def _enrich(data):
    """Enrich everything that is at hand and stack it."""
    from astropy.table import vstack

    from astro_xlatent.table.add_latents import add_latents

    parts = [add_latents(*simulated_sources())]
    found = find_real_spectra(data)
    if len(found):
        found, spectra = _read_spectra(found)
        parts.append(add_latents(found, spectra))
    bands = _real_bands(data)
    if bands is not None:
        parts.append(add_latents(bands))
    if len(parts) == 1:
        tell("no real spectra or catalogue rows at hand: simulated sources only "
             "(real ones are looked for in ../shared/data, see --data)")
    columns = ["name", "origin", "truth"]
    results = [n for n in parts[0].colnames if n.startswith("xl_")]
    return vstack([part[columns + results] for part in parts], metadata_conflicts="silent")


def _draw(table, path):
    """Draw latents and probabilities side by side."""
    from matplotlib.figure import Figure

    from astro_xlatent.plotting import plot_latents, plot_probabilities

    figure = Figure(figsize=(13, 2 + 0.25 * max(len(table), 12)), layout="constrained")
    left, right = figure.subplots(1, 2)
    plot_latents(table, ax=left)
    plot_probabilities(table, names=table["name"], ax=right)
    figure.savefig(path, dpi=110)


def _print(table):
    """Print the rows in words."""
    from astro_xlatent.cli.words import aligned, class_text, flag_text, nh_text

    head = ("name", "origin", "what it is", "class found", "N_H found [cm-2]", "flags")
    rows = [(str(r["name"]), str(r["origin"]), str(r["truth"]), class_text(r), nh_text(r),
             flag_text(r)) for r in table]
    tell(aligned([head, *rows]))


def run(args):
    """Enrich some sources, print a small table, leave a table and a plot."""
    from astro_xlatent.table.files import write_table

    output = Path(args.output)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"{output}: the folder cannot be made: {error.strerror}; give another with -o"
        raise TableError(msg) from error
    table = _enrich(args.data)
    _print(table)
    write_table(table, output / "sources.ecsv", overwrite=True)
    tell(f"table: {output / 'sources.ecsv'}")
    if find_spec("matplotlib") is None:
        say("no plot", 'it needs pip install "astro_xlatent[plot]"')
    else:
        _draw(table, output / "sources.png")
        tell(f"plot:  {output / 'sources.png'}")
    return 0
