//! Mail that the gateway itself writes: to senders, approvers and admins.
//!
//! The builders are pure ([`Post`] alone acts: it makes and commits what is owed): the moment, the Message-ID and every word that differs come from the
//! caller, who also sends what they return, with the null reverse path. No notice quotes the
//! subject or one character of the content; a message is named by time, recipient count and
//! domains, and attachment count.

mod about;
mod admin;
mod approver;
mod found;
mod letter;
mod post;
mod sender;
mod subject;

pub use about::About;
pub use admin::{Incident, admin_incident};
pub use approver::{Decision, decided_at_terminal, escalated_to_deputy, hold_to_approver};
pub use found::{Found, found};
pub use letter::{Frame, Unwritable};
pub use post::{Post, Settings};
pub use sender::{
    Held, bcc_forced_to_sender, expired_to_sender, hold_to_sender, refused_to_sender,
    released_to_sender,
};
pub use subject::stakes_of;
