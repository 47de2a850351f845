//! Bytes of a part in, visible text out.
