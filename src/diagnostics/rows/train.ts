/** 05: solve and train. */
export const trainRows = {} as const;
