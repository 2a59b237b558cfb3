//! Signing in with e-mail and password, where a server gives its keys out that way.

use url::Url;

/// How to sign in to one server. What is sent and what comes back is alike everywhere: a JSON object
/// with `email` and `password`, and a token in a cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignIn {
    /// Where e-mail and password are posted.
    pub login: Url,
    /// Where the server first hands out a token against forged requests, in a cookie and as
    /// `csrfToken`; it is sent back as the header `X-CSRF-Token`.
    pub csrf: Option<Url>,
    /// The cookie that carries the token, which is the key from then on.
    pub cookie: &'static str,
}

impl SignIn {
    /// Below the base of a server's API.
    #[must_use]
    pub fn below(api: &Url, csrf: bool, cookie: &'static str) -> SignIn {
        let at = |name: &str| {
            let mut url = api.clone();
            if let Ok(mut path) = url.path_segments_mut() {
                path.pop_if_empty().extend(["auth", name]);
            }
            url
        };
        SignIn { login: at("login"), csrf: csrf.then(|| at("csrf")), cookie }
    }
}
