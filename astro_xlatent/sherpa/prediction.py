# Licensed under a 3-clause BSD style license - see LICENSE
"""What the model says of the data sets of a Sherpa session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import Column, Table

from astro_xlatent.model.posterior import Model
from astro_xlatent.sherpa._session import resolve, spectrum_of
from astro_xlatent.table.add_latents import predict_spectra

if TYPE_CHECKING:
    from sherpa.astro.ui.utils import Session

__all__ = ["predict"]


def predict(id: object = None, session: Session | None = None, *, model: Model | str | None = None,
            prior: Any = None) -> Table:
    """
    Latents, class, N_H, fluxes and quality of loaded spectra.

    Parameters
    ----------
    id : int, str, sequence of these or sherpa.astro.datastack.DataStack, optional
        Data sets; by default the session's default id.
    session : sherpa.astro.ui.utils.Session, optional
        By default that of `sherpa.astro.ui`.
    model : str, path-like or Model, optional
        See `~astro_xlatent.load_model`.
    prior : None, mapping or array_like, optional
        Class prior, see `~astro_xlatent.table.add_latents`.

    Returns
    -------
    table : `~astropy.table.Table`
        One row a data set: ``id`` (str) and the columns of `~astro_xlatent.add_latents`.

    Raises
    ------
    SpectrumError, ResponseError
        If data or response are missing or the filter leaves nothing.

    Notes
    -----
    Only noticed channels are used. Grouping does not matter beyond the filter: counts are rebinned to half
    the resolution of a CCD. A background data set is taken into account whether it is subtracted, modeled or
    neither; a background model is not looked at. The session stays as it is.

    Examples
    --------
    >>> from sherpa.astro import ui  # doctest: +SKIP
    >>> from astro_xlatent.sherpa import predict
    >>> ui.load_pha("acisf04938_000N002_r0043_pha3.fits")  # doctest: +SKIP
    >>> ui.notice(0.5, 7)  # doctest: +SKIP
    >>> predict()["xl_class", "xl_nh", "xl_gof"]  # doctest: +SKIP
    """
    ids, session = resolve(id, session)
    spectra = [spectrum_of(i, session) for i in ids]
    table = predict_spectra(spectra, model=model, prior=prior)
    table.replace_column("file", Column(np.array([str(i) for i in ids]), description="Sherpa data set"))
    table.rename_column("file", "id")
    return table
