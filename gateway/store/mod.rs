//! The only writer of disk: sealed messages, the queue, holds and the audit.
