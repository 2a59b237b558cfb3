//! The desktop's own proxy setting, which programs started from a menu have no variables for.

/// Has every connection use it where the environment names no proxy.
#[cfg(target_os = "linux")]
pub fn use_desktop() {
    jobwatch_engine::proxy::use_desktop(std::sync::Arc::new(|url| look_up(url.as_str())));
}

/// Elsewhere the HTTP library reads the system's setting by itself.
#[cfg(not(target_os = "linux"))]
pub fn use_desktop() {}

/// GIO knows where each desktop keeps its setting, exceptions and scripts included. May block.
#[cfg(target_os = "linux")]
fn look_up(url: &str) -> Option<String> {
    use gtk::gio;
    use gtk::gio::prelude::*;

    let found = gio::ProxyResolver::default().lookup(url, gio::Cancellable::NONE);
    match found {
        Ok(proxies) => proxies.into_iter().next().map(Into::into),
        Err(error) => {
            tracing::warn!(%error, "the desktop's proxy setting cannot be read");
            None
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn without_a_setting_every_address_is_reached_directly() {
        assert_eq!(look_up("http://jobs.example.test:8080/").as_deref(), Some("direct://"));
    }
}
