/** 04: gains and claims. */
export const claimRows = {} as const;
