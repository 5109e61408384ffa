export function startProvider(options: {
  port: number;
  client: string;
  secret: string;
  callback: string;
}): Promise<{ issuer: string; refusals: string[]; close: () => Promise<void> }>;
