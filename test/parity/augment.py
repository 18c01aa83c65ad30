"""Runs train.py's operations on given images: python augment.py PROGRAMS IN.safetensors OUT.safetensors LOW HIGH

In: `image/<k>` [h, w, c] and `mean/<k>`. Out: `<operation>/<image>/<level>` for each operation of RandAugment in order,
levels 0 to 3 standing for (0.9, +), (0.9, -), (0.35, +), (1, -).
"""

import sys

sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import augment  # noqa: E402
import weights  # noqa: E402

given, _ = weights.load(sys.argv[2])
low, high = float(sys.argv[4]), float(sys.argv[5])
found = {}
for k in range(len(given) // 2):
    image, mean = given[f"image/{k}"], given[f"mean/{k}"]
    frame = augment.Frame(low, high, mean, mean)
    for o, operation in enumerate(augment.OPERATIONS):
        for i, (level, sign) in enumerate([(0.9, 1.0), (0.9, -1.0), (0.35, 1.0), (1.0, -1.0)]):
            found[f"{o}/{k}/{i}"] = operation(image.clone(), frame, level, sign).float()
weights.save(sys.argv[3], found, {})
