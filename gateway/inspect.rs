//! One message in, one [`Inspection`](crate::policy::Verdict) out: extract, detect, decide.
