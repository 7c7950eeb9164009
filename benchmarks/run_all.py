# Licensed under a 3-clause BSD style license - see LICENSE
"""
Everything that a new model needs: scores, studies, its card and the page of the docs.

``python benchmarks/run_all.py DATA -o OUT`` runs what OUT does not hold yet, one
step after the other; DATA is the folder with ``labels/``, ``responses/`` and
``spectra/``. OUT is what a release archives; the repository keeps one page,
one figure and the card.
"""

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES, DETECTIONS = (
    "{data}/labels/csc2_labelled_sources.csv",
    "{data}/labels/csc2_labelled_detections.csv.gz",
)
_EVALUATE = ("-m", "astro_xlatent", "evaluate")
#: Name of the file in OUT, and what python is called with; OUT/NAME is the output.
STEPS = {
    "labeled.json": (*_EVALUATE, SOURCES, "--label", "class_label", "--minimum", "significance=5", "--quick",
                      "-o", "{out}"),
    "detections.json": (*_EVALUATE, DETECTIONS, "--quick", "-o", "{out}"),
    "simulated.json": ("-m", "benchmarks.studies.simulated", "--n", "20000", "--responses", "{data}",
                       "--seed", "{seed}", "-o", "{out}"),
    "real.txt": ("benchmarks/judge_real.py", "{data}", "--output", "{out}"),
    "model.txt": ("benchmarks/judge_model.py", "--data", "{data}", "-o", "{out}"),
    "sherpa.txt": ("benchmarks/bench_sherpa_guess.py", "{data}", "--output", "{out}"),
    "change.txt": ("benchmarks/bench_change.py", "2560"),
    "populations.txt": ("benchmarks/judge_populations.py", "{data}"),
    "latents.rst": ("-m", "benchmarks.studies.latents_page", "{folder}/labeled.json", "-o", "{out}"),
}
#: What the card and the page of the docs are made of.
SCORES = ("labeled.json", "simulated.json")


def run_step(name, folder, **values):
    """Run one step; its output is a file in the folder, of what it prints where it writes none."""
    out = folder / name
    command = [part.format(out=out, folder=folder, **values) for part in STEPS[name]]
    print(f"{name}: python {' '.join(command)}", flush=True)
    with (folder / f"{name}.log").open("w", encoding="utf-8") as log:
        done = subprocess.run([sys.executable, *command], cwd=ROOT, stdout=log, stderr=subprocess.STDOUT,
                              check=False)
    if done.returncode:
        print(f"{name}: exit code {done.returncode}, see {log.name}", file=sys.stderr)
        return False
    if not out.exists():
        Path(log.name).rename(out)
    return True


def main(argv=None):
    """Run what is missing, then write card and page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[1])
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT")
    parser.add_argument("--only", nargs="+", choices=STEPS, default=list(STEPS), metavar="STEP",
                        help=", ".join(STEPS))
    parser.add_argument("--seed", type=int, default=1, help="of simulations: one that no training has seen")
    args = parser.parse_args(argv)
    folder = args.output.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    failed = [name for name in args.only if not (folder / name).exists()
              and not run_step(name, folder, data=args.data.resolve(), seed=args.seed)]
    scores = [str(folder / name) for name in SCORES if (folder / name).exists()]
    if len(scores) == len(SCORES):
        from astro_xlatent.model.pretrained import load_model, model_folder
        from benchmarks.studies import card_metrics, page

        page.main([*scores, "-o", str(ROOT / "docs" / "how_good.rst")])
        model = load_model()
        card_metrics.main(
            [*scores, "--card", str(model_folder(f"{model.name}-{model.version}") / "MODEL_CARD.rst")]
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    raise SystemExit(main())
