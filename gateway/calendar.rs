//! School hours and school days: how long a hold may wait for a person.
//!
//! Pure: the hours, the holidays and the time zone come from the configuration, the moment from
//! the caller. A hold that comes in on Friday evening of the last week of term waits for people
//! who are there, and not for a clock.

use jiff::SignedDuration;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::civil::Time;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;

/// How many days are searched for a school day. A calendar without one in two years is taken to
/// have school on the last day searched, so that no hold waits for ever.
const HORIZON: usize = 731;

/// When somebody is at school.
#[derive(Debug, Clone)]
pub struct SchoolCalendar {
    zone: TimeZone,
    opens: Time,
    closes: Time,
    weekdays: Vec<Weekday>,
    holidays: Vec<(Date, Date)>,
}

impl SchoolCalendar {
    /// A calendar of local hours, open weekdays, and holidays (first and last day included).
    /// With `closes` not after `opens` a school day has no hours.
    pub fn new(
        zone: TimeZone,
        (opens, closes): (Time, Time),
        weekdays: Vec<Weekday>,
        holidays: Vec<(Date, Date)>,
    ) -> Self {
        Self { zone, opens, closes, weekdays, holidays }
    }

    /// The school's local date at this moment; retention counts from it (P09).
    pub fn date(&self, moment: Timestamp) -> Date {
        moment.to_zoned(self.zone.clone()).date()
    }

    /// The time zone of the school.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Whether there is school on this date.
    pub fn is_school_day(&self, date: Date) -> bool {
        self.weekdays.contains(&date.weekday())
            && !self.holidays.iter().any(|(first, last)| (*first..=*last).contains(&date))
    }

    /// The moment at which this many school hours have passed since `from`. Hours outside the
    /// school day do not count; the result lies within a school day.
    pub fn add_school_hours(&self, from: Timestamp, hours: u16) -> Timestamp {
        let mut left = SignedDuration::from_hours(i64::from(hours));
        let mut last = from;
        for date in self.school_days(self.date(from)) {
            let (Some(opens), Some(closes)) =
                (self.at(date, self.opens), self.at(date, self.closes))
            else {
                continue;
            };
            let begin = opens.max(from);
            let today = closes.duration_since(begin);
            if today >= left && today.is_positive() {
                return begin.checked_add(left).unwrap_or(closes);
            }
            left -= today.max(SignedDuration::ZERO);
            last = closes.max(from);
        }
        last
    }

    /// The end of the school day that is the `days`-th after the date of `from`, which itself
    /// does not count: what is held on Monday has the whole of the next days.
    pub fn add_school_days(&self, from: Timestamp, days: u16) -> Timestamp {
        let tomorrow = self.date(from).tomorrow().unwrap_or(Date::MAX);
        let mut last = from;
        for date in self.school_days(tomorrow).take(usize::from(days)) {
            last = self.at(date, self.closes).unwrap_or(last);
        }
        last
    }

    /// School days from a date on; the last day searched counts as one.
    fn school_days(&self, from: Date) -> impl Iterator<Item = Date> {
        let last = from.checked_add(jiff::Span::new().days(731)).unwrap_or(Date::MAX);
        from.series(jiff::Span::new().days(1))
            .take(HORIZON + 1)
            .filter(move |date| self.is_school_day(*date) || *date == last)
    }

    /// A local time as a moment. A time that the clock change skips or repeats is read as RFC
    /// 5545 reads it; school does not open at night.
    fn at(&self, date: Date, time: Time) -> Option<Timestamp> {
        Some(date.to_datetime(time).to_zoned(self.zone.clone()).ok()?.timestamp())
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use jiff::civil::time;

    use super::*;

    /// Open from 08:30 to 16:00, Christmas 2026 off from Saturday 19 December to Sunday 3 January.
    fn calendar() -> SchoolCalendar {
        use Weekday::{Friday, Monday, Thursday, Tuesday, Wednesday};
        SchoolCalendar::new(
            TimeZone::posix("GMT0BST,M3.5.0/1,M10.5.0").unwrap(),
            (time(8, 30, 0, 0), time(16, 0, 0, 0)),
            vec![Monday, Tuesday, Wednesday, Thursday, Friday],
            vec![(date(2026, 12, 19), date(2027, 1, 3))],
        )
    }

    /// A local time at the school, in and out as `2026-12-18T15:00`.
    fn local(text: &str) -> Timestamp {
        let civil: jiff::civil::DateTime = text.parse().unwrap();
        civil.to_zoned(calendar().zone().clone()).unwrap().timestamp()
    }

    fn hours(from: &str, hours: u16) -> String {
        let end = calendar().add_school_hours(local(from), hours);
        end.to_zoned(calendar().zone().clone()).strftime("%Y-%m-%dT%H:%M").to_string()
    }

    fn days(from: &str, days: u16) -> String {
        let end = calendar().add_school_days(local(from), days);
        end.to_zoned(calendar().zone().clone()).strftime("%Y-%m-%dT%H:%M").to_string()
    }

    #[test]
    fn hours_within_one_day_are_plain_hours() {
        assert_eq!(hours("2026-11-24T09:00", 4), "2026-11-24T13:00");
        assert_eq!(hours("2026-11-24T12:00", 4), "2026-11-24T16:00");
    }

    #[test]
    fn hours_go_on_in_the_next_school_day() {
        assert_eq!(hours("2026-11-24T15:00", 4), "2026-11-25T11:30");
        assert_eq!(hours("2026-11-27T15:00", 4), "2026-11-30T11:30", "over a weekend");
        assert_eq!(hours("2026-12-18T15:00", 4), "2027-01-04T11:30", "over the end of term");
        assert_eq!(hours("2026-11-24T08:30", 20), "2026-11-26T13:30", "over two nights");
    }

    #[test]
    fn a_start_outside_hours_counts_from_the_next_opening() {
        assert_eq!(hours("2026-11-24T05:00", 4), "2026-11-24T12:30");
        assert_eq!(hours("2026-11-24T16:00", 4), "2026-11-25T12:30");
        assert_eq!(hours("2026-11-28T11:00", 4), "2026-11-30T12:30", "on a Saturday");
        assert_eq!(hours("2026-12-25T11:00", 4), "2027-01-04T12:30", "on a holiday");
    }

    #[test]
    fn the_clock_change_neither_adds_nor_takes_a_school_hour() {
        assert_eq!(hours("2027-03-26T15:00", 4), "2027-03-29T11:30", "summer time begins");
        assert_eq!(hours("2026-10-23T15:00", 4), "2026-10-26T11:30", "summer time ends");
    }

    #[test]
    fn days_end_with_the_school_day_and_the_first_does_not_count() {
        assert_eq!(days("2026-11-23T10:00", 5), "2026-11-30T16:00", "Monday to Monday");
        assert_eq!(days("2026-11-28T10:00", 5), "2026-12-04T16:00", "a Saturday");
        assert_eq!(days("2026-12-17T10:00", 5), "2027-01-07T16:00", "over the end of term");
        assert_eq!(days("2026-11-23T10:00", 0), "2026-11-23T10:00");
    }

    #[test]
    fn a_calendar_without_school_does_not_wait_for_ever() {
        let never = SchoolCalendar { weekdays: Vec::new(), ..calendar() };
        let from = local("2026-11-24T09:00");
        assert!(never.add_school_hours(from, 4) > from);
        assert!(never.add_school_days(from, 5) > from);
        let no_hours = SchoolCalendar { closes: time(8, 30, 0, 0), ..calendar() };
        assert!(no_hours.add_school_hours(from, 4) > from);
    }

    #[test]
    fn the_date_is_the_schools_and_not_greenwichs() {
        let just_after_midnight_in_summer: Timestamp = "2026-07-01T23:30:00Z".parse().unwrap();
        assert_eq!(calendar().date(just_after_midnight_in_summer), date(2026, 7, 2));
    }
}
