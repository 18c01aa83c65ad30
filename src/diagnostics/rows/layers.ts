/** 03: layers, arguments and options. */
export const layerRows = {} as const;
