//! The small translations between the columns and the types of the upper and lower layers.

use jiff::Timestamp;

use super::error::StoreError;
use crate::mail::Address;
use crate::mail::Audience;
use crate::policy::Outcome;

pub(super) fn timestamp(milliseconds: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(milliseconds).map_err(|_range| StoreError::Row("a time"))
}

pub(super) fn optional_timestamp(
    milliseconds: Option<i64>,
) -> Result<Option<Timestamp>, StoreError> {
    milliseconds.map(timestamp).transpose()
}

pub(super) fn address(text: &str) -> Result<Address, StoreError> {
    Address::parse(text).map_err(|_shape| StoreError::Row("an address"))
}

pub(super) fn audience_id(audience: Audience) -> &'static str {
    match audience {
        Audience::Own => "own",
        Audience::Partner => "partner",
        Audience::External => "external",
    }
}

pub(super) fn audience(id: &str) -> Result<Audience, StoreError> {
    match id {
        "own" => Ok(Audience::Own),
        "partner" => Ok(Audience::Partner),
        "external" => Ok(Audience::External),
        _ => Err(StoreError::Row("an audience")),
    }
}

pub(super) fn outcome_id(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Deliver => "deliver",
        Outcome::Hold => "hold",
        Outcome::Reject => "reject",
    }
}

pub(super) fn outcome(id: &str) -> Result<Outcome, StoreError> {
    match id {
        "deliver" => Ok(Outcome::Deliver),
        "hold" => Ok(Outcome::Hold),
        "reject" => Ok(Outcome::Reject),
        _ => Err(StoreError::Row("an outcome")),
    }
}

/// A list of short texts as a JSON array.
pub(super) fn list<T: AsRef<str>>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<serde_json::Value> =
        items.into_iter().map(|item| item.as_ref().to_owned().into()).collect();
    serde_json::Value::Array(items).to_string()
}

/// The way back of [`list`].
pub(super) fn read_list(text: &str) -> Result<Vec<String>, StoreError> {
    serde_json::from_str(text).map_err(|_shape| StoreError::Row("a list"))
}

/// Recipients as a JSON array of `[address, audience]`.
pub(super) fn recipients(recipients: &[(Address, Audience)]) -> String {
    let rows: Vec<serde_json::Value> = recipients
        .iter()
        .map(|(address, audience)| serde_json::json!([address.as_str(), audience_id(*audience)]))
        .collect();
    serde_json::Value::Array(rows).to_string()
}
