//! From what was typed to what it means, with every contradiction found and placed.

use std::path::Path;
use std::path::PathBuf;

use jiff::tz::TimeZone;
use serde_saphyr::Location;
use serde_saphyr::Spanned;

use super::error::ConfigError;
use super::error::Problems;
use super::file;
use super::file::File;
use super::people;
use super::scalar::DomainName;
use super::scalar::Pattern;
use super::settings;
use super::settings::Settings;
use crate::approval::Approver;
use crate::approval::Role;
use crate::calendar::SchoolCalendar;
use crate::mail::Address;
use crate::mail::Sensitive;

impl Settings {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// [`ConfigError::Unreadable`], or [`ConfigError::Wrong`] with every problem found.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let source = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        Self::read(path, &source)
    }

    /// Reads a configuration from its text; `path` names it and gives relative paths their base.
    ///
    /// # Errors
    /// [`ConfigError::Wrong`] with every problem found.
    pub fn read(path: &Path, source: &str) -> Result<Self, ConfigError> {
        let mut problems = Problems { file: path, source, found: Vec::new() };
        let options = serde_saphyr::options! { strict_booleans: true };
        let file: File = match serde_saphyr::from_str_with_options(source, options) {
            Ok(file) => file,
            Err(error) => {
                problems.reader_says(&error);
                return Err(ConfigError::Wrong(problems.found));
            }
        };
        let base = path.parent().unwrap_or(Path::new(""));
        let settings = Resolver { base, problems: &mut problems }.settings(file);
        match settings {
            Some(settings) if problems.found.is_empty() => Ok(settings),
            _ => Err(ConfigError::Wrong(problems.found)),
        }
    }
}

/// Turns the written into the meant, part by part.
pub(super) struct Resolver<'a, 'b> {
    pub(super) base: &'a Path,
    pub(super) problems: &'a mut Problems<'b>,
}

impl Resolver<'_, '_> {
    fn settings(&mut self, file: File) -> Option<Settings> {
        let school = self.school(file.school)?;
        let approvers = self.approvers(file.approvers, &school);
        let bulk = self.bulk(file.bulk, &school);
        let notices_from = self.notices_from(file.notices, &school)?;
        let calendar = self.calendar(file.calendar, school.time_zone.clone());
        Some(Settings {
            hostname: file.hostname.value.0,
            mode: file.mode,
            monitor_header: file.monitor_header.and_then(|header| self.monitor_header(header)),
            listeners: self.listeners(file.listeners),
            limits: self.limits(file.limits),
            inspection: self.inspection(&file.inspection),
            rules: file.rules.folder.map(|folder| self.folder(folder, "rules.folder")),
            roll_max_age: file.roll.max_age.0,
            bulk,
            journal: file.journal.into_iter().map(|mailbox| mailbox.0).collect(),
            disclaimer: self.disclaimer(file.disclaimer),
            retention: self.retention(file.retention),
            default_hop: self.hop(file.next_hops.default),
            domain_hops: self.domain_hops(file.next_hops.domains),
            relay: self.relay(file.relay),
            store: self.base.join(file.store.folder),
            keys: self.keys(file.keys),
            holds: holds(&file.holds),
            calendar,
            approvers,
            notices_from,
            log: settings::Log { format: file.log.format, level: self.log_level(file.log.level) },
            school,
        })
    }

    fn school(&mut self, school: file::School) -> Option<settings::School> {
        let domains = school.domains;
        if school.name.value.trim().is_empty() {
            let what = "the school's name is empty".to_owned();
            self.wrong(school.name.referenced, "school.name", what, "write the school's name");
        }
        if domains.value.is_empty() {
            let what = "the school has no domain of its own".to_owned();
            let remedy = "name every domain from which the school sends, as - school.example";
            self.wrong(domains.referenced, "school.domains", what, remedy);
            return None;
        }
        let own: Vec<String> = domains.value.into_iter().map(|domain| domain.value.0).collect();
        for partner in &school.trusted_partners {
            if let Pattern::Domain(domain) = &partner.value
                && own.contains(domain)
            {
                let what = format!("`{domain}` is one of the school's own domains");
                let remedy = "remove it here: mail within the school needs no trust";
                self.wrong(partner.referenced, "school.trusted_partners", what, remedy);
            }
        }
        Some(settings::School {
            name: school.name.value,
            domains: own,
            trusted_partners: values(school.trusted_partners),
            protected_recipients: values(school.protected_recipients),
            laestab: school.laestab.map(|code| code.0),
            time_zone: school.time_zone.zone()?,
        })
    }

    fn approvers(
        &mut self,
        approvers: Spanned<Vec<people::Approver>>,
        school: &settings::School,
    ) -> Vec<Approver> {
        let has = |roles: &[Role]| approvers.value.iter().any(|a| roles.contains(&a.role));
        let place = approvers.referenced;
        if !has(&[Role::Headteacher]) {
            let what = "nobody is headteacher, so nobody could decide a held message".to_owned();
            self.wrong(place, "approvers", what, "add an approver with role: headteacher (P06)");
        }
        if !has(&[Role::SafeguardingLead, Role::ChairOfGovernors]) {
            let what = "nobody could decide a hold that concerns the headteacher".to_owned();
            let remedy = "add an approver with role: safeguarding_lead or chair_of_governors";
            self.wrong(place, "approvers", what, remedy);
        }
        approvers.value.into_iter().map(|approver| self.approver(approver, school)).collect()
    }

    fn approver(&mut self, approver: people::Approver, school: &settings::School) -> Approver {
        if approver.name.value.trim().is_empty() {
            let what = "the approver has no name".to_owned();
            self.wrong(approver.name.referenced, "approvers", what, "write first and last name");
        }
        self.must_be_own(approver.address.referenced, &approver.address.value.0, school);
        Approver {
            name: Sensitive::new(approver.name.value),
            address: approver.address.value.0,
            role: approver.role,
        }
    }

    fn bulk(&mut self, bulk: file::Bulk, school: &settings::School) -> settings::Bulk {
        if let Some(address) = &bulk.to_address {
            self.must_be_own(address.referenced, &address.value.0, school);
        }
        settings::Bulk { to_address: bulk.to_address.map(|address| address.value.0) }
    }

    fn notices_from(
        &mut self,
        notices: people::Notices,
        school: &settings::School,
    ) -> Option<Address> {
        let Some(from) = notices.from else {
            return Address::parse(&format!("postmaster@{}", school.domains.first()?)).ok();
        };
        self.must_be_own(from.referenced, &from.value.0, school);
        Some(from.value.0)
    }

    fn must_be_own(&mut self, place: Location, address: &Address, school: &settings::School) {
        if !school.is_own(address) {
            let what = format!("the domain `{}` is not one of the school's own", address.domain());
            let remedy = "use an address of the school, or add the domain to school.domains";
            self.wrong(place, "", what, remedy);
        }
    }

    fn monitor_header(&mut self, header: file::MonitorHeader) -> Option<String> {
        let name = header.name.value.0;
        let folded = name.to_lowercase();
        let taken = folded.starts_with("x-schoolgate-") || !folded.starts_with("x-");
        if taken {
            let what = format!("`{name}` may carry another meaning");
            let remedy = "choose a name that begins with X- and not with X-Schoolgate-";
            self.wrong(header.name.referenced, "monitor_header.name", what, remedy);
        }
        (!taken).then_some(name)
    }

    fn inspection(&mut self, inspection: &file::Inspection) -> settings::Inspection {
        let deadline = inspection.deadline.value.0;
        if deadline.as_secs() >= 600 {
            let what = "clients wait ten minutes for the answer and then send again".to_owned();
            let remedy = "choose less than 10m (RFC 5321 section 4.5.3.2.6)";
            self.wrong(inspection.deadline.referenced, "inspection.deadline", what, remedy);
        }
        let limits = crate::mail::Limits {
            parts: inspection.parts,
            depth: inspection.depth,
            fields: inspection.fields,
            ..crate::mail::Limits::default()
        };
        settings::Inspection { deadline, limits }
    }

    fn disclaimer(&mut self, disclaimer: file::Disclaimer) -> Option<settings::Disclaimer> {
        if !disclaimer.append {
            return None;
        }
        let remedy = "write the text, or append: false if another system appends it";
        if disclaimer.text.value.trim().is_empty() {
            let what = "the disclaimer is empty".to_owned();
            self.wrong(disclaimer.text.referenced, "disclaimer.text", what, remedy);
        }
        if let Some(html) = disclaimer.html.as_ref().filter(|html| html.value.trim().is_empty()) {
            let what = "the HTML form of the disclaimer is empty".to_owned();
            self.wrong(html.referenced, "disclaimer.html", what, "write it, or remove the key");
        }
        let text = disclaimer.text.value.trim_end().to_owned();
        let html = match disclaimer.html {
            Some(html) => html.value,
            None => format!("<p>{}</p>", htmlize::escape_text(&text).replace('\n', "<br>\n")),
        };
        Some(settings::Disclaimer { text, html })
    }

    fn retention(&mut self, retention: file::Retention) -> settings::Retention {
        let fits = |name: &str| {
            !name.is_empty()
                && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        };
        let classes = retention.classes;
        for name in classes.value.keys().filter(|name| !fits(name)) {
            let what = format!("`{name}` can't stand in a header field");
            let remedy = "use lower-case letters, digits and hyphens";
            self.wrong(classes.referenced, "retention.classes", what, remedy);
        }
        let standard = retention.standard;
        if !classes.value.contains_key(&standard.value) {
            let what = format!("there is no class `{}`", standard.value);
            let remedy = "add it to retention.classes, or name one that is there";
            self.wrong(standard.referenced, "retention.standard", what, remedy);
        }
        settings::Retention {
            standard: standard.value,
            classes: classes.value.into_iter().map(|(name, class)| (name, class.years)).collect(),
        }
    }

    fn calendar(&mut self, calendar: people::Calendar, zone: TimeZone) -> SchoolCalendar {
        let day = calendar.school_day;
        if day.value.from >= day.value.to {
            let what = "the school day ends before it begins".to_owned();
            self.wrong(day.referenced, "calendar.school_day", what, "write from: 08:30, to: 16:00");
        }
        if calendar.weekdays.value.is_empty() {
            let what = "the school is open on no day of the week".to_owned();
            let remedy = "write [monday, tuesday, wednesday, thursday, friday]";
            self.wrong(calendar.weekdays.referenced, "calendar.weekdays", what, remedy);
        }
        for holiday in calendar.holidays.iter().filter(|h| h.value.from > h.value.to) {
            let what = "the holiday ends before it begins".to_owned();
            self.wrong(holiday.referenced, "calendar.holidays", what, "swap from and to");
        }
        SchoolCalendar::new(
            zone,
            (day.value.from, day.value.to),
            calendar.weekdays.value.into_iter().map(people::Weekday::civil).collect(),
            calendar.holidays.into_iter().map(|h| (h.value.from, h.value.to)).collect(),
        )
    }

    fn keys(&self, keys: file::Keys) -> PathBuf {
        let credentials = || std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        match keys.folder {
            Some(folder) => self.base.join(folder),
            None => credentials().unwrap_or_else(|| PathBuf::from("/etc/schoolgate/keys")),
        }
    }

    fn log_level(&mut self, level: Option<Spanned<String>>) -> String {
        let Some(level) = level else { return "info".to_owned() };
        if let Err(error) = level.value.parse::<tracing_subscriber::filter::Targets>() {
            let what = format!("`{}` is no log level: {error}", level.value);
            self.wrong(level.referenced, "log.level", what, "write error, warn, info or debug");
        }
        level.value
    }

    /// A file that must be there.
    pub(super) fn file(&mut self, path: Spanned<PathBuf>, field: &str) -> PathBuf {
        let full = self.base.join(&path.value);
        if let Err(error) = std::fs::File::open(&full) {
            let what = format!("the file {} cannot be opened: {error}", full.display());
            let remedy = "correct the path, or let the gateway's user read the file";
            self.wrong(path.referenced, field, what, remedy);
        }
        full
    }

    fn folder(&mut self, path: Spanned<PathBuf>, field: &str) -> PathBuf {
        let full = self.base.join(&path.value);
        if !full.is_dir() {
            let what = format!("{} is no folder", full.display());
            self.wrong(path.referenced, field, what, "correct the path, or make the folder");
        }
        full
    }

    pub(super) fn wrong(&mut self, place: Location, field: &str, what: String, remedy: &str) {
        self.problems.at(place, field, what, remedy);
    }
}

fn values<T>(spanned: Vec<Spanned<T>>) -> Vec<T> {
    spanned.into_iter().map(|entry| entry.value).collect()
}

pub(super) fn names(domains: Vec<DomainName>) -> Vec<String> {
    domains.into_iter().map(|name| name.0).collect()
}

fn holds(holds: &people::Holds) -> settings::Holds {
    settings::Holds {
        escalate_after_school_hours: holds.escalate_after_school_hours,
        close_after_school_days: holds.close_after_school_days,
        keep_closed_days: holds.keep_closed_days,
        internal_at_once: holds.internal_at_once,
    }
}
