// Runs a compiled program of the project, compiled anew where that is needed: `node scripts/run.mjs bench/run.js ARGS…`.
import "../bin/compiled.mjs";

const [program] = process.argv.splice(2, 1);
await import(new URL(`../dist/${program}`, import.meta.url).href);
