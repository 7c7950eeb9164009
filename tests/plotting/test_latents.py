# Licensed under a 3-clause BSD style license - see LICENSE
"""Plots of enriched tables."""

import numpy as np
import pytest
from astropy.table import Table
from enriched import make_enriched

from astro_xlatent.core.errors import ParameterError, TableError

pytest.importorskip("matplotlib")

from astro_xlatent.plotting import plot_latents, plot_probabilities  # noqa: E402


def test_map_shows_every_unmasked_row(tmp_path):
    """Each row with a class is one point, at its latents; the masked row is not drawn."""
    table = make_enriched(30)
    ax = plot_latents(table, axes=(2, 5))
    points = np.concatenate([c.get_offsets() for c in ax.collections])
    expected = np.asarray(table["xl_latent"][:-1])[:, [2, 5]]
    np.testing.assert_allclose(points[points[:, 0].argsort()], expected[expected[:, 0].argsort()])
    ax.figure.savefig(tmp_path / "map.png")
    assert (tmp_path / "map.png").stat().st_size > 5000


def test_map_by_column_density():
    """The colour axis holds log N_H and has its own bar."""
    table = make_enriched(30)
    ax = plot_latents(table, color="nh")
    shown = ax.collections[0].get_array()
    np.testing.assert_allclose(shown[:-1], np.log10(table["xl_nh"][:-1]), rtol=1e-6)
    assert len(ax.figure.axes) == 2


def test_bars_add_up_to_one():
    """Class shares and "other" fill the bar, except for the masked row."""
    table = make_enriched(4)
    ax = plot_probabilities(table, names="abcd")
    widths = np.array([[bar.get_width() for bar in group] for group in ax.containers])
    np.testing.assert_allclose(widths.sum(axis=0), [1, 1, 1, 0], rtol=1e-5)
    assert [label.get_text() for label in ax.get_yticklabels()] == list("abcd")


@pytest.mark.parametrize("options", [{"axes": (0, 8)}, {"axes": (1,)}, {"color": "red"}])
def test_wrong_options(options):
    """A dimension that is none, or an unknown colouring, is refused."""
    with pytest.raises(ParameterError, match="must be"):
        plot_latents(make_enriched(), **options)


def test_plain_table_is_refused():
    """A table that was never enriched says what to do."""
    with pytest.raises(TableError, match="add_latents"):
        plot_latents(Table({"a": [1]}))


def test_names_must_fit():
    """One label for each row."""
    with pytest.raises(ParameterError, match="one label for each of 6 rows"):
        plot_probabilities(make_enriched(), names=["a"])
