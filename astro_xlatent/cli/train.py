# Licensed under a 3-clause BSD style license - see LICENSE
"""``astro-xlatent train``: a model from simulated sources."""

from astro_xlatent.cli.shell import tell

__all__ = ["add_parser", "run"]


def add_parser(commands):
    """Add the subcommand; gives its parser."""
    command = commands.add_parser(
        "train", help="train a model on simulated sources",
        description="Train teacher and encoder, calibrate, and write a model folder. A run that was "
        "cut goes on with --resume. Needs the extra [train].")
    command.add_argument("--config", metavar="FILE",
                         help="JSON with settings (default: those of the release)")
    command.add_argument("--data", metavar="DIR",
                         help="folder of ARF and RMF files to observe through, beside the shipped curves, "
                         "and of labels/ for the galactic prior")
    command.add_argument("-o", "--output", metavar="DIR", required=True,
                         help="folder of the run: log, checkpoints, model")
    command.add_argument("--resume", action="store_true", help="go on with the run in DIR")
    command.add_argument("--threads", type=int, metavar="N", help="CPU threads")
    command.add_argument("--bundle", metavar="PACKAGE", help="copy the model into this source folder of "
                         "astro_xlatent and make it the default")
    return command


def run(args):
    """Train a model, and put it into a checkout if asked."""
    from astro_xlatent.train.export import bundle
    from astro_xlatent.train.run import Settings, train

    settings = Settings.read(args.config) if args.config else Settings()
    folder = train(args.data, args.output, settings, resume=args.resume, threads=args.threads)
    tell(f"{folder}: use it with --model {folder}")
    if args.bundle:
        tell(f"{args.bundle}: bundled as {bundle(folder, args.bundle)}")
    return 0
