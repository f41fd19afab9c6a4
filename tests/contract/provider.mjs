// node provider.mjs FOLDER PORT AUDIENCE ALGORITHM: oidc-provider of FOLDER/node_modules, with a new key.
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
const [folder, port, audience, algorithm] = process.argv.slice(2);
const found = createRequire(`${folder}/`).resolve("oidc-provider");
const { default: Provider } = await import(pathToFileURL(found));
const pair = algorithm === "ES256"
  ? generateKeyPairSync("ec", { namedCurve: "P-256" })
  : generateKeyPairSync("rsa", { modulusLength: 2048 });
const jwk = pair.privateKey.export({ format: "jwk" });
const key = { ...jwk, kid: randomUUID(), use: "sig", alg: algorithm };
const scopes = "items:read items:write";
const provider = new Provider(`http://127.0.0.1:${port}`, {
  jwks: { keys: [key] },
  clients: [{
    client_id: "robot",
    client_secret: "a secret of the robot",
    redirect_uris: [],
    response_types: [],
    grant_types: ["client_credentials"],
    scope: scopes,
    id_token_signed_response_alg: algorithm,
  }],
  scopes: scopes.split(" "),
  enabledJWA: { idTokenSigningAlgValues: ["RS256", "ES256"] },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => audience,
      getResourceServerInfo: () => ({
        scope: scopes, audience, accessTokenFormat: "jwt", accessTokenTTL: 600,
        jwt: { sign: { alg: algorithm } },
      }),
    },
  },
});
provider.listen(Number(port), "127.0.0.1");
