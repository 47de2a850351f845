//! What every door does with one message: inspect it, seal it, commit it, and only then answer.
//!
//! The order is the whole point and stands in [`Intake::take`]. Sealing and judging run side by
//! side; the 250 can only come from the store's proof. What can't be judged in time, or fails to
//! be, is committed unjudged and judged from the store by [`Intake::run_late`].

mod door;
mod fingerprint;
mod holding;
mod judge;
mod late;
mod outlet;
mod record;
mod take;

pub use door::{Arrival, Door};
pub use fingerprint::merge_key;
pub use judge::{Judge, Judged, NOT_JUDGED, NOT_REWRITABLE, Settings};
pub use outlet::{Fresh, Outlet};
pub use take::Intake;
