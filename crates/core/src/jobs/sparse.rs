//! What only a few of many have: it takes no room in those that do not.

use std::ops::Deref;

/// A value that is the default one until it is changed, and takes a pointer's room until then.
#[derive(Debug)]
pub(super) struct Sparse<T: 'static>(Option<Box<T>>);

/// A type whose default value exists once for all.
pub(super) trait Plain: Default + 'static {
    /// The default value.
    const NONE: &'static Self;
}

impl<T> Default for Sparse<T> {
    fn default() -> Sparse<T> {
        Sparse(None)
    }
}

impl<T: Plain> Deref for Sparse<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_deref().unwrap_or(T::NONE)
    }
}

impl<T: Plain> Sparse<T> {
    /// The value, to be changed to another than the default one.
    pub fn set(&mut self) -> &mut T {
        self.0.get_or_insert_default()
    }

    /// The value, where it may be another than the default one.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.0.as_deref_mut()
    }
}
