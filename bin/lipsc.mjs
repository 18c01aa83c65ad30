#!/usr/bin/env node
// The command line.
import "./compiled.mjs";

await import("../dist/src/cli/main.js");
