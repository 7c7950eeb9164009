# Licensed under a 3-clause BSD style license - see LICENSE
"""Plots look as they did, name their quantities, and survive masked rows."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from astropy.table import QTable, Table

from astro_xlatent.core.errors import ParameterError, SpectrumError, TableError

pytest.importorskip("matplotlib", reason="plots need the extra [plot]")

from astro_xlatent import plotting  # noqa: E402
from astro_xlatent.plotting.spectra import _grouped  # noqa: E402

# Not on the path of imports: tests of one name lie in several folders.
_spec = importlib.util.spec_from_file_location("pictures", Path(__file__).with_name("pictures.py"))
pictures = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(pictures)


@pytest.mark.parametrize("name", pictures.PICTURES)
def test_looks_as_it_did(name, tmp_path):
    """The picture is that of the baseline, up to how a machine smooths lines."""
    from matplotlib.testing.compare import compare_images

    pictures.save(name, tmp_path / f"{name}.png")
    difference = compare_images(str(pictures.BASELINE / f"{name}.png"), str(tmp_path / f"{name}.png"), tol=3)
    assert difference is None, difference


@pytest.mark.parametrize("name", pictures.PICTURES)
def test_axes_name_quantities(name):
    """Both axes of the picture, or its ticks, say what is drawn."""
    for ax in pictures.PICTURES[name]().figure.axes:
        inner = ax.get_subplotspec() is None or not ax.get_subplotspec().is_last_row()
        assert ax.get_xlabel() or inner or not ax.axison or ax.get_ylabel()


def test_map_shows_every_unmasked_row():
    """Each row with a class is one point, at its latents; the masked row is not drawn."""
    table = pictures.make_enriched(30)
    ax = plotting.plot_latents(table, axes=(2, 5))
    points = np.concatenate([c.get_offsets() for c in ax.collections])
    expected = np.asarray(table["xl_latent"][:-1])[:, [2, 5]]
    np.testing.assert_allclose(points[points[:, 0].argsort()], expected[expected[:, 0].argsort()])


def test_bars_add_up_to_one():
    """Class shares and "other" fill the bar, except for the masked row."""
    ax = plotting.plot_probabilities(pictures.make_enriched(4), names="abcd")
    widths = np.array([[bar.get_width() for bar in group] for group in ax.containers])
    np.testing.assert_allclose(widths.sum(axis=0), [1, 1, 1, 0], rtol=1e-5)
    assert [label.get_text() for label in ax.get_yticklabels()] == list("abcd")


def test_evidence_adds_up_to_the_class():
    """Spectrum and evidence of every class sum to the mark of what they say together."""
    ax = plotting.plot_evidence(pictures.make_sky(), 2)
    pieces = np.array([[bar.get_width() for bar in group] for group in ax.containers])
    assert len(pieces) == 3
    np.testing.assert_allclose(pieces.sum(axis=0), ax.lines[0].get_xdata(), atol=1e-5)


def test_density_of_nh_holds_what_its_quantiles_say():
    """The area between the 16 % and 84 % quantiles is 0.68."""
    table = pictures.make_sky()
    ax = plotting.plot_nh(table, 3)
    values, edges, _ = ax.patches[0].get_data()
    low, high = (np.log10(table[f"xl_nh_{end}lim"][3]) for end in ("lo", "hi"))
    inside = (edges[:-1] >= low - 1e-6) & (edges[1:] <= high + 1e-6)
    assert np.sum((values * np.diff(edges))[inside]) == pytest.approx(0.68)


def test_stored_walks_look_like_the_models():
    """What an evaluation keeps of a model is drawn as the model itself."""
    from astro_xlatent.evaluate.interpret import traversal_summary

    model, latents = pictures.Slopes(), (2, 0)
    fresh = plotting.plot_traversals(model, latents)
    stored = plotting.plot_traversals(traversal_summary(model), latents, titles=["a", "b"])
    assert stored[1].get_title() == "b"
    for ax, other in zip(fresh, stored, strict=True):
        for line, again in zip(ax.lines, other.lines, strict=True):
            energy, value = again.get_data()
            np.testing.assert_allclose(np.interp(energy, *line.get_data()), value, rtol=0.02)


def test_directions_are_those_of_the_table():
    """N_H was made from the first latent: so is the direction of absorption."""
    directions = plotting.latent_directions(pictures.make_sky())
    assert directions["absorbed"][0] > 0.99


def test_excess_shows_as_residual():
    """Three times the counts above 2 keV stand out there and only there."""
    spectrum = pictures.make_spectrum()
    spectrum.counts[spectrum.response.channel_e_lo > 2] *= 3
    _, bottom = plotting.plot_spectrum(spectrum, pictures.Slopes())
    energy, residual = bottom.lines[0].get_data()
    assert np.mean(residual[energy > 2.2]) > 1
    assert np.mean(residual[energy < 1.8]) < -0.5


def test_flux_is_that_of_the_counts():
    """A spectrum of 1 photon per keV, cm2 and ks at 1 keV has E F(E) of 1.6e-12 erg/cm2/s there."""
    spectrum = pictures.make_spectrum()
    top, _ = plotting.plot_spectrum(spectrum, pictures.Slopes(), quantity="flux")
    # 6 counts in 0.01 keV at 1 keV, on 100 cm2 and 1000 s: 6e-3 photons/keV/cm2/s.
    energy, flux = top.lines[0].get_data()
    assert np.interp(1.0, energy, flux) == pytest.approx(6e-3 * 1.602e-9, rel=0.1)


def test_axes_are_those_given():
    """Axes of a figure at hand, as matplotlib's arrays of them, are drawn on and given back."""
    from matplotlib.figure import Figure

    panels = Figure().subplots(3, 3)
    table, model = pictures.make_sky(), pictures.Slopes()
    top, bottom = plotting.plot_spectrum(pictures.make_spectrum(), model, axes=panels[:2, 0])
    assert top is panels[0, 0] and bottom is panels[1, 0]
    assert plotting.plot_pairs(table, latents=(0, 1, 2), axes=panels[1:, 1:])[1, 1] is panels[2, 2]
    assert list(plotting.plot_traversals(model, (0, 1), axes=panels[0, 1:])) == list(panels[0, 1:])
    assert plotting.plot_nh(table, ax=panels[2, 0]) is panels[2, 0]


def test_groups_hold_enough():
    """Every group but the last holds the minimum; no bin is lost."""
    counts = np.array([1.0, 0, 4, 9, 0, 0, 2, 5])
    sums = np.add.reduceat(counts, _grouped(counts, np.zeros(8), 5))
    assert sums.sum() == counts.sum()
    assert np.all(sums[:-1] >= 5)


def test_tracks_meet_in_the_corner():
    """Strongly absorbed power laws of any index are hard in both ratios; indices run from hard to soft."""
    lines = plotting.plot_hardness(pictures.make_bands()).lines
    ends = np.array([[line.get_xdata()[-1], line.get_ydata()[-1]] for line in lines])
    starts = [line.get_ydata()[0] for line in lines]
    assert ends.min() > 0.5
    assert starts == sorted(starts, reverse=True)


DRAW = {
    "probabilities": plotting.plot_probabilities,
    "evidence": plotting.plot_evidence,
    "nh": plotting.plot_nh,
    "latents": plotting.plot_latents,
    "directions": lambda t: plotting.plot_latents(t, directions=True),
    "pairs": plotting.plot_pairs,
    "sky": plotting.plot_sky,
    "change": lambda t: plotting.plot_change(t, [0, 1]),
}


@pytest.mark.parametrize("name", DRAW)
def test_masked_rows_and_quantities(name):
    """A table whose rows are all masked draws nothing and fails nowhere; a QTable is like a Table."""
    table = pictures.make_sky(3)
    for column in (
        "xl_latent",
        "xl_nh",
        "xl_nh_lolim",
        "xl_nh_hilim",
        "xl_nh_ul90",
        "xl_class",
        "xl_class_prob",
        "xl_class_other",
        "xl_latent_err",
    ):
        table[column].mask = True
    DRAW[name](table)
    whole = pictures.make_sky(30)
    DRAW[name](QTable(whole))


@pytest.mark.parametrize(
    ("draw", "error", "match"),
    [
        (lambda t: plotting.plot_latents(t, axes=(0, 8)), ParameterError, "two of 0 to 7"),
        (lambda t: plotting.plot_pairs(t, latents=(1,)), ParameterError, "two or more of 0 to 7"),
        (lambda t: plotting.plot_probabilities(t, names=["a"]), ParameterError, "each of 6 rows, got 1"),
        (lambda t: plotting.plot_evidence(t, 6), ParameterError, "table of 6 rows, got 6"),
        (lambda t: plotting.plot_change(t, [0]), ParameterError, "two observations or more"),
        (lambda t: plotting.plot_traversals(pictures.Slopes(), (1, 8)), ParameterError, "some of 0 to 7"),
        (lambda t: plotting.plot_traversals(pictures.Slopes(), (1,), titles="ab"), ParameterError,
         "got 2 and 1"),
        (lambda t: plotting.plot_reliability([1, 2]), ParameterError, "three columns"),
        (lambda t: plotting.plot_coverage(["a"], [], [], [], []), ParameterError, "one length"),
        (
            lambda t: plotting.plot_spectrum(pictures.make_spectrum(), pictures.Slopes(), quantity="x"),
            ParameterError,
            "'counts' or 'flux'",
        ),
        (lambda t: plotting.plot_sky(t["name", "xl_class"]), TableError, "ra and dec"),
        (lambda t: plotting.plot_latents(Table({"a": [1]})), TableError, "add_latents"),
    ],
)
def test_wrong_input(draw, error, match):
    """What cannot be drawn is refused with the remedy."""
    with pytest.raises(error, match=match):
        draw(pictures.make_sky(6))


def test_response_is_needed():
    """Without a response nothing can be folded."""
    spectrum = pictures.make_spectrum()
    spectrum.response = None
    with pytest.raises(SpectrumError, match="no response"):
        plotting.plot_spectrum(spectrum, pictures.Slopes())
