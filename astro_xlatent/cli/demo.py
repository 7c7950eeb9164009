# Licensed under a 3-clause BSD style license - see LICENSE
"""``astro-xlatent demo``: simulated sources, each seen in three ways, and what is found in them."""

import tempfile
from importlib.util import find_spec
from pathlib import Path

from astro_xlatent.cli.shell import say, subcommand, tell
from astro_xlatent.core.errors import TableError

#: Each source is seen in these ways.
VIEWS = ("Chandra bands", "Chandra spectrum", "eROSITA bands")
# Classes of which the source that both missions see best is shown.
_SHOWN = ("AGN", "LM-STAR", "HMXB", "NS")
# Sources from which those are chosen, and those among which they are placed.
_N_CANDIDATES, _N_OTHERS, _SEED = 768, 2048, 6
# Counts that make a source bright for a mission: as bright as possible in both is best.
_BRIGHT = {"csc": 300.0, "erosita": 30.0}


add_parser = subcommand(
    "demo", "see what is found in simulated sources of known nature",
    "Simulate sources of known class and N_H, see each with Chandra's bands, a Chandra spectrum and "
    "eROSITA's bands, and write a table, a figure and an interactive report.",
    ("-o --output", "DIR", "folder to write to (default: demo_output)", {"default": "demo_output"}))


def _tables(folder):
    """
    Simulate and enrich the demo's sources: a table with a row for each source and way of seeing it, with
    truth; one of those among which they are placed, from Chandra's bands; Chandra's spectra by name.
    """
    from astropy.table import vstack

    from astro_xlatent.simulate.catalog import simulate_catalog
    from astro_xlatent.table.add_latents import add_latents

    chandra, erosita, truth, spectra = _simulate_views(Path(folder))
    names = [f"source {k + 1}" for k in range(len(truth))]
    parts = [add_latents(chandra), add_latents(chandra["ra", "dec"], spectra), add_latents(erosita)]
    views = [_view(part, view, names, truth) for part, view in zip(parts, VIEWS, strict=True)]
    shown = vstack(views, metadata_conflicts="silent")
    shown = shown[sorted(range(len(shown)), key=lambda k: (k % len(truth), k))]
    catalog, other_truth = simulate_catalog(_SEED + 1, _N_OTHERS, "csc")
    others = _view(add_latents(catalog), VIEWS[0], catalog["name"], other_truth)
    return shown, others, dict(zip(names, spectra, strict=True))


def _simulate_views(folder):
    """The rows of both missions, the truth and Chandra's spectra of the sources that both see best."""
    import numpy as np

    from astro_xlatent.missions.base import get_mission
    from astro_xlatent.simulate.products import write_catalog
    from astro_xlatent.spectra.spectrum import XraySpectrum
    from astro_xlatent.table.files import read_table
    from astro_xlatent.table.sources import resolve_spectra

    tables, truths = {}, {}
    for mission in _BRIGHT:
        # The same number and seed give the same source, whatever the mission.
        write_catalog(folder / mission, _N_CANDIDATES, mission, seed=_SEED, spectra=mission == "csc")
        tables[mission] = read_table(folder / mission / "catalog.fits")
        truths[mission] = read_table(folder / mission / "truth.fits")
    brightness = np.min([truths[mission]["counts"] / level for mission, level in _BRIGHT.items()], axis=0)
    label = np.asarray(truths["csc"]["class"])
    rows = [int(np.argmax(np.where(label == name, brightness, -1.0))) for name in _SHOWN]
    chandra = tables["csc"][rows]
    paths = resolve_spectra(chandra, folder / "csc", get_mission("csc"))
    return chandra, tables["erosita"][rows], truths["csc"][rows], [XraySpectrum.read(path) for path in paths]


def _view(table, view, names, truth):
    """Names, truth and results of one way of seeing the sources."""
    import numpy as np
    from astropy.table import Table

    result = Table({"name": np.array(names, dtype="U40"), "view": np.full(len(table), view, dtype="U20"),
                    "true_class": truth["class"].astype("U8"), "true_nh": truth["nh"]}, meta=table.meta)
    result["true_nh"].unit = "cm-2"
    for name in table.colnames:
        if name.lower() in ("ra", "dec") or name.startswith("xl_"):
            result[name.lower()] = table[name]
    return result


def _draw(shown, others, spectra):
    """Draw the first source: spectrum, class, N_H, and its place among the others."""
    from matplotlib.figure import Figure

    from astro_xlatent import plotting
    from astro_xlatent.model.pretrained import load_model
    from astro_xlatent.spectra.binning import bins_from_spectra

    name = str(shown["name"][0])
    mine = shown[shown["name"] == name]
    row = list(mine["view"]).index("Chandra spectrum")
    figure = Figure(figsize=(12.5, 7.5), layout="constrained")
    grid = figure.add_gridspec(1, 3, width_ratios=(1.3, 1, 1.25))
    top, bottom = grid[0].subgridspec(2, 1, height_ratios=(3, 1), hspace=0).subplots(sharex=True)
    upper, lower = grid[1].subgridspec(2, 1).subplots()
    plotting.plot_spectrum(spectra[name], axes=(top, bottom))
    top.tick_params(labelbottom=False)
    top.set_title(f"a simulated {mine['true_class'][0]}, seen by Chandra")
    plotting.plot_evidence(mine, row, ax=upper).set_title("its class")
    posterior = load_model().infer(*bins_from_spectra([spectra[name]]))
    plotting.plot_nh(posterior, truth=float(mine["true_nh"][0]), ax=lower).set_title("its column density")
    ax = plotting.plot_latents(others, directions=True, ax=figure.add_subplot(grid[2]))
    for points in ax.collections:
        points.set_sizes([7])
    for view, marker in zip(VIEWS, "sXD", strict=True):
        x, y = mine["xl_latent"][list(mine["view"]).index(view)][:2]
        ax.plot(x, y, marker, ms=9, color="white", mec="black", mew=1.8, label=view)
    ax.legend(fontsize="x-small", ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return figure


def _sentences(shown):
    """What each source is, and what is found by each way of seeing it."""
    from astro_xlatent.core.text import aligned
    from astro_xlatent.core.words import describe, number_text

    found = describe(shown, [f"    from {view}:" for view in shown["view"]], max_rows=None)
    lines = aligned([sentence[:4] for sentence in found.sentences]).splitlines()
    for k in reversed(range(0, len(shown), len(VIEWS))):
        name, truth, nh = shown["name", "true_class", "true_nh"][k]
        lines.insert(k, f"{name} was simulated as {truth} behind N_H = {number_text(float(nh))} cm-2.")
    return "\n".join(lines)


def run(args):
    """Simulate, enrich, print sentences, leave a table, a figure and a report."""
    from astropy.table import vstack

    from astro_xlatent.plotting.report import write_report
    from astro_xlatent.table.files import write_table

    output = Path(args.output)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"{output}: the folder cannot be made: {error.strerror}; give another with -o"
        raise TableError(msg) from error
    say("simulating and enriching; this takes half a minute")
    with tempfile.TemporaryDirectory() as folder:
        shown, others, spectra = _tables(folder)
    tell(_sentences(shown))
    write_table(shown, output / "sources.ecsv", overwrite=True)
    tell(f"\ntable:  {output / 'sources.ecsv'}")
    if find_spec("matplotlib") is None or find_spec("plotly") is None:
        say("no figure and no report", 'they need pip install "astro_xlatent[plot]"')
    else:
        _draw(shown, others, spectra).savefig(output / "demo.png", dpi=130)
        tell(f"figure: {output / 'demo.png'}")
        write_report(vstack([shown, others], metadata_conflicts="silent"), output / "report.html",
                     title="Simulated sources of known class", overwrite=True)
        tell(f"report: {output / 'report.html'}, to be opened in a browser")
    return 0
