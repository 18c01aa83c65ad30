/** 06 files and data, 07 build and run. */
export const runRows = {} as const;
