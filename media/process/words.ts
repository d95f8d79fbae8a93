/** Splits fixed options at their blanks: `words('-c copy')`. Never for text from outside, which may hold blanks itself. */
export const words = (options: string): string[] => options.split(' ');
