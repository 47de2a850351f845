//! The edits of one message on its way out, as splices: everything else stays byte for byte.
//!
//! It decides nothing about recipients or findings: the verdict says what is to be done, this says
//! which octets give way to which. It does no I/O and has no clock; what it cannot do safely is
//! [`Unrewritable`], and the caller holds the message.

mod append;
mod bulk;
mod charset;
mod disclaimer;
mod fields;
mod html_end;
mod loop_mark;
mod plan;
mod prove;
mod qp;
mod request;
mod stamp;

pub use disclaimer::Disclaimer;
pub use loop_mark::{LoopMark, loop_mark};
pub use plan::plan;
pub use request::{
    DisclaimerOutcome, Monitor, OmitReason, Plan, Request, Retention, Trace, Unrewritable,
};
