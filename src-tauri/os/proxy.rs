//! The desktop's proxy setting: programs started from a menu have no proxy variables.

/// Makes every connection use it, unless the environment names a proxy.
#[cfg(target_os = "linux")]
pub fn use_desktop() {
    jobwatch_engine::proxy::use_desktop(std::sync::Arc::new(|url| look_up(url.as_str())));
}

/// Does nothing: on these systems the HTTP library reads the setting itself.
#[cfg(not(target_os = "linux"))]
pub fn use_desktop() {}

/// Asks GIO, which knows every desktop's setting, with exceptions and scripts. May block.
#[cfg(target_os = "linux")]
fn look_up(url: &str) -> Option<String> {
    use gtk::gio;
    use gtk::gio::prelude::*;

    let found = gio::ProxyResolver::default().lookup(url, gio::Cancellable::NONE);
    match found {
        Ok(proxies) => proxies.into_iter().next().map(Into::into),
        Err(error) => {
            tracing::warn!(%error, "could not read the desktop's proxy setting");
            None
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn without_a_setting_connections_are_direct() {
        assert_eq!(look_up("http://jobs.example.test:8080/").as_deref(), Some("direct://"));
    }
}
