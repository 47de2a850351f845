//! The names of messages and holds: UUID version 7, so that they sort by the time of their making.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use uuid::NoContext;
use uuid::Uuid;

use super::error::StoreError;

macro_rules! ids {
    ($($(#[doc = $doc:literal])* $name:ident;)+) => {
        $(
            $(#[doc = $doc])*
            #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
            pub struct $name(Uuid);

            impl $name {
                /// A new one, of this time.
                pub fn new(now: Timestamp) -> Self {
                    Self(at(now))
                }

                /// The column's form back into an id.
                pub(super) fn read(text: &str) -> Result<Self, StoreError> {
                    text.parse().map_err(|_not_a_uuid| StoreError::Row(stringify!($name)))
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    write!(f, "{}", self.0.hyphenated())
                }
            }

            impl FromStr for $name {
                type Err = uuid::Error;

                fn from_str(text: &str) -> Result<Self, Self::Err> {
                    Uuid::try_parse(text).map(Self)
                }
            }
        )+
    };
}

ids! {
    /// The id of one accepted message; it is the queue id of the 250 and the name of the file.
    MessageId;
    /// The id of one hold.
    HoldId;
}

impl MessageId {
    /// The last octet, which is random, chooses the spool's subfolder; the first ones are the time
    /// and would put a whole year into one folder.
    pub(super) fn shelf(&self) -> u8 {
        let [.., last] = *self.0.as_bytes();
        last
    }
}

fn at(now: Timestamp) -> Uuid {
    let seconds = u64::try_from(now.as_second()).unwrap_or_default();
    let nanoseconds = u32::try_from(now.subsec_nanosecond()).unwrap_or_default();
    Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, seconds, nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_written_form_reads_back() {
        let id = MessageId::new(Timestamp::UNIX_EPOCH);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!("not-an-id".parse::<MessageId>().is_err());
    }
}
