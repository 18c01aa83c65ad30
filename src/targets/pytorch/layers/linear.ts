/** Linear, Conv, DepthwiseConv, Embedding: layers with a main weight. */
import { keywords, type Emit, type EmitContext, type Helper } from "../emission.ts";
import { convForward, linearClass, linearMap, withProducts } from "./parts.ts";

type Sums = Pick<EmitContext, "longestSum">;

const constrainedLinear = (sums: Sums): Helper =>
  withProducts(
    sums,
    "ConstrainedLinear",
    (summing) => `
class ConstrainedLinear(nn.Linear):
    """nn.Linear whose matrix is constraint(weight); \`weight\` is the free tensor that the optimiser moves."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True, *, constraint):
        super().__init__(in_features, out_features, bias)
        self.constraint = constraint

    def forward(self, x: Tensor) -> Tensor:
        return ${linearMap(summing, "x", "self.constraint(self.weight)", "self.bias")}`,
  );

const constrainedEmbedding: Helper = {
  name: "ConstrainedEmbedding",
  source: `
class ConstrainedEmbedding(nn.Embedding):
    """nn.Embedding whose table is constraint(weight)."""

    def __init__(self, rows: int, width: int, *, constraint):
        super().__init__(rows, width)
        self.constraint = constraint

    def forward(self, ids: Tensor) -> Tensor:
        return F.embedding(ids, self.constraint(self.weight))`.trim(),
};

/** Channels last, as all values here are; the permuted view of such a map is PyTorch's channels_last format, so nothing is copied. */
export const conv2d = (sums: Sums): Helper =>
  withProducts(
    sums,
    "Conv2d",
    (summing) => `
class Conv2d(nn.Conv2d):
    """nn.Conv2d on maps with channels last: [batch, h, w, c] -> [batch, h', w', c']. The permuted view is what
    PyTorch calls the channels_last memory format: nothing is copied."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)${convForward(summing, 2)}`,
  );

const conv1d = (sums: Sums): Helper =>
  withProducts(
    sums,
    "Conv1d",
    (summing) => `
class Conv1d(nn.Conv1d):
    """nn.Conv1d on sequences with channels last: [batch, n, c] -> [batch, n', c']."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.transpose(1, 2)).transpose(1, 2)${convForward(summing, 1)}`,
  );

const constrainedConv = (conv: Helper): Helper => ({
  name: `Constrained${conv.name}`,
  needs: [conv],
  source: `
class Constrained${conv.name}(${conv.name}):
    """${conv.name} whose kernel is constraint(weight)."""

    def __init__(self, *args, constraint, **kwargs):
        super().__init__(*args, **kwargs)
        self.constraint = constraint

    def _conv_forward(self, x: Tensor, weight: Tensor, bias) -> Tensor:
        return super()._conv_forward(x, self.constraint(weight), bias)`.trim(),
});

export const constrainedConv2d = (sums: Sums): Helper => constrainedConv(conv2d(sums));

const bias = ({ config }: EmitContext): string | null => (config.bias === true ? null : "False");

function convolution(context: EmitContext, groups: boolean): string {
  const { config, shapes, outputs } = context;
  const constraint = context.constraint("weight");
  const flat = shapes[0].length === 2;
  const plain = flat ? conv1d(context) : conv2d(context);
  const helper = constraint ? constrainedConv(plain) : plain;
  const from = shapes[0][shapes[0].length - 1];
  const to = outputs[0][outputs[0].length - 1];
  const other = (name: string, usual: number): string | null =>
    config[name] === usual ? null : context.int(config[name] as number, name);
  const numbers = keywords([
    ["stride", other("stride", 1)],
    ["padding", other("padding", 0)],
    ["dilation", other("dilation", 1)],
    ["groups", groups ? context.channels(from, "channels") : null],
    ["bias", bias(context)],
    ["constraint", constraint],
  ]);
  const size = context.int(config.kernel as number, "kernel");
  return `${context.use(helper)}(${context.channels(from, "channels")}, ${context.channels(to, "width")}, ${size}${numbers})`;
}

export const weighted: Readonly<Record<string, Emit>> = {
  Linear: (context) => {
    const { shapes, config, self, inputs } = context;
    const constraint = context.constraint("weight");
    const name = constraint ? context.use(constrainedLinear(context)) : linearClass(context);
    const from = context.channels(shapes[0][shapes[0].length - 1], "channels");
    const to = context.channels(config.width as number, "width");
    const rest = keywords([
      ["bias", bias(context)],
      ["constraint", constraint],
    ]);
    return { module: `${name}(${from}, ${to}${rest})`, call: `${self}(${inputs[0]})` };
  },
  Conv: (context) => ({
    module: convolution(context, false),
    call: `${context.self}(${context.inputs[0]})`,
  }),
  DepthwiseConv: (context) => ({
    module: convolution(context, true),
    call: `${context.self}(${context.inputs[0]})`,
  }),
  Embedding: (context) => {
    const constraint = context.constraint("weight");
    const name = constraint ? context.use(constrainedEmbedding) : "nn.Embedding";
    const { count, width } = context.config as { count: number; width: number };
    const rest = keywords([["constraint", constraint]]);
    return {
      module: `${name}(${context.int(count, "tokens")}, ${context.channels(width, "width")}${rest})`,
      call: `${context.self}(${context.inputs[0]})`,
    };
  },
};
