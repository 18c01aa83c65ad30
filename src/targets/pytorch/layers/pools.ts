/** MaxPool and AveragePool. */
import type { Emit, EmitContext, Helper } from "../emission.ts";

const maxPool: Helper = {
  name: "max_pool2d",
  source: `
def max_pool2d(x: Tensor, kernel: int, stride: int, padding: int = 0) -> Tensor:
    """F.max_pool2d on maps with channels last."""
    return F.max_pool2d(x.permute(0, 3, 1, 2), kernel, stride, padding).permute(0, 2, 3, 1)`.trim(),
};

const averagePool: Helper = {
  name: "avg_pool2d",
  source: `
def avg_pool2d(x: Tensor, kernel: int, stride: int, padding: int = 0, whole: bool = True) -> Tensor:
    """F.avg_pool2d on maps with channels last; \`whole\`: divides by the window's size, padding included."""
    y = F.avg_pool2d(x.permute(0, 3, 1, 2), kernel, stride, padding, count_include_pad=whole)
    return y.permute(0, 2, 3, 1)`.trim(),
};

/** The same over one position axis. */
function flat(helper: Helper): Helper {
  return {
    name: helper.name.replace("2d", "1d"),
    source: helper.source
      .replaceAll("2d", "1d")
      .replaceAll("permute(0, 3, 1, 2)", "transpose(1, 2)")
      .replaceAll("permute(0, 2, 3, 1)", "transpose(1, 2)")
      .replaceAll("maps", "sequences"),
  };
}

function pool(
  { config, inputs, shapes, use, int }: EmitContext,
  helper: Helper,
  more = "",
): { call: string } {
  const name = use(shapes[0].length === 2 ? flat(helper) : helper);
  const numbers = ["kernel", "stride"].map((key) => int(config[key] as number, key));
  const padding = config.padding === 0 ? "" : `, ${int(config.padding as number, "padding")}`;
  return { call: `${name}(${inputs[0]}, ${numbers.join(", ")}${padding}${more})` };
}

export const pools: Readonly<Record<string, Emit>> = {
  MaxPool: (context) => pool(context, maxPool),
  AveragePool: (context) =>
    pool(context, averagePool, context.config.divisor === "window" ? "" : ", whole=False"),
};
