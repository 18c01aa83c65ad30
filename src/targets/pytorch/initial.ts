/** The spec's initialisers and declared ranges, as methods of the model in Python. */
import type { Init, Model, Weight } from "../../model/model.ts";
import type { Helper } from "./emission.ts";
import { retractionOf } from "./layers/constraints.ts";
import { float, floats } from "./python.ts";

const fans = `
def fans(weight: Tensor) -> tuple[int, int]:
    """Numbers that one output is made of, and outputs that one input enters; (out, in/groups, taps...)."""
    out, inner, *taps = [*weight.shape, 1, 1][: max(2, weight.dim())]
    return inner * math.prod(taps), out * math.prod(taps)`.trim();

const xavier = `
def xavier_normal_(weight: Tensor) -> None:
    """Glorot & Bengio 2010, the normal form."""
    nn.init.normal_(weight, std=math.sqrt(2.0 / sum(fans(weight))))`.trim();

const kaiming = `
def kaiming_normal_(weight: Tensor) -> None:
    """He et al. 2015 (arXiv 1502.01852), fan in."""
    nn.init.normal_(weight, std=math.sqrt(2.0 / fans(weight)[0]))`.trim();

const matrix = `
def scale_to_one_(weight: Tensor) -> None:
    """Divides by the largest singular value of the weight as (out, everything else), found in float64 and taken
    1e-6 larger, so that rounding leaves the norm below 1: an estimate, not a proof (initial.safetensors has one)."""
    w = weight.double().reshape(weight.shape[0] if weight.dim() > 0 else 1, -1)
    gram = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    weight.copy_(weight.double() / (torch.linalg.eigvalsh(gram)[-1].clamp_min(0.0).sqrt() * (1.0 + 1e-6) + 1e-30))`.trim();

const spectral = `
def spectral_(weight: Tensor) -> None:
    """Xavier normal, then divided by the largest singular value."""
    xavier_normal_(weight)
    scale_to_one_(weight)`.trim();

const orthogonal = `
def orthogonal_(weight: Tensor) -> None:
    """A uniformly random matrix with orthonormal rows or columns."""
    nn.init.orthogonal_(weight.reshape(-1, 1) if weight.dim() < 2 else weight)
    scale_to_one_(weight)`.trim();

const truncated = `
def trunc_normal_(weight: Tensor, std: float) -> None:
    """Normal, drawn again beyond two deviations."""
    nn.init.trunc_normal_(weight, std=std, a=-2.0 * std, b=2.0 * std)`.trim();

const sources = {
  fans: { name: "fans", source: fans },
  xavier: { name: "xavier_normal_", source: xavier },
  kaiming: { name: "kaiming_normal_", source: kaiming },
  matrix: { name: "scale_to_one_", source: matrix },
} as const;
const xavierHelper: Helper = { ...sources.xavier, needs: [sources.fans] };
const helpers: Readonly<Record<string, Helper>> = {
  xavier: xavierHelper,
  kaiming: { ...sources.kaiming, needs: [sources.fans] },
  spectral: { name: "spectral_", source: spectral, needs: [xavierHelper, sources.matrix] },
  orthogonal: { name: "orthogonal_", source: orthogonal, needs: [sources.matrix] },
  trunc_normal: { name: "trunc_normal_", source: truncated },
};

/** A callable that fills a tensor. */
function initialiser(init: Init, use: (helper: Helper) => string): string {
  switch (init.kind) {
    case "zeros":
      return "nn.init.zeros_";
    case "ones":
      return "nn.init.ones_";
    case "normal":
      return `lambda w: nn.init.normal_(w, std=${float(init.std)})`;
    case "trunc_normal":
      return `lambda w: ${use(helpers.trunc_normal)}(w, std=${float(init.std)})`;
    case "constant":
      return init.values.length === 1
        ? `lambda w: nn.init.constant_(w, ${float(init.values[0])})`
        : `lambda w: w.copy_(torch.tensor(${floats(init.values)}).reshape(w.shape))`;
    default:
      return use(helpers[init.kind]);
  }
}

/** `reset_parameters`: by the last part of the path where that says it, else by whole paths. */
export function resetLines(model: Model, use: (helper: Helper) => string): string[] {
  const byName = new Map<string, Map<string, Weight[]>>();
  for (const weight of model.weights) {
    const name = weight.path.slice(weight.path.lastIndexOf(".") + 1);
    const how = initialiser(weight.init, use);
    const all = byName.get(name) ?? new Map<string, Weight[]>();
    byName.set(name, all);
    all.set(how, [...(all.get(how) ?? []), weight]);
  }
  const entries: [key: string, how: string][] = [];
  for (const [name, all] of byName) {
    // The commonest stands for the name; the others are said one by one.
    const [[usual], ...others] = [...all].sort((a, b) => b[1].length - a[1].length);
    entries.push([name, usual]);
    for (const [how, weights] of others) for (const { path } of weights) entries.push([path, how]);
  }
  return [
    "",
    "@torch.no_grad()",
    "def reset_parameters(self) -> None:",
    `    """Fresh weights by the spec's initialisers, from torch's own random numbers."""`,
    "    initialisers = {",
    ...entries.map(([key, how]) => `        "${key}": ${how},`),
    "    }",
    "    for path, weight in self.named_parameters():",
    '        initialisers.get(path, initialisers[path.rpartition(".")[2]])(weight)',
    ...(projectLines(model, use).length > 0 ? ["    self.project_parameters()"] : []),
  ];
}

/** `project_parameters`, where weights have declared ranges or constraints that retract. */
export function projectLines(model: Model, use: (helper: Helper) => string): string[] {
  const ranged = model.weights.filter((w) => w.range !== null && w.role !== "statistic");
  const retractions = new Map<string, string[]>();
  for (const weight of model.weights) {
    const how = retractionOf(weight, use);
    if (how !== null) retractions.set(how, [...(retractions.get(how) ?? []), weight.path]);
  }
  if (ranged.length === 0 && retractions.size === 0) return [];
  const end = (x: number): string => (Number.isFinite(x) ? float(x) : x > 0 ? "math.inf" : "-math.inf");
  const ranges = [
    "    for path, (low, high) in {",
    ...ranged.map(({ path, range }) => `        "${path}": (${(range ?? [0, 0]).map(end).join(", ")}),`),
    "    }.items():",
    "        self.get_parameter(path).clamp_(low, high)",
  ];
  return [
    "",
    "@torch.no_grad()",
    "def project_parameters(self) -> None:",
    ranged.length > 0
      ? `    """Puts weights back into the ranges${retractions.size > 0 ? " and onto the manifolds" : ""} that the spec declares: to be called after every optimiser step."""`
      : `    """Brings weights back towards orthogonal ones: to be called after every optimiser step."""`,
    ...(ranged.length > 0 ? ranges : []),
    ...[...retractions].flatMap(([how, paths]) => [
      "    for path in [",
      ...paths.map((path) => `        "${path}",`),
      "    ]:",
      "        weight = self.get_parameter(path)",
      `        weight.copy_(${how})`,
    ]),
  ];
}
