//! A roll out of the CSV exports of SIMS, Arbor, Bromcom and others, with a preview of what was
//! read as what. Columns are found by their names, never by their place.

use csv::StringRecord;
use jiff::civil::Date;
use thiserror::Error;

use super::roll::{Pupil, Roll};
use super::upn;

/// Column names, lower case and with letters and digits only, and the field they fill. The first
/// column that fits a field fills it.
const ALIASES: &[(Column, &[&str])] = &[
    (
        Column::Forename,
        &[
            "forename",
            "legalforename",
            "firstname",
            "legalfirstname",
            "givenname",
            "forenames",
            "first",
            "pupilforename",
            "studentforename",
            "studentfirstname",
        ],
    ),
    (
        Column::Surname,
        &[
            "surname",
            "legalsurname",
            "lastname",
            "legallastname",
            "familyname",
            "last",
            "pupilsurname",
            "studentsurname",
            "studentlastname",
        ],
    ),
    (
        Column::PreferredForename,
        &[
            "preferredforename",
            "preferredfirstname",
            "chosenforename",
            "chosenname",
            "knownas",
            "preferredname",
        ],
    ),
    (Column::PreferredSurname, &["preferredsurname", "preferredlastname", "chosensurname"]),
    (Column::Upn, &["upn", "uniquepupilnumber", "pupilupn", "uniquepupilreference"]),
    (
        Column::Year,
        &[
            "year",
            "yeargroup",
            "ncyear",
            "nationalcurriculumyear",
            "yr",
            "yeartaughtin",
            "ncyearactual",
        ],
    ),
    (
        Column::Form,
        &[
            "reg",
            "regform",
            "registrationform",
            "reggroup",
            "registrationgroup",
            "form",
            "class",
            "classname",
            "tutorgroup",
            "tutor",
        ],
    ),
    (Column::Born, &["dob", "dateofbirth", "birthdate", "birthday"]),
];

/// What a column can be read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Column {
    /// Forename; needed.
    Forename,
    /// Surname; needed.
    Surname,
    /// The name the child is called by.
    PreferredForename,
    /// The surname the child goes by.
    PreferredSurname,
    /// Unique Pupil Number.
    Upn,
    /// Year group.
    Year,
    /// Registration form or class.
    Form,
    /// Date of birth.
    Born,
}

impl Column {
    /// The name for a person.
    pub fn words(self) -> &'static str {
        match self {
            Self::Forename => "forename",
            Self::Surname => "surname",
            Self::PreferredForename => "preferred forename",
            Self::PreferredSurname => "preferred surname",
            Self::Upn => "UPN",
            Self::Year => "year group",
            Self::Form => "form",
            Self::Born => "date of birth",
        }
    }
}

/// How an export was read, for a person to check before it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// The roll that came of it.
    pub roll: Roll,
    /// Which column was read as what, in the order of [`Column`].
    pub mapping: Vec<(Column, String)>,
    /// Columns that were not read.
    pub unused: Vec<String>,
    /// Rows that gave a pupil, equal ones counted too.
    pub rows: usize,
    /// Lines that gave none, and why; no name is quoted.
    pub refused: Vec<(u64, &'static str)>,
    /// Lines whose UPN fails its check; the pupil is kept without it.
    pub bad_upns: Vec<u64>,
}

/// Why a whole export can't be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ImportError {
    /// The text is empty.
    #[error("the file is empty: export the pupil list as CSV with its column headings")]
    Empty,
    /// A needed column is missing.
    #[error("no column is headed {missing}; the headings are: {}", found.join(", "))]
    MissingColumn {
        /// What is missing, in words.
        missing: &'static str,
        /// The headings as they stand in the file.
        found: Vec<String>,
    },
    /// There are headings but no row that names a pupil.
    #[error("no row names a pupil")]
    NoPupils,
}

/// Reads an export: UTF-8 with or without a byte order mark; commas, semicolons or tabs; quoted
/// fields. `taken` is the day of the export.
///
/// # Errors
/// [`ImportError`] where nothing can be read; single bad rows are told in [`Import::refused`].
pub fn import_csv(text: &str, taken: Date) -> Result<Import, ImportError> {
    let text = text.trim_start_matches('\u{feff}');
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(separator(text))
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let headings = match reader.headers() {
        Ok(headings) if !headings.is_empty() => headings.clone(),
        _ => return Err(ImportError::Empty),
    };
    let columns = Columns::find(&headings)?;
    let mut rows = Rows::default();
    for record in reader.records() {
        match record {
            Ok(record) => rows.take(&columns, &record),
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                rows.refused.push((line, "the line is not valid CSV"));
            }
        }
    }
    if rows.pupils.is_empty() {
        return Err(ImportError::NoPupils);
    }
    Ok(Import {
        rows: rows.pupils.len(),
        roll: Roll::new(rows.pupils, taken),
        mapping: columns.mapping(&headings),
        unused: columns.unused(&headings),
        refused: rows.refused,
        bad_upns: rows.bad_upns,
    })
}

/// The separator that the heading line holds most of.
fn separator(text: &str) -> u8 {
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let count = |octet: u8| line.bytes().filter(|&other| other == octet).count();
    [b',', b';', b'\t']
        .into_iter()
        .max_by_key(|&octet| (count(octet), octet == b','))
        .unwrap_or(b',')
}

struct Columns(Vec<(Column, usize)>);

impl Columns {
    fn find(headings: &StringRecord) -> Result<Self, ImportError> {
        let keys: Vec<String> = headings
            .iter()
            .map(|heading| heading.chars().filter(|c| c.is_alphanumeric()).collect::<String>())
            .map(|key| key.to_lowercase())
            .collect();
        let place =
            |names: &[&str]| names.iter().find_map(|name| keys.iter().position(|key| key == name));
        let found: Vec<_> = ALIASES
            .iter()
            .filter_map(|&(column, names)| place(names).map(|place| (column, place)))
            .collect();
        let columns = Self(found);
        for (column, missing) in [
            (Column::Forename, "Forename (or First name)"),
            (Column::Surname, "Surname (or Last name)"),
        ] {
            if columns.place(column).is_none() {
                let found = headings.iter().map(str::to_owned).collect();
                return Err(ImportError::MissingColumn { missing, found });
            }
        }
        Ok(columns)
    }

    fn place(&self, column: Column) -> Option<usize> {
        self.0.iter().find(|(other, _)| *other == column).map(|(_, place)| *place)
    }

    fn value(&self, record: &StringRecord, column: Column) -> String {
        let value = self.place(column).and_then(|place| record.get(place)).unwrap_or_default();
        value.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn mapping(&self, headings: &StringRecord) -> Vec<(Column, String)> {
        let name = |place: usize| headings.get(place).unwrap_or_default().to_owned();
        self.0.iter().map(|&(column, place)| (column, name(place))).collect()
    }

    fn unused(&self, headings: &StringRecord) -> Vec<String> {
        let is_used = |place: usize| self.0.iter().any(|(_, other)| *other == place);
        let names = headings.iter().enumerate().filter(|(place, _)| !is_used(*place));
        names.map(|(_, name)| name.to_owned()).collect()
    }
}

#[derive(Default)]
struct Rows {
    pupils: Vec<Pupil>,
    refused: Vec<(u64, &'static str)>,
    bad_upns: Vec<u64>,
}

impl Rows {
    fn take(&mut self, columns: &Columns, record: &StringRecord) {
        let line = record.position().map_or(0, csv::Position::line);
        if record.iter().all(str::is_empty) {
            return;
        }
        let value = |column| columns.value(record, column);
        let mut pupil = Pupil {
            forename: value(Column::Forename),
            surname: value(Column::Surname),
            preferred_forename: value(Column::PreferredForename),
            preferred_surname: value(Column::PreferredSurname),
            upn: value(Column::Upn).replace([' ', '-'], "").to_uppercase(),
            year: value(Column::Year),
            form: value(Column::Form),
            born: value(Column::Born),
        };
        if !pupil.forename.contains(char::is_alphabetic) {
            return self.refused.push((line, "there is no forename"));
        }
        if !pupil.surname.contains(char::is_alphabetic) {
            return self.refused.push((line, "there is no surname"));
        }
        if !pupil.upn.is_empty() && !upn::is_valid(&pupil.upn) {
            self.bad_upns.push(line);
            pupil.upn.clear();
        }
        self.pupils.push(pupil);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn import(text: &str) -> Result<Import, ImportError> {
        import_csv(text, jiff::civil::date(2026, 9, 1))
    }

    fn pupils(import: &Import) -> Vec<String> {
        let line = |p: &Pupil| {
            format!("{}|{}|{}|{}|{}|{}", p.forename, p.surname, p.upn, p.year, p.form, p.born)
        };
        import.roll.pupils().iter().map(line).collect()
    }

    #[test]
    fn reads_the_exports_of_each_system() {
        for (name, text) in [
            ("sims", include_str!("../../fixtures/roll/sims.csv")),
            ("arbor", include_str!("../../fixtures/roll/arbor.csv")),
            ("bromcom", include_str!("../../fixtures/roll/bromcom.csv")),
            ("semicolons", include_str!("../../fixtures/roll/semicolons.csv")),
            ("tabs", include_str!("../../fixtures/roll/tabs.tsv")),
        ] {
            let import = import(text).unwrap();
            assert_eq!(import.refused, [], "{name}");
            assert_eq!(pupils(&import)[0], "Amira|Khan|B801200005001|4|4B|02/03/2018", "{name}");
            assert_eq!(pupils(&import)[1], "Zoë|O'Neil-Price||4|4B|", "{name}");
        }
    }

    #[test]
    fn tells_what_it_read_as_what_and_which_lines_it_refused() {
        let import = import("Adno,Legal Surname,Forename,UPN,Known as\n1,Brown,Tom,A801200005001,\n2,,Ann,,\n3,Khan,,,\n,,,,\n5,Brown,Tom,,\n").unwrap();
        assert_eq!(
            import.mapping,
            [
                (Column::Forename, "Forename".to_owned()),
                (Column::Surname, "Legal Surname".to_owned()),
                (Column::PreferredForename, "Known as".to_owned()),
                (Column::Upn, "UPN".to_owned()),
            ]
        );
        assert_eq!(import.unused, ["Adno"]);
        assert_eq!((import.rows, import.roll.pupils().len()), (2, 1));
        assert_eq!(import.refused, [(3, "there is no surname"), (4, "there is no forename")]);
        assert_eq!(import.bad_upns, [2]);
    }

    #[test]
    fn refuses_what_is_no_roll() {
        assert_eq!(import("\u{feff}\n"), Err(ImportError::Empty));
        assert_eq!(import("Forename,Surname\n"), Err(ImportError::NoPupils));
        let error = import("Name,UPN\nTom Brown,\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "no column is headed Forename (or First name); the headings are: Name, UPN"
        );
    }
}
