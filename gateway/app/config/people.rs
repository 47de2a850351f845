//! People and their time, as they are written: approvers, holds, school days, notices.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;
use serde_saphyr::Spanned;

use super::file::unplaced;
use super::scalar::Mailbox;
use crate::approval::Role;

/// A person who decides held messages.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Approver {
    /// The person's name, "Ann Field".
    #[schemars(with = "String")]
    pub name: Spanned<String>,
    /// The person's address at the school, to which notices go.
    #[schemars(with = "Mailbox")]
    pub address: Spanned<Mailbox>,
    /// What the person is in the school.
    pub role: Role,
}

/// What becomes of held messages. A hold never releases itself.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Holds {
    /// School hours until the next circle of approvers is told too.
    #[schemars(range(min = 1, max = 1000))]
    pub escalate_after_school_hours: u16,
    /// School days until an undecided hold is closed as not sent.
    #[schemars(range(min = 1, max = 1000))]
    pub close_after_school_days: u16,
    /// Days a closed hold stays sealed and can be opened again.
    #[schemars(range(min = 0, max = 1000))]
    pub keep_closed_days: u16,
    /// Whether the school's own recipients get a held message at once.
    pub internal_at_once: bool,
}

impl Default for Holds {
    fn default() -> Self {
        Self {
            escalate_after_school_hours: 4,
            close_after_school_days: 5,
            keep_closed_days: 30,
            internal_at_once: true,
        }
    }
}

/// School hours and school days.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Calendar {
    /// The hours in which somebody reads notices.
    #[schemars(with = "SchoolDay")]
    pub school_day: Spanned<SchoolDay>,
    /// The days of the week on which the school is open.
    #[schemars(with = "Vec<Weekday>")]
    pub weekdays: Spanned<Vec<Weekday>>,
    /// School holidays, first and last day included.
    #[schemars(with = "Vec<Holiday>")]
    pub holidays: Vec<Spanned<Holiday>>,
}

impl Default for Calendar {
    fn default() -> Self {
        use Weekday::{Friday, Monday, Thursday, Tuesday, Wednesday};
        Self {
            school_day: unplaced(SchoolDay::default()),
            weekdays: unplaced(vec![Monday, Tuesday, Wednesday, Thursday, Friday]),
            holidays: Vec::new(),
        }
    }
}

/// The hours in which somebody reads notices.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SchoolDay {
    /// The beginning, local time, `08:30`.
    #[schemars(with = "String")]
    pub from: jiff::civil::Time,
    /// The end, local time, `16:00`.
    #[schemars(with = "String")]
    pub to: jiff::civil::Time,
}

impl Default for SchoolDay {
    fn default() -> Self {
        let time = |hour, minute| jiff::civil::Time::constant(hour, minute, 0, 0);
        Self { from: time(8, 30), to: time(16, 0) }
    }
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the days of the week need no words")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// School holidays, first and last day included.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Holiday {
    /// The first day without school, `2026-12-19`.
    #[schemars(with = "String")]
    pub from: jiff::civil::Date,
    /// The last day without school.
    #[schemars(with = "String")]
    pub to: jiff::civil::Date,
}

/// Mail the gateway itself writes.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Notices {
    /// The `From:` of notices, an address of the school. Without it `postmaster` at the first
    /// of the school's domains.
    #[schemars(with = "Option<Mailbox>")]
    pub from: Option<Spanned<Mailbox>>,
}

impl Weekday {
    pub(super) fn civil(self) -> jiff::civil::Weekday {
        match self {
            Self::Monday => jiff::civil::Weekday::Monday,
            Self::Tuesday => jiff::civil::Weekday::Tuesday,
            Self::Wednesday => jiff::civil::Weekday::Wednesday,
            Self::Thursday => jiff::civil::Weekday::Thursday,
            Self::Friday => jiff::civil::Weekday::Friday,
            Self::Saturday => jiff::civil::Weekday::Saturday,
            Self::Sunday => jiff::civil::Weekday::Sunday,
        }
    }
}
