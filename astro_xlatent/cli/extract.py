# Licensed under a 3-clause BSD style license - see LICENSE
"""``astro-xlatent extract``: a spectrum from an event list and regions."""

from astro_xlatent.cli.shell import add_overwrite, file_output, tell

__all__ = ["add_parser", "run"]


def add_parser(commands):
    """Add the subcommand; gives its parser."""
    command = commands.add_parser(
        "extract", help="extract a spectrum from an event list and regions",
        description="Write an OGIP spectrum of a region of an event list (Chandra evt2 and regevt3, eROSITA, "
        "or alike), with its background and responses beside it. Regions are DS9, CRTF or FITS files; "
        "FILE[NAME] chooses an extension.")
    command.add_argument("events", metavar="EVENTS", help="event list in FITS")
    command.add_argument("--source", metavar="REGION", required=True, help="source region")
    command.add_argument("--background", metavar="REGION", help="background region")
    command.add_argument("--arf", metavar="FILE", help="effective area of the source region")
    command.add_argument("--rmf", metavar="FILE", help="redistribution; also tells the channels")
    command.add_argument("--field", metavar="REGION", help="field of view, outside of which no area counts")
    command.add_argument("--energy", metavar=("LOW", "HIGH"), nargs=2, type=float,
                         help="range in keV; channels beyond get bad quality")
    command.add_argument("--select", metavar="COLUMN=VALUES", action="append",
                         help="events to keep, such as ccd_id=7, grade=0,2:4,6 or 'flag&0x30=0'; may be "
                         "repeated")
    command.add_argument("--gti", metavar="FILE", help="further good time intervals")
    command.add_argument("--exposure", metavar="S", type=float, help="live time at the source in s")
    command.add_argument("-o", "--output", metavar="PHA", required=True, help="spectrum to write")
    add_overwrite(command, "PHA, with what lies beside it,")
    return command


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
