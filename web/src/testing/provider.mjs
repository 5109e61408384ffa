// A real provider of identities on this machine: oidc-provider, a certified implementation of OpenID Connect, with the pages that it
// has for trying things out. Whoever types a name is that person; the password is anything.
import { generateKeyPairSync, randomBytes } from "node:crypto";
import Provider from "oidc-provider";

/** What it says of people: nobody's password matters, their groups do. */
const GROUPS = { ada: ["artists", "staff"], root: ["admins"] };

/** Its host is another one than 127.0.0.1: for a browser they are two sites. */
export async function startProvider({ port, client, secret, callback }) {
  const issuer = `http://localhost:${port}`;
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: client,
        client_secret: secret,
        redirect_uris: [callback],
        grant_types: ["authorization_code"],
        response_types: ["code"],
      },
    ],
    jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), kid: "first", use: "sig", alg: "RS256" }] },
    cookies: { keys: [randomBytes(16).toString("hex")] },
    claims: { openid: ["sub"], profile: ["preferred_username", "groups"] },
    pkce: { required: () => true },
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({ sub: `id of ${id}`, preferred_username: id, groups: GROUPS[id] ?? [] }),
    }),
  });
  const refusals = [];
  for (const what of ["authorization.error", "grant.error", "server_error"]) {
    provider.on(what, (_, error) => refusals.push(`${what}: ${error.error_description ?? error.message}`));
  }
  const server = provider.listen(port, "127.0.0.1");
  await new Promise((resolve, reject) => server.once("listening", resolve).once("error", reject));
  return {
    issuer,
    refusals,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
