/** The version of lipsc, as package.json has it; written into every document that lipsc makes. */
export const version = "0.1.0";
