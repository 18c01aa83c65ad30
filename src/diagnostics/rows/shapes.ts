/** 02: shapes and dimensions. */
export const shapeRows = {} as const;
