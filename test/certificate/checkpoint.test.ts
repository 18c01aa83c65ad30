/** Certificates of given weights: what the analysis proves of them, and what their bytes bear out. */
import { describe, expect, it } from "vitest";
import { checkBytes } from "../../src/certificate/verify/bytes.ts";
import type { Certificate } from "../../src/certificate/verify/document.ts";
import { Refusal } from "../../src/certificate/verify/refusal.ts";
import { verify } from "../../src/certificate/verify/verify.ts";
import { sha256 } from "../../src/certificate/verify/canonical.ts";
import { writeCertificate } from "../../src/certificate/write.ts";
import { Analysis } from "../../src/gain/analyze.ts";
import { initialise } from "../../src/graph/initialise.ts";
import { measure } from "../../src/measure/measure.ts";
import type { Model } from "../../src/model/model.ts";
import { writeSafetensors } from "../../src/runtime/safetensors.ts";
import { reducedModel, reducedSpecs } from "../helpers/reduced.ts";
import { emptySubject, sealed } from "./certificates.ts";
import { generator } from "./mutations.ts";
import { schemaErrors } from "./schema.ts";

interface Given {
  readonly certificate: Certificate;
  readonly bytes: Uint8Array;
  readonly analysis: Analysis;
}

/** Weights off their start, inside of their ranges; of those of constraints the file holds the free tensor. */
function given(model: Model, change = (x: number): number => x): Given {
  const draw = generator(5);
  const tensors = new Map(
    [...initialise(model, 3)].map(([path, data]) => {
      const { range } = model.weights.find((weight) => weight.path === path) as Model["weights"][number];
      const moved = data.map((x) =>
        change(x * (1 + (draw(1000) - 500) / 4000) + (range ? 0 : (draw(1000) - 500) / 2e4)),
      );
      return [path, range ? moved.map((x) => Math.min(Math.max(x, range[0]), range[1])) : moved] as const;
    }),
  );
  const bytes = writeSafetensors(
    new Map(
      model.weights.map(({ path, shape }) => [
        path,
        { dtype: "F32" as const, shape, data: tensors.get(path) as Float32Array },
      ]),
    ),
    {},
  );
  const { oracle, matrices } = measure(tensors);
  const analysis = new Analysis(model, "checkpoint", { oracle, matrices });
  const subject = { ...emptySubject, weights: { path: "w", sha256: sha256(bytes) } };
  const certificate = writeCertificate(model, [{ analysis, facts: oracle, matrices }], subject);
  return { certificate, bytes, analysis };
}

function check(certificate: Certificate, bytes: Uint8Array): void {
  verify(JSON.stringify(certificate), {
    weights: (document, matrices) => checkBytes(document, matrices, bytes),
  });
}

function refusal(certificate: Certificate, bytes: Uint8Array): Refusal {
  try {
    check(certificate, bytes);
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
  throw new Error("it was accepted");
}

/** How much larger the certificate's l2 bound from the first input to the first output is. */
function looseness({ certificate, analysis }: Given): number {
  const { inputs, outputs } = certificate.model;
  const steps =
    certificate.proofs[0].derivations.find(({ source }) => source === inputs[0].value)?.steps ?? [];
  const shown = steps.find(({ value }) => value === outputs[0].value)?.gain[0] ?? Infinity;
  const proven = analysis.from(inputs[0].value).gain(outputs[0].value).entries[0];
  return shown === proven ? 1 : shown / proven;
}

const copy = (certificate: Certificate): Certificate =>
  JSON.parse(JSON.stringify(certificate)) as Certificate;

/** One of each family; constrained weights are in the last three. */
const names = `quick-start lipsformer-fashion lipsformer-cswin-tiny lipsformer-swin specformer swin-tiny
  certified-mlp constraints lipshift`.split(/\s+/);
const specs = names.map((name) => [name, reducedSpecs.find((spec) => spec.name === name)] as const);
/** The file holds the free tensor of a constrained weight: the certificate has the constraint's facts alone. */
const constrained = new Set(names.slice(-3));

describe("certificates of given weights", () => {
  it.each(specs)("%s: the bytes bear it out, with the bound of the analysis", (name, spec) => {
    const found = given(reducedModel(spec as (typeof reducedSpecs)[number]));
    check(found.certificate, found.bytes);
    expect(schemaErrors(JSON.parse(JSON.stringify(found.certificate)))).toEqual([]);
    if (!constrained.has(name)) expect(looseness(found)).toBeLessThan(1 + 1e-5);
  });

  const [, quickStart] = specs[0];
  const { certificate, bytes } = given(reducedModel(quickStart as (typeof reducedSpecs)[number]));

  it("are refused with other weights, with a byte more, with one number changed", () => {
    const other = bytes.slice();
    other[other.length - 2] ^= 1;
    expect(refusal(certificate, other).message).toBe("these are other weights");
    expect(refusal(certificate, new Uint8Array([...bytes, 0])).where).toBe("hashes.weights");
    // A forger who puts the hash of other weights in has their norms to explain.
    const grown = given(reducedModel(quickStart as (typeof reducedSpecs)[number]), (x) => x * 1.01);
    const forged = copy(certificate);
    (forged.hashes as { weights: unknown }).weights = grown.certificate.hashes.weights;
    expect(refusal(sealed(forged), grown.bytes).rule).toBe("measured");
  });

  it("are refused where a number that is measured is too small, whichever it is", () => {
    const [proof] = certificate.proofs;
    const changed: string[] = [];
    const attempt = (what: string, change: (c: Certificate) => void): void => {
      const forged = copy(certificate);
      change(forged);
      // The steps would have to follow, too: only what the bytes say is asked here.
      const refused = ((): boolean => {
        try {
          checkBytes(forged, forged.proofs[0].matrices, bytes);
          return false;
        } catch (error) {
          return error instanceof Refusal;
        }
      })();
      if (!refused) changed.push(what);
    };
    // Spectral norms are stated within a percent, all else to eleven digits.
    const smaller = (object: object, key: string): void => {
      const at = object as Record<string, number>;
      const part = key === "spectral" ? 1e-2 : 1e-5;
      at[key] *= at[key] > 0 ? 1 - part : 1 + part;
    };
    proof.facts.forEach((facts, i) => {
      for (const key of ["spectral", "frobenius", "rowSum", "rowNorm", "maxAbs", "high"] as const) {
        if (facts[key] === 0 || facts[key] === null) continue;
        // Tables have no norm of their own: the Frobenius norm stands in, and less of it is still true.
        if (key === "spectral" && facts.spectral === facts.frobenius) continue;
        attempt(`${i} ${key}`, (c) => smaller(c.proofs[0].facts[i], key));
      }
      if (facts.low !== 0)
        attempt(`${i} low`, (c) => ((c.proofs[0].facts[i] as { low: number }).low += 1e-9));
      if (facts.rowDistance !== undefined)
        attempt(`${i} rowDistance`, (c) => smaller(c.proofs[0].facts[i], "rowDistance"));
      facts.taps?.forEach((_, t) =>
        attempt(`${i} tap ${t}`, (c) => smaller(c.proofs[0].facts[i].taps as object, String(t))),
      );
      facts.maps?.forEach((_, k) =>
        attempt(`${i} map ${k}`, (c) => smaller(c.proofs[0].facts[i].maps?.[k] as object, "norm")),
      );
    });
    proof.matrices.forEach((_, i) => {
      for (const key of ["spectral", "rowSum", "rowNorm"])
        attempt(`matrix ${i} ${key}`, (c) => smaller(c.proofs[0].matrices[i], key));
    });
    expect(proof.matrices.length).toBeGreaterThan(5);
    expect(changed).toEqual([]);
  });

  it("are refused where a list of numbers has another length than what it lists, with the bytes or without", () => {
    for (const key of ["taps", "values"] as const) {
      const of = certificate.proofs[0].facts.findIndex((facts) => facts[key] !== undefined);
      for (const change of [(list: number[]) => list.splice(0), (list: number[]) => list.push(0)]) {
        const forged = copy(certificate);
        change(forged.proofs[0].facts[of][key] as number[]);
        expect(() => verify(JSON.stringify(sealed(forged)))).toThrow(Refusal);
      }
    }
  });

  it("are refused where a matrix is left out, added, or another's", () => {
    for (const change of [
      (list: unknown[]) => list.pop(),
      (list: unknown[]) => list.push(list[0]),
      (list: unknown[]) => list.reverse(),
    ]) {
      const forged = copy(certificate);
      change(forged.proofs[0].matrices as unknown as unknown[]);
      expect(refusal(sealed(forged), bytes)).toBeInstanceOf(Refusal);
    }
  });
});
