/** What `--format json` prints, against the JSON Schemas that readers get. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv } from "ajv";

const folder = join(import.meta.dirname, "..", "..", "src", "cli", "report");
const schemaOf = (name: string): object =>
  JSON.parse(readFileSync(join(folder, `${name}.schema.json`), "utf8")) as object;

export type Printed = "check" | "certify" | "eval" | "eval-certified" | "predict" | "audit";

/** Where a document doesn't have the form that its schema describes. */
export function schemaCheck(name: Printed): (document: unknown) => string[] {
  const ajv = new Ajv({ allErrors: true, allowUnionTypes: true });
  // What `certify` says of a model is described where `check` is.
  if (name === "certify") ajv.addSchema(schemaOf("check"), "check.schema.json");
  const validate = ajv.compile(schemaOf(name));
  return (document) => {
    validate(document);
    return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
  };
}
