// Generated from crates/core/src/secret.rs by `cargo xtask bindings`. Do not edit.

/** Names of query parameters that usually carry a secret, in lower case and without - and _. */
export const SECRET_NAMES: readonly string[] = [
  "apikey",
  "xapikey",
  "key",
  "token",
  "accesstoken",
  "authtoken",
  "auth",
  "authorization",
  "secret",
  "clientsecret",
  "password",
  "passwd",
  "jwt"
];
