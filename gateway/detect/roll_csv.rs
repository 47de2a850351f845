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
    (Column::Forename, &["forename", "legalforename", "firstname", "legalfirstname", "givenname", "forenames", "first", "pupilforename", "studentforename", "studentfirstname"]),
    (Column::Surname, &["surname", "legalsurname", "lastname", "legallastname", "familyname", "last", "pupilsurname", "studentsurname", "studentlastname"]),
    (Column::PreferredForename, &["preferredforename", "preferredfirstname", "chosenforename", "chosenname", "knownas", "preferredname"]),
    (Column::PreferredSurname, &["preferredsurname", "preferredlastname", "chosensurname"]),
    (Column::Upn, &["upn", "uniquepupilnumber", "pupilupn", "uniquepupilreference"]),
    (Column::Year, &["year", "yeargroup", "ncyear", "nationalcurriculumyear", "yr", "yeartaughtin", "ncyearactual"]),
    (Column::Form, &["reg", "regform", "registrationform", "reggroup", "registrationgroup", "form", "class", "classname", "tutorgroup", "tutor"]),
    (Column::Born, &["dob", "dateofbirth", "birthdate", "birthday"]),
];
