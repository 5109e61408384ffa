export function startMock(options: {
  port?: number;
  dist: string;
}): Promise<{ url: string; close: () => Promise<void> }>;
