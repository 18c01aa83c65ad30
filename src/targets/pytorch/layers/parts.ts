/**
 * Products in parts, as the inference graph has them where the model says `inference { longest_sum: N }`: the same pieces,
 * added in the same pairs (src/graph/passes/parts.ts), in eval mode. Training multiplies whole, as the training graph does.
 * trust: T4
 */
import type { EmitContext, Helper } from "../emission.ts";

/** What a product needs of the context that it is written in. */
type Summing = Pick<EmitContext, "longestSum" | "use">;

/** A helper whose source has products: what they bring along is what it needs. */
export function withProducts(
  { longestSum }: Pick<EmitContext, "longestSum">,
  name: string,
  source: (summing: Summing) => string,
  others: readonly Helper[] = [],
): Helper {
  const needs = new Set(others);
  const use = (helper: Helper): string => (needs.add(helper), helper.name);
  return { name, source: source({ longestSum, use }).trim(), needs: [...needs] };
}

const cuts = (longest: number): Helper => ({
  name: "cuts",
  source: `
def cuts(count: int, terms: int = 1) -> list[tuple[int, int]]:
    """Ranges of 0 to count, as few and as equal as can be, that add up at most longest_sum products where each number
    stands for so many terms."""
    longest_sum = ${longest}  # of the spec's \`inference\`
    pieces = -(-count // max(1, longest_sum // terms))
    return [(i * count // pieces, (i + 1) * count // pieces) for i in range(pieces)]`.trim(),
});

const pairwiseSum: Helper = {
  name: "pairwise_sum",
  source: `
def pairwise_sum(pieces: list[Tensor]) -> Tensor:
    """In pairs, the pairs in pairs: each piece passes through log2 of them many additions."""
    while len(pieces) > 1:
        pairs = [a + b for a, b in zip(pieces[::2], pieces[1::2])]
        pieces = pairs + pieces[2 * len(pairs) :]
    return pieces[0]`.trim(),
};

const product = (longest: number): Helper => ({
  name: "product",
  needs: [cuts(longest), pairwiseSum],
  source: `
def product(a: Tensor, b: Tensor, training: bool) -> Tensor:
    """a @ b; in eval mode in parts of at most longest_sum terms, whose float32 rounding has the proven bound."""
    if training:
        return a @ b
    return pairwise_sum([a[..., i:j] @ b[..., i:j, :] for i, j in cuts(a.shape[-1])])`.trim(),
});

const affine = (longest: number): Helper => ({
  name: "affine",
  needs: [product(longest)],
  source: `
def affine(x: Tensor, weight: Tensor, bias: Tensor | None, training: bool) -> Tensor:
    """F.linear; in eval mode in parts."""
    if training:
        return F.linear(x, weight, bias)
    y = product(x, weight.T, training)
    return y if bias is None else y + bias`.trim(),
});

const convolution = (longest: number): Helper => ({
  name: "convolution",
  needs: [cuts(longest), pairwiseSum, product(longest)],
  source: `
def convolution(x: Tensor, weight: Tensor, stride, padding, dilation, groups: int) -> Tensor:
    """F.conv2d in parts: some channels of each group at a time; of one channel, where its taps are too many, rows of
    taps; of one row, columns. Patches that don't overlap are one product."""
    _, channels, height, width = weight.shape
    if stride == (height, width) and padding == (0, 0) and dilation == (1, 1) and groups == 1:
        y = product(weight.flatten(1), F.unfold(x, stride, stride=stride), training=False)
        return y.unflatten(2, (x.shape[2] // height, x.shape[3] // width))
    grouped = x.unflatten(1, (groups, channels))
    pieces = []
    for c0, c1 in cuts(channels, height * width):
        some = grouped[:, :, c0:c1].flatten(1, 2)
        for y0, y1 in cuts(height, width):
            for x0, x1 in cuts(width):
                # Fewer taps begin later and end earlier: padding falls away first, then the map's own rim.
                left, right = (padding[1] - missing * dilation[1] for missing in (x0, width - x1))
                top, bottom = (padding[0] - missing * dilation[0] for missing in (y0, height - y1))
                if min(left, 0) + min(right, 0) <= -x.shape[3] or min(top, 0) + min(bottom, 0) <= -x.shape[2]:
                    continue  # these read padding alone
                kernel = weight[:, c0:c1, y0:y1, x0:x1]
                moved = F.pad(some, (left, right, top, bottom))
                pieces.append(F.conv2d(moved, kernel, None, stride, 0, dilation, groups))
    if not pieces:
        return F.conv2d(x, torch.zeros_like(weight), None, stride, padding, dilation, groups)
    return pairwise_sum(pieces)`.trim(),
});

const linear = (longest: number): Helper => ({
  name: "Linear",
  needs: [affine(longest)],
  source: `
class Linear(nn.Linear):
    """nn.Linear; in eval mode its sums are in parts."""

    def forward(self, x: Tensor) -> Tensor:
        return affine(x, self.weight, self.bias, self.training)`.trim(),
});

/** The class of a matrix without a constraint. */
export function linearClass({ longestSum, use }: Summing): string {
  return longestSum === null ? "nn.Linear" : use(linear(longestSum));
}

/** `a @ b` in a module's forward pass. */
export function times({ longestSum, use }: Summing, a: string, b: string): string {
  if (longestSum !== null) return `${use(product(longestSum))}(${a}, ${b}, self.training)`;
  return / [*/] /.test(a) ? `(${a}) @ ${b}` : `${a} @ ${b}`;
}

/** `x Wᵀ + b` in a module's forward pass. */
export function linearMap({ longestSum, use }: Summing, x: string, weight: string, bias?: string): string {
  if (longestSum === null) return `F.linear(${[x, weight, bias ?? []].flat().join(", ")})`;
  return `${use(affine(longestSum))}(${x}, ${weight}, ${bias ?? "None"}, self.training)`;
}

/** `_conv_forward` of a convolution over one or two position axes; none where PyTorch's own will do. */
export function convForward({ longestSum, use }: Summing, axes: 1 | 2): string {
  if (longestSum === null) return "";
  const name = use(convolution(longestSum));
  const call =
    axes === 2
      ? [`        y = ${name}(x, weight, self.stride, self.padding, self.dilation, self.groups)`]
      : [
          "        # Over maps of one row.",
          "        geometry = (1, *self.stride), (0, *self.padding), (1, *self.dilation)",
          `        y = ${name}(x.unsqueeze(2), weight.unsqueeze(2), *geometry, self.groups).squeeze(2)`,
        ];
  return [
    "",
    "",
    "    def _conv_forward(self, x: Tensor, weight: Tensor, bias) -> Tensor:",
    "        if self.training:",
    "            return super()._conv_forward(x, weight, bias)",
    ...call,
    `        return y if bias is None else y + bias[${[":", ...new Array<string>(axes).fill("None")].join(", ")}]`,
  ].join("\n");
}
