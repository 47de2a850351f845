//! Mail that the gateway itself writes: to senders, approvers and admins.
