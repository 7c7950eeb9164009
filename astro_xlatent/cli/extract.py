# Licensed under a 3-clause BSD style license - see LICENSE
"""``astro-xlatent extract``: a spectrum from an event list and regions."""

from astro_xlatent.cli.shell import file_output, subcommand, tell

add_parser = subcommand(
    "extract", "extract a spectrum from an event list and regions",
    "Write an OGIP spectrum of a region of an event list (Chandra evt2 and regevt3, eROSITA, or alike), "
    "with its background and responses beside it. Regions are DS9, CRTF or FITS files; FILE[NAME] "
    "chooses an extension.",
    ("events", "EVENTS", "event list in FITS"),
    ("--source", "REGION", "source region", {"required": True}),
    ("--background", "REGION", "background region"),
    ("--arf", "FILE", "effective area of the source region"),
    ("--rmf", "FILE", "redistribution; also tells the channels"),
    ("--field", "REGION", "field of view, outside of which no area counts"),
    ("--energy", ("LOW", "HIGH"), "range in keV; channels beyond get bad quality",
     {"nargs": 2, "type": float}),
    ("--select", "COLUMN=VALUES", "events to keep, such as ccd_id=7, grade=0,2:4,6 or 'flag&0x30=0'; may "
     "be repeated", {"action": "append"}),
    ("--gti", "FILE", "further good time intervals"),
    ("--exposure", "S", "live time at the source in s", {"type": float}),
    ("-o --output", "PHA", "spectrum to write", {"required": True}),
    ("--overwrite", None, "replace PHA, with what lies beside it, if it exists"))


def run(args):
    """Extract, write, and say what was found."""
    from astro_xlatent.core.errors import SpectrumError
    from astro_xlatent.events.extract import extract_spectrum

    # Before a large event list is read.
    out = file_output(args.output, args.overwrite, SpectrumError)
    spectrum = extract_spectrum(
        args.events, args.source, args.background, arf=args.arf, rmf=args.rmf, field=args.field,
        energy_range=args.energy, select=args.select, good_times=args.gti, exposure=args.exposure)
    spectrum.write(out, overwrite=args.overwrite)
    tell("\n".join(_summary(spectrum, out)))
    return 0


def _summary(spectrum, out):
    meta, off = spectrum.meta, spectrum.background
    yield (f"{out}: {spectrum.counts.sum():.0f} counts in {spectrum.counts.size} channels, exposure "
           f"{spectrum.exposure:.6g} s ({meta['exposure_rule']}), BACKSCAL {spectrum.backscale:.4g}")
    if off is not None:
        expected = off.counts.sum() * spectrum.background_scale
        yield f"background: {off.counts.sum():.0f} counts; expected in the source region: {expected:.1f}"
    if spectrum.response is None:
        yield "no response: give --arf and --rmf, or put them beside the file as .arf and .rmf, to predict"
    else:
        yield f"predict from it: astro-xlatent predict {out}"
