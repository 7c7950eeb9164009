# Licensed under a 3-clause BSD style license - see LICENSE
"""
What another runtime than torch would give: the network as one ONNX graph.

    python benchmarks/bench_onnx.py

Needs onnxscript and onnxruntime. Printed are the graph's operators, bytes and largest difference
from torch, what of the model room would be left to write again, and the processor seconds that
importing each runtime takes.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from bench_enrich import made_up_rows

import astro_xlatent
from astro_xlatent import load_model
from astro_xlatent.missions.base import get_mission
from astro_xlatent.model.tokens import to_tensors


class Network(torch.nn.Module):
    """Encoder, heads, and both decoders at the posterior mean."""

    def __init__(self, model, names):
        super().__init__()
        self.encoder, self.decoder, self.coarse = model.encoder, model.decoder, model._coarse_decoder
        self.names = names

    def forward(self, reference, *tensors):
        """Outputs by their names' order, then the spectra."""
        out = self.encoder(dict(zip(self.names, tensors, strict=True)), reference)
        return *(out[name] for name in sorted(out)), self.coarse(out["mean"]), self.decoder(out["mean"])


def main():
    """Export, run and compare."""
    import onnx
    import onnxruntime

    model = load_model()
    bins = get_mission("csc").read_bands(made_up_rows(256, np.random.default_rng(1))).bins
    tensors, reference = to_tensors(bins, model.device)
    network, values = Network(model, list(tensors)).eval(), (reference, *tensors.values())
    shapes = [{0: "rows", 1: "bins"} if value.ndim > 1 else {0: "rows"} for value in values]
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        path = Path(folder, "network.onnx")
        torch.onnx.export(network, values, path, input_names=["reference", *tensors], dynamo=True,
                          dynamic_shapes=(shapes[0], tuple(shapes[1:])), verbose=False)
        graph = onnx.load(path)
        session = onnxruntime.InferenceSession(path)
        named = dict(zip(["reference", *tensors], values, strict=True))
        found = session.run(None, {item.name: named[item.name].numpy() for item in session.get_inputs()})
        differ = max(float((torch.as_tensor(a) - b).abs().max() / b.abs().max())
                     for a, b in zip(found, network(*values), strict=True) if b.dtype == torch.float32)
        size = sum(file.stat().st_size for file in Path(folder).iterdir())
    print(f"opset {graph.opset_import[0].version}, {len(graph.graph.node)} operators, {size / 1e6:.1f} MB, "
          f"largest difference {differ:.1e} of the largest value")
    room = Path(astro_xlatent.__file__).parent / "model"
    left = [file.name for file in sorted(room.glob("*.py")) if file.name != "network.py"
            and re.search(r"^(import|from) torch", file.read_text(encoding="utf-8"), re.MULTILINE)]
    print(f"files of the model room beside the network that use torch: {len(left)} ({', '.join(left)})")
    for name in ("torch", "onnxruntime"):
        code = f"import time, {name}; print(time.process_time())"
        took = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        print(f"import of {name}: {float(took.stdout):.2f} s")


if __name__ == "__main__":
    main()
