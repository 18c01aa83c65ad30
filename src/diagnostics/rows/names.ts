/** 01: names and scopes. */
export const nameRows = {} as const;
