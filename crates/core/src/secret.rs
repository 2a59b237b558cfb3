//! The key: held in memory that is wiped, printed as `[redacted]`, never serialised.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroize as _;

/// What is printed where a secret stands.
pub const REDACTED: &str = "[redacted]";

/// A key or token. `Debug` prints [`REDACTED`]; there is no `Display` and no `Serialize`.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes ownership of `text`; surrounding white space is removed, since keys are pasted.
    #[must_use]
    pub fn new(mut text: String) -> Secret {
        // A copy of just this size: making a larger one smaller would move it and leave the old one as
        // it is.
        let secret = SecretString::new(Box::from(text.trim()));
        text.zeroize();
        Secret(secret)
    }

    /// The text itself, for the one place that puts it on the wire or in the keyring.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Secret) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Secret {}

/// Whether a URL's query parameter of this name usually carries a secret, in any case and with or
/// without `-` and `_`.
#[must_use]
pub fn names_secret(parameter: &str) -> bool {
    let letters = parameter.chars().filter(|c| !matches!(c, '-' | '_'));
    let word: String = letters.map(|c| c.to_ascii_lowercase()).collect();
    matches!(
        word.as_str(),
        "apikey"
            | "xapikey"
            | "key"
            | "token"
            | "accesstoken"
            | "authtoken"
            | "auth"
            | "authorization"
            | "secret"
            | "clientsecret"
            | "password"
            | "passwd"
            | "jwt"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_printed() {
        let secret = Secret::new(" sk-1234 \n".to_owned());
        assert_eq!(format!("{secret:?}"), REDACTED);
        assert_eq!(secret.expose(), "sk-1234");
    }
}
