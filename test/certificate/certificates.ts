/** Certificates of specs, for tests. */
import { nodeHost } from "../../src/cli/host-node.ts";
import { Diagnostics } from "../../src/diagnostics/diagnostic.ts";
import { elaborateFile } from "../../src/elaborate/elaborate.ts";
import { Analysis } from "../../src/gain/analyze.ts";
import { weightFacts } from "../../src/gain/weights.ts";
import type { Model } from "../../src/model/model.ts";
import { writeCertificate } from "../../src/certificate/write.ts";
import { canonical, sealOf, sha256 } from "../../src/certificate/verify/canonical.ts";
import type { Certificate } from "../../src/certificate/verify/document.ts";

export const emptySubject = { lipsc: "test", specs: [], weights: null, set: {}, writtenOut: false };

export function modelOf(file: string): Model {
  const { models } = elaborateFile(nodeHost, file, new Diagnostics(), { set: {} });
  return models[0];
}

export function analysesOf(model: Model): Analysis[] {
  return [new Analysis(model, "init"), new Analysis(model, "always")];
}

export function certificateOf(model: Model, analyses = analysesOf(model)): Certificate {
  return writeCertificate(
    model,
    analyses.map((analysis) => ({ analysis, facts: weightFacts })),
    emptySubject,
  );
}

/** The hashes that a forger would put in again after a change. */
export function sealed(certificate: Certificate): Certificate {
  const hashes = { ...certificate.hashes, model: sha256(canonical(certificate.model)) };
  const { seal: _, ...rest } = { ...certificate, hashes };
  return { ...rest, seal: sealOf(rest) };
}
