/** The directory of the built demo application; null where Vite is not installed. */
export function buildSite(): Promise<string | null>;
