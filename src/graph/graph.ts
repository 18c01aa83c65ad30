/**
 * The primitive tensor graph: static shapes, one output per node, single assignment, plain data.
 * Layers lower to it; autodiff, the optimiser and the passes work on it; targets print it. Layers never know a target,
 * targets never know a layer.
 *
 * dtype f32 is float32 in engines and float64 in the interpreter; i32 are indices and labels; bool are masks.
 */
export type DType = "f32" | "i32" | "bool";
export type Dims = readonly number[];

/** Attributes of every primitive. A new primitive is one key here, one file in primitives/, one emission per target. */
export interface OpAttributes {
  /** Fed from outside: data, parameters, optimiser state, scalars. */
  input: { readonly name: string };
  /** Row-major entries, or one number for all (`fill`). */
  constant: { readonly data: readonly number[] | Float64Array; readonly fill: boolean };

  // Elementwise with numpy broadcasting.
  add: None;
  sub: None;
  mul: None;
  div: None;
  maximum: None;
  minimum: None;
  /** bool results */
  greater: None;
  equal: None;
  /** (condition, a, b) */
  select: None;
  neg: None;
  exp: None;
  log: None;
  sqrt: None;
  erf: None;
  tanh: None;
  sigmoid: None;
  abs: None;
  sign: None;
  floor: None;
  /** GELU, exact by erf or in its tanh form. */
  gelu: { readonly form: "exact" | "tanh" };
  cast: { readonly to: DType };

  // Over axes (non-negative).
  sum: { readonly axes: readonly number[]; readonly keep: boolean };
  max: { readonly axes: readonly number[]; readonly keep: boolean };
  /** Over the last axis. */
  softmax: None;

  // Movement.
  reshape: { readonly shape: Dims };
  broadcast: { readonly shape: Dims };
  transpose: { readonly order: readonly number[] };
  /** One range per axis; step ≥ 1. */
  slice: {
    readonly start: readonly number[];
    readonly end: readonly number[];
    readonly step: readonly number[];
  };
  concat: { readonly axis: number };
  /** Zeros before and after each axis. */
  pad: { readonly before: readonly number[]; readonly after: readonly number[] };
  /** (data, indices i32): data's `axis` is replaced by the indices' axes. */
  gather: { readonly axis: number };
  /** (indices, updates): zeros of `size` along `axis`, with updates added where the indices say; gather's adjoint. */
  scatterAdd: { readonly axis: number; readonly size: number };

  // Linear algebra. Leading axes of matmul broadcast.
  matmul: { readonly transposeA: boolean; readonly transposeB: boolean };
  /** (x [n, c, h, w], kernel [o, c/groups, kh, kw]) */
  conv: ConvAttributes;
  /** (dy, kernel) → dx of shape `input`. */
  convGradInput: ConvAttributes & { readonly input: Dims };
  /** (x, dy) → dkernel of shape `kernel`. */
  convGradKernel: ConvAttributes & { readonly kernel: Dims };
}

export type None = Record<string, never>;

export interface ConvAttributes {
  readonly stride: readonly [number, number];
  /** top, left, bottom, right; zeros */
  readonly padding: readonly [number, number, number, number];
  readonly dilation: readonly [number, number];
  readonly groups: number;
}

export type Op = keyof OpAttributes;

export interface GraphNode<O extends Op = Op> {
  readonly op: O;
  /** Indices of earlier nodes. */
  readonly inputs: readonly number[];
  readonly attributes: OpAttributes[O];
  readonly shape: Dims;
  readonly dtype: DType;
  /** Path of the layer that it was lowered from, with `~` before it for its backward pass: for reading and profiling. */
  readonly origin: string;
}

export interface Graph {
  readonly name: string;
  readonly nodes: readonly GraphNode[];
  /** Node index of each named output, in order. */
  readonly outputs: readonly { readonly name: string; readonly node: number }[];
}

/** A tensor on the host: row-major; f32 as Float32Array, i32 as Int32Array, bool as Uint8Array. */
export interface HostTensor {
  readonly dtype: DType;
  readonly dims: Dims;
  readonly data: Float32Array | Int32Array | Uint8Array;
}
