//! Masked secrets from the page.
//!
//! The page's messages pass through buffers of the web engine, which are never wiped. So the page sends
//! each secret masked with a random pad, and the two are combined only here.

use jobwatch_core::secret::Secret;
use jobwatch_engine::api::{ErrorCode, UserError};
use serde::Deserialize;

/// A masked secret: each byte of its UTF-8 XORed with a byte of the pad.
#[derive(Deserialize)]
pub struct MaskedSecret {
    masked: Vec<u8>,
    pad: Vec<u8>,
}

impl MaskedSecret {
    /// Unmasks the secret.
    ///
    /// # Errors
    /// If the lengths differ, or the result is not UTF-8.
    pub fn reveal(self) -> Result<Secret, UserError> {
        let invalid = || UserError {
            code: ErrorCode::Invalid,
            message: "The entered text arrived damaged. Enter it again.".to_owned(),
        };
        let MaskedSecret { masked: mut bytes, pad } = self;
        if bytes.len() != pad.len() {
            return Err(invalid());
        }
        for (byte, pad) in bytes.iter_mut().zip(pad) {
            *byte ^= pad;
        }
        // In place; the allocator wipes rejected bytes when it frees them.
        String::from_utf8(bytes).map(Secret::new).map_err(|_| invalid())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(json: &str) -> MaskedSecret {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_secret_is_revealed_with_its_pad() {
        let pad: Vec<u8> = (7..19).collect();
        let bytes = "sk-1 \u{fc}\u{1f511}".bytes();
        let hidden: Vec<u8> = bytes.zip(&pad).map(|(byte, pad)| byte ^ pad).collect();
        let pad = &pad[..hidden.len()];
        let sent = serde_json::json!({"masked": hidden, "pad": pad}).to_string();
        assert_eq!(masked(&sent).reveal().unwrap().expose(), "sk-1 \u{fc}\u{1f511}");
    }

    #[test]
    fn a_damaged_secret_is_rejected_and_not_quoted() {
        for sent in [r#"{"masked":[1,2],"pad":[1]}"#, r#"{"masked":[255],"pad":[0]}"#] {
            let error = masked(sent).reveal().unwrap_err();
            assert_eq!(
                error.message, "The entered text arrived damaged. Enter it again.",
                "{sent}"
            );
        }
        assert_eq!(masked(r#"{"masked":[],"pad":[]}"#).reveal().unwrap().expose(), "");
    }
}
