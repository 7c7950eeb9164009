# Licensed under a 3-clause BSD style license - see LICENSE
"""``astro-xlatent train``: simulated skies in, a model out."""

from dataclasses import replace

from astro_xlatent.cli.shell import tell

__all__ = ["add_parser", "run"]


def add_parser(commands):
    """Add the subcommand; gives its parser."""
    command = commands.add_parser(
        "train", help="train a model on simulated sources",
        description="Train teacher and encoder, calibrate, and write a model folder. A run that was "
        "cut goes on with --resume. Needs the extra [train].")
    command.add_argument("--config", metavar="FILE",
                         help="JSON with settings (default: those of the release, with --resume of the run)")
    command.add_argument("--data", metavar="DIR",
                         help="folder of ARF and RMF files to observe through, beside the shipped curves")
    command.add_argument("--instruments", metavar="FILE", help="observe through these, made by --prepare")
    command.add_argument("--prepare", metavar="FILE",
                         help="only write the instruments of --data and the shipped curves to FILE")
    command.add_argument("-o", "--output", metavar="DIR", help="folder of the run: log, checkpoints, model")
    command.add_argument("--resume", action="store_true", help="go on with the run in DIR")
    command.add_argument("--finish", action="store_true",
                         help="train no further: calibrate what the run in DIR has reached")
    command.add_argument("--device", metavar="NAME", help="such as cpu or cuda; instead of the setting")
    command.add_argument("--workers", type=int, metavar="N",
                         help="processes that simulate; instead of the setting")
    command.add_argument("--max-seconds", type=float, metavar="S",
                         help="stop with a checkpoint after S seconds; instead of the setting")
    command.add_argument("--threads", type=int, metavar="N", help="CPU threads")
    command.add_argument("--bundle", metavar="PACKAGE", help="copy the model into this source folder of "
                         "astro_xlatent and make it the default")
    return command


def run(args):
    """Train a model, and put it into a checkout if asked; 1 if it stopped before the model was made."""
    from astro_xlatent.core.errors import ParameterError
    from astro_xlatent.train.export import bundle
    from astro_xlatent.train.run import prepare_instruments, train
    from astro_xlatent.train.settings import Settings, stored_settings

    if args.prepare:
        prepare_instruments(args.prepare, args.data)
        return 0
    if not args.output:
        msg = "--output is missing; give the folder of the run, or --prepare FILE"
        raise ParameterError(msg)
    settings = Settings.read(args.config) if args.config else stored_settings(args.output)
    here = {name: getattr(args, name) for name in ("device", "workers", "max_seconds")}
    settings = replace(settings, **{name: value for name, value in here.items() if value is not None})
    folder = train(args.data, args.output, settings, instruments=args.instruments,
                   resume=args.resume or args.finish, finish=args.finish, threads=args.threads)
    if folder is None:
        return 1
    tell(f"{folder}: use it with --model {folder}")
    if args.bundle:
        tell(f"{args.bundle}: bundled as {bundle(folder, args.bundle)}")
    return 0
