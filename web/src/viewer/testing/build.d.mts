export function buildViewer(outDir: string): Promise<void>;
