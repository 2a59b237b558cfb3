//! A key cannot be serialised or displayed: this file does not compile if it can.

use jobwatch_core::secret::Secret;

/// Whether a type implements a trait, asked in a way that has two answers, and so none, when it
/// does.
macro_rules! assert_does_not_implement {
    ($type:ty, $trait:path) => {
        const _: fn() = || {
            trait Answer<A> {
                fn only() {}
            }
            impl<T: ?Sized> Answer<()> for T {}
            #[allow(dead_code)]
            struct Implemented;
            impl<T: ?Sized + $trait> Answer<Implemented> for T {}
            let _ = <$type as Answer<_>>::only;
        };
    };
}

assert_does_not_implement!(Secret, serde::Serialize);
assert_does_not_implement!(Secret, serde::de::DeserializeOwned);
assert_does_not_implement!(Secret, std::fmt::Display);

#[test]
fn a_key_inside_anything_is_printed_as_redacted() {
    let held = vec![Some(Secret::new("sk-live-42".to_owned()))];
    assert_eq!(format!("{held:?}"), "[Some([redacted])]");
}
