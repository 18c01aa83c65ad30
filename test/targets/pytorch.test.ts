import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { defaultRecipe } from "../../src/model/recipe.ts";
import { contractOf } from "../../src/targets/pytorch/contract.ts";
import { modelSource } from "../../src/targets/pytorch/module.ts";
import { functions } from "../../src/targets/pytorch/python.ts";
import { modelOf } from "../helpers/elaborated.ts";
import { reducedModel, reducedSpecs } from "../helpers/reduced.ts";
import { valueOf } from "../onnx/support.ts";
import { sourcesOf } from "../parity/pytorch.ts";

const folder = join(import.meta.dirname, "../../src/targets/pytorch");

function written(body: string, blocks = ""): string {
  const file = "made.lips";
  const text = `lips 1\n${blocks}\nmodel Made() {\n  input x: [6] in [-1, 1]\n${body}\n}\n`;
  const model = modelOf(file, "Made", {}, { [file]: text });
  const sources = new Map([...sourcesOf(model), [file, { name: file, text }]]);
  const source = modelSource(model, sources);
  return source.ok ? source.value : source.problem.message;
}

describe("model.py", () => {
  it("knows the names of all functions that it may bring along, so that no variable hides one", () => {
    const text = readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".ts"))
      .map((path) => readFileSync(join(folder, path), "utf8"))
      .join("\n");
    const defined = [...text.matchAll(/^def (\w+)\(/gm)].map(([, name]) => name);
    expect(defined.length).toBeGreaterThan(20);
    expect(defined.filter((name) => !functions.has(name))).toEqual([]);
  });

  it("gives a value another name where it would hide a function", () => {
    const text = written(`  let unit = x |> UnitNorm(1)\n  output y = unit + (unit |> UnitNorm(1))`);
    expect(text).toContain("unit_ = unit(x, 1.0)");
    expect(text).toContain("return unit_ + unit(unit_, 1.0)");
  });

  it("keeps a value that is read later", () => {
    const text = written(`  let a = x |> Linear(6)\n  output y = (a |> Tanh) - (a |> ReLU) - x`);
    expect(text).toContain("a = self.linear(x)");
    expect(text).toMatch(/\(?torch\.tanh\(a\) - F\.relu\(a\)\)? - x|torch\.tanh\(a\)/);
  });

  it("puts parentheses round sums that are factors", () => {
    expect(written(`  output y = (x + 1) * (x - (x - 1))`)).toMatch(
      /z = x \+ 1\.0\n +return z \* \(x - \(x \+ -1\.0\)\)/,
    );
  });

  it("makes one class of a block that is used in several sizes, with the spec's names as arguments", () => {
    const block = "block Narrow(x: [d], slope: real) -> [d / 2] { x |> Linear(d / 2) |> LeakyReLU(slope) }";
    const text = written(`  output y = x |> Linear(16) |> Narrow(1/4) |> Narrow(1/2)`, block);
    expect(text.match(/^class Narrow/gm)).toHaveLength(1);
    expect(text).toContain("def __init__(self, d: int, slope: float):");
    expect(text).toContain("self.narrow = Narrow(d=16, slope=0.25)");
    expect(text).toContain("F.leaky_relu(self.linear(x), self.slope)");
  });

  it("calls a shared block twice", () => {
    const block = "block Twin(x: [d]) -> [d] { x |> Linear(d) |> Tanh }";
    const text = written(`  let f = shared(Twin)\n  output y = x |> f |> f`, block);
    expect(text.match(/Twin\(6\)/g)).toHaveLength(1);
    expect(text.match(/self\.f\(/g)).toHaveLength(2);
  });

  it("multiplies in parts in eval mode where the spec has a longest sum, and brings nothing along where it hasn't", () => {
    const body = "  let f = Linear(9, bias: false)\n  output y = x |> f |> Linear(4, constraint: aol)";
    const text = written(`  inference { longest_sum: 4 }\n${body}`);
    const functionOf = (name: string): string =>
      new RegExp(`^(def|class) ${name}\\b[\\s\\S]*?(?=\\n\\n\\n)`, "m").exec(text)?.[0] ?? "";
    expect(["cuts", "pairwise_sum", "product", "affine", "Linear"].map(functionOf).join("\n\n\n"))
      .toMatchInlineSnapshot(`
      "def cuts(count: int, terms: int = 1) -> list[tuple[int, int]]:
          """Ranges of 0 to count, as few and as equal as can be, that add up at most longest_sum products where each number
          stands for so many terms."""
          longest_sum = 4  # of the spec's \`inference\`
          pieces = -(-count // max(1, longest_sum // terms))
          return [(i * count // pieces, (i + 1) * count // pieces) for i in range(pieces)]


      def pairwise_sum(pieces: list[Tensor]) -> Tensor:
          """In pairs, the pairs in pairs: each piece passes through log2 of them many additions."""
          while len(pieces) > 1:
              pairs = [a + b for a, b in zip(pieces[::2], pieces[1::2])]
              pieces = pairs + pieces[2 * len(pairs) :]
          return pieces[0]


      def product(a: Tensor, b: Tensor, training: bool) -> Tensor:
          """a @ b; in eval mode in parts of at most longest_sum terms, whose float32 rounding has the proven bound."""
          if training:
              return a @ b
          return pairwise_sum([a[..., i:j] @ b[..., i:j, :] for i, j in cuts(a.shape[-1])])


      def affine(x: Tensor, weight: Tensor, bias: Tensor | None, training: bool) -> Tensor:
          """F.linear; in eval mode in parts."""
          if training:
              return F.linear(x, weight, bias)
          y = product(x, weight.T, training)
          return y if bias is None else y + bias


      class Linear(nn.Linear):
          """nn.Linear; in eval mode its sums are in parts."""

          def forward(self, x: Tensor) -> Tensor:
              return affine(x, self.weight, self.bias, self.training)"
    `);
    expect(text).toContain("self.f = Linear(6, 9, bias=False)");
    expect(text).toContain("affine(x, self.constraint(self.weight), self.bias, self.training)");
    expect(text).toContain("add up at most 4 terms at once in eval mode (`longest_sum`)");
    expect(written(body)).not.toMatch(/longest_sum|cuts|pairwise_sum|affine|product/);
  });

  it("writes attention and convolutions in parts", () => {
    const model = modelOf("specs/certified-fashion.lips", "CertifiedFashion");
    const text = valueOf(modelSource(model, sourcesOf(model)));
    expect(text).toContain(
      "y = convolution(x, weight, self.stride, self.padding, self.dilation, self.groups)",
    );
    expect(text).toContain(
      "scores = product(self.tau * unit(q, self.eps), unit(k, self.eps).transpose(-2, -1), self.training)",
    );
    expect(text).toContain("join_heads(product(scores.softmax(dim=-1), v, self.training))");
  });

  it("refuses what would not be the same model", () => {
    expect(written(`  let eval = Linear(6)\n  output y = x |> eval`)).toContain(
      "torch.nn.Module has a `eval` of its own",
    );
    expect(written(`  output y = x |> BatchNorm`)).toContain("running statistics");
  });

  it.each(reducedSpecs)("has the lines of $name and no gap", (entry) => {
    const model = reducedModel(entry);
    const text = valueOf(modelSource(model, sourcesOf(model)));
    expect(text).toContain(`class ${model.name}(nn.Module):`);
    expect(text).not.toMatch(/[\uE000-\uE00F]|undefined|NaN/);
    for (const line of text.split("\n")) expect(line.length, line).toBeLessThanOrEqual(150);
  });
});

it("recipe.json has the numbers of every weight", () => {
  const model = modelOf("specs/quick-start.lips", "QuickStart");
  const contract = JSON.parse(contractOf(model, model.train ?? { ...defaultRecipe, span: model.span })) as {
    groups: Record<string, { weight_decay: number; lr_scale: number }>;
    mean: number[];
  };
  expect(Object.keys(contract.groups)).toEqual(model.weights.map((w) => w.path));
  expect(contract.groups["linear.weight"]).toEqual({ rule: "adamw", weight_decay: 0.05, lr_scale: 1 });
  expect(contract.groups["linear.bias"]).toEqual({ rule: "adamw", weight_decay: 5e-4, lr_scale: 1 });
  expect(contract.mean[0]).toBeCloseTo(0.286);
});
