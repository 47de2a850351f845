//! A wrapper for personal data that can't be printed, logged or serialised by accident.

use std::fmt;

/// Personal data. `Debug` tells the length only, and there is no `Display` and no `Serialize`;
/// the places that call [`Sensitive::expose`] are few and can be searched for (P27).
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Sensitive<T>(T);

impl<T> Sensitive<T> {
    /// Wraps a value.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself, for matching, sealing or an audited look.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: AsRef<str>> fmt::Debug for Sensitive<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} chars]", self.0.as_ref().chars().count())
    }
}
