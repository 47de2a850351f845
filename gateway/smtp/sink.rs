//! A small next hop that keeps what arrives.
