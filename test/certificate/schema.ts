/** Certificates against the JSON Schema that readers get. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv } from "ajv";

const file = join("src", "certificate", "certificate.schema.json");
const validate = new Ajv({ allErrors: true, allowUnionTypes: true, strictRequired: false }).compile(
  JSON.parse(readFileSync(file, "utf8")) as object,
);

/** Where a document doesn't have the form that the schema describes. */
export function schemaErrors(document: unknown): string[] {
  validate(document);
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}
