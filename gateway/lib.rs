//! Schoolgate: the gate through which a school's outgoing mail leaves.
//!
//! The modules stand in the order of their layers; an upper layer may name a lower one, siblings
//! never each other. The way of one message is told in `docs/flow.md` and lived in [`inspect`]
//! and [`intake`].

pub mod mail;

pub mod clock;

pub mod calendar;

pub mod extract;

pub mod detect;

pub mod policy;

pub mod approval;

pub mod inspect;

pub mod store;

pub mod intake;

pub mod smtp;

pub mod notice;

pub mod app;
