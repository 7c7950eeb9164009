# Licensed under a 3-clause BSD style license - see LICENSE
"""
A first look: simulated sources with known truth.

Run it as ``astro-xlatent demo``.
"""

from importlib.util import find_spec
from pathlib import Path

from astro_xlatent.cli.shell import say, tell
from astro_xlatent.core.errors import TableError

__all__ = ["add_parser", "run", "simulated_sources"]

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
    command = commands.add_parser("demo", help="enrich some simulated sources")
    command.add_argument("-o", "--output", metavar="DIR", default="demo_output",
                         help="folder for table and plot (default: demo_output)")
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
    from astro_xlatent.cli.words import class_text, flag_text, nh_text
    from astro_xlatent.core.text import aligned

    head = ("name", "origin", "what it is", "class found", "N_H found [cm-2]", "flags")
    rows = [(str(r["name"]), str(r["origin"]), str(r["truth"]), class_text(r), nh_text(r),
             flag_text(r)) for r in table]
    tell(aligned([head, *rows]))


def run(args):
    """Enrich some sources, print a small table, leave a table and a plot."""
    from astro_xlatent.table.add_latents import add_latents
    from astro_xlatent.table.files import write_table

    output = Path(args.output)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"{output}: the folder cannot be made: {error.strerror}; give another with -o"
        raise TableError(msg) from error
    table = add_latents(*simulated_sources())
    _print(table)
    write_table(table, output / "sources.ecsv", overwrite=True)
    tell(f"table: {output / 'sources.ecsv'}")
    if find_spec("matplotlib") is None:
        say("no plot", 'it needs pip install "astro_xlatent[plot]"')
    else:
        _draw(table, output / "sources.png")
        tell(f"plot:  {output / 'sources.png'}")
    return 0
