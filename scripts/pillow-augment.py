"""Writes test/fixtures/pillow-augment.json: what Pillow makes of two small pictures by each operation of RandAugment,
as timm calls it (docs/language.md, "Augmentation"). Needs Pillow and numpy; made with Pillow 9.4."""
import base64, json
import numpy as np
import PIL
from PIL import Image, ImageEnhance, ImageOps

FILL = 128


def affine(image, matrix):
    fill = FILL if image.mode == "L" else (FILL,) * 3
    return image.transform(image.size, Image.AFFINE, matrix, resample=Image.BICUBIC, fillcolor=fill)


def rotate(image, level, sign):
    fill = FILL if image.mode == "L" else (FILL,) * 3
    return image.rotate(30 * level * sign, resample=Image.BICUBIC, fillcolor=fill)


def solarize_add(image, level, sign):
    table = [min(255, i + int(110 * level)) if i < 128 else i for i in range(256)]
    return image.point(table * len(image.getbands()))


def enhance(kind):
    return lambda image, level, sign: kind(image).enhance(max(0.1, 1 + 0.9 * level * sign))


operations = {
    "auto-contrast": lambda image, level, sign: ImageOps.autocontrast(image),
    "equalize": lambda image, level, sign: ImageOps.equalize(image),
    "invert": lambda image, level, sign: ImageOps.invert(image),
    "rotate": rotate,
    "posterize": lambda image, level, sign: ImageOps.posterize(image, 4 - int(4 * level)),
    "solarize": lambda image, level, sign: ImageOps.solarize(image, 256 - int(256 * level)),
    "solarize-add": solarize_add,
    "colour": enhance(ImageEnhance.Color),
    "contrast": enhance(ImageEnhance.Contrast),
    "brightness": enhance(ImageEnhance.Brightness),
    "sharpness": enhance(ImageEnhance.Sharpness),
    "shear across": lambda image, level, sign: affine(image, (1, 0.3 * level * sign, 0, 0, 1, 0)),
    "shear down": lambda image, level, sign: affine(image, (1, 0, 0, 0.3 * level * sign, 1, 0)),
    "shift across": lambda image, level, sign: affine(image, (1, 0, 0.45 * level * sign * image.width, 0, 1, 0)),
    "shift down": lambda image, level, sign: affine(image, (1, 0, 0, 0, 1, 0.45 * level * sign * image.height)),
}


def encode(image):
    return base64.b64encode(np.asarray(image).tobytes()).decode()


generator = np.random.default_rng(1)
cases = []
for height, width, channels in ((12, 14, 3), (20, 18, 1)):
    # Smooth, with noise and a bright corner, so that every operation has something to do.
    y, x = np.mgrid[:height, :width]
    waves = [100 + 60 * np.sin(x / (2 + k) + y / 3) + 25 * generator.standard_normal((height, width)) for k in range(channels)]
    pixels = np.clip(np.stack(waves, -1), 20, 235).astype(np.uint8)
    pixels[: height // 3, : width // 3] = 240
    image = Image.fromarray(pixels if channels == 3 else pixels[:, :, 0])
    results = [
        {"operation": name, "magnitude": m, "sign": sign, "pixels": encode(operation(image, m / 10, sign))}
        for name, operation in operations.items()
        for m, sign in ((0, 1), (6, 1), (9, -1))
    ]
    cases.append({"shape": [height, width, channels], "pixels": encode(image), "results": results})

with open("test/fixtures/pillow-augment.json", "w") as file:
    json.dump({"pillow": PIL.__version__, "cases": cases}, file, indent=1)
    file.write("\n")
